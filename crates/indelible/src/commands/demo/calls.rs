//! The part of the demo's traffic that passes through gateways: an application and an agent that call a model and tools.
//!
//! Promises: each call says `x-indelible-application: demo`, and the gateways' names begin with `demo-`, so that all of it is found,
//! and told from what is real, by `source:gateway/demo-*`. Never: sends anything to a provider; the upstream is built in.

use std::io;

use indelible_gateway::llm::settings::Format;
use indelible_server::config::{Config, LlmConfig, McpConfig};
use serde_json::{Value, json};

use crate::client::Client;
use crate::exit::CliError;

use super::{Dice, PEOPLE, upstream};

/// Where the demo's gateways are mounted.
const MODELS: &str = "/demo/models";
const TOOLS: &str = "/demo/tools";

/// Adds the demo's gateways, before the built-in upstream.
pub(crate) fn mount(config: &mut Config) -> io::Result<()> {
    let address = upstream::start()?;
    let upstream = format!("http://{address}");
    config.gateway.llm.push(LlmConfig {
        name: "demo-models".to_owned(),
        mount: MODELS.to_owned(),
        upstream: upstream.clone(),
        format: Format::OpenAi,
        ..LlmConfig::default()
    });
    config.gateway.mcp.push(McpConfig {
        name: "demo-tools".to_owned(),
        mount: TOOLS.to_owned(),
        upstream: format!("{upstream}/mcp"),
        ..McpConfig::default()
    });
    Ok(())
}

/// Asks for the list of tools, as agents do first: from then on the gateway knows which of them read and which change something.
pub(super) fn list_tools(client: &Client) -> Result<(), CliError> {
    let headers = [("x-indelible-application", "demo"), ("accept", "application/json, text/event-stream")];
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    client.call(TOOLS, &headers, body.to_string().as_bytes())
}

/// One call through a gateway: plain, streaming, with tools, or of a tool.
pub(super) fn one(client: &Client, dice: &mut Dice) -> Result<(), CliError> {
    let person = format!("{}@example.com", dice.pick(&PEOPLE));
    let conversation = format!("demo-{}", dice.below(40));
    let headers = [
        ("x-indelible-application", "demo"),
        ("x-indelible-on-behalf-of", person.as_str()),
        ("x-indelible-conversation", conversation.as_str()),
        ("accept", "application/json, text/event-stream"),
    ];
    let (path, body) = match dice.below(4) {
        0 => (format!("{MODELS}/v1/chat/completions"), question(dice, false, false)),
        1 => (format!("{MODELS}/v1/chat/completions"), question(dice, true, false)),
        2 => (format!("{MODELS}/v1/chat/completions"), question(dice, false, true)),
        _ => (TOOLS.to_owned(), tool_call(dice)),
    };
    client.call(&path, &headers, body.to_string().as_bytes())
}

fn question(dice: &mut Dice, stream: bool, tools: bool) -> Value {
    let text = dice.pick(&[
        "Where is order 4711?",
        "Write to ana@example.com that the order is late.",
        "Summarise the complaint of customer 17 in two sentences.",
    ]);
    let mut body = json!({"model": dice.pick(&["gpt-5.2", "gpt-5.2-mini"]), "stream": stream, "messages": [
        {"role": "system", "content": "You help with orders."}, {"role": "user", "content": text}]});
    if tools {
        body["tools"] =
            json!([{"type": "function", "function": {"name": "lookup_order", "parameters": {"type": "object"}}}]);
    }
    body
}

fn tool_call(dice: &mut Dice) -> Value {
    let tool = dice.pick(&["lookup_order", "lookup_order", "refund"]);
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {"order": "4711"}}})
}
