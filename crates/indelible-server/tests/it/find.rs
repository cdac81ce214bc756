//! Finding: an acknowledged event is found by the next query; pages, counts, SQL, exports and live events; all on record.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use indelible_server::config::{Config, Period};
use serde_json::Value;

use crate::harness::{ADMIN, Server, bearer, event, id};

fn fill(server: &Server, count: u32) -> u64 {
    let line = |n: u32| {
        let mut event = event(Some(&id(n)), if n.is_multiple_of(3) { "ana" } else { "bob" });
        event["action"] = if n.is_multiple_of(2) { "read" } else { "infer" }.into();
        event.to_string()
    };
    let lines: Vec<String> = (0..count).map(line).collect();
    let answer = server.post("/v1/events", lines.join("\n"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["first_index"].as_u64().unwrap()
}

fn indexes(answer: &Value) -> Vec<u64> {
    answer["events"].as_array().unwrap().iter().map(|hit| hit["index"].as_u64().unwrap()).collect()
}

#[test]
fn an_acknowledged_event_is_found_by_the_next_query() {
    let server = Server::start();
    for n in 0..20 {
        let first = server.post("/v1/events", event(Some(&id(n)), &format!("actor-{n}")).to_string()).json();
        let found = server.get(&format!("/v1/events?q=actor:actor-{n}"));
        assert_eq!(found.status, 200, "{}", found.text());
        let found = found.json();
        assert_eq!(indexes(&found), [first["first_index"].as_u64().unwrap()]);
        assert_eq!(found["events"][0]["event"]["id"], id(n).as_str());
    }
}

#[test]
fn pages_follow_one_another_in_both_orders_while_events_come_in() {
    let server = Server::start();
    let first = fill(&server, 500);
    let expected: Vec<u64> = (0..500).filter(|n| n % 3 == 0).map(|n| first + n).collect();
    for order in ["asc", "desc"] {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = server.get(&format!("/v1/events?q=actor:ana&limit=50&order={order}{cursor}")).json();
            found.extend(indexes(&page));
            server.post("/v1/events", event(None, "ana").to_string());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if order == "desc" {
            found.reverse();
            // What came in during the first walk is older than the second walk.
            assert!(found.len() > expected.len());
            found.truncate(expected.len());
        }
        assert_eq!(found, expected, "{order}");
    }
}

#[test]
fn counts_and_sql_agree_and_wrong_questions_name_their_place() {
    let server = Server::start();
    fill(&server, 300);
    let counts = server.get("/v1/stats?q=source:admin&by=actor,action").json();
    let rows = counts["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["count"].as_u64().unwrap()).sum::<u64>(), 300, "{counts}");
    assert_eq!(counts["matched"], 300);
    let ana_read = rows.iter().find(|row| row["actor"] == "ana" && row["action"] == "read").unwrap();
    assert_eq!(ana_read["count"], 50);
    let sql = server.post("/v1/sql", r#"{"query":"select action, count(*) as n from events where actor_id = 'ana' group by action order by action"}"#);
    assert_eq!(sql.status, 200, "{}", sql.text());
    assert_eq!(sql.json()["rows"], serde_json::json!([["infer", 50], ["read", 50]]));
    assert_eq!(sql.json()["columns"][1], serde_json::json!({"name": "n", "type": "integer"}));

    let wrong = server.get("/v1/events?q=actro:ana");
    assert_eq!((wrong.status, wrong.problem().as_str()), (400, "invalid-query"));
    assert_eq!((&wrong.json()["errors"][0]["field"], &wrong.json()["errors"][0]["column"]), (&"q".into(), &1.into()));
    for (path, status) in [
        ("/v1/events?limit=0", 400),
        ("/v1/events?limit=1001", 400),
        ("/v1/events?order=up", 400),
        ("/v1/events?cursor=x", 400),
        ("/v1/events?from=yesterday", 400),
        ("/v1/stats?by=nothing", 400),
        ("/v1/stats?interval=1x", 400),
        ("/v1/export?format=xls", 400),
        ("/v1/events?log=none", 404),
    ] {
        assert_eq!(server.get(path).status, status, "{path}: {}", server.get(path).text());
    }
    for sql in [
        r#"{"query":"drop table events"}"#,
        r#"{"query":"select * from '/etc/passwd'"}"#,
        r#"{"query":"select nothing from events"}"#,
        "{}",
    ] {
        let answer = server.post("/v1/sql", sql);
        assert_eq!(answer.status, 400, "{sql}: {}", answer.text());
    }
}

#[test]
fn an_export_streams_every_match_and_is_on_record_before_and_after() {
    let server = Server::start();
    fill(&server, 3_000);
    let export = server.get("/v1/export?q=actor:ana&format=ndjson");
    assert_eq!((export.status, export.header("content-type")), (200, "application/x-ndjson"));
    let found: Vec<String> = export
        .text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, (0..3_000).filter(|n| n % 3 == 0).map(id).collect::<Vec<String>>());
    let csv = server.get("/v1/export?q=actor:ana&format=csv");
    assert_eq!(
        (csv.header("content-type"), csv.text().lines().count()),
        ("text/csv; charset=utf-8; header=present", 1_001)
    );
    assert_eq!(server.get("/v1/export?q=actor:ana&format=ocsf").text().lines().count(), 1_000);
    let parquet = server.get("/v1/export?q=actor:ana&format=parquet");
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));

    let records = server.get("/v1/events?q=operation:events.export&order=asc").json();
    let of = |place: usize| records["events"][place]["event"].clone();
    let (intent, outcome) = (of(0), of(1));
    assert_eq!((&intent["outcome"]["phase"], &outcome["outcome"]["phase"]), (&"intent".into(), &"outcome".into()));
    assert_eq!(intent["outcome"]["request"], outcome["outcome"]["request"]);
    assert_eq!(
        (&intent["attributes"]["query"], &outcome["attributes"]["events"]),
        (&"actor:ana".into(), &1_000.into())
    );
    assert_eq!(outcome["action"], "export");
}

#[test]
fn a_search_is_on_record_with_its_query_before_it_is_answered() {
    let server = Server::start();
    let auditor = server.token("auditor", "read", None);
    assert_eq!(server.get_as(&auditor, "/v1/events?q=actor:ana&from=2026-11-01").status, 200);
    let records = server.get("/v1/events?q=operation:events.search+actor:auditor").json();
    let record = &records["events"][0]["event"];
    assert_eq!(
        (&record["attributes"]["query"], &record["attributes"]["from"]),
        (&"actor:ana".into(), &"2026-11-01".into())
    );
    assert_eq!((&record["actor"]["roles"][0], &record["resources"][0]["id"]), (&"read".into(), &"main".into()));
}

/// Opens a stream and gives its lines.
fn follow(server: &Server, query: &str) -> BufReader<TcpStream> {
    let mut socket = TcpStream::connect(server.ready.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!("GET /v1/events/stream?{query} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\n\r\n", bearer(ADMIN));
    socket.write_all(head.as_bytes()).unwrap();
    let mut lines = BufReader::new(socket);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
    while line != "\r\n" {
        line.clear();
        lines.read_line(&mut line).unwrap();
    }
    lines
}

fn next_event(lines: &mut BufReader<TcpStream>) -> Value {
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the stream ended");
        if line.starts_with('{') {
            return serde_json::from_str(&line).unwrap();
        }
    }
}

#[test]
fn a_follower_sees_matching_events_as_they_come_and_its_end_is_on_record() {
    let server = Server::start();
    server.post("/v1/events", event(None, "ana").to_string());
    let mut lines = follow(&server, "q=actor:ana");
    for n in 0..5 {
        server.post("/v1/events", event(None, "bob").to_string());
        let recorded = server.post("/v1/events", event(Some(&id(n)), "ana").to_string()).json();
        let seen = next_event(&mut lines);
        assert_eq!((&seen["index"], &seen["event"]["id"]), (&recorded["first_index"], &id(n).into()));
    }
    drop(lines);
    server.until("the follower's end", |server| {
        let ends = server.get("/v1/events?q=operation:events.follow+phase:outcome").json();
        ends["events"][0]["event"]["attributes"]["events"] == 5
    });
}

#[test]
fn a_stop_ends_followers_and_a_restart_finds_everything_again() {
    let server = Server::start();
    let first = fill(&server, 100);
    let mut lines = follow(&server, "q=actor:nobody");
    let folder = server.stop();
    let mut rest = String::new();
    while lines.read_line(&mut rest).unwrap() > 0 {}
    assert!(rest.ends_with("0\r\n\r\n"), "the stream ended whole: {rest:?}");
    let server = Server::start_in(folder, Config::default());
    assert_eq!(server.get("/v1/stats?q=actor:ana").json()["matched"], 34);
    let oldest = server.get("/v1/events?q=actor:ana&order=asc&limit=1").json();
    assert_eq!(indexes(&oldest), [first]);
}

#[test]
fn more_questions_at_once_than_allowed_are_told_to_come_back() {
    let mut config = Config::default();
    config.limits.followers = 1;
    config.limits.shutdown_time = Period::seconds(5);
    let server = Server::start_with(config);
    let _one = follow(&server, "q=actor:nobody");
    let refused = server.get("/v1/events/stream");
    assert_eq!(
        (refused.status, refused.problem().as_str(), refused.header("retry-after")),
        (429, "too-many-requests", "1")
    );
}

#[test]
fn a_damaged_index_stops_questions_and_nothing_else() {
    let server = Server::start();
    fill(&server, 10);
    let folder = server.stop();
    std::fs::write(folder.path().join("data/index/main/nonsense.parquet"), b"x").unwrap();
    let server = Server::start_in(folder, Config::default());
    let refused = server.get("/v1/events?q=actor:ana");
    assert_eq!((refused.status, refused.problem().as_str()), (503, "unavailable"));
    assert!(refused.json()["detail"].as_str().unwrap().contains("indelible index rebuild"));
    assert_eq!(server.post("/v1/events", event(None, "ana").to_string()).status, 200);
}
