//! Headers on their way to a tool server: the Indelible token goes no further, and headers that repeat the message must say what
//! the message says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, FORWARDED, HOST,
    ORIGIN, REFERER,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::headers::{Credential, strip_answer, strip_request};
use crate::mcp::message::Message;

/// The protocol's session.
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// The protocol's version.
pub(super) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// What a request loses besides: where the Indelible token may stand, where it came from, and what is written anew.
const NOT_FORWARDED: [HeaderName; 9] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    COOKIE,
    FORWARDED,
    HOST,
    CONTENT_LENGTH,
    EXPECT,
    ORIGIN,
    REFERER,
];

/// A request's headers as upstream gets them. Answers must come as they are: they are read.
pub(super) fn for_upstream(headers: &HeaderMap, credential: Option<&Credential>) -> HeaderMap {
    let mut headers = headers.clone();
    strip_request(&mut headers, &NOT_FORWARDED);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(credential) = credential {
        credential.put(&mut headers);
    }
    headers
}

/// An answer's headers as the client gets them; the length is that of what is sent.
pub(super) fn for_client(headers: &mut HeaderMap) {
    strip_answer(headers);
    headers.remove(CONTENT_LENGTH);
}

/// Whether content comes packed, so that it cannot be read.
pub(super) fn is_packed(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// What kind of content it is, without parameters, in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a web page of that origin may call: the host's own, or one of the list. No browser, no origin.
pub(super) fn origin_may(headers: &HeaderMap, allowed: &[String]) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if origins.next().is_some() {
        return false;
    }
    let own = headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(|host| {
        origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
    });
    // A name that is made to point here has that name as its host too: only addresses prove that the page is ours.
    (own && is_loopback(origin)) || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

fn is_loopback(origin: &str) -> bool {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    matches!(host, "127.0.0.1" | "::1" | "localhost")
}

/// Which header says another thing than the message, if one does.
pub(super) fn mismatch(headers: &HeaderMap, message: &Message<'_>) -> Option<&'static str> {
    if let Some(value) = headers.get(METHOD)
        && value.as_bytes() != message.method.as_bytes()
    {
        return Some("the header Mcp-Method does not match the message");
    }
    if let Some(value) = headers.get(NAME) {
        let named = message.param_text("name").or_else(|| message.param_text("uri"));
        if named.is_none_or(|named| decoded(value) != Some(named.into_owned())) {
            return Some("the header Mcp-Name does not match the message");
        }
    }
    None
}

/// A header's value; one that is no plain text comes as `=?base64?…?=`.
fn decoded(value: &HeaderValue) -> Option<String> {
    let text = std::str::from_utf8(value.as_bytes()).ok()?;
    match text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(packed) => String::from_utf8(STANDARD.decode(packed).ok()?).ok(),
        None => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::message::Incoming;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn the_token_goes_no_further_and_the_protocol_passes() {
        let headers = map(&[
            ("authorization", "Bearer ind_x"),
            ("cookie", "a"),
            ("host", "gateway"),
            ("connection", "close, x-mine"),
            ("x-mine", "1"),
            ("x-indelible-purpose", "billing"),
            ("origin", "http://127.0.0.1"),
            ("mcp-session-id", "s"),
            ("last-event-id", "7"),
            ("mcp-param-region", "eu"),
            ("traceparent", "00-x"),
        ]);
        let kept = map(&[
            ("mcp-session-id", "s"),
            ("last-event-id", "7"),
            ("mcp-param-region", "eu"),
            ("traceparent", "00-x"),
            ("accept-encoding", "identity"),
        ]);
        assert_eq!(for_upstream(&headers, None), kept);
        let credential = Credential::bearer("provider-key").unwrap();
        assert_eq!(for_upstream(&headers, Some(&credential)).get(AUTHORIZATION).unwrap(), "Bearer provider-key");
        assert!(!format!("{credential:?}").contains("provider-key"));
    }

    #[test]
    fn pages_of_other_origins_may_not_call() {
        let allowed = ["https://chat.example.com".to_owned()];
        for (pairs, may) in [
            (&[("host", "a")][..], true),
            (&[("host", "127.0.0.1:7411"), ("origin", "http://127.0.0.1:7411")], true),
            (&[("host", "127.0.0.1:7411"), ("origin", "http://127.0.0.1:9")], false),
            (&[("host", "evil.example:7411"), ("origin", "http://evil.example:7411")], false),
            (&[("host", "a"), ("origin", "https://chat.example.com")], true),
            (&[("host", "a"), ("origin", "null")], false),
            (&[("host", "a"), ("origin", "https://chat.example.com"), ("origin", "https://evil.example")], false),
        ] {
            assert_eq!(origin_may(&map(pairs), &allowed), may, "{pairs:?}");
        }
    }

    #[test]
    fn headers_must_say_what_the_message_says() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"grüße"}}"#;
        let incoming = Incoming::read(text.as_bytes()).unwrap();
        let message = incoming.messages.first().unwrap();
        for (pairs, fine) in [
            (&[][..], true),
            (&[("mcp-method", "tools/call"), ("mcp-name", "=?base64?Z3LDvMOfZQ==?=")], true),
            (&[("mcp-method", "ping")], false),
            (&[("mcp-name", "other")], false),
            (&[("mcp-name", "=?base64?!?=")], false),
        ] {
            assert_eq!(mismatch(&map(pairs), message).is_none(), fine, "{pairs:?}");
        }
    }
}
