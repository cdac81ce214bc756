//! Rules from the command line: checked, tested, and put to a log; and its sources, asked of a server and of the folder.

use serde_json::{Value, json};

use crate::harness::{Ended, Place, Server, until};

const RULE: &str = "title: Secret read by an agent
id: 3c1d1f0e-2f0e-4c4c-9b0b-0d6d7a1f3a10
level: high
logsource: {product: indelible}
detection:
  selection: {actor.type: agent, resources.type: secret, action: read}
  condition: selection
";
const CASES: &str = "match:
  - {name: an agent, events: [{actor: {id: bot, type: agent}, action: read, resources: [{type: secret, id: s}]}]}
no_match:
  - {name: a person, events: [{actor: {id: ana, type: human}, action: read, resources: [{type: secret, id: s}]}]}
";

/// What a command printed that ended with 1: done, and something is wrong.
fn one(ended: Ended) -> Value {
    serde_json::from_str(&ended.with(1).out).unwrap()
}

#[test]
fn rules_are_checked_tested_and_put_to_a_log_and_its_sources_are_told() {
    let mut place = Place::new();
    std::fs::create_dir(place.path("mine")).unwrap();
    place.write("mine/secret.yml", RULE);
    place.write("mine/secret.test.yml", CASES);
    place.run(&["rules", "check", "mine"]).ok();
    place.run(&["rules", "test", "mine"]).ok();
    place.write("mine/broken.yml", "title: broken\nlogsource: {product: indelible}\ndetection: {condition: nothing}\n");
    let broken = place.run(&["rules", "check", "mine"]).with(1);
    assert!(format!("{}{}", broken.out, broken.err).contains("broken.yml"), "{} {}", broken.out, broken.err);
    std::fs::remove_file(place.path("mine/broken.yml")).unwrap();
    // a case that does not hold is told
    place.write("mine/secret.test.yml", CASES.replace("id: bot, type: agent", "id: bot, type: service"));
    place.run(&["rules", "test", "mine"]).with(1);

    let server = Server::start(&mut place);
    let event = |actor: &str, seq: u32| {
        json!({
            "time": "2026-11-23T10:15:30Z", "source": {"id": "vault", "kind": "app", "seq": seq}, "action": "read",
            "actor": {"id": "x", "type": actor}, "resources": [{"type": "secret", "id": "prod/db"}], "outcome": {"result": "allowed"},
        })
        .to_string()
    };
    place.run_with_input(&["record"], &format!("{}\n{}\n", event("agent", 1), event("human", 4))).ok();
    until("the gap is seen", || {
        let told = place.run(&["sources", "--format", "json"]);
        told.out.contains("\"vault\"") && told.code == Some(1)
    });
    server.stop();
    let told = one(place.run(&["sources", "--data", "data", "--format", "json"]));
    let vault = told["sources"].as_array().unwrap().iter().find(|source| source["id"] == "vault").unwrap();
    assert_eq!(vault["gaps"], json!([{"first": 2, "last": 3}]));
    let found = one(place.run(&["detect", "--data", "data", "--rules", "mine", "--no-built-in", "--format", "json"]));
    assert_eq!(found["findings"].as_array().unwrap().len(), 1);
    assert_eq!(found["findings"][0]["rule"]["title"], "Secret read by an agent");
}
