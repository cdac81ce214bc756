//! The way to the tool server. Never: follows a redirect, or goes to another host than the configured one.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Error;

use super::settings::{McpError, McpSettings};
use crate::upstream::{Address, Connections, Reach, Unusable, climbs};

/// Idle connections that are kept.
const POOL_IDLE_MAX: usize = 256;

/// The way to one tool server.
#[derive(Debug)]
pub(super) struct Upstream {
    connections: Connections<Full<Bytes>>,
    address: Address,
    path: PathAndQuery,
}

impl Upstream {
    pub(super) fn new(settings: &McpSettings) -> Result<Self, McpError> {
        let (address, connections) = Connections::new(&Reach {
            url: &settings.upstream,
            ca_file: settings.ca_file.as_deref(),
            connect: settings.connect_timeout,
            idle_max: POOL_IDLE_MAX,
            http2: false,
        })
        .map_err(|Unusable { setting, reason }| wrong(settings, setting, reason))?;
        let path = address.path.clone().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { connections, address, path })
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
        self.address.at(path)
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
            let here = scheme.eq_ignore_ascii_case(self.address.scheme.as_str())
                && authority.eq_ignore_ascii_case(self.address.authority.as_str());
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
        (!climbs(uri.path())).then(|| uri.as_str().to_owned())
    }

    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        self.connections.send(request).await
    }
}

pub(super) fn wrong(settings: &McpSettings, setting: &'static str, reason: String) -> McpError {
    McpError::Setting { gateway: settings.name.clone(), setting, reason }
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
