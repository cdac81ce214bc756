//! A scripted provider: OpenAI's and Anthropic's shapes, a little of MCP, and every way in which an upstream can fail.
//!
//! What it does is chosen by the header `x-upstream`, or by what stands behind the last `+` of the model's name (`gpt-test+cut`):
//!
//! | word | what happens |
//! | --- | --- |
//! | `slow` | the answer begins after half a second |
//! | `silent` | no answer at all |
//! | `stall` | a stream stops after two pieces and stays open |
//! | `drip` | a piece a second |
//! | `cut` | the connection breaks after two pieces, or in the middle of a body |
//! | `malformed` | a line that is no event, then one that is no JSON, then goes on |
//! | `broken` | an error event in the middle of a stream |
//! | `429`, `429once` | too many requests, with `retry-after`; `429once` only every other time |
//! | `500`, `400` | an error in the provider's form |
//! | `redirect` | 307 to another path |
//! | `gzip`, `brotli` | the answer is compressed |
//! | `huge` | 40 MB of answer |
//! | `length` | ends for length, not by itself |
//!
//! `GET /_calls` tells how many calls came, `GET /_last` what the last one looked like. Never: checks what it is asked more than it
//! needs to answer; keeps more than the last request.

mod anthropic;
mod body;
mod compress;
mod mcp;
mod openai;

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use body::{Script, Step};

/// The largest request taken.
const REQUEST_MOST: usize = 128 << 20;
/// What of a request's body `/_last` tells.
const TOLD_MOST: usize = 4096;
/// What `slow` waits.
const SLOW: Duration = Duration::from_millis(500);
/// What `drip` waits.
const DRIP: Duration = Duration::from_secs(1);
/// How long `huge` is.
const HUGE: usize = 40 << 20;

/// The provider.
#[derive(Debug)]
pub struct Upstream {
    key: Option<String>,
    pieces: u32,
    pause: Duration,
    think: Duration,
    calls: AtomicU64,
    last: Mutex<Value>,
}

/// One call, read.
pub(crate) struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    bytes: Bytes,
    json: Value,
    /// The call's number, from 1.
    number: u64,
}

impl Call {
    fn model(&self) -> &str {
        self.json["model"].as_str().unwrap_or("test-model")
    }

    /// The word that says how to misbehave; empty for an answer as it should be.
    fn behaviour(&self) -> &str {
        let header = self.headers.get("x-upstream").and_then(|value| value.to_str().ok());
        header.or_else(|| self.model().rsplit_once('+').map(|(_, word)| word)).unwrap_or_default()
    }

    fn streams(&self) -> bool {
        self.json["stream"].as_bool().unwrap_or(false)
    }
}

/// An answer before it misbehaves.
pub(crate) enum Answer {
    /// One body.
    Whole(StatusCode, Value),
    /// Events of a stream; those in the middle are the pieces of text.
    Events(Vec<Bytes>),
}

impl Upstream {
    /// A provider whose streams have so many pieces with such a pause between.
    #[must_use]
    pub fn new(key: Option<String>, pieces: u32, pause: Duration, think: Duration) -> Self {
        Self { key, pieces, pause, think, calls: AtomicU64::new(0), last: Mutex::new(Value::Null) }
    }

    /// The words of an answer, as many as a stream has pieces.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        const WORDS: [&str; 8] = ["The", " quick", " brown", " fox", " jumps", " over", " lazy", " dogs"];
        WORDS.iter().copied().cycle().take(self.pieces as usize).collect()
    }

    async fn handle(&self, request: Request<Incoming>) -> Response<Script> {
        let (parts, incoming) = request.into_parts();
        let path = parts.uri.path().to_owned();
        match path.as_str() {
            "/_calls" => return whole(StatusCode::OK, &json!({"calls": self.calls.load(Ordering::SeqCst)})),
            "/_last" => {
                return whole(StatusCode::OK, &self.last.lock().unwrap_or_else(PoisonError::into_inner).clone());
            }
            _ => {}
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let Ok(collected) = Limited::new(incoming, REQUEST_MOST).collect().await else {
            return whole(
                StatusCode::PAYLOAD_TOO_LARGE,
                &openai::error("the body is too large or broke off", "invalid"),
            );
        };
        let bytes = collected.to_bytes();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let call = Call { method: parts.method, path, headers: parts.headers, bytes, json, number };
        self.remember(&call);
        if !self.knows(&call) {
            return whole(StatusCode::UNAUTHORIZED, &openai::error("incorrect key provided", "invalid_api_key"));
        }
        if !self.think.is_zero() {
            tokio::time::sleep(self.think).await;
        }
        if call.path.ends_with("/mcp") {
            return mcp::answer(&call);
        }
        match self.misbehave_first(&call).await {
            Some(answer) => answer,
            None => self.shape(&call, self.answer(&call)),
        }
    }

    fn remember(&self, call: &Call) {
        let headers: serde_json::Map<String, Value> = call
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))))
            .collect();
        let told = call.bytes.get(..TOLD_MOST).unwrap_or(&call.bytes);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = json!({
            "method": call.method.as_str(), "path": call.path, "headers": headers, "size": call.bytes.len(),
            "body": String::from_utf8_lossy(told),
        });
    }

    fn knows(&self, call: &Call) -> bool {
        let Some(key) = &self.key else { return true };
        let bearer = call.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let header = call.headers.get("x-api-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
        bearer.strip_prefix("Bearer ") == Some(key) || header == key
    }

    fn answer(&self, call: &Call) -> Answer {
        let anthropic = call.headers.contains_key("anthropic-version");
        let path = call.path.rsplit_once("/v1/").map_or(call.path.as_str(), |(_, rest)| rest);
        if anthropic || path.starts_with("messages") {
            return anthropic::answer(self, call, path);
        }
        openai::answer(self, call, path)
    }

    /// What comes instead of an answer, or before it.
    async fn misbehave_first(&self, call: &Call) -> Option<Response<Script>> {
        let anthropic = call.headers.contains_key("anthropic-version");
        let error = |status: StatusCode, text: &str, kind: &str| {
            let body = if anthropic { anthropic::error(text, kind) } else { openai::error(text, kind) };
            whole(status, &body)
        };
        match call.behaviour() {
            "slow" => tokio::time::sleep(SLOW).await,
            "silent" => std::future::pending::<()>().await,
            "429once" if call.number.is_multiple_of(2) => return None,
            "429" | "429once" => {
                let mut answer = error(StatusCode::TOO_MANY_REQUESTS, "slow down", "rate_limit_error");
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                answer.headers_mut().insert("x-ratelimit-remaining-requests", HeaderValue::from_static("0"));
                return Some(answer);
            }
            "500" => return Some(error(StatusCode::INTERNAL_SERVER_ERROR, "it broke", "server_error")),
            "400" => return Some(error(StatusCode::BAD_REQUEST, "no such parameter", "invalid_request_error")),
            "redirect" => {
                let mut answer = whole(StatusCode::TEMPORARY_REDIRECT, &json!({}));
                answer.headers_mut().insert(LOCATION, HeaderValue::from_static("/v1/elsewhere"));
                return Some(answer);
            }
            _ => {}
        }
        None
    }

    fn shape(&self, call: &Call, answer: Answer) -> Response<Script> {
        match answer {
            Answer::Whole(status, value) => shape_whole(call, status, &value),
            Answer::Events(events) => self.shape_stream(call, events),
        }
    }

    fn shape_stream(&self, call: &Call, events: Vec<Bytes>) -> Response<Script> {
        let behaviour = call.behaviour();
        let pause = if behaviour == "drip" { DRIP } else { self.pause };
        let mut steps = Vec::with_capacity(events.len() * 2);
        for (at, event) in events.into_iter().enumerate() {
            if at == 3 {
                steps.extend(interruption(behaviour));
            }
            steps.push(Step::Send(event));
            if !pause.is_zero() {
                steps.push(Step::Wait(pause));
            }
        }
        if matches!(behaviour, "gzip" | "brotli") {
            let plain: Vec<u8> = steps.iter().filter_map(Step::bytes).flatten().copied().collect();
            steps = vec![Step::Send(compress::compress(behaviour, &plain))];
        }
        let mut answer = Response::new(Script::new(steps));
        let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
        answer.headers_mut().insert(CONTENT_TYPE, kind);
        head(call, &mut answer);
        answer
    }
}

/// What happens in the middle of a stream.
fn interruption(behaviour: &str) -> Vec<Step> {
    match behaviour {
        "cut" => vec![Step::Wait(Duration::from_millis(20)), Step::Cut],
        "stall" => vec![Step::Forever],
        "malformed" => vec![
            Step::Send(Bytes::from_static(b"this is no event\n\n")),
            Step::Send(Bytes::from_static(b"data: {\"choices\": [\n\n")),
        ],
        "broken" => vec![Step::Send(Bytes::from_static(
            b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"overloaded\"}}\n\n",
        ))],
        _ => Vec::new(),
    }
}

fn shape_whole(call: &Call, status: StatusCode, value: &Value) -> Response<Script> {
    let bytes = Bytes::from(value.to_string());
    let steps = match call.behaviour() {
        "cut" => {
            let half = bytes.slice(..bytes.len() / 2);
            vec![Step::Send(half), Step::Wait(Duration::from_millis(20)), Step::Cut]
        }
        "stall" => vec![Step::Send(bytes.slice(..bytes.len() / 2)), Step::Forever],
        "huge" => huge(&bytes),
        word @ ("gzip" | "brotli") => vec![Step::Send(compress::compress(word, &bytes))],
        _ => vec![Step::Send(bytes)],
    };
    let mut answer = Response::new(Script::new(steps));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head(call, &mut answer);
    answer
}

/// The answer, and so much white space after it that it is huge.
fn huge(bytes: &Bytes) -> Vec<Step> {
    let blank = Bytes::from(vec![b' '; 1 << 20]);
    let mut steps = vec![Step::Send(bytes.clone())];
    steps.extend((0..HUGE >> 20).map(|_| Step::Send(blank.clone())));
    steps
}

fn head(call: &Call, answer: &mut Response<Script>) {
    let headers = answer.headers_mut();
    let id = HeaderValue::from_str(&format!("req_{:08}", call.number));
    headers.insert("x-request-id", id.unwrap_or(HeaderValue::from_static("req_0")));
    match call.behaviour() {
        "gzip" => headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip")),
        "brotli" => headers.insert(CONTENT_ENCODING, HeaderValue::from_static("br")),
        _ => None,
    };
}

/// An answer of one piece.
pub(crate) fn whole(status: StatusCode, value: &Value) -> Response<Script> {
    let mut answer = Response::new(Script::new(vec![Step::Send(Bytes::from(value.to_string()))]));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// One event of a stream.
pub(crate) fn event(name: Option<&str>, data: &Value) -> Bytes {
    match name {
        Some(name) => Bytes::from(format!("event: {name}\ndata: {data}\n\n")),
        None => Bytes::from(format!("data: {data}\n\n")),
    }
}

/// Serves until the process ends.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, upstream: Upstream) -> io::Result<()> {
    let upstream: &'static Upstream = Box::leak(Box::new(upstream));
    loop {
        let Ok((connection, _)) = listener.accept().await else {
            // Out of file handles: others will close.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        connection.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(move |request| async move { Ok::<_, Infallible>(upstream.handle(request).await) });
            // A client that goes away, or a cut on purpose, ends the connection: nothing to tell.
            let _ended =
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(connection), service).await;
        });
    }
}
