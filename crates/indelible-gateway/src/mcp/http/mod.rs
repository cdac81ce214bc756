//! MCP over HTTP: streamable HTTP (2025-03-26 to 2026-07-28) and the older HTTP with a stream of events beside it (2024-11-05).
//!
//! Promises: as `mcp`. Besides: the Indelible token goes no further; a session answers to its owner alone; nothing leads a client to
//! another host, and no client reaches a path of the server that the server has not named to it.

mod headers;
mod own;
mod post;
mod relay;
mod sessions;
mod settings;
mod split;
mod upstream;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use indelible_event::words::Action;
use tokio::time::Instant;

use self::headers::{SESSION, VERSION, for_upstream};
use self::sessions::{Key, NoSession, Session, Sessions};
use self::upstream::Upstream;
use super::definitions::Definitions;
use super::flow::{Counts, Flow, Party, Transport};
use super::method::Side;
use crate::body::ResponseBody;
use crate::caller::Caller;
use crate::draft::Text;
use crate::refusal::Refusal;
use crate::route::{Route, is_below};
use crate::surroundings::Surroundings;

pub use crate::headers::Credential;
pub use settings::{McpError, McpSettings};

/// What stands between the mount and a path that the server has named.
const NAMED: &str = "/-";
/// How often it is looked for requests that have waited too long.
const SWEEP: Duration = Duration::from_secs(1);
/// How long an answer of the gateway's own to the server may take.
const TELL: Duration = Duration::from_secs(10);
/// Longest id of a session.
const SESSION_BYTES_MAX: usize = 1_024;

/// The gateway for one tool server over HTTP.
#[derive(Clone)]
pub struct McpGateway {
    inner: Arc<Inner>,
}

/// What all requests share.
struct Inner {
    flow: Flow,
    settings: McpSettings,
    upstream: Upstream,
    sessions: Sessions,
    /// Whether there is a task that ends what has waited too long.
    swept: AtomicBool,
}

impl McpGateway {
    /// A gateway. Its first request starts the task that ends what has waited too long.
    ///
    /// # Errors
    /// [`McpError`] names the setting that cannot be used.
    pub fn new(settings: McpSettings, surroundings: Arc<Surroundings>) -> Result<Self, McpError> {
        if !settings.mount.starts_with('/') || settings.mount.ends_with('/') || settings.mount.contains(['?', '#', '%'])
        {
            let reason = "it must begin with `/`, not end with it, and be a plain path";
            return Err(upstream::wrong(&settings, "mount", reason.to_owned()));
        }
        let upstream = Upstream::new(&settings)?;
        let definitions = Definitions::open(settings.memory.clone())
            .map_err(|source| McpError::Memory { gateway: settings.name.clone(), source })?;
        let route = Arc::new(Route::new(&settings.name, settings.capture, settings.on_log_failure));
        let flow = Flow::new(surroundings, route, settings.rules.clone(), Arc::new(definitions));
        let swept = AtomicBool::new(false);
        Ok(Self { inner: Arc::new(Inner { flow, settings, upstream, sessions: Sessions::default(), swept }) })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.settings.name
    }

    /// Where it is mounted.
    #[must_use]
    pub fn mount(&self) -> &str {
        &self.inner.settings.mount
    }

    /// Its route, for [`crate::exchange::announce`].
    #[must_use]
    pub fn route(&self) -> &Arc<Route> {
        &self.inner.flow.route
    }

    /// Where it forwards to, without a query: that may hold a secret.
    #[must_use]
    pub fn upstream(&self) -> &str {
        self.inner.settings.upstream.split('?').next().unwrap_or_default()
    }

    /// What is only counted.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.inner.flow.counts
    }

    /// Whether a path is one of this gateway's.
    #[must_use]
    pub fn owns(&self, path: &str) -> bool {
        is_below(self.mount(), path)
    }

    /// Answers one HTTP request by a caller whose token was checked.
    pub async fn handle<B>(&self, request: Request<B>, mut caller: Caller) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if !self.inner.swept.swap(true, Ordering::Relaxed) {
            drop(tokio::spawn(sweep(Arc::downgrade(&self.inner))));
        }
        let (parts, body) = request.into_parts();
        let id = caller.request.clone();
        if !headers::origin_may(&parts.headers, &self.inner.settings.origins) {
            return own::say(StatusCode::FORBIDDEN, "origin", &id, "pages of this origin may not call");
        }
        if let Err(refusal) = caller.read_headers(&parts.headers) {
            return own::refuse(&refusal, &id);
        }
        let rest = parts.uri.path().strip_prefix(self.mount()).unwrap_or_default();
        let call = match self.inner.locate(rest, parts.uri.query(), &parts.headers, caller) {
            Ok(call) => call,
            Err(response) => return *response,
        };
        match parts.method {
            Method::POST => post::post(&self.inner, call, body).await,
            Method::GET => self.inner.listen(call).await,
            Method::DELETE => self.inner.end_session(call).await,
            _ => own::method_not_allowed(&id),
        }
    }
}

/// One HTTP request, understood as far as its head goes.
struct Call {
    party: Party,
    session: Arc<Session>,
    /// Where it goes.
    uri: Uri,
    /// As the client sent them.
    headers: HeaderMap,
}

impl Call {
    fn request_id(&self) -> &str {
        &self.party.caller.request
    }

    /// Whether messages are sent here and answered on a stream.
    fn is_endpoint(&self) -> bool {
        matches!(self.session.key, Key::Endpoint(_))
    }
}

impl Inner {
    /// Finds out where a request goes and to which session it belongs.
    fn locate(
        &self,
        rest: &str,
        query: Option<&str>,
        headers: &HeaderMap,
        mut caller: Caller,
    ) -> Result<Call, Box<Response<ResponseBody>>> {
        let request = caller.request.clone();
        let say = |status, message| Box::new(own::say(status, "bad_request", &request, message));
        let named = rest.strip_prefix(NAMED).filter(|path| path.starts_with('/'));
        if named.is_none() && !(rest.is_empty() || rest == "/") {
            return Err(say(StatusCode::NOT_FOUND, "the server has named no such path"));
        }
        let session_id = match headers.get(SESSION).map(HeaderValue::to_str) {
            None => None,
            Some(Ok(id)) if id.len() <= SESSION_BYTES_MAX => Some(id),
            Some(_) => return Err(say(StatusCode::BAD_REQUEST, "the session's id cannot be read")),
        };
        let key = match (named, session_id) {
            (Some(path), _) => {
                Key::Endpoint(query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")).into())
            }
            (None, Some(id)) => Key::Id(id.into()),
            (None, None) => Key::Caller(caller.id.as_str().into()),
        };
        if caller.session.is_none() {
            caller.session = key.public();
        }
        let version = headers.get(VERSION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let version: String = version.chars().take(32).collect();
        let transport = if named.is_some() { Transport::Sse } else { Transport::Http };
        let party = Party { caller: Arc::new(caller), transport, version: Text::from(version) };
        let (session, uri) = if let Key::Endpoint(path) = &key {
            // The server's own word is the way in: without it this would be a proxy to the whole host.
            let session = self.sessions.find(&key, &party);
            (session.ok_or_else(|| say(StatusCode::NOT_FOUND, "there is no such session"))?, self.upstream.at(path))
        } else {
            let session =
                self.sessions.enter(key, &party, &session_headers(headers)).map_err(|reason| match reason {
                    NoSession::NotYours => say(StatusCode::NOT_FOUND, "there is no such session"),
                    NoSession::Full => Box::new(own::refuse(&Refusal::TooManyOpen { retry_after_ms: 5_000 }, &request)),
                })?;
            (session, self.upstream.endpoint(query))
        };
        let uri = uri.ok_or_else(|| say(StatusCode::BAD_REQUEST, "the path cannot be forwarded"))?;
        Ok(Call { party, session, uri, headers: headers.clone() })
    }

    /// GET: a stream on which the server speaks first, or one that is taken up again.
    async fn listen(self: &Arc<Self>, call: Call) -> Response<ResponseBody> {
        let exchange = match self.flow.begin_plain(&call.party, "stream.open", Action::Read).await {
            Ok(exchange) => exchange,
            Err(refusal) => return own::refuse(&refusal, call.request_id()),
        };
        let response = match self.send(Method::GET, &call, Bytes::new()).await {
            Ok(response) => response,
            Err(fault) => return self.broken(exchange, fault, &call).await,
        };
        let status = response.status();
        if let Err(refusal) = self.flow.end_plain(exchange, status.is_success(), status.as_str()).await {
            return own::refuse(&refusal, call.request_id());
        }
        relay::relay(self, call, response, relay::Source::Listen)
    }

    /// DELETE: the client is done.
    async fn end_session(self: &Arc<Self>, call: Call) -> Response<ResponseBody> {
        let exchange = match self.flow.begin_plain(&call.party, "session.delete", Action::Execute).await {
            Ok(exchange) => exchange,
            Err(refusal) => return own::refuse(&refusal, call.request_id()),
        };
        let response = match self.send(Method::DELETE, &call, Bytes::new()).await {
            Ok(response) => response,
            Err(fault) => return self.broken(exchange, fault, &call).await,
        };
        let status = response.status();
        if status.is_success() && matches!(call.session.key, Key::Id(_)) {
            let waiting = call.session.waiting.take_all();
            self.flow.end_all(waiting, &"session_ended".into(), &"the client ended the session".into()).await;
            self.sessions.forget(&call.session.key);
        }
        if let Err(refusal) = self.flow.end_plain(exchange, status.is_success(), status.as_str()).await {
            return own::refuse(&refusal, call.request_id());
        }
        relay::plain(response, self.settings.message_bytes_max).await
    }

    async fn broken(&self, exchange: crate::exchange::Exchange, fault: Fault, call: &Call) -> Response<ResponseBody> {
        if let Err(refusal) = self.flow.end_plain(exchange, false, fault.code()).await {
            return own::refuse(&refusal, call.request_id());
        }
        fault.response(call.request_id())
    }

    /// Sends a request to the server.
    async fn send(&self, method: Method, call: &Call, body: Bytes) -> Result<Response<Incoming>, Fault> {
        let headers = for_upstream(&call.headers, self.settings.credential.as_ref());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        request.uri_mut().clone_from(&call.uri);
        *request.headers_mut() = headers;
        match tokio::time::timeout(self.settings.rules.answer_timeout, self.upstream.send(request)).await {
            Ok(Ok(response)) if response.status().is_redirection() => Err(Fault::Redirects),
            Ok(Ok(response)) if headers::is_packed(response.headers()) => Err(Fault::Packed),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                tracing::debug!(route = self.settings.name, %error, "the tool server cannot be reached");
                Err(Fault::Unreachable)
            }
            Err(_) => Err(Fault::Silent),
        }
    }

    /// Gives the server an answer of the gateway's own.
    async fn tell_server(self: Arc<Self>, session: Arc<Session>, text: String) {
        let uri = match &session.key {
            Key::Endpoint(path) => self.upstream.at(path),
            Key::Id(_) | Key::Caller(_) => self.upstream.endpoint(None),
        };
        let Some(uri) = uri else { return };
        let mut headers = for_upstream(&session.headers(), self.settings.credential.as_ref());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        let mut request = Request::new(Full::new(Bytes::from(text)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        // It has asked for something and is refused; that it learns of it is a courtesy.
        if !matches!(tokio::time::timeout(TELL, self.upstream.send(request)).await, Ok(Ok(_))) {
            tracing::debug!(route = self.settings.name, "the tool server could not be told of a refusal");
        }
    }
}

/// The headers by which the server knows a session.
fn session_headers(headers: &HeaderMap) -> HeaderMap {
    [SESSION, VERSION].into_iter().filter_map(|name| Some((name.clone(), headers.get(&name)?.clone()))).collect()
}

/// Ends what has waited too long in any session, until the gateway is gone.
async fn sweep(gateway: Weak<Inner>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(inner) = gateway.upgrade() else { return };
        let now = Instant::now();
        for session in inner.sessions.sweep(now) {
            let late = session.waiting.take_late(now);
            if late.is_empty() {
                continue;
            }
            for (asked, text) in inner.flow.end_late(&session.party(), late).await {
                if asked == Side::Client {
                    session.tell(own::event(None, &text));
                } else {
                    drop(tokio::spawn(Arc::clone(&inner).tell_server(Arc::clone(&session), text)));
                }
            }
        }
    }
}

/// What went wrong between the gateway and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// No connection, or it broke before an answer began.
    Unreachable,
    /// No answer in time.
    Silent,
    /// It sends clients elsewhere.
    Redirects,
    /// It packs what must be read.
    Packed,
    /// Its answer is too long.
    TooLong,
    /// Its answer broke off.
    Cut,
    /// Its answer is none.
    Unreadable,
}

impl Fault {
    fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "upstream_unreachable",
            Self::Silent => "no_answer",
            Self::Redirects => "upstream_redirects",
            Self::Packed => "upstream_packed",
            Self::TooLong => "answer_too_long",
            Self::Cut => "upstream_gone",
            Self::Unreadable => "invalid_answer",
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Unreachable => "the tool server could not be reached",
            Self::Silent => "no answer",
            Self::Redirects => "the tool server answered with a redirect; set `upstream` to where it leads",
            Self::Packed => "the tool server packed its answer although it was asked not to",
            Self::TooLong => "the answer is longer than a message may be",
            Self::Cut => "the tool server broke off",
            Self::Unreadable => "the answer is no message of the protocol",
        }
    }

    fn status(self) -> StatusCode {
        if self == Self::Silent { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY }
    }

    fn json_rpc(self) -> i64 {
        if self == Self::Silent { super::answer::NO_ANSWER } else { super::answer::UPSTREAM }
    }

    fn response(self, request: &str) -> Response<ResponseBody> {
        let body = super::answer::error(None, self.json_rpc(), self.reason(), None);
        own::json(self.status(), self.code(), request, body)
    }
}

impl fmt::Debug for McpGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpGateway").field("name", &self.name()).field("mount", &self.mount()).finish_non_exhaustive()
    }
}
