//! Anthropic's shapes: messages, token counting, batches, models.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Call, Upstream, event};

/// An error as Anthropic writes it.
pub(super) fn error(message: &str, kind: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_test"})
}

/// The answer to a path under `/v1/`.
pub(super) fn answer(upstream: &Upstream, call: &Call, path: &str) -> Answer {
    let ok = |value: Value| Answer::Whole(StatusCode::OK, value);
    match path {
        "messages" if call.streams() => Answer::Events(events(upstream, call)),
        "messages" => ok(message(upstream, call)),
        "messages/count_tokens" => ok(json!({"input_tokens": 17})),
        "messages/batches" => ok(json!({"id": format!("msgbatch_{}", call.number), "type": "message_batch",
            "processing_status": "in_progress", "created_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-02T00:00:00Z",
            "request_counts": {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}})),
        "models" => ok(json!({"data": [{"type": "model", "id": "claude-test", "display_name": "Claude Test",
            "created_at": "2026-01-01T00:00:00Z"}], "has_more": false, "first_id": "claude-test", "last_id": "claude-test"})),
        _ => Answer::Whole(StatusCode::NOT_FOUND, error("no such path", "not_found_error")),
    }
}

/// The first tool offered, unless the last message already carries a tool's answer.
fn tool(call: &Call) -> Option<&str> {
    let last = call.json["messages"].as_array().and_then(|messages| messages.last());
    if last.is_some_and(|message| message["content"][0]["type"] == "tool_result") {
        return None;
    }
    call.json["tools"][0]["name"].as_str()
}

fn stop(call: &Call) -> &'static str {
    match call.behaviour() {
        "length" => "max_tokens",
        _ if tool(call).is_some() => "tool_use",
        _ => "end_turn",
    }
}

fn usage(output: usize) -> Value {
    json!({"input_tokens": 17, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4, "output_tokens": output})
}

fn message(upstream: &Upstream, call: &Call) -> Value {
    let content = match tool(call) {
        Some(name) => {
            json!([{"type": "tool_use", "id": format!("toolu_{}", call.number), "name": name, "input": {"city": "Paris"}}])
        }
        None => json!([{"type": "text", "text": upstream.words().concat()}]),
    };
    json!({
        "id": format!("msg_{}", call.number), "type": "message", "role": "assistant", "model": format!("{}-20260101", call.model()),
        "content": content, "stop_reason": stop(call), "stop_sequence": null, "usage": usage(upstream.words().len()),
    })
}

fn events(upstream: &Upstream, call: &Call) -> Vec<Bytes> {
    let mut events = Vec::new();
    let mut push = |kind: &str, mut data: Value| {
        data["type"] = json!(kind);
        events.push(event(Some(kind), &data));
    };
    let mut begin = message(upstream, call);
    begin["content"] = json!([]);
    begin["stop_reason"] = Value::Null;
    begin["usage"] = usage(1);
    push("message_start", json!({"message": begin}));
    match tool(call) {
        Some(name) => {
            let block = json!({"type": "tool_use", "id": format!("toolu_{}", call.number), "name": name, "input": {}});
            push("content_block_start", json!({"index": 0, "content_block": block}));
            for piece in ["{\"city\"", ":\"Par", "is\"}"] {
                let delta = json!({"type": "input_json_delta", "partial_json": piece});
                push("content_block_delta", json!({"index": 0, "delta": delta}));
            }
        }
        None => {
            push("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}}));
            push("ping", json!({}));
            for word in upstream.words() {
                push("content_block_delta", json!({"index": 0, "delta": {"type": "text_delta", "text": word}}));
            }
        }
    }
    push("content_block_stop", json!({"index": 0}));
    let output = upstream.words().len();
    let delta = json!({"stop_reason": stop(call), "stop_sequence": null});
    push("message_delta", json!({"delta": delta, "usage": {"output_tokens": output}}));
    push("message_stop", json!({}));
    events
}
