//! The way to a model API: where a path below the mount goes, and what bodies go there.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::Error;

use super::settings::{GatewayError, LlmSettings};
use crate::upstream::{Address, Connections, Reach, Unusable, climbs};

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

/// Idle connections that are kept.
const POOL_IDLE_MAX: usize = 1_024;

/// The way to one upstream.
#[derive(Debug)]
pub(super) struct Upstream {
    connections: Connections<RequestBody>,
    address: Address,
    base: String,
}

impl Upstream {
    pub(super) fn new(settings: &LlmSettings) -> Result<Self, GatewayError> {
        let wrong = |Unusable { setting, reason }| GatewayError::setting(&settings.name, setting, reason);
        let (address, connections) = Connections::new(&Reach {
            url: &settings.upstream,
            ca_file: settings.ca_file.as_deref(),
            connect: settings.timeouts.connect,
            idle_max: POOL_IDLE_MAX,
            http2: settings.http2,
        })
        .map_err(wrong)?;
        let path = address.path.as_ref();
        if path.and_then(PathAndQuery::query).is_some() {
            return Err(GatewayError::setting(&settings.name, "upstream", "it must not have a query"));
        }
        let base = path.map_or("", PathAndQuery::path).trim_end_matches('/').to_owned();
        Ok(Self { connections, address, base })
    }

    /// The host that calls go to.
    pub(super) fn host(&self) -> &str {
        self.address.authority.as_str()
    }

    /// Where a path below the mount goes. `None` when it is none that can be forwarded.
    pub(super) fn uri(&self, rest: &str, query: Option<&str>) -> Option<Uri> {
        if climbs(rest) || rest.contains('\\') || !(rest.is_empty() || rest.starts_with('/')) {
            return None;
        }
        let path = match (self.base.is_empty() && rest.is_empty(), query) {
            (true, Some(query)) => format!("/?{query}"),
            (true, None) => "/".to_owned(),
            (false, Some(query)) => format!("{}{rest}?{query}", self.base),
            (false, None) => format!("{}{rest}", self.base),
        };
        self.address.at(&path)
    }

    pub(super) async fn send(&self, request: Request<RequestBody>) -> Result<Response<Incoming>, Error> {
        self.connections.send(request).await
    }
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
