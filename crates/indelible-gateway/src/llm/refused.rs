//! The gateway's own answers, each in the form of the API that the client speaks, and marked as the gateway's.

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use super::settings::Format;
use crate::body::{ResponseBody, full};
use crate::refusal::{REFUSED_HEADER, Refusal};

/// What went wrong between the gateway and upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No connection, or it broke before an answer began.
    Unreachable,
    /// No answer in time.
    Silent,
    /// The client's request broke off.
    RequestCut,
}

impl Fault {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "upstream_unreachable",
            Self::Silent => "upstream_silent",
            Self::RequestCut => "request_cut",
        }
    }

    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Unreachable => "upstream could not be reached",
            Self::Silent => "upstream did not answer in time",
            Self::RequestCut => "the request broke off",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Unreachable => StatusCode::BAD_GATEWAY,
            Self::Silent => StatusCode::GATEWAY_TIMEOUT,
            Self::RequestCut => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn response(self, format: Format, request: &str) -> Response<ResponseBody> {
        respond(format, request, self.status(), self.code(), self.reason())
    }
}

/// A refusal as an answer.
pub(super) fn refuse(refusal: &Refusal, format: Format, request: &str) -> Response<ResponseBody> {
    let mut response = respond(format, request, refusal.status(), refusal.code(), &refusal.to_string());
    if let Some(retry_after_ms) = refusal.retry_after_ms() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_ms.div_ceil(1000).max(1)));
    }
    response
}

/// An event that tells the reader of a stream why its end does not come.
pub(super) fn stream_error(format: Format, code: &str, message: &str) -> Vec<u8> {
    let body = body(format, StatusCode::INSUFFICIENT_STORAGE, code, message);
    match format {
        Format::Anthropic => format!("event: error\ndata: {body}\n\n").into_bytes(),
        Format::OpenAi | Format::Passthrough => format!("data: {body}\n\n").into_bytes(),
    }
}

fn respond(format: Format, request: &str, status: StatusCode, code: &str, message: &str) -> Response<ResponseBody> {
    let mut response = Response::new(full(body(format, status, code, message).to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [(REFUSED_HEADER, code), ("x-request-id", request), ("x-indelible-request-id", request)] {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
    response
}

fn body(format: Format, status: StatusCode, code: &str, message: &str) -> serde_json::Value {
    let message = format!("indelible: {message}");
    match format {
        Format::Anthropic => {
            let kind = match status.as_u16() {
                400 => "invalid_request_error",
                403 => "permission_error",
                503 | 504 => "overloaded_error",
                _ => "api_error",
            };
            json!({"type": "error", "error": {"type": kind, "message": message, "code": code}})
        }
        Format::OpenAi | Format::Passthrough => {
            let kind = match status.as_u16() {
                400 => "invalid_request_error",
                403 => "permission_error",
                _ => "server_error",
            };
            json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
        }
    }
}
