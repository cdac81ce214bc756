//! Events in: forms of bodies, answers, every fault its own problem.

use std::io::Write as _;

use indelible_server::config::{ByteSize, Config};

use crate::harness::{ADMIN, Server, bearer, event, id};

fn send(server: &Server, headers: &[(&str, &str)], body: &[u8]) -> crate::harness::Answer {
    let token = bearer(ADMIN);
    let headers: Vec<(&str, &str)> =
        [("authorization", token.as_str())].into_iter().chain(headers.iter().copied()).collect();
    server.send("POST", "/v1/events", &headers, Some(body))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn one_event_is_answered_with_its_place_id_and_receipt_and_stands_as_answered() {
    let server = Server::start();
    let answer = server.post("/v1/events", event(None, "ana").to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    assert_eq!((&json["log"], &json["count"], &json["duplicates"]), (&"main".into(), &1.into(), &0.into()));
    assert!(json["receipt"].as_str().unwrap().starts_with("indelible.receipt/1\n"));
    let stored = server.get(&format!("/v1/logs/main/entries/{}", json["first_index"])).json();
    assert_eq!(stored["id"], json["ids"][0]);
    assert_eq!(stored["recorded"], json["recorded"]);
    assert_eq!(stored["source"], serde_json::json!({"id": "admin", "kind": "api"}));
    assert!(json.get("rejected").is_none() && json.get("indexes").is_none());
}

#[test]
fn arrays_and_lines_plain_gzip_and_zstd_are_recorded_in_order() {
    let server = Server::start();
    let events: Vec<String> = (0..5).map(|n| event(Some(&id(n)), &format!("actor-{n}")).to_string()).collect();
    let lines = events.join("\n");
    let first = send(&server, &[("content-type", "application/x-ndjson")], lines.as_bytes());
    assert_eq!(first.status, 200, "{}", first.text());
    let at = first.json()["first_index"].as_u64().unwrap();
    assert_eq!(first.json()["count"], 5);
    let array = format!("[{}]", events.join(","));
    let zstd = zstd::encode_all(lines.as_bytes(), 3).unwrap();
    // The same again in every other form: known, at the same places.
    for (encoding, body) in [("identity", array.into_bytes()), ("gzip", gzip(lines.as_bytes())), ("zstd", zstd)] {
        let again = send(&server, &[("content-encoding", encoding)], &body);
        assert_eq!(again.status, 200, "{encoding}: {}", again.text());
        let json = again.json();
        assert_eq!((&json["count"], &json["duplicates"]), (&0.into(), &5.into()), "{encoding}");
        assert_eq!(json["indexes"], serde_json::json!([at, at + 1, at + 2, at + 3, at + 4]), "{encoding}");
    }
    let third = server.get(&format!("/v1/logs/main/entries/{}", at + 2)).json();
    assert_eq!(third["actor"]["id"], "actor-2");
}

#[test]
fn wrong_events_are_all_listed_and_nothing_is_recorded_unless_partial_is_asked_for() {
    let server = Server::start();
    let wrong = "{\"time\":\"2026-11-23T10:15:30\",\"actor\":{\"id\":\"a\",\"type\":\"human\"},\"action\":\"read\",\"outcome\":{\"result\":\"allowed\"}}";
    let body = format!("{}\n{wrong}\n{{\"tmie\":1}}\n{}\n", event(None, "ana"), event(None, "bob"));
    let before = server.get("/v1/logs/main").json()["size"].as_u64().unwrap();
    let refused = send(&server, &[("content-type", "application/x-ndjson")], body.as_bytes());
    assert_eq!((refused.status, refused.problem().as_str()), (422, "invalid-events"));
    let json = refused.json();
    let codes: Vec<(u64, String)> = json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["line"].as_u64().unwrap(), error["code"].as_str().unwrap().to_owned()))
        .collect();
    assert!(codes.contains(&(2, "time-without-offset".to_owned())), "{codes:?}");
    assert!(codes.contains(&(3, "unknown-field".to_owned())), "{codes:?}");
    assert!(json["errors_total"].as_u64().unwrap() >= codes.len() as u64);
    // Only the server's own events came to it: the look at the size and the refusal.
    assert_eq!(server.get("/v1/logs/main").json()["size"].as_u64().unwrap(), before + 2);

    let token = bearer(ADMIN);
    let partial = server.send("POST", "/v1/events?partial=true", &[("authorization", &token)], Some(body.as_bytes()));
    assert_eq!(partial.status, 200, "{}", partial.text());
    let json = partial.json();
    assert_eq!(json["count"], 2);
    assert!(json["rejected"].as_array().unwrap().iter().any(|fault| fault["line"] == 3));
    let none = server.send("POST", "/v1/events?partial=true", &[("authorization", &token)], Some(b"{}"));
    assert_eq!(none.status, 422);
}

#[test]
fn the_same_id_with_other_content_is_a_conflict_and_survives_a_restart() {
    let server = Server::start();
    let first = server.post("/v1/events", event(Some(&id(1)), "ana").to_string()).json()["first_index"].clone();
    let other = format!("[{},{}]", event(Some(&id(2)), "bob"), event(Some(&id(1)), "bob"));
    let refused = server.post("/v1/events", &other);
    assert_eq!((refused.status, refused.problem().as_str()), (409, "conflict"));
    let error = &refused.json()["errors"][0];
    assert_eq!((&error["line"], &error["code"]), (&2.into(), &"id-conflict".into()));
    let lines = format!("\n{}\n\n{}\n", event(Some(&id(2)), "bob"), event(Some(&id(1)), "bob"));
    let refused = send(&server, &[("content-type", "application/x-ndjson")], lines.as_bytes());
    assert_eq!(refused.json()["errors"][0]["line"], 4, "the line, blank ones counted");
    let server = Server::start_in(server.stop(), Config::default());
    let again = server.post("/v1/events", event(Some(&id(1)), "ana").to_string()).json();
    assert_eq!((&again["first_index"], &again["duplicates"]), (&first, &1.into()));
    assert_eq!(server.post("/v1/events", other).status, 409);
}

#[test]
fn bodies_over_a_limit_are_refused_however_they_are_packed() {
    let mut config = Config::default();
    config.limits.request_bytes = ByteSize(64 * 1024);
    config.limits.request_events = 3;
    let server = Server::start_with(config);
    let bomb = vec![b' '; 50_000_000];
    for (encoding, body) in [
        ("identity", bomb[..100_000].to_vec()),
        ("gzip", gzip(&bomb)),
        ("zstd", zstd::encode_all(&bomb[..], 1).unwrap()),
    ] {
        let refused = send(&server, &[("content-encoding", encoding)], &body);
        assert_eq!((refused.status, refused.problem().as_str()), (413, "too-large"), "{encoding}");
    }
    let lines = format!("{}\n", event(None, "ana")).repeat(4);
    let refused = send(&server, &[("content-type", "application/x-ndjson")], lines.as_bytes());
    assert_eq!((refused.status, refused.problem().as_str()), (413, "too-large"));
}

#[test]
fn what_is_not_read_here_is_said_so() {
    let server = Server::start();
    let body = event(None, "ana").to_string();
    let refused = |headers: &[(&str, &str)], body: &[u8]| {
        let answer = send(&server, headers, body);
        (answer.status, answer.problem())
    };
    assert_eq!(refused(&[("content-type", "application/xml")], body.as_bytes()).0, 415);
    assert_eq!(refused(&[("content-encoding", "br")], body.as_bytes()).0, 415);
    assert_eq!(refused(&[("content-encoding", "gzip")], body.as_bytes()).0, 400);
    assert_eq!(refused(&[], b" \n").0, 422);
    assert_eq!(refused(&[], b"{\"a\":1,\"a\":2}").0, 422);
    assert_eq!(refused(&[], b"\xff\xfe").0, 422);
    let unknown = server.post("/v1/events?partail=true", body);
    assert_eq!(unknown.json()["detail"], "there is no parameter `partail`; did you mean `partial`?");
    let log = server.post("/v1/events?log=mian", event(None, "ana").to_string());
    assert_eq!(
        (log.status, log.json()["detail"].as_str().unwrap()),
        (404, "there is no log `mian`; did you mean `main`?")
    );
}

#[test]
fn nobody_can_pass_for_the_server() {
    let server = Server::start();
    let mut forged = event(None, "ana");
    forged["source"] = serde_json::json!({"id": "indelible-server", "kind": "indelible"});
    assert_eq!(server.post("/v1/events", forged.to_string()).json()["errors"][0]["code"], "reserved");
}
