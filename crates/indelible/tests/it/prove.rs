//! A log's folder, checked without the server that wrote it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;

use crate::harness::{Place, Server, events, files, until};

/// A stopped server's log of a few hundred events with their receipts, and the checkpoint and proof of one of them.
fn recorded() -> Place {
    let mut place = Place::new();
    let server = Server::start(&mut place);
    place.write("events", events(0..600));
    place.run(&["record", "events", "--receipts", "receipts"]).ok();
    until("a checkpoint over the events", || {
        let checkpoint = place.run(&["checkpoint"]).ok();
        checkpoint.lines().nth(1).unwrap().parse::<u64>().unwrap() > 600
    });
    place.write("kept", place.run(&["checkpoint"]).ok());
    place.write("entry", place.run(&["search", "actor:user-117", "--format", "ndjson"]).ok());
    place.write("proof", place.run(&["proof", &index_of(&place, "user-117").to_string()]).ok());
    let online = place.run(&["verify", &format!("{}/log/main", place.url), "--from", "kept"]).ok();
    assert!(online.contains("INTEGRITY     intact"), "{online}");
    server.stop();
    std::fs::copy(place.path("data/logs/main/log.vkey"), place.path("pinned.vkey")).unwrap();
    place
}

fn index_of(place: &Place, actor: &str) -> u64 {
    let found = place.run(&["search", &format!("actor:{actor}"), "--format", "json"]).json();
    found[0]["index"].as_u64().unwrap()
}

fn receipts(place: &Place) -> Vec<PathBuf> {
    files(&place.path("receipts"))
}

#[test]
fn an_intact_folder_holds_to_checkpoint_receipts_and_proof() {
    let place = recorded();
    let report = place.run(&["verify", "data", "--from", "kept", "--key", "pinned.vkey", "--format", "json"]).json();
    assert_eq!(report["integrity"]["verdict"], "intact");
    assert_ne!(report["witness"]["verdict"], "none");
    assert_eq!(receipts(&place).len(), 2);
    for receipt in receipts(&place) {
        let receipt = receipt.to_str().unwrap();
        let held = place.run(&["receipt", "verify", receipt, "data/logs/main", "--key", "pinned.vkey"]).ok();
        assert!(held.starts_with("Receipt: HOLDS"), "{held}");
    }
    let held = place.run(&["proof", "verify", "proof", "entry", "--key", "pinned.vkey"]).ok();
    assert!(held.starts_with("Proof: HOLDS"), "{held}");
    let entry = std::fs::read_to_string(place.path("entry")).unwrap();
    place.write("entry", entry.replace("allowed", "denied"));
    place.run(&["proof", "verify", "proof", "entry", "--key", "pinned.vkey"]).with(1);
    place.run(&["verify", "no-such-folder"]).with(2);
    place.run(&["drill", "--data", "data"]).ok();
    place.run(&["verify", "data", "--from", "kept"]).ok();
}

/// Serves a folder to who brings the token, for as long as the test runs; gives the address.
fn serve(root: PathBuf, token: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let bearer = format!("authorization: Bearer {token}");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines: Vec<String> =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
            let allowed = lines.iter().any(|line| line.eq_ignore_ascii_case(&bearer));
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
    address
}

#[test]
fn the_same_faults_are_found_over_http_and_a_log_that_may_not_be_read_is_not_judged() {
    let mut place = recorded();
    let log = place.path("data/logs/main");
    place.url = serve(log.clone(), &place.token);
    let url = format!("{}/log/main/", place.url);
    let verify = |place: &Place, code| -> serde_json::Value {
        let report = place.run(&["verify", &url, "--format", "json"]).with(code);
        serde_json::from_str(&report.out).unwrap()
    };
    assert_eq!(verify(&place, 0)["integrity"]["verdict"], "intact");

    let bundle = log.join("tile/entries/001");
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[12] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    std::fs::remove_file(log.join("tile/0/000")).unwrap();
    let report = verify(&place, 1);
    let findings = report["integrity"]["findings"].as_array().unwrap();
    let kinds: Vec<&str> = findings.iter().map(|finding| finding["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["missing-file", "entry-altered"], "{report}");

    place.token = "ind_r_somebody-elses-token-0000000000001".to_owned();
    let report = verify(&place, 2);
    assert!(report["integrity"]["first"]["reason"].as_str().unwrap().contains("INDELIBLE_TOKEN"), "{report}");
}

#[test]
fn one_changed_byte_is_found_and_its_entry_named() {
    let place = recorded();
    let folder = place.path("data/logs/main/tile/entries");
    let (bundle, at) = files(&folder)
        .into_iter()
        .find_map(|file| {
            let bytes = std::fs::read(&file).unwrap();
            let at = bytes.windows(10).position(|window| window == b"\"user-117\"")?;
            Some((file, at))
        })
        .unwrap();
    let index =
        place.run(&["search", "actor:user-117", "--data", "data", "--format", "json"]).json()[0]["index"].clone();
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[at + 8] = b'8';
    std::fs::write(&bundle, bytes).unwrap();

    let report = place.run(&["verify", "data/logs/main"]).with(1);
    assert!(report.out.contains("INTEGRITY") && report.out.contains(&format!("entry {index}")), "{}", report.out);
    let report = place.run(&["verify", "data/logs/main", "--format", "json"]).with(1);
    let report: serde_json::Value = serde_json::from_str(&report.out).unwrap();
    assert_ne!(report["integrity"]["verdict"], "intact");
    assert_eq!(report["integrity"]["first"]["first_index"], index, "{report:#}");
    // the receipt of the batch with this entry no longer holds, the other's does
    let codes: Vec<Option<i32>> = receipts(&place)
        .iter()
        .map(|receipt| place.run(&["receipt", "verify", receipt.to_str().unwrap(), "data/logs/main"]).code)
        .collect();
    assert_eq!(codes, [Some(1), Some(0)]);
}
