//! Alerts from outside: rules over what is recorded, what people do with what they find, and what stands in the log of it.

use std::path::Path;

use indelible_server::config::Config;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Answer, Server, bearer, event};

const RULE: &str = "
title: Somebody read the vault
id: 5f5c3d0e-6a5e-4a53-9d5a-2c7f3b1e9a01
status: test
description: For tests.
logsource: {product: indelible}
detection:
  vault: {resources.id: vault}
  condition: vault
level: high
falsepositives: [Rotation]
";

fn config(rules: &Path) -> Config {
    let mut config = Config::default();
    config.detect.built_in = false;
    config.detect.rules = vec![rules.to_owned()];
    config
}

fn rules() -> TempDir {
    let rules = tempfile::tempdir().unwrap();
    std::fs::write(rules.path().join("vault.yml"), RULE).unwrap();
    rules
}

fn read_vault(server: &Server, actor: &str) {
    let mut event = event(None, actor);
    event["resources"] = json!([{"type": "secret", "id": "vault"}]);
    assert_eq!(server.post("/v1/events", event.to_string()).status, 200);
}

/// Alerts of the rules of these tests: sources may have theirs, for the events are late.
fn alerts(server: &Server, query: &str) -> Vec<Value> {
    let mut found = server.get(&format!("/v1/alerts{query}")).json()["alerts"].as_array().unwrap().clone();
    found.retain(|alert| !alert["rule"]["id"].as_str().unwrap().starts_with("completeness/"));
    found
}

fn send(server: &Server, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    server.send(method, path, &[("authorization", &bearer(token))], Some(body.to_string().as_bytes()))
}

/// The operations on alerts that stand in the log and were let through, with who did them.
fn changes(server: &Server) -> Vec<String> {
    let events = server.events("main");
    let of_alerts = events.iter().filter(|event| {
        let operation = event["operation"].as_str().unwrap_or_default();
        let by_reading = ["alerts.list", "alerts.show", "silences.list"].contains(&operation);
        let about_sources = event["attributes"]["rule"].as_str().unwrap_or_default().starts_with("completeness/");
        (operation.starts_with("alert") || operation.starts_with("silence"))
            && !by_reading
            && !about_sources
            && event["outcome"]["result"] == "allowed"
    });
    of_alerts
        .map(|event| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!("{} {}", text(&event["operation"]), text(&event["actor"]["id"]))
        })
        .collect()
}

#[test]
fn what_a_rule_finds_is_one_alert_and_all_that_becomes_of_it_is_on_record() {
    let rules = rules();
    let server = Server::start_with(config(rules.path()));
    let (sam, rita) = (server.token("sam", "responder", None), server.token("rita", "read", None));
    read_vault(&server, "ana");
    server.until("the alert", |server| !alerts(server, "").is_empty());
    read_vault(&server, "ana");
    server.until("the second finding", |server| alerts(server, "")[0]["findings"] == 2);
    let alert = alerts(&server, "?entity=ana").remove(0);
    assert_eq!((&alert["state"], &alert["severity"]), (&"open".into(), &"high".into()));
    let id = alert["id"].as_str().unwrap().to_owned();
    let shown = server.get_as(&rita, &format!("/v1/alerts/{id}")).json();
    let evidence = &shown["findings"][0]["evidence"][0];
    let path = format!("/v1/logs/main/entries/{}", evidence["index"]);
    assert_eq!(server.get(&path).json()["id"], evidence["event"], "the event behind it is found");

    let take = format!("/v1/alerts/{id}/acknowledge");
    assert_eq!(send(&server, &rita, "POST", &take, &json!({})).problem(), "forbidden");
    let taken = send(&server, &sam, "POST", &take, &json!({})).json();
    assert_eq!((&taken["alert"]["state"], &taken["alert"]["owner"]), (&"acknowledged".into(), &"sam".into()));
    // it survives a restart, and is not found anew
    let server = Server::start_in(server.stop(), config(rules.path()));
    let close = format!("/v1/alerts/{id}/close");
    assert_eq!(send(&server, &sam, "POST", &close, &json!({"reason": ""})).problem(), "invalid-request");
    assert_eq!(send(&server, &sam, "POST", &close, &json!({"reason": "rotation"})).json()["alert"]["findings"], 2);
    assert_eq!(send(&server, &sam, "POST", &close, &json!({"reason": "again"})).problem(), "conflict");
    assert!(alerts(&server, "").is_empty());
    assert_eq!(alerts(&server, "?state=closed")[0]["reason"], "rotation");
    server.until("the record", |server| changes(server).len() >= 3);
    assert_eq!(changes(&server), ["alert.opened indelible-server", "alerts.acknowledge sam", "alerts.close sam"]);
    read_vault(&server, "ana");
    server.until("another alert", |server| alerts(server, "").len() == 1);
    assert_ne!(alerts(&server, "")[0]["id"], id.as_str());
}

#[test]
fn a_silence_holds_until_it_is_ended_and_wrong_ones_are_refused() {
    let rules = rules();
    let server = Server::start_with(config(rules.path()));
    let post = |body: Value| server.post("/v1/silences", body.to_string());
    let until = "2999-01-01T00:00:00Z";
    for (wrong, field) in [
        (json!({"reason": "x", "until": "2027-01-01T00:00:00Z"}), "rule"),
        (json!({"reason": "x", "until": until, "entity": "ana"}), "until"),
        (json!({"reason": "x", "until": "2020-01-01T00:00:00Z", "entity": "ana"}), "until"),
        (json!({"reason": "", "until": "2027-01-01T00:00:00Z", "entity": "ana"}), "reason"),
        (json!({"reason": "x", "until": "tomorrow", "entity": "ana"}), "until"),
    ] {
        let answer = post(wrong);
        assert_eq!((answer.status, answer.text().contains(field)), (400, true), "{}", answer.text());
    }
    let soon = soon();
    let silenced = post(json!({"reason": "migration", "until": soon, "entity": "ana"}));
    assert_eq!(silenced.status, 201, "{}", silenced.text());
    read_vault(&server, "ana");
    server.until("the alert", |server| alerts(server, "").len() == 1);
    assert_eq!(alerts(&server, "")[0]["silenced"], true);
    let id = silenced.json()["silence"]["id"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/v1/silences").json()["silences"][0]["by"], "admin");
    let end = || send(&server, crate::harness::ADMIN, "DELETE", &format!("/v1/silences/{id}"), &json!({}));
    assert_eq!(end().status, 200);
    assert_eq!(end().problem(), "not-found");
    server.until("the end of the silence", |server| alerts(server, "")[0]["silenced"] == false);
    server.until("the record", |server| changes(server).len() >= 4);
    let expected = [
        "silences.set admin",
        "alert.opened indelible-server",
        "silences.end admin",
        "alert.unsilenced indelible-server",
    ];
    assert_eq!(changes(&server), expected);
}

/// Within a year from now, whenever that is.
fn soon() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let day = i64::try_from(now.as_nanos()).unwrap() + 86_400_000_000_000;
    indelible_event::time::RecordedTime(day).to_string()
}

#[test]
fn changed_rules_are_taken_without_a_restart_and_broken_ones_are_named_while_the_others_run() {
    let rules = rules();
    let server = Server::start_with(config(rules.path()));
    let listed = |server: &Server| server.get("/v1/rules").json();
    assert_eq!(listed(&server)["rules"].as_array().unwrap().len(), 1);
    let second = RULE.replace("9a01", "9a02").replace("vault}", "safe}");
    std::fs::write(rules.path().join("safe.yml"), second).unwrap();
    std::fs::write(
        rules.path().join("broken.yml"),
        RULE.replace("9a01", "9a03").replace("condition: vault", "condition: nothing and"),
    )
    .unwrap();
    server.until("the second rule", |server| listed(server)["rules"].as_array().unwrap().len() == 2);
    let skipped = listed(&server)["skipped"].clone();
    assert!(skipped[0]["file"].as_str().unwrap().ends_with("broken.yml"), "{skipped}");
    server.until("an alert about the broken rule", |server| {
        alerts(server, "?rule=health/rule")
            .iter()
            .any(|alert| alert["entity"]["id"].as_str().unwrap().contains("broken.yml"))
    });
    let mut event = event(None, "ana");
    event["resources"] = json!([{"type": "secret", "id": "safe"}]);
    assert_eq!(server.post("/v1/events", event.to_string()).status, 200);
    server.until("the second rule's finding", |server| !alerts(server, "?entity=ana").is_empty());
    let events = server.events("main");
    assert!(events.iter().any(|event| event["operation"] == "rules.reload"));
}

#[test]
fn what_was_recorded_before_anybody_watched_is_history() {
    let rules = rules();
    let mut unwatched = config(rules.path());
    unwatched.detect.enabled = false;
    let server = Server::start_with(unwatched);
    read_vault(&server, "ana");
    server.until("the sources", |server| server.get("/v1/sources").json()["watched"] == true);
    let folder = server.stop();
    std::fs::remove_dir_all(folder.path().join("data/detect")).unwrap();
    let server = Server::start_in(folder, config(rules.path()));
    read_vault(&server, "bea");
    server.until("the new one", |server| !alerts(server, "").is_empty());
    let about: Vec<Value> = alerts(&server, "").into_iter().map(|alert| alert["entity"]["id"].clone()).collect();
    assert_eq!(about, ["bea"]);
}
