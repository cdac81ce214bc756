//! The events themselves: calls of models and tools, SQL statements, accesses to a cluster; as client libraries write them, fields
//! in an order of their own.
//!
//! `<name>` in a pattern is filled when the event is built; what changes from use to use becomes a slot.

use crate::random::Random;

use super::{Events, Fresh, Slot};

/// How many people act, a few of them most of the time.
pub const PEOPLE: u64 = 20_000;
/// How many agents act.
pub const AGENTS: u64 = 2_000;

/// A call of a model through a gateway.
const MODEL_CALL: &str = concat!(
    r#"{"id":"<id>","time":"<time>","source":{"id":"llm-gateway-<few>","kind":"llm-gateway"},"#,
    r#""actor":{"id":"agent-<agent>","type":"agent","ip":"10.<octet>.<octet>.<octet>"},"#,
    r#""on_behalf_of":[{"id":"u<person>@example.com","type":"human"}],"action":"infer","operation":"chat","#,
    r#""resources":[{"type":"model","id":"<model>"}],"outcome":{"result":"<result>"},"#,
    r#""duration_ns":<num10>,"ai":{"provider":"<provider>","request_model":"<model>","#,
    r#""input_tokens":<num4>,"output_tokens":<num3>,"conversation":"c-<hex12>"},"#,
    r#""trace":{"trace_id":"<hex32>","span_id":"<hex16>"}}"#,
);

/// A call of a tool by an agent.
const TOOL_CALL: &str = concat!(
    r#"{"id":"<id>","time":"<time>","source":{"id":"mcp-gateway-<few>","kind":"mcp-gateway"},"#,
    r#""actor":{"id":"agent-<agent>","type":"agent"},"#,
    r#""on_behalf_of":[{"id":"u<person>@example.com","type":"human"}],"action":"execute","operation":"tools/call","#,
    r#""resources":[{"type":"tool","id":"<tool>","labels":["<label>"]}],"#,
    r#""outcome":{"result":"<result>","policy":"<policy>","request":"<uuid>"},"duration_ns":<num8>,"#,
    r#""ai":{"tool_name":"<tool>","conversation":"c-<hex12>"},"#,
    r#""trace":{"trace_id":"<hex32>","span_id":"<hex16>"}}"#,
);

/// A statement on a warehouse.
const STATEMENT: &str = concat!(
    r#"{"id":"<id>","time":"<time>","source":{"id":"warehouse-<few>","kind":"postgres"},"#,
    r#""actor":{"id":"u<person>@example.com","type":"human","roles":["<role>"],"#,
    r#""ip":"192.168.<octet>.<octet>"},"#,
    r#""action":"read","operation":"SELECT","resources":[{"type":"table","id":"warehouse.<table>","labels":["<label>"],"#,
    r#""fields":["id","name","email"],"count":<num3>}],"#,
    r#""outcome":{"result":"<result>","policy":"<policy>","request":"<uuid>"},"duration_ns":<num8>,"#,
    r#""purpose":"support case <num5>","trace":{"trace_id":"<hex32>","span_id":"<hex16>"}}"#,
);

/// An access to a cluster.
const CLUSTER_ACCESS: &str = concat!(
    r#"{"id":"<id>","time":"<time>","source":{"id":"cluster-<few>","kind":"kubernetes"},"#,
    r#""actor":{"id":"u<person>@example.com","type":"human","groups":["oidc:<role>"],"#,
    r#""ip":"172.16.<octet>.<octet>","user_agent":"kubectl/v1.34.1"},"#,
    r#""action":"<verb>","operation":"pods/<verb2>","resources":[{"type":"pod","id":"<namespace>/<table>-<hex10>"}],"#,
    r#""outcome":{"result":"<result>","code":"<code>","policy":"<policy>","request":"<uuid>"},"duration_ns":<num7>,"#,
    r#""attributes":{"namespace":"<namespace>","dry_run":false},"#,
    r#""trace":{"trace_id":"<hex32>","span_id":"<hex16>"}}"#,
);

/// Share of each kind: of ten events, five are calls of models.
const KINDS: [&str; 10] = [
    MODEL_CALL,
    MODEL_CALL,
    MODEL_CALL,
    MODEL_CALL,
    MODEL_CALL,
    TOOL_CALL,
    TOOL_CALL,
    STATEMENT,
    STATEMENT,
    CLUSTER_ACCESS,
];

/// Zones without summer time, so that the offset is right on every day.
const ZONES: [(i64, &str); 10] = [
    (0, "Z"),
    (0, "Z"),
    (0, "Z"),
    (0, "Z"),
    (0, "Z"),
    (0, "Z"),
    (0, "Z"),
    (3_600, "+01:00"),
    (19_800, "+05:30[Asia/Kolkata]"),
    (32_400, "+09:00[Asia/Tokyo]"),
];

/// Who serves which model; the first ones are asked more often.
const MODELS: [(&str, &str); 12] = [
    ("openai", "gpt-5-mini"),
    ("anthropic", "claude-sonnet-5"),
    ("openai", "gpt-5"),
    ("vllm", "llama-4-70b"),
    ("openai", "text-embedding-4"),
    ("mistral", "mistral-large-3"),
    ("google", "gemini-3-pro"),
    ("anthropic", "claude-opus-5"),
    ("vllm", "qwen-3-72b"),
    ("deepseek", "deepseek-v4"),
    ("openai", "whisper-4"),
    ("vllm", "phi-5"),
];

/// Values of a name in a pattern; the first ones come more often.
fn values(name: &str) -> &'static [&'static str] {
    match name {
        "tool" => &[
            "search_documents",
            "read_file",
            "query_warehouse",
            "send_email",
            "create_ticket",
            "browse",
            "run_python",
            "list_customers",
            "update_record",
            "calendar_lookup",
            "export_report",
            "translate",
        ],
        "table" => &[
            "customers",
            "orders",
            "payments",
            "tickets",
            "contracts",
            "patients",
            "invoices",
            "employees",
            "shipments",
            "claims",
            "sessions",
            "prices",
            "leads",
            "devices",
            "visits",
            "ledger",
        ],
        "label" => &["pii", "internal", "public", "phi", "secret"],
        "policy" => &["analysts-read", "agents-tools", "support-eu", "break-glass", "default-deny"],
        "role" => &["analyst", "support", "engineer", "sre", "auditor"],
        "namespace" => &["inference", "training", "web", "batch", "kube-system"],
        "verb" => &["read", "read", "execute", "modify", "delete"],
        "verb2" => &["get", "list", "exec", "patch", "log"],
        "code" => &["200", "200", "200", "403", "404"],
        "result" => &["allowed", "allowed", "allowed", "allowed", "allowed", "allowed", "allowed", "denied", "failed"],
        "few" => &["1", "2", "3", "4", "5", "6", "7", "8"],
        _ => &["unknown"],
    }
}

/// Appends one event.
pub(super) fn append(events: &mut Events, random: &mut Random) {
    let pattern = *random.pick(&KINDS);
    let (ahead, zone) = *random.pick(&ZONES);
    let mut pieces = pattern.split('<');
    events.text.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    let (provider, model) = *often_first(&MODELS, random);
    for piece in pieces {
        let (name, after) = piece.split_once('>').unwrap_or((piece, ""));
        match fresh(name, ahead) {
            Some(fresh) => {
                events.slots.push(Slot { at: events.text.len(), fresh });
                events.text.resize(events.text.len() + fresh.width(), b'0');
            }
            None if name == "octet" => events.text.extend_from_slice(random.below(256).to_string().as_bytes()),
            None => {
                let value = match name {
                    "provider" => provider,
                    "model" => model,
                    _ => often_first(values(name), random),
                };
                events.text.extend_from_slice(value.as_bytes());
            }
        }
        if name == "time" {
            events.text.extend_from_slice(zone.as_bytes());
        }
        events.text.extend_from_slice(after.as_bytes());
    }
}

/// One of `choices`, which must not be empty; the first ones come more often.
fn often_first<'a, T>(choices: &'a [T], random: &mut Random) -> &'a T {
    let at = usize::try_from(random.skewed(choices.len() as u64)).unwrap_or(0);
    &choices[at]
}

fn fresh(name: &str, ahead: i64) -> Option<Fresh> {
    let digits = |prefix: &str| name.strip_prefix(prefix).and_then(|digits| digits.parse::<usize>().ok());
    match name {
        "id" => Some(Fresh::Id),
        "uuid" => Some(Fresh::Uuid),
        "time" => Some(Fresh::Time { ahead }),
        "person" => Some(Fresh::Skewed { digits: 5, end: PEOPLE }),
        "agent" => Some(Fresh::Skewed { digits: 4, end: AGENTS }),
        _ => digits("hex")
            .map(|digits| Fresh::Hex { digits })
            .or_else(|| digits("num").map(|digits| Fresh::Number { digits })),
    }
}
