//! The upstream of the demo's gateways: as much of a model API and of a tool server as the demo calls, on this machine only.
//!
//! Promises: listens on loopback, on a port the system chooses; a bounded number of connections, a bounded request. Never: reached
//! by anything but the demo's own gateways on purpose; it knows no secret and keeps nothing.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

/// Connections at once; more are closed.
const CONNECTIONS_MAX: usize = 16;
/// The longest request.
const REQUEST_BYTES_MAX: u64 = 1 << 20;
/// A peer that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two pieces of a stream, so that it is one.
const PIECE: Duration = Duration::from_millis(30);

/// Starts it; where it listens. It ends with the process.
pub(super) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let busy = Arc::new(AtomicUsize::new(0));
    std::thread::Builder::new().name("demo-upstream".to_owned()).spawn(move || {
        for connection in listener.incoming().flatten() {
            if busy.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS_MAX {
                busy.fetch_sub(1, Ordering::SeqCst);
                continue;
            }
            let counted = Arc::clone(&busy);
            let thread = std::thread::Builder::new().name("demo-upstream".to_owned()).spawn(move || {
                // A peer that breaks off ends its own connection only.
                drop(answer(&connection));
                counted.fetch_sub(1, Ordering::SeqCst);
            });
            if thread.is_err() {
                busy.fetch_sub(1, Ordering::SeqCst);
            }
        }
    })?;
    Ok(address)
}

/// One request, one answer, and the end of the connection.
fn answer(connection: &TcpStream) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let (path, body) = request(connection)?;
    if path.ends_with("/mcp") {
        return tool(connection, &body);
    }
    if body["stream"] == true { stream(connection, &body) } else { chat(connection, &body) }
}

/// Path and body; a body that is no JSON is null.
fn request(connection: &TcpStream) -> io::Result<(String, Value)> {
    let mut reader = BufReader::new(connection.take(REQUEST_BYTES_MAX));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut chunked) = (0_u64, false);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        chunked |= name.eq_ignore_ascii_case("transfer-encoding");
    }
    let mut body = Vec::new();
    while chunked {
        line.clear();
        reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        reader.by_ref().take(size).read_to_end(&mut body)?;
        line.clear();
        reader.read_line(&mut line)?;
        chunked = size > 0;
    }
    reader.take(length).read_to_end(&mut body)?;
    Ok((path, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn whole(mut connection: &TcpStream, extra: &str, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n{extra}content-length: {length}\r\n\r\n{body}"
    )
}

/// How many tokens a text would be, about.
fn tokens(body: &Value) -> usize {
    body["messages"].to_string().len() / 4
}

fn usage(body: &Value, output: usize) -> Value {
    let input = tokens(body);
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
}

/// What the demo's model says: it asks for the first tool there is, or answers.
fn chat(connection: &TcpStream, body: &Value) -> io::Result<()> {
    let tool = body["tools"][0]["function"]["name"].as_str();
    let (message, finish) = match tool {
        Some(name) => (
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": "call_demo", "type": "function",
                "function": {"name": name, "arguments": "{\"order\":\"4711\"}"}}]}),
            "tool_calls",
        ),
        None => (json!({"role": "assistant", "content": "Order 4711 is on its way; it arrives tomorrow."}), "stop"),
    };
    let answer = json!({"id": "chatcmpl-demo", "object": "chat.completion", "created": 0, "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage(body, 12)});
    whole(connection, "", &answer)
}

fn stream(mut connection: &TcpStream, body: &Value) -> io::Result<()> {
    write!(connection, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")?;
    let chunk = |choices: Value, usage: Value| {
        json!({"id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 0, "model": body["model"],
            "choices": choices, "usage": usage})
    };
    let words = ["Order", " 4711", " is", " on", " its", " way", "."];
    for word in words {
        let choices = json!([{"index": 0, "delta": {"content": word}, "finish_reason": null}]);
        write!(connection, "data: {}\n\n", chunk(choices, Value::Null))?;
        connection.flush()?;
        std::thread::sleep(PIECE);
    }
    let last = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    write!(connection, "data: {}\n\n", chunk(last, Value::Null))?;
    write!(connection, "data: {}\n\ndata: [DONE]\n\n", chunk(json!([]), usage(body, words.len())))
}

/// The demo's tools: one that reads, one that changes something.
fn tool(mut connection: &TcpStream, body: &Value) -> io::Result<()> {
    let id = &body["id"];
    if id.is_null() {
        return write!(connection, "HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    }
    let mut extra = "";
    let result = match body["method"].as_str().unwrap_or_default() {
        "initialize" => {
            extra = "mcp-session-id: demo\r\n";
            json!({"protocolVersion": body["params"]["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "orders", "version": "1.0.0"}})
        }
        "tools/list" => json!({"tools": [
            {"name": "lookup_order", "description": "Where an order is", "inputSchema": {"type": "object"},
                "annotations": {"readOnlyHint": true}},
            {"name": "refund", "description": "Pays an order back", "inputSchema": {"type": "object"},
                "annotations": {"readOnlyHint": false, "destructiveHint": true}},
        ]}),
        "tools/call" => json!({"content": [{"type": "text", "text": "done"}], "isError": false}),
        _ => json!({}),
    };
    whole(connection, extra, &json!({"jsonrpc": "2.0", "id": id, "result": result}))
}
