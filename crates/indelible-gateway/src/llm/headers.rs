//! Headers on their way to a model API: the Indelible token makes way for the provider's credential, and upstream answers only in
//! codings that can be read.

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::settings::{Format, Secret};
use crate::headers::{Credential, strip_answer, strip_request};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const AZURE_KEY: HeaderName = HeaderName::from_static("api-key");
const GOOGLE_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// What a request loses besides: every place where the Indelible token may stand, what says where the request came from, and
/// what is written anew for upstream.
const NOT_FORWARDED: [HeaderName; 9] =
    [AUTHORIZATION, API_KEY, AZURE_KEY, GOOGLE_KEY, COOKIE, FORWARDED, HOST, CONTENT_LENGTH, EXPECT];

/// The content codings that the reader beside the stream understands.
const READABLE: [&str; 6] = ["identity", "gzip", "x-gzip", "deflate", "br", "zstd"];

/// The provider's credential as the header of a format, or the one that is set. `None` when it cannot stand in a header.
pub(super) fn credential(format: Format, header: Option<&str>, secret: &Secret) -> Option<Credential> {
    match (header, format) {
        (Some(name), _) if !name.eq_ignore_ascii_case(AUTHORIZATION.as_str()) => {
            Credential::header(name, secret.expose())
        }
        (None, Format::Anthropic) => Credential::header(API_KEY.as_str(), secret.expose()),
        (Some(_), _) | (None, Format::OpenAi | Format::Passthrough) => Credential::bearer(secret.expose()),
    }
}

/// Makes a request's headers upstream's.
pub(super) fn for_upstream(headers: &mut HeaderMap, credential: Option<&Credential>) {
    strip_request(headers, &NOT_FORWARDED);
    narrow_codings(headers);
    if let Some(credential) = credential {
        credential.put(headers);
    }
}

/// Makes an answer's headers the client's.
pub(super) fn for_client(headers: &mut HeaderMap, request: &str) {
    strip_answer(headers);
    if let Ok(value) = HeaderValue::from_str(request)
        && !request.is_empty()
    {
        headers.insert("x-indelible-request-id", value);
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
    use crate::caller::OWN_HEADERS;
    use crate::headers::HOP_BY_HOP;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn credential(format: Format) -> Credential {
        super::credential(format, None, &Secret::new("provider-key")).unwrap()
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
