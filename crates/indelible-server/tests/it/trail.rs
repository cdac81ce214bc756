//! Reading is on record: starts and stops, tokens, entries, refusals in bounded numbers, reads of the published log in sums.

use indelible_server::config::Config;
use serde_json::Value;

use crate::harness::{Server, bearer};

fn operations(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["operation"].as_str().unwrap_or("-")).collect()
}

#[test]
fn starts_stops_tokens_and_reads_are_events_of_the_server() {
    let server = Server::start();
    let reader = server.token("reader", "read", None);
    let started = server.get_as(&reader, "/v1/logs/main/entries/1").json();
    assert_eq!((&started["operation"], &started["actor"]["type"]), (&"server.start".into(), &"system".into()));
    let server = Server::start_in(server.stop(), Config::default());
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
    for event in &events {
        assert_eq!(event["source"], serde_json::json!({"id": "indelible-server", "kind": "indelible"}));
    }
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
