//! One POST: the address checked, no redirect, no proxy, all of it within a time, the answer read to a bound.

use std::io::Read as _;
use std::time::Duration;

use serde_json::Value;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Timeout};

use super::{DeliveryError, ReceiverError, ReceiverSettings, address};

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Most characters of an answer that are told.
const ANSWER_SHOWN: usize = 200;
/// The longest `Retry-After` that is believed.
const RETRY_AFTER_MAX: u64 = 3_600;

/// What is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Post {
    /// A JSON body.
    pub(super) fn json(url: &str, body: &Value) -> Self {
        Self::bytes(url, body.to_string().into_bytes())
    }

    /// JSON that is written already.
    pub(super) fn bytes(url: &str, body: Vec<u8>) -> Self {
        Self { url: url.to_owned(), headers: vec![("content-type", "application/json".to_owned())], body }
    }

    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn maybe_header(self, name: &'static str, value: Option<String>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }
}

/// Whether this is an address that can be posted to.
pub(super) fn is_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some_and(|host| !host.is_empty())
}

/// Posts to one receiver.
#[derive(Debug)]
pub(super) struct Poster {
    agent: Agent,
}

impl Poster {
    pub(super) fn new(settings: &ReceiverSettings) -> Result<Self, ReceiverError> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(settings.timeout))
            // a connection that was left open says nothing of the receiver of now
            .max_idle_connections(0)
            .user_agent(concat!("indelible/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(settings)?)
            .build();
        let resolver = Checked { allow_private: settings.allow_private, timeout: settings.timeout };
        Ok(Self { agent: Agent::with_parts(config, DefaultConnector::default(), resolver) })
    }

    pub(super) fn post(&self, post: &Post) -> Result<(), DeliveryError> {
        let mut request = self.agent.post(&post.url);
        for (name, value) in &post.headers {
            request = request.header(*name, value);
        }
        let mut response = request.send(&post.body[..]).map_err(|error| unreached(&error))?;
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(());
        }
        if (300..400).contains(&status) {
            return Err(DeliveryError::Redirect { status });
        }
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(seconds);
        let mut answer = Vec::new();
        let read = response.body_mut().as_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
        let answer = if read.is_ok() { shown(&answer) } else { String::new() };
        Err(match status {
            408 | 425 | 429 | 500.. => DeliveryError::Busy { status, answer, retry_after },
            _ => DeliveryError::Refused { status, answer },
        })
    }
}

fn seconds(text: &str) -> Option<Duration> {
    // the other form, a date, is rare in answers of receivers: without it the usual pause is taken
    text.trim().parse().ok().map(|seconds: u64| Duration::from_secs(seconds.min(RETRY_AFTER_MAX)))
}

/// The beginning of an answer, fit for a line.
pub(super) fn shown(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(ANSWER_SHOWN).collect();
    line.trim().to_owned()
}

fn unreached(error: &ureq::Error) -> DeliveryError {
    match error {
        ureq::Error::Timeout(Timeout::Global | _) => DeliveryError::Timeout,
        ureq::Error::Other(inside) => match inside.downcast_ref::<CheckFailed>() {
            Some(CheckFailed(reason)) => reason.again(),
            None => DeliveryError::Unreachable { reason: error.to_string() },
        },
        // what it says holds no address: those of receivers may be secrets
        error => DeliveryError::Unreachable { reason: error.to_string() },
    }
}

impl DeliveryError {
    /// The same once more: an error that travelled through the client's can only be borrowed.
    fn again(&self) -> Self {
        match self {
            Self::Internal { address } => Self::Internal { address: *address },
            Self::Resolve { host, source } => Self::Resolve { host: host.clone(), source: source.kind().into() },
            Self::Timeout => Self::Timeout,
            other => Self::Unreachable { reason: other.to_string() },
        }
    }
}

fn tls(settings: &ReceiverSettings) -> Result<TlsConfig, ReceiverError> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = match &settings.authorities {
        Some(pem) => {
            let certificates: Vec<Certificate<'static>> = parse_pem(pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if certificates.is_empty() {
                return Err(ReceiverError::Authorities);
            }
            certificates
        }
        None => system_roots(),
    };
    let builder = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots));
    Ok(builder.unversioned_rustls_crypto_provider(provider).build())
}

fn system_roots() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs();
    found.certs.iter().map(|certificate| Certificate::from_der(certificate.as_ref()).to_owned()).collect()
}

/// Resolves names as [`address::resolve`] does.
#[derive(Debug)]
struct Checked {
    allow_private: bool,
    timeout: Duration,
}

/// Why a name was not resolved, on its way through the client's errors.
#[derive(Debug, thiserror::Error)]
#[error("the address was not accepted")]
struct CheckFailed(#[source] DeliveryError);

impl Resolver for Checked {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let time = self.timeout.min(*timeout.after);
        let found = address::resolve(host.trim_matches(['[', ']']), port, self.allow_private, time);
        let found = found.map_err(|error| ureq::Error::Other(Box::new(CheckFailed(error))))?;
        let mut addresses = self.empty();
        for address in found {
            addresses.push(address);
        }
        Ok(addresses)
    }
}
