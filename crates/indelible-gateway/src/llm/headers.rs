//! Headers on their way through: what belongs to one connection stays there, what is ours goes no further, and the Indelible token
//! makes way for the provider's credential.

use http::header::{
    ACCEPT_ENCODING, ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::settings::{Format, Secret};
use crate::caller::OWN_HEADERS;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const AZURE_KEY: HeaderName = HeaderName::from_static("api-key");
const GOOGLE_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Headers of one connection (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    PROXY_CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What a request loses besides: every place where the Indelible token may stand, what says where the request came from, and
/// what is written anew for upstream.
const NOT_FORWARDED: [HeaderName; 9] =
    [AUTHORIZATION, API_KEY, AZURE_KEY, GOOGLE_KEY, COOKIE, FORWARDED, HOST, CONTENT_LENGTH, EXPECT];

/// The content codings that the reader beside the stream understands.
const READABLE: [&str; 6] = ["identity", "gzip", "x-gzip", "deflate", "br", "zstd"];

/// The provider's credential as a header.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    name: HeaderName,
    value: HeaderValue,
}

impl Credential {
    /// The header for a format, or the one that is set. `None` when it cannot stand in a header.
    pub(super) fn new(format: Format, header: Option<&str>, secret: &Secret) -> Option<Self> {
        let bearer = || format!("Bearer {}", secret.expose());
        let (name, value) = match (header, format) {
            (Some(name), _) => {
                let name: HeaderName = name.parse().ok()?;
                let value = if name == AUTHORIZATION { bearer() } else { secret.expose().to_owned() };
                (name, value)
            }
            (None, Format::Anthropic) => (API_KEY, secret.expose().to_owned()),
            (None, Format::OpenAi | Format::Passthrough) => (AUTHORIZATION, bearer()),
        };
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some(Self { name, value })
    }
}

/// Makes a request's headers upstream's.
pub(super) fn for_upstream(headers: &mut HeaderMap, credential: Option<&Credential>) {
    remove_hop_by_hop(headers);
    for name in &NOT_FORWARDED {
        headers.remove(name);
    }
    remove_where(headers, |name| {
        name.starts_with(OWN_HEADERS) || name.starts_with("x-forwarded-") || name == "x-real-ip"
    });
    narrow_codings(headers);
    if let Some(credential) = credential {
        headers.insert(credential.name.clone(), credential.value.clone());
    }
}

/// Makes an answer's headers the client's.
pub(super) fn for_client(headers: &mut HeaderMap, request: &str) {
    remove_hop_by_hop(headers);
    // `alt-svc` would lead clients past the gateway.
    headers.remove(ALT_SVC);
    remove_where(headers, |name| name.starts_with(OWN_HEADERS));
    if let Ok(value) = HeaderValue::from_str(request)
        && !request.is_empty()
    {
        headers.insert("x-indelible-request-id", value);
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in listed.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn remove_where(headers: &mut HeaderMap, gone: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| gone(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Upstream may only answer in codings that can be read beside the stream: those that the client offers, less the unknown ones.
fn narrow_codings(headers: &mut HeaderMap) {
    let offered: Vec<&str> = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    if offered.is_empty() {
        return;
    }
    let known = |offer: &&str| {
        let coding = offer.split(';').next().unwrap_or_default().trim();
        READABLE.iter().any(|known| coding.eq_ignore_ascii_case(known))
    };
    let kept: Vec<&str> = offered.iter().copied().filter(known).collect();
    if kept.len() == offered.len() {
        return;
    }
    let kept = if kept.is_empty() { "identity".to_owned() } else { kept.join(", ") };
    if let Ok(value) = HeaderValue::from_str(&kept) {
        headers.insert(ACCEPT_ENCODING, value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn credential(format: Format) -> Credential {
        Credential::new(format, None, &Secret::new("provider-key")).unwrap()
    }

    #[test]
    fn the_token_makes_way_for_the_credential() {
        let token = &[("authorization", "Bearer ind_x"), ("x-api-key", "ind_x"), ("openai-organization", "o")];
        let mut headers = map(token);
        for_upstream(&mut headers, Some(&credential(Format::OpenAi)));
        assert_eq!(headers, map(&[("openai-organization", "o"), ("authorization", "Bearer provider-key")]));
        let mut headers = map(token);
        for_upstream(&mut headers, Some(&credential(Format::Anthropic)));
        assert_eq!(headers, map(&[("openai-organization", "o"), ("x-api-key", "provider-key")]));
        let mut headers = map(token);
        for_upstream(&mut headers, None);
        assert_eq!(headers, map(&[("openai-organization", "o")]));
        assert!(!format!("{:?}", credential(Format::Anthropic)).contains("provider-key"));
    }

    #[test]
    fn what_belongs_to_a_connection_stays_there() {
        let mut headers = map(&[
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("x-indelible-purpose", "billing"),
            ("x-forwarded-for", "10.0.0.1"),
            ("traceparent", "00-x"),
            ("accept-encoding", "gzip;q=0.5, exi, br"),
        ]);
        for_upstream(&mut headers, None);
        assert_eq!(headers, map(&[("traceparent", "00-x"), ("accept-encoding", "gzip;q=0.5, br")]));
        let mut headers = map(&[
            ("alt-svc", "h3=\":443\""),
            ("x-indelible-refused", "denied"),
            ("retry-after", "3"),
            ("keep-alive", "5"),
        ]);
        for_client(&mut headers, "r-1");
        assert_eq!(headers, map(&[("retry-after", "3"), ("x-indelible-request-id", "r-1")]));
    }

    proptest! {
        #[test]
        fn no_header_of_ours_and_no_token_gets_out(
            names in proptest::collection::vec("(x-indelible-|x-forwarded-|x-)?[a-z]{1,8}|connection|authorization|x-api-key", 0..20),
            value in "(ind_secret|[a-z, -]{0,20})",
        ) {
            let mut headers = HeaderMap::new();
            for name in &names {
                headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(&value).unwrap());
            }
            for_upstream(&mut headers, None);
            for name in headers.keys() {
                prop_assert!(!name.as_str().starts_with(OWN_HEADERS));
                prop_assert!(!HOP_BY_HOP.contains(name) && !NOT_FORWARDED.contains(name));
            }
        }
    }
}
