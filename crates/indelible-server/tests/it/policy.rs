//! The door from outside: a call through a gateway that waits for a person, is halted, and meets policies that change.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use indelible_server::config::{Config, LlmConfig};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{ADMIN, Answer, Server};

const PATIENCE: Duration = Duration::from_secs(30);

/// Answers every request with an empty JSON object, until the process ends.
fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut bytes = [0; 8_192];
                while stream.read(&mut bytes).is_ok_and(|count| count > 0) {
                    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

fn server(policies: &TempDir) -> Server {
    let mut config = Config::default();
    config.policy.folder = Some(policies.path().to_owned());
    config.gateway.llm.push(LlmConfig {
        name: "openai".to_owned(),
        mount: "/llm/openai".to_owned(),
        upstream: upstream(),
        format: indelible_gateway::llm::settings::Format::OpenAi,
        ..LlmConfig::default()
    });
    Server::start_with(config)
}

fn ask(server: &Server, token: &str, model: &str) -> Answer {
    let body = json!({"model": model, "messages": []}).to_string();
    let headers = [("authorization", &*format!("Bearer {token}")), ("content-type", "application/json")];
    server.send("POST", "/llm/openai/v1/chat/completions", &headers, Some(body.as_bytes()))
}

fn endings(server: &Server) -> Vec<String> {
    let events = server.get("/v1/events?q=operation:chat.completions&order=asc").json();
    let ending = |event: &Value| {
        let outcome = &event["event"]["outcome"];
        let word = |name: &str| outcome[name].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", word("phase"), word("result"), word("policy"))
    };
    events["events"].as_array().unwrap().iter().map(ending).collect()
}

#[test]
fn policies_see_who_holds_a_token_and_so_does_the_record() {
    let policies = TempDir::new().unwrap();
    let text = "@id(\"analysts\") permit(principal in Role::\"analyst\", action, resource) when { principal.type == \"agent\" };
        @id(\"fraud\") permit(principal in Group::\"fraud\", action, resource);";
    std::fs::write(policies.path().join("a.cedar"), text).unwrap();
    let server = server(&policies);
    let token = |name: &str, more: Value| {
        let mut body = json!({"name": name, "role": "gateway"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = server.post("/v1/tokens", body.to_string());
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["token"].as_str().unwrap().to_owned()
    };
    for (name, more, status) in [
        ("a", json!({"actor_type": "agent", "roles": ["analyst"]}), 200),
        ("b", json!({"actor_type": "human", "roles": ["analyst"]}), 403),
        ("c", json!({"roles": ["clerk"], "groups": ["audit", "fraud"]}), 200),
        ("d", json!({}), 403),
    ] {
        assert_eq!(ask(&server, &token(name, more), "m").status, status, "{name}");
    }
    let events = server.get("/v1/events?q=operation:chat.completions&order=asc").json();
    let first = &events["events"][0]["event"]["actor"];
    assert_eq!((&first["id"], &first["type"], &first["roles"]), (&json!("a"), &json!("agent"), &json!(["analyst"])));
    let listed = server.get("/v1/tokens").json();
    let c = listed["tokens"].as_array().unwrap().iter().find(|token| token["name"] == "c").unwrap();
    assert_eq!((&c["actor_type"], &c["groups"]), (&json!("service"), &json!(["audit", "fraud"])));
    for (wrong, field) in [
        (json!({"name": "x", "role": "gateway", "actor_type": "anonymous"}), "actor_type"),
        (json!({"name": "x", "role": "gateway", "roles": [""]}), "roles"),
    ] {
        let answer = server.post("/v1/tokens", wrong.to_string());
        assert_eq!((answer.status, answer.text().contains(field)), (400, true), "{}", answer.text());
    }
}

#[test]
fn a_held_call_goes_on_when_another_person_approves_and_all_of_it_is_on_record() {
    let policies = TempDir::new().unwrap();
    let text = "@id(\"ask\") @hold(\"sure?\") permit(principal, action == Action::\"infer\", resource);";
    std::fs::write(policies.path().join("a.cedar"), text).unwrap();
    let server = server(&policies);
    let (bot, eve) = (server.token("bot", "gateway", None), server.token("eve", "approver", None));
    for (decision, status) in [("approve", 200), ("deny", 403)] {
        std::thread::scope(|scope| {
            let call = scope.spawn(|| ask(&server, &bot, "gpt-x").status);
            let began = Instant::now();
            let id = loop {
                let list = server.get_as(&eve, "/v1/approvals").json();
                if let Some(id) = list["approvals"][0]["id"].as_str() {
                    assert_eq!(list["approvals"][0]["message"], "sure?");
                    break id.to_owned();
                }
                assert!(began.elapsed() < PATIENCE, "nothing waits: {list}");
                std::thread::sleep(Duration::from_millis(20));
            };
            let path = format!("/v1/approvals/{id}");
            let body = json!({"decision": decision, "reason": "looked at it"}).to_string();
            let decide = |token: &str| {
                let headers = [("authorization", &*format!("Bearer {token}"))];
                server.send("POST", &path, &headers, Some(body.as_bytes()))
            };
            assert_eq!(decide(&bot).status, 403, "a caller has no say");
            let decided = decide(&eve);
            assert_eq!(decided.status, 200, "{}", decided.text());
            assert_eq!(call.join().unwrap(), status);
            assert_eq!(decide(&eve).problem(), "not-found", "nothing is decided twice");
        });
    }
    let approved = "ask, approved by eve";
    let expected =
        [format!("intent allowed {approved}"), format!("outcome allowed {approved}"), "single denied ask".to_owned()];
    assert_eq!(endings(&server), expected);
    let decisions = server.get("/v1/events?q=action:approve&order=asc").json();
    let results: Vec<&str> = decisions["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event"]["actor"]["id"] == "eve")
        .filter_map(|event| event["event"]["outcome"]["result"].as_str())
        // What came too late stands there too, as failed.
        .filter(|result| *result != "failed")
        .collect();
    assert_eq!(results, ["allowed", "denied"], "{decisions}");
}

#[test]
fn a_halt_stops_the_next_call_and_changed_policies_take_effect_while_broken_ones_do_not() {
    let policies = TempDir::new().unwrap();
    let file = policies.path().join("a.cedar");
    std::fs::write(&file, "@id(\"all\") permit(principal, action, resource);").unwrap();
    let server = server(&policies);
    let bot = server.token("bot", "gateway", None);
    assert_eq!(ask(&server, &bot, "gpt-x").status, 200);
    assert_eq!(server.get_as(&bot, "/v1/halts").problem(), "forbidden");
    let halt = json!({"scope": "model", "value": "gpt-x", "reason": "incident 7"}).to_string();
    assert_eq!(server.post("/v1/halts", &halt).status, 201);
    let refused = ask(&server, &bot, "gpt-x");
    assert_eq!((refused.status, refused.header("x-indelible-refused")), (403, "halted"));
    assert!(refused.text().contains("incident 7"), "{}", refused.text());
    assert_eq!(ask(&server, &bot, "gpt-y").status, 200);
    let admin = format!("Bearer {ADMIN}");
    let lift = "/v1/halts?scope=model&value=gpt-x&reason=mended";
    let lifted = server.send("DELETE", lift, &[("authorization", &admin)], None);
    assert_eq!(lifted.json()["by"], "admin");
    assert_eq!(server.send("DELETE", lift, &[("authorization", &admin)], None).problem(), "not-found");
    assert_eq!(ask(&server, &bot, "gpt-x").status, 200);

    let reloads = |result: &str| {
        let q = format!("/v1/events?q=operation:policy.reload%20outcome:{result}");
        server.get(&q).json()["events"].as_array().unwrap().len()
    };
    let wait = |result: &str| {
        let began = Instant::now();
        while reloads(result) == 0 {
            assert!(began.elapsed() < PATIENCE, "no reload was {result}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    std::fs::write(&file, "permit(principal, action, resource) when { context.colour == 1 };").unwrap();
    wait("failed");
    assert_eq!(ask(&server, &bot, "gpt-x").status, 200, "the old ones stay in force");
    std::fs::write(&file, "@id(\"none\") @reason(\"closed\") forbid(principal, action, resource);").unwrap();
    wait("allowed");
    let refused = ask(&server, &bot, "gpt-x");
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("closed"), "{}", refused.text());
}
