//! Sample traffic for `serve --demo`: a small company's people, agents and services, through the public API and through gateways.
//!
//! Promises: every event sent says `attributes.demo = true`, and every call through a gateway says that its application is `demo`;
//! it uses a token of its own, made over the API with the role
//! `ingest` and revoked at the end.
//! Never: a back door, or an event that is not marked.

mod calls;
mod upstream;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use indelible_server::Ready;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::cli::ServerArguments;
use crate::client::Client;
use crate::exit::CliError;

pub(crate) use calls::mount;

/// Pause between two rounds of traffic.
const ROUND: Duration = Duration::from_millis(700);
/// How long the end of the server waits for the end of the traffic.
const END: Duration = Duration::from_secs(3);
/// The name of the token, by which an earlier run's is found.
const TOKEN_NAME: &str = "indelible-demo";

/// The running traffic.
pub(crate) struct Demo {
    stop: Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Demo {
    /// Ends the traffic and waits, not long, until its token is revoked.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        if tokio::time::timeout(END, self.ended).await.is_err() {
            tracing::warn!("the demo traffic did not end in time; the next start with --demo revokes its token");
        }
    }
}

/// Starts the traffic against the server that is ready. Needs an admin token to make its own.
pub(crate) fn start(ready: &Ready, certificate: Option<PathBuf>, admin: Option<String>) -> Option<Demo> {
    let Some(admin) = admin else {
        eprintln!("No demo traffic: it needs the admin token; set INDELIBLE_ADMIN_TOKEN.");
        return None;
    };
    let (stop, stopped) = channel();
    let (end, ended) = oneshot::channel();
    // a certificate that was signed by itself is its own authority
    let server = ServerArguments { url: ready.url.clone(), token_file: None, ca: certificate };
    let thread = std::thread::Builder::new().name("demo".to_owned()).spawn(move || {
        if let Err(error) = traffic(&server, &admin, &stopped) {
            tracing::warn!(%error, "the demo traffic has ended");
        }
        drop(end);
    });
    if let Err(error) = thread {
        tracing::warn!(%error, "the demo traffic could not start");
        return None;
    }
    Some(Demo { stop, ended })
}

fn traffic(server: &ServerArguments, admin: &str, stop: &Receiver<()>) -> Result<(), CliError> {
    let admin = Client::with_token(server, admin)?;
    // a run that was killed could not give its token back
    let tokens = admin.get("/v1/tokens", &[])?;
    for token in tokens.get("tokens").and_then(Value::as_array).into_iter().flatten() {
        if token["name"] == TOKEN_NAME && token["revoked"].is_null() {
            revoke(&admin, token)?;
        }
    }
    let wanted = json!({"name": TOKEN_NAME, "role": "ingest"}).to_string();
    let made = admin.post("/v1/tokens", &[], "application/json", wanted.as_bytes())?;
    let token = made.get("token").and_then(Value::as_str).unwrap_or_default();
    let client = Client::with_token(server, token)?.impatient();
    let mut dice = Dice(0x0dd_ba11);
    let mut seq = [0u64; 4];
    for (seq, source) in seq.iter_mut().zip(SOURCES) {
        *seq = last_seq(&admin, source)?;
    }
    if let Err(error) = calls::list_tools(&client) {
        tracing::info!(%error, "the demo's tools could not be listed");
    }
    loop {
        let before = seq;
        let events: Vec<Value> = (0..1 + dice.below(4)).map(|_| event(&mut dice, &mut seq)).collect();
        let body = Value::Array(events).to_string();
        match client.post("/v1/events", &[], "application/json", body.as_bytes()) {
            Ok(_) => {}
            Err(error) if matches!(error.status(), None | Some(429 | 503 | 507)) => {
                // nothing was recorded, so nothing is missing: the numbers are given again
                seq = before;
                tracing::info!(%error, "a round of demo traffic was not recorded");
            }
            Err(error) => return Err(error),
        }
        match calls::one(&client, &mut dice) {
            Err(error) if !matches!(error.status(), None | Some(429 | 500..)) => return Err(error),
            Err(error) => tracing::info!(%error, "a call of the demo did not go through"),
            Ok(()) => {}
        }
        if stop.recv_timeout(ROUND) != Err(RecvTimeoutError::Timeout) {
            return revoke(&admin.impatient(), &made);
        }
    }
}

fn revoke(admin: &Client, token: &Value) -> Result<(), CliError> {
    admin.delete(&format!("/v1/tokens/{}", token["id"].as_str().unwrap_or_default()), &[])
}

/// The last number that a source gave in an earlier run: it counts on, for a new start at 1 would look like a loss.
fn last_seq(admin: &Client, source: &str) -> Result<u64, CliError> {
    let query = [("q", format!("source:{}", source_id(source))), ("limit", "1".to_owned())];
    let page = admin.get("/v1/events", &query)?;
    Ok(page.pointer("/events/0/event/source/seq").and_then(Value::as_u64).unwrap_or_default())
}

fn source_id(source: &str) -> String {
    format!("demo-{source}")
}

/// A small reproducible generator (xorshift): the demo is the same each time but for its times.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const PEOPLE: [&str; 6] = ["ana", "ben", "chiara", "deniz", "emil", "fatou"];
const SOURCES: [&str; 4] = ["llm-gateway", "tool-gateway", "postgres-gateway", "kubernetes-audit"];

fn event(dice: &mut Dice, seq: &mut [u64; 4]) -> Value {
    let kind = [0, 0, 0, 1, 1, 2, 2, 3][dice.below(8)];
    seq[kind] += 1;
    let person = format!("{}@example.com", dice.pick(&PEOPLE));
    let mut event = match kind {
        0 => model_call(dice, &person),
        1 => tool_call(dice, &person),
        2 => sql(dice, &person),
        _ => cluster(dice, &person),
    };
    event["time"] = json!(jiff::Timestamp::now().to_string());
    event["source"] = json!({"id": source_id(SOURCES[kind]), "kind": "demo", "seq": seq[kind]});
    event["attributes"]["demo"] = json!(true);
    event
}

fn model_call(dice: &mut Dice, person: &str) -> Value {
    let (provider, model) =
        [("openai", "gpt-5.2"), ("anthropic", "claude-sonnet-5"), ("local", "llama-4-70b")][dice.below(3)];
    let (input, output) = (200 + dice.below(6_000), 20 + dice.below(900));
    let allowed = dice.below(12) > 0;
    json!({
        "actor": {"id": "support-bot", "type": "agent", "name": "Support bot", "session": format!("s-{}", dice.below(400))},
        "on_behalf_of": [{"id": person, "type": "human"}],
        "action": "infer",
        "operation": "chat.completions",
        "resources": [{"type": "model", "id": model}],
        "outcome": {"result": if allowed { "allowed" } else { "denied" }, "policy": if allowed { "approved-models" } else { "token-budget" }},
        "duration_ns": 300_000_000 + dice.below(4_000_000_000),
        "ai": {"provider": provider, "operation": "chat", "request_model": model, "input_tokens": input, "output_tokens": output},
    })
}

fn tool_call(dice: &mut Dice, person: &str) -> Value {
    let (tool, action) =
        [("lookup_order", "read"), ("refund", "modify"), ("send_email", "execute"), ("search_tickets", "read")]
            [dice.below(4)];
    let result = if tool == "refund" && dice.below(3) == 0 { "denied" } else { "allowed" };
    json!({
        "actor": {"id": "support-bot", "type": "agent"},
        "on_behalf_of": [{"id": person, "type": "human"}],
        "action": action,
        "operation": "tools/call",
        "resources": [{"type": "tool", "id": tool, "name": format!("orders-mcp/{tool}")}],
        "outcome": {"result": result},
        "ai": {"tool_name": tool},
    })
}

fn sql(dice: &mut Dice, person: &str) -> Value {
    let (table, label) =
        [("customers", "pii"), ("orders", "internal"), ("patients", "phi"), ("prices", "public")][dice.below(4)];
    let result = if table == "patients" && dice.below(2) == 0 { "denied" } else { "allowed" };
    json!({
        "actor": {"id": person, "type": "human", "roles": ["analyst"], "ip": format!("10.0.{}.{}", dice.below(4), 1 + dice.below(250))},
        "action": "read",
        "operation": "SELECT",
        "resources": [{"type": "table", "id": table, "labels": [label], "count": 1 + dice.below(5_000)}],
        "outcome": {"result": result},
        "purpose": dice.pick(&["support case", "monthly report", "data quality"]),
        "duration_ns": 1_000_000 + dice.below(90_000_000),
    })
}

fn cluster(dice: &mut Dice, person: &str) -> Value {
    let (operation, action) =
        [("pods/exec", "execute"), ("secrets/get", "read"), ("deployments/patch", "modify")][dice.below(3)];
    let result = ["allowed", "allowed", "denied", "failed"][dice.below(4)];
    json!({
        "actor": {"id": person, "type": "human", "groups": ["platform"]},
        "action": action,
        "operation": operation,
        "resources": [{"type": "object", "id": format!("prod/{}", dice.pick(&["inference", "vector-db", "trainer"]))}],
        "outcome": {"result": result, "code": if result == "denied" { "403" } else { "200" }},
    })
}
