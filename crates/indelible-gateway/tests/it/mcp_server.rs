//! A tool server that does as it is told, and the gateway before it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use indelible_access::door::Door;
use indelible_event::words::ActorType;
use indelible_gateway::body::ResponseBody;
use indelible_gateway::caller::Caller;
use indelible_gateway::mcp::{Credential, McpGateway, McpSettings};
use indelible_gateway::surroundings::Surroundings;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::stand::surroundings;
use crate::testing::{MemoryLog, MemoryVault};

/// What the server got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// What it answers.
pub(crate) enum Reply {
    Status(u16),
    Json(String),
    /// Pieces of an event stream, as they are; then its end.
    Events(Vec<String>),
    /// Pieces as they come.
    Live(mpsc::UnboundedReceiver<String>),
    /// Never anything.
    Hang,
    /// JSON that begins a session.
    Session(&'static str, String),
}

type Script = Arc<dyn Fn(&Got) -> Reply + Send + Sync>;

/// A gateway before a scripted server.
pub(crate) struct Tools {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) vault: MemoryVault,
    pub(crate) s: Arc<Surroundings>,
    pub(crate) gateway: McpGateway,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Tools {
    pub(crate) async fn new(script: impl Fn(&Got) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(script, |_| {}).await
    }

    pub(crate) async fn with(
        script: impl Fn(&Got) -> Reply + Send + Sync + 'static,
        set: impl FnOnce(&mut McpSettings),
    ) -> Self {
        let got = Arc::new(Mutex::new(Vec::new()));
        let address = serve(Arc::new(script), Arc::clone(&got)).await;
        Self::behind(Door::permit_all(), address, got, set)
    }

    /// A gateway that asks policies before the server is asked anything.
    pub(crate) async fn with_policies(
        policies: &str,
        script: impl Fn(&Got) -> Reply + Send + Sync + 'static,
        set: impl FnOnce(&mut McpSettings),
    ) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("indelible-mcp-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("test.cedar"), policies).unwrap();
        let door = Door::open(&folder.join("state.sqlite"), Some(&folder), Vec::new()).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let address = serve(Arc::new(script), Arc::clone(&got)).await;
        Self::behind(door, address, got, set)
    }

    fn behind(door: Door, address: SocketAddr, got: Arc<Mutex<Vec<Got>>>, set: impl FnOnce(&mut McpSettings)) -> Self {
        let (log, vault) = (Arc::new(MemoryLog::default()), MemoryVault::default());
        let mut s = surroundings(&log, &vault);
        if let Some(s) = Arc::get_mut(&mut s) {
            s.door = Arc::new(door);
        }
        let mut settings = McpSettings::new("tools", "/mcp/tools", &format!("http://{address}/mcp"));
        settings.credential = Credential::bearer("server-key");
        settings.rules.answer_timeout = Duration::from_secs(5);
        set(&mut settings);
        let gateway = McpGateway::new(settings, Arc::clone(&s)).unwrap();
        Self { log, vault, s, gateway, got }
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the server got that many requests.
    pub(crate) async fn wait_for_got(&self, count: usize) -> Vec<Got> {
        for _ in 0..500 {
            let got = self.got();
            if got.len() >= count {
                return got;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} requests did not come: {:?}", self.got());
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<ResponseBody> {
        self.send_as("planner", method, path, headers, body).await
    }

    pub(crate) async fn send_as(
        &self,
        caller: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<ResponseBody> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/mcp/tools{path}"))
            .header("authorization", "Bearer ind_token")
            .header("host", "127.0.0.1:7411")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("x-indelible-on-behalf-of", "ana@example.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let mut caller = Caller::new(caller, ActorType::Agent);
        caller.request = "r-1".to_owned();
        self.gateway.handle(request, caller).await
    }

    pub(crate) async fn post(&self, body: &str) -> (u16, HeaderMap, String) {
        read(self.send(Method::POST, "", &[], body).await).await
    }

    pub(crate) async fn post_in(&self, session: &str, body: &str) -> (u16, HeaderMap, String) {
        read(self.send(Method::POST, "", &[("mcp-session-id", session)], body).await).await
    }

    /// `operation phase/result/code` of all events, once no exchange is open.
    pub(crate) async fn told(&self) -> Vec<String> {
        for _ in 0..500 {
            if self.s.open.count() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.told_now()
    }

    pub(crate) fn told_now(&self) -> Vec<String> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let tell = |event: &Value| {
            let outcome = &event["outcome"];
            let ending = [&outcome["phase"], &outcome["result"], &outcome["code"]].map(word).join("/");
            format!("{} {ending}", word(&event["operation"]))
        };
        self.log.events().iter().map(tell).collect()
    }
}

/// Status, headers and the whole body.
pub(crate) async fn read(response: Response<ResponseBody>) -> (u16, HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

/// The next piece of a stream.
pub(crate) async fn piece(body: &mut ResponseBody) -> Option<String> {
    let frame = tokio::time::timeout(Duration::from_secs(10), body.frame()).await.unwrap()?;
    Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn serve(script: Script, got: Arc<Mutex<Vec<Got>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (script, got) = (Arc::clone(&script), Arc::clone(&got));
            let service = service_fn(move |request| answer(Arc::clone(&script), Arc::clone(&got), request));
            drop(tokio::spawn(async move {
                drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
            }));
        }
    }));
    address
}

async fn answer(
    script: Script,
    list: Arc<Mutex<Vec<Got>>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let got = Got { method: parts.method, path, headers: parts.headers, body };
    list.lock().unwrap_or_else(PoisonError::into_inner).push(got.clone());
    let full = |text: String| Full::new(Bytes::from(text)).boxed_unsync();
    let events = |builder: http::response::Builder| builder.header("content-type", "text/event-stream");
    let json = |builder: http::response::Builder| builder.header("content-type", "application/json");
    let ok = Response::builder();
    let response = match script(&got) {
        Reply::Status(status) => ok.status(status).body(full(String::new())),
        Reply::Json(text) => json(ok).body(full(text)),
        Reply::Session(id, text) => json(ok).header("mcp-session-id", id).body(full(text)),
        Reply::Events(pieces) => {
            let pieces = pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::from(piece))));
            events(ok).body(StreamBody::new(stream::iter(pieces)).boxed_unsync())
        }
        Reply::Live(pieces) => {
            let pieces = stream::unfold(pieces, |mut pieces| async move {
                let piece = pieces.recv().await?;
                Some((Ok(Frame::data(Bytes::from(piece))), pieces))
            });
            events(ok).body(StreamBody::new(pieces).boxed_unsync())
        }
        Reply::Hang => std::future::pending().await,
    };
    Ok(response.unwrap())
}
