//! The way to upstream: pooled connections, HTTP/1.1 and HTTP/2, plain or TLS.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::settings::{GatewayError, LlmSettings};

/// A request's body on its way to upstream.
pub(super) type RequestBody = UnsyncBoxBody<Bytes, RequestCut>;

/// Why a request's body ends before its end.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum RequestCut {
    /// The client ended it.
    #[error("the client ended the request before its end")]
    Client,
    /// It could not be sealed any more.
    #[error("the request could not be sealed")]
    NotSealed,
}

/// Idle connections that are kept, and for how long.
const POOL_IDLE_MAX: usize = 1_024;
const POOL_IDLE: Duration = Duration::from_secs(60);
/// Most that a connection reads ahead of the client: a slow client holds upstream back instead of filling memory.
const READ_AHEAD_BYTES: usize = 64 * 1024;
const READ_AHEAD_WINDOW: u32 = 64 * 1024;

/// The way to one upstream.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, RequestBody>,
    scheme: Scheme,
    authority: Authority,
    base: String,
}

impl Upstream {
    pub(super) fn new(settings: &LlmSettings) -> Result<Self, GatewayError> {
        let wrong = |reason: &str| GatewayError::setting(&settings.name, "upstream", reason);
        let uri: Uri = settings.upstream.parse().map_err(|_| wrong("it is no URL"))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let scheme = scheme.ok_or_else(|| wrong("it must begin with http:// or https://"))?;
        let authority = parts.authority.ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it must not hold credentials; set `credential`"));
        }
        let path = parts.path_and_query.as_ref();
        if path.and_then(PathAndQuery::query).is_some() {
            return Err(wrong("it must not have a query"));
        }
        let base = path.map_or("", PathAndQuery::path).trim_end_matches('/').to_owned();

        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(settings.timeouts.connect));
        connector.set_keepalive(Some(Duration::from_secs(60)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(settings)?)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_MAX)
            .http1_max_buf_size(READ_AHEAD_BYTES)
            .http2_initial_stream_window_size(READ_AHEAD_WINDOW)
            .http2_only(settings.http2 && scheme == Scheme::HTTP)
            .build(connector);
        Ok(Self { client, scheme, authority, base })
    }

    /// The host that calls go to.
    pub(super) fn host(&self) -> &str {
        self.authority.as_str()
    }

    /// Where a path below the mount goes. `None` when it is none that can be forwarded.
    pub(super) fn uri(&self, rest: &str, query: Option<&str>) -> Option<Uri> {
        let climbs = rest.split('/').any(|segment| {
            let dots = segment.to_ascii_lowercase().replace("%2e", ".");
            dots == "." || dots == ".."
        });
        if climbs || rest.contains('\\') || !(rest.is_empty() || rest.starts_with('/')) {
            return None;
        }
        let path = match (self.base.is_empty() && rest.is_empty(), query) {
            (true, Some(query)) => format!("/?{query}"),
            (true, None) => "/".to_owned(),
            (false, Some(query)) => format!("{}{rest}?{query}", self.base),
            (false, None) => format!("{}{rest}", self.base),
        };
        Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(path).build().ok()
    }

    pub(super) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        self.client.request(request).await
    }
}

/// The one crypto provider; trusts the settings' authorities alone when there are any, else the system's.
fn tls(settings: &LlmSettings) -> Result<ClientConfig, GatewayError> {
    let wrong = |reason: String| GatewayError::setting(&settings.name, "ca_file", reason);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    if settings.ca_file.is_none() && settings.upstream.starts_with("https:") {
        return config
            .with_native_roots()
            .map(|config| config.with_no_client_auth())
            .map_err(|error| wrong(error.to_string()));
    }
    let mut roots = RootCertStore::empty();
    if let Some(file) = &settings.ca_file {
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
    }
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::settings::Format;

    fn upstream(url: &str) -> Result<Upstream, GatewayError> {
        Upstream::new(&LlmSettings::new("x", "/llm/x", url, Format::OpenAi))
    }

    #[test]
    fn paths_stay_below_the_upstream() {
        let to = upstream("https://api.example.com/base/").unwrap();
        let uri = |rest: &str, query: Option<&str>| to.uri(rest, query).map(|uri| uri.to_string());
        assert_eq!(uri("/v1/x", Some("a=b")).unwrap(), "https://api.example.com/base/v1/x?a=b");
        assert_eq!(uri("", None).unwrap(), "https://api.example.com/base");
        for bad in ["/../x", "/a/%2e%2E/b", "/.", "x", "/a\\..\\b", "/a b"] {
            assert_eq!(uri(bad, None), None, "{bad}");
        }
        assert_eq!(upstream("http://127.0.0.1:1").unwrap().uri("", None).unwrap().to_string(), "http://127.0.0.1:1/");
    }

    #[test]
    fn an_upstream_is_a_plain_url() {
        for bad in ["api.example.com", "ftp://x", "https://u:p@x", "https://x/?q=1", "/x"] {
            assert!(upstream(bad).is_err(), "{bad}");
        }
    }
}
