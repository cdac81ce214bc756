//! Answers of the gateway's own, in the protocol's form.
//!
//! Error codes stand outside JSON-RPC's reserved range: the protocol (2026-07-28) keeps -32020 to -32099 for itself and asks
//! others to leave -32000 to -32019 alone.

use serde_json::{Value, json};

use super::message::{Id, MessageFault};
use super::rules::DenialForm;
use crate::refusal::Refusal;

/// The call is not allowed.
pub const DENIED: i64 = -31403;
/// The call cannot be recorded now, or too many are under way.
pub const NOT_RECORDED: i64 = -31503;
/// The server cannot be reached, or broke off.
pub const UPSTREAM: i64 = -31502;
/// The server did not answer in time.
pub const NO_ANSWER: i64 = -31504;
/// JSON-RPC's own: the message cannot be forwarded.
pub const INVALID_REQUEST: i64 = -32600;
/// The protocol's own: headers say another thing than the message.
pub const HEADER_MISMATCH: i64 = -32020;

/// The first protocol version whose results say of what type they are.
const RESULT_TYPE_SINCE: &str = "2026-07-28";

/// The JSON-RPC error code of a refusal.
#[must_use]
pub fn code(refusal: &Refusal) -> i64 {
    match refusal {
        Refusal::Denied { .. } => DENIED,
        Refusal::NotRecorded(_) | Refusal::NotSealed(_) | Refusal::TooManyOpen { .. } | Refusal::Internal { .. } => {
            NOT_RECORDED
        }
        Refusal::BadHeader { .. } | Refusal::BadRequest { .. } => INVALID_REQUEST,
    }
}

/// An error answer.
#[must_use]
pub fn error(id: Option<&Id>, code: i64, message: &str, data: Option<Value>) -> String {
    let mut error = json!({ "code": code, "message": message });
    if let (Some(data), Some(members)) = (data, error.as_object_mut()) {
        members.insert("data".to_owned(), data);
    }
    envelope(id, "error", &error)
}

/// What a caller is told of a refusal.
#[must_use]
pub fn refused(id: Option<&Id>, refusal: &Refusal, request: &str) -> String {
    error(id, code(refusal), &format!("refused: {refusal}"), Some(data(refusal, request)))
}

/// The same for a tool call, as the configuration wants it.
#[must_use]
pub fn refused_call(id: &Id, refusal: &Refusal, request: &str, form: DenialForm, version: &str) -> String {
    if form == DenialForm::Error || !matches!(refusal, Refusal::Denied { .. }) {
        return refused(Some(id), refusal, request);
    }
    let mut result = json!({
        "content": [{ "type": "text", "text": format!("This call was not made. It was refused: {refusal}") }],
        "isError": true,
        "_meta": { "indelible/refusal": data(refusal, request) },
    });
    // Versions are dates, which sort as texts.
    if let Some(members) = result.as_object_mut()
        && version >= RESULT_TYPE_SINCE
    {
        members.insert("resultType".to_owned(), "complete".into());
    }
    envelope(Some(id), "result", &result)
}

/// What a caller is told of a message that cannot be read.
#[must_use]
pub fn unreadable(fault: MessageFault) -> String {
    error(None, fault.code(), &fault.to_string(), None)
}

fn data(refusal: &Refusal, request: &str) -> Value {
    let mut data = json!({ "refused": refusal.code(), "request": request });
    if let (Refusal::Denied { policy, reason, .. }, Some(members)) = (refusal, data.as_object_mut()) {
        members.insert("policy".to_owned(), policy.as_str().into());
        members.insert("reason".to_owned(), reason.as_str().into());
    }
    if let (Some(pause), Some(members)) = (refusal.retry_after_ms(), data.as_object_mut()) {
        members.insert("retry_after_ms".to_owned(), pause.into());
    }
    data
}

/// The id stands as it was read, so that a number stays the number it was.
fn envelope(id: Option<&Id>, member: &str, value: &Value) -> String {
    let id = id.map_or_else(|| "null".to_owned(), Id::json);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"{member}":{value}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::message::{Incoming, Kind};
    use crate::refusal::DeniedBy;

    #[test]
    fn a_denial_is_an_answer_in_either_form() {
        let refusal =
            Refusal::Denied { by: DeniedBy::Policy, policy: "no-\"mail\"".to_owned(), reason: "not today".to_owned() };
        let id = Id::Text("a\"b".into());
        for (form, version, expect) in [
            (DenialForm::Error, "2025-11-25", "\"error\":{\"code\":-31403"),
            (DenialForm::ToolResult, "2025-11-25", "\"isError\":true"),
            (DenialForm::ToolResult, "2026-07-28", "\"resultType\":\"complete\""),
        ] {
            let text = refused_call(&id, &refusal, "r-1", form, version);
            assert!(text.contains(expect) && text.contains("not today") && text.contains("r-1"), "{text}");
            let incoming = Incoming::read(text.as_bytes()).unwrap();
            let answer = incoming.messages.first().unwrap();
            assert_eq!((answer.kind, answer.id.as_ref()), (Kind::Answer, Some(&id)));
        }
        let busy = refused_call(&id, &Refusal::TooManyOpen { retry_after_ms: 5 }, "r", DenialForm::ToolResult, "");
        assert!(
            busy.contains("-31503") && busy.contains("\"retry_after_ms\":5"),
            "only a denial is a tool's answer: {busy}"
        );
    }
}
