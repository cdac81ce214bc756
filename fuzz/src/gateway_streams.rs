//! The readers beside a gateway's streams: events, JSON as it comes, content codings. Cut anywhere, they read the same.

use http::{HeaderMap, HeaderValue};
use indelible_gateway::json_scan::{JsonScan, Told};
use indelible_gateway::llm::decode::Decoder;
use indelible_gateway::sse::{SseEvents, SsePart, SseParts};

/// The first byte says how the rest is cut.
fn pieces(data: &[u8]) -> Option<(&[u8], impl Iterator<Item = &[u8]>)> {
    let (cut, rest) = data.split_first()?;
    Some((rest, rest.chunks(usize::from(*cut).max(1))))
}

/// Server-sent events.
pub fn sse(data: &[u8]) {
    let Some((whole, pieces)) = pieces(data) else { return };
    let mut last = 0;
    SseParts::new().feed(whole, |part| {
        if let SsePart::End(end) = part {
            assert!(end.start >= last && end.end > end.start && end.end <= whole.len());
            last = end.end;
        }
    });
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut events = SseEvents::new(64);
        let mut told = Vec::new();
        for piece in pieces {
            events.feed(piece, |event| {
                assert!(event.data.len() <= 64);
                told.push((event.end.event.to_vec(), event.end.id.to_vec(), event.data.to_vec(), event.cut));
            });
        }
        told
    };
    assert_eq!(read(&mut std::iter::once(whole)), read(&mut { pieces }));
}

/// JSON read as it comes.
pub fn json_scan(data: &[u8]) {
    let Some((whole, pieces)) = pieces(data) else { return };
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut scan = JsonScan::new();
        let mut told = Vec::new();
        let mut open = 0i64;
        let mut note = |path: &str, one: Told<'_>| match one {
            Told::Piece(_) => {}
            one => {
                open += match one {
                    Told::Open => 1,
                    Told::Close => -1,
                    _ => 0,
                };
                assert!(open >= 0 && path.len() < 512);
                told.push(format!("{path} {one:?}"));
            }
        };
        let mut result = Ok(());
        for piece in pieces {
            result = result.and_then(|()| scan.feed(piece, &mut note));
        }
        let result = result.and_then(|()| scan.end(&mut note));
        assert!(result.is_err() || open == 0);
        // Where reading breaks off depends on nothing; what was told before is the same.
        (told, result.is_ok())
    };
    assert_eq!(read(&mut std::iter::once(whole)), read(&mut { pieces }));
}

/// Content codings: what comes out is bounded by what goes in.
pub fn content_coding(data: &[u8]) {
    let Some((coding, rest)) = data.split_first() else { return };
    let coding = ["gzip", "deflate", "br", "zstd"][usize::from(*coding % 4)];
    let mut headers = HeaderMap::new();
    headers.insert("content-encoding", HeaderValue::from_static(coding));
    let mut decoder = Decoder::new(&headers);
    let mut out = 0;
    for piece in rest.chunks(100) {
        if decoder.feed(piece, |plain| out += plain.len()).is_err() {
            return;
        }
    }
    assert!(out <= 4 * 1024 * 1024 + 200 * rest.len());
}
