//! The way to an upstream, whatever is spoken: its address, pooled connections, HTTP/1.1 and HTTP/2, plain or TLS. Never: follows
//! a redirect, or goes to another host than the configured one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body::Body;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// How long an idle connection is kept, and how often a busy one is asked whether the other side lives.
const POOL_IDLE: Duration = Duration::from_secs(60);
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Most that a connection reads ahead of the client: a slow client holds upstream back instead of filling memory.
const READ_AHEAD_BYTES: usize = 64 * 1024;
const READ_AHEAD_WINDOW: u32 = 64 * 1024;

/// What of the settings decides how upstream is reached.
pub(crate) struct Reach<'a> {
    pub(crate) url: &'a str,
    pub(crate) ca_file: Option<&'a Path>,
    pub(crate) connect: Duration,
    /// Idle connections that are kept.
    pub(crate) idle_max: usize,
    /// Whether an `http://` upstream speaks HTTP/2 from the first byte.
    pub(crate) http2: bool,
}

/// The setting that cannot be used, and why.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) setting: &'static str,
    pub(crate) reason: String,
}

/// Where upstream is.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    /// Path and query of the configured URL, if it has them.
    pub(crate) path: Option<PathAndQuery>,
}

impl Address {
    fn parse(url: &str) -> Result<Self, Unusable> {
        let wrong = |reason: &str| Unusable { setting: "upstream", reason: reason.to_owned() };
        let parts = url.parse::<Uri>().map_err(|_| wrong("it is no URL"))?.into_parts();
        let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let scheme = scheme.ok_or_else(|| wrong("it must begin with http:// or https://"))?;
        let authority = parts.authority.ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it must not hold credentials; set `credential`"));
        }
        Ok(Self { scheme, authority, path: parts.path_and_query })
    }

    /// A path and query on this host. `None` when they are none.
    pub(crate) fn at(&self, path: &str) -> Option<Uri> {
        let builder = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        builder.path_and_query(path).build().ok()
    }
}

/// Connections to one upstream, for requests with bodies of type `B`.
#[derive(Debug)]
pub(crate) struct Connections<B> {
    client: Client<HttpsConnector<HttpConnector>, B>,
}

impl<B> Connections<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Reads the address and makes ready to connect; nothing is connected yet.
    pub(crate) fn new(reach: &Reach<'_>) -> Result<(Address, Self), Unusable> {
        let address = Address::parse(reach.url)?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(reach.connect));
        connector.set_keepalive(Some(KEEP_ALIVE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(reach, &address.scheme)?)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(reach.idle_max)
            .http1_max_buf_size(READ_AHEAD_BYTES)
            .http2_initial_stream_window_size(READ_AHEAD_WINDOW)
            .http2_only(reach.http2 && address.scheme == Scheme::HTTP)
            .build(connector);
        Ok((address, Self { client }))
    }

    pub(crate) async fn send(&self, request: Request<B>) -> Result<Response<Incoming>, Error> {
        self.client.request(request).await
    }
}

/// The one crypto provider; trusts the settings' authorities alone when there are any, else the system's.
fn tls(reach: &Reach<'_>, scheme: &Scheme) -> Result<ClientConfig, Unusable> {
    fn wrong(error: impl std::fmt::Display) -> Unusable {
        Unusable { setting: "ca_file", reason: error.to_string() }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(wrong)?;
    if reach.ca_file.is_none() && *scheme == Scheme::HTTPS {
        return Ok(config.with_native_roots().map_err(wrong)?.with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    if let Some(file) = reach.ca_file {
        for certificate in CertificateDer::pem_file_iter(file).map_err(wrong)? {
            roots.add(certificate.map_err(wrong)?).map_err(wrong)?;
        }
    }
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Whether a path climbs out of where it is: `.` or `..` as a part, also written with `%2e`.
pub(crate) fn climbs(path: &str) -> bool {
    path.split('/').any(|segment| {
        let dots = segment.to_ascii_lowercase().replace("%2e", ".");
        dots == "." || dots == ".."
    })
}
