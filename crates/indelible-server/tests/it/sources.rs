//! Sources as the server tells them: its gateways count their events over starts and say that they live, and so does the server.

use std::path::Path;

use indelible_server::config::{Config, LlmConfig, Period};
use serde_json::{Value, json};

use crate::harness::Server;

/// A gateway whose upstream nobody is: each call still has an intent and an outcome.
fn config() -> Config {
    let mut config = Config::default();
    config.gateway.llm.push(LlmConfig {
        name: "models".to_owned(),
        mount: "/llm/models".to_owned(),
        upstream: "http://127.0.0.1:9".to_owned(),
        format: indelible_gateway::llm::settings::Format::OpenAi,
        ..LlmConfig::default()
    });
    config
}

fn ask_many(server: &Server, calls: usize) {
    let body = json!({"model": "small", "messages": []}).to_string();
    let headers =
        [("authorization", &*crate::harness::bearer(crate::harness::ADMIN)), ("content-type", "application/json")];
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..calls / 8 {
                    server.send("POST", "/llm/models/v1/chat/completions", &headers, Some(body.as_bytes()));
                }
            });
        }
    });
}

fn source(server: &Server, id: &str) -> Option<Value> {
    let sources = server.get("/v1/sources").json()["sources"].clone();
    sources.as_array()?.iter().find(|source| source["id"].as_str().is_some_and(|found| found.starts_with(id))).cloned()
}

/// Waits until the watch has seen so many events of the gateway, and gives what it says.
fn seen(server: &Server, events: u64) -> Value {
    let found = || source(server, "gateway/models").filter(|source| source["events"].as_u64() >= Some(events));
    server.until("the gateway's events", |_| found().is_some());
    found().unwrap()
}

#[test]
fn a_gateway_counts_its_events_without_a_gap_over_starts_and_crashes() {
    let server = Server::start_with(config());
    ask_many(&server, 40);
    let source = seen(&server, 81);
    assert_eq!((&source["verdict"], source["last_seq"].as_u64()), (&json!("complete"), Some(81)), "{source:#}");
    let folder = server.stop();
    let mark = folder.path().join("data/gateway.mark");
    let after_the_first = std::fs::read(&mark).unwrap();
    let marked = String::from_utf8_lossy(&after_the_first);
    assert!(marked.ends_with("\n81 gateway/models\n"), "{marked}");

    let server = Server::start_in(folder, config());
    ask_many(&server, 8);
    seen(&server, 81 + 17);
    let folder = server.stop();
    // as after a crash right at that start: what came later was not written down
    std::fs::write(&mark, after_the_first).unwrap();
    let server = Server::start_in(folder, config());
    ask_many(&server, 8);
    let source = seen(&server, 81 + 34);
    assert_eq!((&source["verdict"], source["restarts"].as_u64()), (&json!("complete"), Some(0)), "{source:#}");
    assert_eq!(source["last_seq"].as_u64(), source["events"].as_u64());

    // a mark of a program that did not count yet
    let folder = server.stop();
    let text = std::fs::read_to_string(&mark).unwrap();
    std::fs::write(&mark, text.lines().next().unwrap()).unwrap();
    assert!(Path::new(&mark).exists());
    drop(Server::start_in(folder, config()));
}

#[test]
fn whoever_has_nothing_to_say_says_that_it_lives() {
    let mut config = config();
    config.gateway.heartbeat = Period::seconds(1);
    let server = Server::start_with(config);
    let heartbeats = |kind: &str| {
        let query = format!("/v1/stats?by=source.id&q=operation:source.heartbeat+source.kind:{kind}");
        server.get(&query).text()
    };
    server.until("a heartbeat of the gateway", |_| {
        std::thread::sleep(std::time::Duration::from_millis(1_500));
        heartbeats("gateway").contains("gateway/models")
    });
    server.until("a heartbeat of the server", |_| {
        std::thread::sleep(std::time::Duration::from_millis(1_500));
        heartbeats("indelible").contains("indelible-server/")
    });
    let source = source(&server, "gateway/models").unwrap();
    assert_eq!(source["verdict"], "complete", "{source:#}");
}
