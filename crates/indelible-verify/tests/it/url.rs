//! The same log over HTTP, from a server of a few lines on the loopback.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use indelible_verify::report::FindingKind;
use indelible_verify::{Exit, UrlSource, VerifyOptions, verify};

use crate::builder::{Log, events};

/// Serves a folder for as long as the test runs; gives the prefix.
fn serve(root: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let prefix = format!("http://{}/log/main", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines: Vec<String> =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
            let allowed = lines.iter().any(|line| line.eq_ignore_ascii_case("authorization: Bearer secret"));
            let body = std::fs::read(root.join(path.trim_start_matches("/log/main/")));
            let (status, body) = match (allowed, body) {
                (false, _) => ("401 Unauthorized", Vec::new()),
                (true, Err(_)) => ("404 Not Found", Vec::new()),
                (true, Ok(body)) => ("200 OK", body),
            };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    prefix
}

#[test]
fn a_log_is_verified_over_http_with_a_token() {
    let log = Log::of(events(700));
    let prefix = serve(log.path().to_owned());
    let options = VerifyOptions { threads: 2, ..log.options() };
    let source = UrlSource::new(&format!("{prefix}/"), Some("secret")).unwrap();
    let report = verify(&source, &options, &mut |_, _| ());
    assert_eq!((report.exit(), report.integrity.entries_checked), (Exit::Intact, 700), "{}", report.to_text());

    log.flip("tile/entries/001", 12);
    log.remove("tile/0/000");
    let report = verify(&source, &options, &mut |_, _| ());
    let kinds: Vec<_> = report.integrity.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!((report.exit(), kinds), (Exit::Tampered, vec![FindingKind::MissingFile, FindingKind::EntryAltered]));

    let stranger = UrlSource::new(&prefix, None).unwrap();
    let report = verify(&stranger, &options, &mut |_, _| ());
    assert_eq!(report.exit(), Exit::CouldNotCheck);
    assert!(report.integrity.first.unwrap().reason.contains("give a token"));
    assert!(!format!("{source:?}").contains("secret"));
    assert!(UrlSource::new("ftp://x", None).is_err());
}
