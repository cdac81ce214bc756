//! Request bodies: collected up to a cap, within a time, out of a bounded memory; decompressed up to the same cap, so that a
//! small body cannot become a large one. Never: an unbounded read.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::{App, BODY_SHARE_BYTES};
use crate::call::Call;
use crate::problem::{Kind, Problem};
use crate::query_string::Parameters;

/// How long a request waits for its share of memory before it is told to come back.
const SHARE_WAIT: Duration = Duration::from_secs(5);
/// Largest window a zstd body may ask for: 2^23 bytes (RFC 9659 sets this for HTTP).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Not at all.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Encoding {
    /// What `Content-Encoding` says; one encoding at most.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let Some(value) = values.next() else { return Ok(Self::Plain) };
        let text = value.to_str().unwrap_or_default().trim();
        let known = [("identity", Self::Plain), ("gzip", Self::Gzip), ("x-gzip", Self::Gzip), ("zstd", Self::Zstd)];
        let found = known.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        match (found, values.next()) {
            (Some((_, encoding)), None) => Ok(*encoding),
            _ => Err(Problem::new(Kind::UnsupportedMediaType, "`Content-Encoding` is `gzip`, `zstd` or missing")),
        }
    }
}

/// The media type in `Content-Type` without its parameters, in lower case; empty when there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A body that has arrived, with its share of memory.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) bytes: Bytes,
    pub(crate) encoding: Encoding,
    pub(crate) share: Option<OwnedSemaphorePermit>,
}

/// Collects a body of at most `limits.request_bytes`.
pub(crate) async fn collect(app: &App, headers: &HeaderMap, body: Body) -> Result<Collected, Problem> {
    let cap = app.config.limits.request_bytes.in_memory();
    let encoding = Encoding::of(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let announced = announced.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if announced.is_some_and(|bytes| bytes > cap) {
        return Err(too_large(cap));
    }
    // A body of unknown length may become as large as the cap, and so may what a compressed one holds.
    let arriving = announced.unwrap_or(cap);
    let opened = if encoding == Encoding::Plain { 0 } else { cap };
    let share = share(app, arriving + opened).await?;
    let time = app.config.limits.body_time.duration();
    let bytes = match tokio::time::timeout(time, read(body, cap, announced)).await {
        Ok(bytes) => bytes?,
        Err(_) => {
            return Err(Problem::new(
                Kind::TooSlow,
                format!("the body did not arrive within {}", app.config.limits.body_time),
            ));
        }
    };
    let share = share.map(|share| shrunk(share, bytes.len() + opened));
    Ok(Collected { bytes, encoding, share })
}

async fn read(mut body: Body, cap: usize, announced: Option<usize>) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Problem::new(Kind::InvalidRequest, "the body broke off before its end").with_internal(error)
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let so_far = rest.as_ref().map_or(first.len(), BytesMut::len);
        if so_far + data.len() > cap {
            return Err(too_large(cap));
        }
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&data),
            // Most bodies arrive in one piece, which is then not copied.
            None if first.is_empty() => first = data,
            None => {
                let mut whole = BytesMut::with_capacity(announced.unwrap_or(2 * so_far).max(so_far + data.len()));
                whole.extend_from_slice(&first);
                whole.extend_from_slice(&data);
                rest = Some(whole);
            }
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

/// Takes the share of a large body, waiting a little. Everything a request may need is taken at once: two requests that each
/// hold a part and wait for the other's cannot happen.
async fn share(app: &App, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, Problem> {
    if bytes <= BODY_SHARE_BYTES {
        return Ok(None);
    }
    let permits = u32::try_from(bytes.div_ceil(BODY_SHARE_BYTES)).unwrap_or(u32::MAX);
    let memory = std::sync::Arc::clone(&app.body_memory);
    if let Ok(Ok(share)) = tokio::time::timeout(SHARE_WAIT, Semaphore::acquire_many_owned(memory, permits)).await {
        return Ok(Some(share));
    }
    Err(Problem::new(Kind::Busy, "too many large requests at once"))
}

/// Gives back what is not needed.
pub(crate) fn shrunk(mut share: OwnedSemaphorePermit, bytes: usize) -> OwnedSemaphorePermit {
    let needed = bytes.div_ceil(BODY_SHARE_BYTES);
    if let Some(excess) = share.num_permits().checked_sub(needed) {
        drop(share.split(excess));
    }
    share
}

/// The problem of a body over the cap.
fn too_large(cap: usize) -> Problem {
    Problem::new(Kind::TooLarge, format!("the body is larger than {cap} bytes; send it in parts"))
}

/// Decompresses; what comes out is at most `cap` bytes. Works on the processor: called on a blocking thread.
pub(crate) fn decompress(bytes: &[u8], encoding: Encoding, cap: usize) -> Result<Vec<u8>, Problem> {
    let broken = |error: std::io::Error| {
        Problem::new(Kind::InvalidRequest, "the body is not what its `Content-Encoding` says").with_internal(error)
    };
    match encoding {
        Encoding::Plain => Ok(bytes.to_vec()),
        Encoding::Gzip => capped(flate2::bufread::MultiGzDecoder::new(bytes), bytes.len(), cap, broken),
        Encoding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(broken)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
            capped(decoder, bytes.len(), cap, broken)
        }
    }
}

fn capped(
    reader: impl Read,
    compressed: usize,
    cap: usize,
    broken: impl Fn(std::io::Error) -> Problem,
) -> Result<Vec<u8>, Problem> {
    let mut opened = Vec::with_capacity((compressed * 4).min(cap));
    let most = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut opened).map_err(broken)?;
    if opened.len() > cap {
        return Err(Problem::new(
            Kind::TooLarge,
            format!("the body is larger than {cap} bytes when decompressed; send it in parts"),
        ));
    }
    Ok(opened)
}

/// Collects a small JSON body (at most 64 KiB) for routes other than events.
pub(crate) async fn small(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    if !matches!(media_type(headers).as_str(), "" | "application/json") {
        return Err(Problem::new(Kind::UnsupportedMediaType, "the body must be `application/json`"));
    }
    if Encoding::of(headers)? != Encoding::Plain {
        return Err(Problem::new(Kind::UnsupportedMediaType, "this path takes plain bodies only"));
    }
    let read = read(body, BODY_SHARE_BYTES, None);
    match tokio::time::timeout(app.config.limits.body_time.duration(), read).await {
        Ok(bytes) => bytes,
        Err(_) => {
            Err(Problem::new(Kind::TooSlow, format!("the body did not arrive within {}", app.config.limits.body_time)))
        }
    }
}

/// Collects a form that a page of ours sent (`application/x-www-form-urlencoded`); read as strictly as query parameters.
pub(crate) async fn form(call: &Call, body: Body, known: &'static [&'static str]) -> Result<Parameters, Problem> {
    let headers = &call.parts.headers;
    if media_type(headers) != "application/x-www-form-urlencoded" || Encoding::of(headers)? != Encoding::Plain {
        return Err(Problem::new(Kind::UnsupportedMediaType, "this path takes the forms of its own pages"));
    }
    let time = call.app.config.limits.body_time;
    match tokio::time::timeout(time.duration(), read(body, BODY_SHARE_BYTES, None)).await {
        Ok(bytes) => {
            let bytes = bytes?;
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| Problem::new(Kind::InvalidRequest, "the form is not percent-encoded UTF-8"))?;
            Parameters::read(Some(text), known)
        }
        Err(_) => Err(Problem::new(Kind::TooSlow, format!("the form did not arrive within {time}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn bodies_are_opened_up_to_the_cap_and_not_a_byte_further() {
        let text = vec![b'a'; 100_000];
        for (encoding, body) in
            [(Encoding::Gzip, gzip(&text)), (Encoding::Zstd, zstd::encode_all(&text[..], 3).unwrap())]
        {
            assert_eq!(decompress(&body, encoding, 100_000).unwrap(), text);
            assert_eq!(decompress(&body, encoding, 99_999).unwrap_err().kind(), Kind::TooLarge);
            let cut = &body[..body.len() - 1];
            assert_eq!(
                decompress(cut, encoding, 100_000).unwrap_err().kind(),
                Kind::InvalidRequest,
                "{encoding:?} cut"
            );
        }
    }

    #[test]
    fn several_gzip_members_are_one_body() {
        let body = [gzip(b"one\n"), gzip(b"two\n")].concat();
        assert_eq!(decompress(&body, Encoding::Gzip, 100).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn a_zstd_body_that_asks_for_a_huge_window_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&[0; 1000]).unwrap();
        encoder.flush().unwrap();
        let body = encoder.finish().unwrap();
        assert_eq!(decompress(&body, Encoding::Zstd, 100_000).unwrap_err().kind(), Kind::InvalidRequest);
    }
}
