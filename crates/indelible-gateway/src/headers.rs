//! Headers on their way through, whatever is spoken: what belongs to one connection stays there, and what is ours goes no further.

use http::header::{
    ALT_SVC, CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::caller::OWN_HEADERS;

/// Headers of one connection (RFC 9110, section 7.6.1).
pub(crate) const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The credential that upstream wants, as a header. Never shown.
#[derive(Clone, Debug)]
pub struct Credential {
    name: HeaderName,
    value: HeaderValue,
}

impl Credential {
    /// `Authorization: Bearer …`. `None` when the secret cannot stand in a header.
    #[must_use]
    pub fn bearer(secret: &str) -> Option<Self> {
        Self::header("authorization", &format!("Bearer {secret}"))
    }

    /// A header of its own. `None` when name or secret cannot stand in a header.
    #[must_use]
    pub fn header(name: &str, secret: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(secret).ok()?;
        value.set_sensitive(true);
        Some(Self { name: name.parse().ok()?, value })
    }

    /// Puts it among the headers of a request.
    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        headers.insert(self.name.clone(), self.value.clone());
    }
}

/// Takes from a request what goes no further: what belongs to one connection, what is ours, where it came from, and `besides`.
pub(crate) fn strip_request(headers: &mut HeaderMap, besides: &[HeaderName]) {
    remove_hop_by_hop(headers);
    for name in besides {
        headers.remove(name);
    }
    remove_where(headers, |name| {
        name.starts_with(OWN_HEADERS) || name.starts_with("x-forwarded-") || name == "x-real-ip"
    });
}

/// Takes from an answer what goes no further: what belongs to one connection, what only we may say, and `alt-svc`, which would
/// lead clients past the gateway.
pub(crate) fn strip_answer(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    headers.remove(ALT_SVC);
    remove_where(headers, |name| name.starts_with(OWN_HEADERS));
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
