//! OpenAI's shapes: chat completions, completions, responses, embeddings, models, images, audio, files, batches.

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Answer, Call, Upstream, event};

const CREATED: u64 = 1_790_000_000;

/// An error as OpenAI writes it.
pub(super) fn error(message: &str, kind: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": kind}})
}

/// The answer to a path under `/v1/`.
pub(super) fn answer(upstream: &Upstream, call: &Call, path: &str) -> Answer {
    let ok = |value: Value| Answer::Whole(StatusCode::OK, value);
    match path {
        "chat/completions" if call.streams() => Answer::Events(chat_events(upstream, call)),
        "chat/completions" => ok(chat(upstream, call)),
        "completions" => ok(json!({
            "id": format!("cmpl-{}", call.number), "object": "text_completion", "created": CREATED, "model": call.model(),
            "choices": [{"text": upstream.words().concat(), "index": 0, "logprobs": null, "finish_reason": finish(call)}],
            "usage": usage(upstream),
        })),
        "responses" if call.streams() => Answer::Events(response_events(upstream, call)),
        "responses" => ok(response(upstream, call, "completed")),
        "embeddings" => ok(embeddings(call)),
        "models" => ok(json!({"object": "list", "data": [model("gpt-test"), model("gpt-test-mini")]})),
        "images/generations" => ok(json!({"created": CREATED, "data": [{"b64_json": "iVBORw0KGgo="}],
            "usage": {"input_tokens": 5, "output_tokens": 100, "total_tokens": 105}})),
        "audio/transcriptions" => ok(json!({"text": upstream.words().concat(),
            "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 8, "total_tokens": 22}})),
        "files" if call.method == Method::POST => ok(file(call)),
        "files" => ok(json!({"object": "list", "data": [], "has_more": false})),
        "batches" => {
            ok(json!({"id": format!("batch_{}", call.number), "object": "batch", "endpoint": "/v1/chat/completions",
            "input_file_id": "file-1", "completion_window": "24h", "status": "validating", "created_at": CREATED}))
        }
        one if one.starts_with("models/") => ok(model(one.trim_start_matches("models/"))),
        _ => Answer::Whole(StatusCode::NOT_FOUND, error("no such path", "not_found")),
    }
}

fn model(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": CREATED, "owned_by": "test"})
}

fn file(call: &Call) -> Value {
    json!({"id": format!("file-{}", call.number), "object": "file", "bytes": call.bytes.len(), "created_at": CREATED,
        "filename": "upload.jsonl", "purpose": "batch", "status": "processed"})
}

fn usage(upstream: &Upstream) -> Value {
    let output = upstream.words().len();
    json!({"prompt_tokens": 21, "completion_tokens": output, "total_tokens": 21 + output,
        "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}})
}

fn finish(call: &Call) -> &'static str {
    if call.behaviour() == "length" { "length" } else { "stop" }
}

/// The first tool offered, unless the last message already carries a tool's answer.
fn tool(call: &Call) -> Option<&str> {
    let last = call.json["messages"].as_array().and_then(|messages| messages.last());
    if last.is_some_and(|message| message["role"] == "tool") {
        return None;
    }
    call.json["tools"][0]["function"]["name"].as_str()
}

fn text(upstream: &Upstream, call: &Call) -> String {
    if call.json["response_format"]["type"] == "json_schema" || call.json["text"]["format"]["type"] == "json_schema" {
        return r#"{"answer":42,"unit":"towels"}"#.to_owned();
    }
    upstream.words().concat()
}

fn chat(upstream: &Upstream, call: &Call) -> Value {
    let (message, finish) = match tool(call) {
        Some(name) => (
            json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": format!("call_{}", call.number), "type": "function",
                 "function": {"name": name, "arguments": "{\"city\":\"Paris\"}"}}]}),
            "tool_calls",
        ),
        None => (json!({"role": "assistant", "content": text(upstream, call), "refusal": null}), finish(call)),
    };
    json!({
        "id": format!("chatcmpl-{}", call.number), "object": "chat.completion", "created": CREATED,
        "model": answering(call), "system_fingerprint": "fp_test",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}], "usage": usage(upstream),
    })
}

/// The model that answers has a date, as real ones do.
fn answering(call: &Call) -> String {
    format!("{}-2026-01-01", call.model())
}

fn chat_events(upstream: &Upstream, call: &Call) -> Vec<Bytes> {
    let chunk = |delta: Value, finish: Value| {
        json!({"id": format!("chatcmpl-{}", call.number), "object": "chat.completion.chunk", "created": CREATED,
            "model": answering(call), "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    };
    let mut events = vec![event(None, &chunk(json!({"role": "assistant", "content": ""}), Value::Null))];
    let finish = if let Some(name) = tool(call) {
        let begin = json!({"tool_calls": [{"index": 0, "id": format!("call_{}", call.number), "type": "function",
            "function": {"name": name, "arguments": ""}}]});
        events.push(event(None, &chunk(begin, Value::Null)));
        for piece in ["{\"city\"", ":\"Par", "is\"}"] {
            let delta = json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
            events.push(event(None, &chunk(delta, Value::Null)));
        }
        "tool_calls"
    } else {
        let words = upstream.words().into_iter();
        events.extend(words.map(|word| event(None, &chunk(json!({"content": word}), Value::Null))));
        finish(call)
    };
    events.push(event(None, &chunk(json!({}), json!(finish))));
    if call.json["stream_options"]["include_usage"] == json!(true) {
        events.push(event(
            None,
            &json!({"id": format!("chatcmpl-{}", call.number), "object": "chat.completion.chunk",
            "created": CREATED, "model": answering(call), "choices": [], "usage": usage(upstream)}),
        ));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

fn response(upstream: &Upstream, call: &Call, status: &str) -> Value {
    let done = status == "completed";
    let output = json!([{"type": "message", "id": format!("msg_{}", call.number), "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": text(upstream, call), "annotations": []}]}]);
    let usage = json!({"input_tokens": 21, "output_tokens": 8, "total_tokens": 29,
        "input_tokens_details": {"cached_tokens": 4}, "output_tokens_details": {"reasoning_tokens": 2}});
    json!({
        "id": format!("resp_{}", call.number), "object": "response", "created_at": CREATED, "status": status, "error": null,
        "incomplete_details": null, "instructions": null, "model": answering(call), "parallel_tool_calls": true,
        "tool_choice": "auto", "tools": [], "output": if done { output } else { json!([]) },
        "usage": if done { usage } else { Value::Null },
    })
}

fn response_events(upstream: &Upstream, call: &Call) -> Vec<Bytes> {
    let item = format!("msg_{}", call.number);
    let mut number = 0;
    let mut events = Vec::new();
    let mut push = |kind: &str, mut data: Value| {
        data["type"] = json!(kind);
        data["sequence_number"] = json!(number);
        number += 1;
        events.push(event(Some(kind), &data));
    };
    push("response.created", json!({"response": response(upstream, call, "in_progress")}));
    let message = json!({"type": "message", "id": item, "status": "in_progress", "role": "assistant", "content": []});
    push("response.output_item.added", json!({"output_index": 0, "item": message}));
    let part = json!({"type": "output_text", "text": "", "annotations": []});
    push("response.content_part.added", json!({"item_id": item, "output_index": 0, "content_index": 0, "part": part}));
    for word in upstream.words() {
        let delta = json!({"item_id": item, "output_index": 0, "content_index": 0, "delta": word, "logprobs": []});
        push("response.output_text.delta", delta);
    }
    push("response.completed", json!({"response": response(upstream, call, "completed")}));
    events
}

fn embeddings(call: &Call) -> Value {
    let count = call.json["input"].as_array().map_or(1, Vec::len).min(64);
    // The official clients ask for base64; four little-endian floats.
    let base64 = call.json["encoding_format"] == "base64";
    let vector = if base64 { json!("AAAAPwAAgD4AAAA+AAAAvw==") } else { json!([0.5, 0.25, 0.125, -0.5]) };
    let data: Vec<Value> =
        (0..count).map(|index| json!({"object": "embedding", "index": index, "embedding": vector})).collect();
    json!({"object": "list", "data": data, "model": answering(call), "usage": {"prompt_tokens": 5, "total_tokens": 5}})
}
