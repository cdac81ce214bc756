//! The way to the tool server. Never: follows a redirect, or goes to another host than the configured one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::settings::{McpError, McpSettings};

/// Idle connections that are kept, and for how long.
const POOL_IDLE_MAX: usize = 256;
const POOL_IDLE: Duration = Duration::from_secs(60);
/// Most that a connection reads ahead of the client.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// The way to one tool server.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    scheme: Scheme,
    authority: Authority,
    path: PathAndQuery,
}

impl Upstream {
    pub(super) fn new(settings: &McpSettings) -> Result<Self, McpError> {
        let wrong = |reason: &str| wrong(settings, "upstream", reason.to_owned());
        let uri: Uri = settings.upstream.parse().map_err(|_| wrong("it is no URL"))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let scheme = scheme.ok_or_else(|| wrong("it must begin with http:// or https://"))?;
        let authority = parts.authority.ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it must not hold credentials; set `credential`"));
        }
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(settings.connect_timeout));
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
            .build(connector);
        Ok(Self { client, scheme, authority, path })
    }

    /// The configured endpoint, with a client's query if it has none of its own.
    pub(super) fn endpoint(&self, query: Option<&str>) -> Option<Uri> {
        match (self.path.query(), query) {
            (None, Some(query)) => self.at(&format!("{}?{query}", self.path.path())),
            _ => self.at(self.path.as_str()),
        }
    }

    /// A path and query on the configured host.
    pub(super) fn at(&self, path: &str) -> Option<Uri> {
        let builder = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        builder.path_and_query(path).build().ok()
    }

    /// Path and query of a URL that the server named, relative to its endpoint. `None` when it leads elsewhere.
    pub(super) fn resolve(&self, reference: &str) -> Option<String> {
        let reference = reference.trim();
        if reference.is_empty() || reference.contains(['\\', '#']) || reference.chars().any(char::is_control) {
            return None;
        }
        let path = if let Some((scheme, rest)) = reference.split_once("://") {
            let cut = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(cut)?;
            let here = scheme.eq_ignore_ascii_case(self.scheme.as_str())
                && authority.eq_ignore_ascii_case(self.authority.as_str());
            if !here {
                return None;
            }
            if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
        } else if reference.starts_with("//") {
            return None;
        } else if reference.starts_with('/') {
            reference.to_owned()
        } else if reference.starts_with('?') {
            format!("{}{reference}", self.path.path())
        } else {
            let folder = self.path.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{reference}")
        };
        let uri: PathAndQuery = path.parse().ok()?;
        let climbs = uri.path().split('/').any(|segment| {
            let dots = segment.to_ascii_lowercase().replace("%2e", ".");
            dots == "." || dots == ".."
        });
        (!climbs).then(|| uri.as_str().to_owned())
    }

    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        self.client.request(request).await
    }
}

pub(super) fn wrong(settings: &McpSettings, setting: &'static str, reason: String) -> McpError {
    McpError::Setting { gateway: settings.name.clone(), setting, reason }
}

/// The one crypto provider; trusts the settings' authorities alone when there are any, else the system's.
fn tls(settings: &McpSettings) -> Result<ClientConfig, McpError> {
    let wrong = |reason: String| wrong(settings, "ca_file", reason);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    if settings.ca_file.is_none() && settings.upstream.starts_with("https:") {
        let config = config.with_native_roots().map_err(|error| wrong(error.to_string()))?;
        return Ok(config.with_no_client_auth());
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

    fn upstream(url: &str) -> Result<Upstream, McpError> {
        Upstream::new(&McpSettings::new("x", "/mcp/x", url))
    }

    #[test]
    fn a_server_names_places_only_on_its_own_host() {
        let to = upstream("http://127.0.0.1:3001/base/sse").unwrap();
        for (reference, expected) in [
            ("/message?sessionId=a", Some("/message?sessionId=a")),
            ("message?sessionId=a", Some("/base/message?sessionId=a")),
            ("?sessionId=a", Some("/base/sse?sessionId=a")),
            ("http://127.0.0.1:3001/m", Some("/m")),
            ("HTTP://127.0.0.1:3001?a", Some("/?a")),
            ("http://127.0.0.1:3001.evil.example/m", None),
            ("http://127.0.0.1:3002/m", None),
            ("https://127.0.0.1:3001/m", None),
            ("//evil.example/m", None),
            ("/a/../b", None),
            ("/a/%2E%2e/b", None),
            ("/a\\b", None),
            ("/a\nb", None),
            ("", None),
        ] {
            assert_eq!(to.resolve(reference).as_deref(), expected, "{reference}");
        }
    }

    #[test]
    fn the_endpoint_is_the_configured_one() {
        let uri = |url: &str, query: Option<&str>| upstream(url).unwrap().endpoint(query).unwrap().to_string();
        assert_eq!(uri("http://h/mcp", None), "http://h/mcp");
        assert_eq!(uri("http://h/mcp", Some("a=b")), "http://h/mcp?a=b");
        assert_eq!(uri("http://h/mcp?key=1", Some("key=2")), "http://h/mcp?key=1");
        for bad in ["h/mcp", "ftp://h", "http://u:p@h/"] {
            assert!(upstream(bad).is_err(), "{bad}");
        }
    }
}
