//! What a browser keeps for us: its session, and how it wants times and colours shown. Never: anything about a log.

use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, request};

/// The session (see [`indelible_access::session`]).
pub(crate) const SESSION: &str = "indelible_session";
/// Which zone times are shown in.
pub(super) const ZONE: &str = "indelible_zone";
/// `light` or `dark`; what the system says when missing.
pub(super) const THEME: &str = "indelible_theme";

/// How long a browser keeps what it prefers, in seconds: a year.
const PREFERENCE_AGE: u64 = 31_536_000;
/// Longest cookie header that is looked through.
const COOKIES_BYTES_MAX: usize = 8 * 1024;

/// A cookie's value, exactly as it was sent.
pub(crate) fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    texts
        .filter(|text| text.len() <= COOKIES_BYTES_MAX)
        .flat_map(|text| text.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(known, _)| *known == name).map(|(_, value)| value))
}

/// Sets the session; kept until the browser closes, sent to nobody else, seen by no script.
pub(crate) fn set_session(text: &str, tls: bool) -> Option<HeaderValue> {
    let secure = if tls { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{SESSION}={text}; Path=/; HttpOnly; SameSite=Strict{secure}")).ok()
}

/// Takes the session away.
pub(super) fn drop_session() -> HeaderValue {
    HeaderValue::from_static("indelible_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// Keeps a preference. Its value was checked by who calls.
pub(super) fn set_preference(name: &str, value: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{name}={value}; Path=/; SameSite=Lax; Max-Age={PREFERENCE_AGE}")).ok()
}

/// Whether a browser says that a page of ours made this request (Fetch Metadata, `Sec-Fetch-Site`; where a browser has none, its
/// `Origin` names our host).
pub(crate) fn is_same_origin(parts: &request::Parts) -> bool {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return site == "same-origin";
    }
    let host =
        parts.uri.authority().map(|authority| authority.as_str()).or_else(|| parts.headers.get(HOST)?.to_str().ok());
    let origin = parts.headers.get(ORIGIN).and_then(|value| value.to_str().ok());
    let origin = origin.and_then(|origin| origin.split_once("://").map(|(_, host)| host));
    origin.is_some() && origin == host
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&'static str, &str)]) -> request::Parts {
        let mut request = axum::http::Request::post("/alerts/1/close");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_cookie_is_found_among_others_and_never_by_a_part_of_its_name() {
        let request = parts(&[("cookie", "a=1; xindelible_session=no; indelible_session=yes; b=2")]);
        assert_eq!(get(&request.headers, SESSION), Some("yes"));
        assert_eq!(get(&parts(&[("cookie", "indelible_sessions=no")]).headers, SESSION), None);
    }

    #[test]
    fn only_a_page_of_ours_may_change_something() {
        let ours = [("host", "log.example:7411"), ("origin", "https://log.example:7411")];
        assert!(is_same_origin(&parts(&ours)));
        assert!(is_same_origin(&parts(&[("sec-fetch-site", "same-origin")])));
        for foreign in [
            &[("host", "log.example"), ("origin", "https://evil.example")][..],
            &[("sec-fetch-site", "cross-site"), ours[0], ours[1]],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("host", "log.example"), ("origin", "null")],
            &[("host", "log.example")],
            &[],
        ] {
            assert!(!is_same_origin(&parts(foreign)), "{foreign:?}");
        }
    }
}
