//! The static log and proofs: what tlog-tiles asks of a server.

use indelible_server::config::Config;
use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::note::VerifierKey;

use crate::harness::{Server, event};

fn fill(server: &Server, count: usize) -> u64 {
    let lines = (0..count).map(|n| event(None, &format!("actor-{n}")).to_string()).collect::<Vec<_>>().join("\n");
    let answer = server.post("/v1/events", lines).json();
    let size = answer["first_index"].as_u64().unwrap() + answer["count"].as_u64().unwrap();
    server
        .until("a checkpoint", |server| server.get("/v1/logs/main").json()["published_size"].as_u64().unwrap() >= size);
    size
}

#[test]
fn checkpoint_tiles_and_bundles_are_served_with_the_headers_of_tlog_tiles() {
    let server = Server::start();
    let size = fill(&server, 300);
    let vkey = server.get("/log/main/log.vkey").text();
    let vkey = VerifierKey::parse(vkey.trim_end()).unwrap();
    let note = server.get("/log/main/checkpoint");
    assert_eq!(note.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(note.header("cache-control"), "private, max-age=1");
    assert!(Checkpoint::open(&note.body, &vkey).unwrap().size.0 >= size);
    for path in ["/log/main/tile/0/000", "/log/main/tile/entries/000"] {
        let tile = server.get(path);
        assert_eq!(tile.status, 200, "{path}");
        assert_eq!(tile.header("content-type"), "application/octet-stream");
        assert_eq!(tile.header("cache-control"), "private, max-age=31536000, immutable");
    }
    assert_eq!(server.get("/log/main/tile/0/000").body.len(), 8192);
    assert_eq!(server.get("/log/main/tile/0/001.p/1").body.len(), 32);
    for path in ["tile/0/00", "tile/entries/9", "tile/0/../../keys/main.key", "tile/0/999", "tile/x"] {
        assert_eq!(server.get(&format!("/log/main/{path}")).status, 404, "{path}");
    }
}

#[test]
fn an_entry_has_a_proof_once_a_checkpoint_covers_it() {
    let server = Server::start();
    let size = fill(&server, 3);
    let proof = server.get(&format!("/v1/logs/main/entries/{}/proof", size - 1));
    assert_eq!(proof.status, 200, "{}", proof.text());
    assert!(proof.text().starts_with("c2sp.org/tlog-proof@v1\n"), "{}", proof.text());
    let beyond = server.get("/v1/logs/main/entries/99999/proof");
    assert_eq!((beyond.status, beyond.problem().as_str()), (404, "not-found"));
    assert_eq!(server.get("/v1/logs/main/entries/99999").status, 404);
    assert_eq!(server.get("/v1/logs/main/entries/01").status, 400);
}

#[test]
fn a_public_log_needs_no_token_to_be_read_and_one_to_be_written() {
    let mut config = Config::default();
    config.logs.0[0].public = true;
    let server = Server::start_with(config);
    fill(&server, 1);
    let note = server.send("GET", "/log/main/checkpoint", &[], None);
    assert_eq!((note.status, note.header("cache-control")), (200, "public, max-age=1"));
    assert_eq!(server.send("GET", "/log/main/tile/entries/000.p/1", &[], None).status, 200);
    assert_eq!(server.send("GET", "/log/none/checkpoint", &[], None).status, 401);
    assert_eq!(server.send("POST", "/v1/events", &[], Some(b"{}")).status, 401);
    let wrong = [("authorization", "Bearer wrong-token")];
    assert_eq!(server.send("GET", "/log/main/checkpoint", &wrong, None).status, 401);
}
