//! JSON web tokens: a header that is base64url of JSON with `alg`, a payload that begins as JSON does, a signature.
//!
//! Promises: looks at no more than [`LONGEST`] bytes; a token longer than that is judged by its header and its payload's beginning.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Kind;
use super::pass::View;
use super::prefixed::word;
use super::window::LONGEST;

/// A header longer than this is not looked at: they are tens of bytes.
const HEADER_MOST: usize = 1024;

/// A token that begins at a place where `eyJ` stands.
pub(super) fn find(view: &View<'_>, at: usize) -> Option<Kind> {
    if view.before(at).is_some_and(word) {
        return None;
    }
    let header_end = view.stretch(at, HEADER_MOST, word);
    if view.unsettled(at, header_end)
        || view.at(header_end) != Some(b'.')
        || !names_algorithm(view.slice(at, header_end))
    {
        return None;
    }
    let payload = header_end + 1;
    let payload_end = view.stretch(payload, LONGEST.saturating_sub(payload - at), word);
    let long = payload_end - at >= LONGEST;
    if view.unsettled(at, payload_end) || !begins_as_object(view.slice(payload, payload_end)) {
        return None;
    }
    if long {
        return Some(Kind::JWT);
    }
    if view.at(payload_end) != Some(b'.') {
        return None;
    }
    let end = view.stretch(payload_end + 1, LONGEST.saturating_sub(payload_end + 1 - at), word);
    let signed = end - payload_end > 16;
    (signed && !view.unsettled(at, end)).then_some(Kind::JWT)
}

fn names_algorithm(header: &[u8]) -> bool {
    let Ok(json) = URL_SAFE_NO_PAD.decode(header) else { return false };
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(&json) else { return false };
    value.get("alg").is_some_and(serde_json::Value::is_string)
}

/// The first eight characters decode to the beginning of a JSON object.
fn begins_as_object(payload: &[u8]) -> bool {
    let Some(first) = payload.get(..8) else { return false };
    URL_SAFE_NO_PAD.decode(first).is_ok_and(|bytes| bytes.trim_ascii_start().first() == Some(&b'{'))
}
