//! Reading is on record: starts and stops, tokens, entries, refusals in bounded numbers, reads of the published log in sums.

use indelible_server::config::Config;
use serde_json::{Value, json};

use crate::harness::{Server, bearer, id};

fn operations(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["operation"].as_str().unwrap_or("-")).collect()
}

/// The numbers of the server's own events, start by start, in the order of the log.
fn numbers(events: &[Value]) -> Vec<(String, Vec<u64>)> {
    let mut starts: Vec<(String, Vec<u64>)> = Vec::new();
    for source in events.iter().map(|event| &event["source"]).filter(|source| source["kind"] == "indelible") {
        let id = source["id"].as_str().unwrap();
        assert!(id.strip_prefix("indelible-server/").is_some_and(|start| start.len() == 16), "{id}");
        if starts.last().is_none_or(|(last, _)| last != id) {
            starts.push((id.to_owned(), Vec::new()));
        }
        starts.last_mut().unwrap().1.push(source["seq"].as_u64().unwrap());
    }
    starts
}

#[test]
fn own_events_are_numbered_without_gap_or_repeat_however_many_come_at_once() {
    let server = Server::start();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..25).for_each(|_| assert_eq!(server.get("/v1/logs/main").status, 200)));
        }
    });
    let events = server.events("main");
    let starts = numbers(&events);
    assert_eq!(starts.len(), 1);
    assert!(starts[0].1.len() > 200 && starts[0].1.iter().copied().eq(1..=events.len() as u64), "{starts:?}");
}

#[test]
fn starts_stops_tokens_and_reads_are_events_of_the_server() {
    // what rules make of it would be events of the server too
    let mut config = Config::default();
    config.detect.enabled = false;
    let server = Server::start_with(config.clone());
    let reader = server.token("reader", "read", None);
    let started = server.get_as(&reader, "/v1/logs/main/entries/1").json();
    assert_eq!((&started["operation"], &started["actor"]["type"]), (&"server.start".into(), &"system".into()));
    let server = Server::start_in(server.stop(), config);
    let events = server.events("main");
    assert_eq!(
        operations(&events)[..8],
        [
            "log.create",
            "server.start",
            "tokens.create",
            "tokens.create",
            "entries.read",
            "server.stop",
            "server.start",
            "logs.describe"
        ]
    );
    assert!(events.iter().all(|event| event["source"]["kind"] == "indelible"));
    let starts = numbers(&events);
    assert_eq!(starts.len(), 2, "each start is a source of its own");
    assert_eq!(starts[0].1, [1, 2, 3, 4, 5, 6]);
    assert!(starts[1].1.iter().copied().eq(1..=events.len() as u64 - 6));
    let grant = &events[3];
    assert_eq!((&grant["action"], &grant["actor"]["id"]), (&"grant".into(), &"admin".into()));
    assert_eq!((&grant["attributes"]["name"], &grant["attributes"]["role"]), (&"reader".into(), &"read".into()));
    let read = &events[4];
    assert_eq!(
        (&read["action"], &read["actor"]["id"], &read["attributes"]["index"]),
        (&"read".into(), &"reader".into(), &1.into())
    );
    assert_eq!((&read["actor"]["ip"], &read["actor"]["auth"]), (&"127.0.0.1".into(), &"token".into()));
    assert!(!serde_json::to_string(&events).unwrap().contains(&reader));
}

#[test]
fn refusals_are_counted_to_the_last_and_recorded_in_few_events() {
    let server = Server::start();
    let reader = server.token("reader", "read", None);
    for _ in 0..50 {
        assert_eq!(server.send("GET", "/v1/logs", &[("authorization", "Bearer wrong-token")], None).status, 401);
    }
    assert_eq!(server.get_as(&reader, "/v1/tokens").status, 403);
    let server = Server::start_in(server.stop(), Config::default());
    let events = server.events("main");
    let refused = |result: &str, actor: &str| -> Vec<i64> {
        events
            .iter()
            .filter(|event| event["outcome"]["result"] == result && event["actor"]["id"] == actor)
            .map(|event| event["attributes"]["count"].as_i64().unwrap())
            .collect()
    };
    let anonymous = refused("denied", "anonymous");
    assert_eq!(anonymous.iter().sum::<i64>(), 50, "{anonymous:?}");
    // At most the first and the sum of each second.
    assert!(anonymous.len() < 25, "{anonymous:?}");
    assert_eq!(anonymous[0], 1);
    assert_eq!(refused("denied", "reader"), [1]);
}

#[test]
fn reads_of_the_published_log_are_an_event_before_and_one_with_the_sum() {
    let server = Server::start();
    let mirror = server.token("mirror", "read", None);
    server.until("a checkpoint", |server| server.get("/v1/logs/main").json()["published_size"].as_u64().unwrap() >= 3);
    for path in ["/log/main/tile/entries/000.p/2", "/log/main/tile/0/000.p/2", "/log/main/checkpoint"] {
        let answer = server.send("GET", path, &[("authorization", &bearer(&mirror))], None);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    let server = Server::start_in(server.stop(), Config::default());
    let events = server.events("main");
    let reads: Vec<&Value> = events.iter().filter(|event| event["operation"] == "published.read").collect();
    let phases: Vec<&str> = reads.iter().map(|read| read["outcome"]["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["intent", "outcome"]);
    let sum = &reads[1]["attributes"];
    assert_eq!((&sum["resources"], &sum["first_index"], &sum["end_index"]), (&3.into(), &0.into(), &2.into()));
}

#[test]
fn sources_are_followed_and_a_gap_in_their_numbers_is_shown() {
    let server = Server::start();
    let event = |number: u32, seq: u32| {
        json!({
            "id": id(number), "time": "2026-11-23T10:15:30Z", "action": "read", "source": {"id": "crm", "kind": "app", "seq": seq},
            "actor": {"type": "human", "id": "ana"}, "outcome": {"result": "allowed"},
        })
    };
    let told = json!([event(1, 1), event(2, 2), event(3, 5)]).to_string();
    assert_eq!(server.post("/v1/events", told).status, 200);
    let crm = |server: &Server| {
        let answer = server.get("/v1/sources").json();
        answer["sources"].as_array().unwrap().iter().find(|source| source["id"] == "crm").cloned()
    };
    server.until("the source is followed", |server| crm(server).is_some_and(|source| source["events"] == 3));
    assert_eq!(crm(&server).unwrap()["gaps"], json!([{"first": 3, "last": 4}]));
}
