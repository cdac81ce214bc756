//! Answers of the gateway's own over HTTP. A request that was read gets a JSON-RPC answer with status 200 when it is denied: that is
//! how a client learns of it without taking the connection for broken.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use crate::body::{ResponseBody, full};
use crate::mcp::answer;
use crate::refusal::{REFUSED_HEADER, Refusal};

/// An answer in JSON, marked as the gateway's.
pub(super) fn json(status: StatusCode, code: &str, request: &str, body: String) -> Response<ResponseBody> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [(REFUSED_HEADER, code), ("x-request-id", request)] {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
    response
}

/// A refusal of a whole HTTP request: an error without an id.
pub(super) fn refuse(refusal: &Refusal, request: &str) -> Response<ResponseBody> {
    let body = answer::refused(None, refusal, request);
    let mut response = json(refusal.status(), refusal.code(), request, body);
    if let Some(pause) = refusal.retry_after_ms() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(pause.div_ceil(1_000).max(1)));
    }
    response
}

/// A refusal in words of its own.
pub(super) fn say(status: StatusCode, code: &str, request: &str, message: &str) -> Response<ResponseBody> {
    json(status, code, request, answer::error(None, answer::INVALID_REQUEST, message, None))
}

/// The method is none of the protocol's.
pub(super) fn method_not_allowed(request: &str) -> Response<ResponseBody> {
    let mut response =
        say(StatusCode::METHOD_NOT_ALLOWED, "bad_request", request, "the protocol knows POST, GET and DELETE");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
    response
}

/// Taken, and nothing to say.
pub(super) fn accepted() -> Response<ResponseBody> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

/// A message as an event of a stream.
pub(super) fn event(id: Option<&str>, text: &str) -> Bytes {
    let id = id.filter(|id| !id.is_empty()).map(|id| format!("id: {id}\n")).unwrap_or_default();
    // JSON of ours holds no line end; that of others may, between its values.
    let data = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\ndata: ");
    Bytes::from(format!("{id}event: message\ndata: {data}\n\n"))
}
