//! As much of the Model Context Protocol (streamable HTTP) as a load needs: initialize, tools/list, tools/call.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::body::Script;
use super::{Call, whole};

/// The answer to one JSON-RPC message.
pub(super) fn answer(call: &Call) -> Response<Script> {
    if call.method != Method::POST {
        let status = if call.method == Method::DELETE { StatusCode::OK } else { StatusCode::METHOD_NOT_ALLOWED };
        return whole(status, &json!({}));
    }
    let id = &call.json["id"];
    if id.is_null() {
        let mut accepted = Response::new(Script::new(Vec::new()));
        *accepted.status_mut() = StatusCode::ACCEPTED;
        return accepted;
    }
    let result = match call.json["method"].as_str().unwrap_or_default() {
        "initialize" => json!({"protocolVersion": call.json["params"]["protocolVersion"],
            "capabilities": {"tools": {}}, "serverInfo": {"name": "scripted", "version": "1.0.0"}}),
        "tools/list" => json!({"tools": [tool()]}),
        "tools/call" => {
            json!({"content": [{"type": "text", "text": call.json["params"]["arguments"].to_string()}], "isError": false})
        }
        "ping" => json!({}),
        _ => {
            return whole(
                StatusCode::OK,
                &json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no such method"}}),
            );
        }
    };
    let mut answer = whole(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": id, "result": result}));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if call.json["method"] == "initialize"
        && let Ok(session) = HeaderValue::from_str(&format!("session-{}", call.number))
    {
        answer.headers_mut().insert("mcp-session-id", session);
    }
    answer
}

fn tool() -> Value {
    json!({"name": "echo", "description": "Answers with what it is given", "inputSchema": {"type": "object",
        "properties": {"message": {"type": "string"}}}, "annotations": {"readOnlyHint": true}})
}
