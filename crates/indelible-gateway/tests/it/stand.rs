//! A gateway behind a real server, with everything around it within reach.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use indelible_access::door::Door;
use indelible_event::doors::EntryIndex;
use indelible_event::words::ActorType;
use indelible_gateway::caller::Caller;
use indelible_gateway::labels::Scanner;
use indelible_gateway::llm::LlmGateway;
use indelible_gateway::llm::settings::{Format, LlmSettings, Secret, Timeouts};
use indelible_gateway::open::OpenExchanges;
use indelible_gateway::surroundings::Surroundings;
use indelible_testkit::env::{SeededRandomness, SimClock};
use tokio::net::TcpListener;

use crate::testing::{MemoryLog, MemoryVault};
use crate::upstream::{Script, Upstream};

pub(crate) type Outgoing = UnsyncBoxBody<Bytes, &'static str>;

/// A gateway between a client and an upstream.
pub(crate) struct Stand {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) vault: MemoryVault,
    pub(crate) s: Arc<Surroundings>,
    pub(crate) upstream: Upstream,
    pub(crate) address: SocketAddr,
    client: Client<HttpConnector, Outgoing>,
}

pub(crate) fn surroundings(log: &Arc<MemoryLog>, vault: &MemoryVault) -> Arc<Surroundings> {
    behind(Door::permit_all(), log, vault)
}

fn behind(door: Door, log: &Arc<MemoryLog>, vault: &MemoryVault) -> Arc<Surroundings> {
    Arc::new(Surroundings {
        recorder: Arc::clone(log) as _,
        vault: Arc::new(vault.clone()),
        door: Arc::new(door),
        clock: Arc::new(SimClock::default()),
        randomness: Arc::new(SeededRandomness::new(1)),
        open: Arc::new(OpenExchanges::new(10_000, EntryIndex(0))),
        labels: Arc::new(Scanner::new()),
    })
}

impl Stand {
    pub(crate) async fn new(format: Format, script: Script) -> Self {
        Self::with(format, script, |_| {}).await
    }

    pub(crate) async fn with(format: Format, script: Script, set: impl FnOnce(&mut LlmSettings)) -> Self {
        Self::build(Door::permit_all(), format, Upstream::start(script).await, set).await
    }

    pub(crate) async fn build(
        door: Door,
        format: Format,
        upstream: Upstream,
        set: impl FnOnce(&mut LlmSettings),
    ) -> Self {
        let (log, vault) = (Arc::new(MemoryLog::default()), MemoryVault::default());
        let s = behind(door, &log, &vault);
        let mut settings = LlmSettings::new("test", "/llm/x", format!("http://{}", upstream.address), format);
        settings.credential = Some(Secret::new("provider-key"));
        settings.timeouts = Timeouts { idle: Duration::from_millis(300), ..Timeouts::default() };
        set(&mut settings);
        let gateway = LlmGateway::new(settings, Arc::clone(&s)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(tokio::spawn(serve(listener, gateway)));
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { log, vault, s, upstream, address, client }
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Response<Incoming> {
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes())).map_err(|never| match never {}).boxed_unsync();
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Outgoing) -> Response<Incoming> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}/llm/x{path}", self.address))
            .header("authorization", "Bearer ind_token")
            .header("x-api-key", "ind_token")
            .header("content-type", "application/json")
            .header("x-indelible-on-behalf-of", "ana@example.com")
            .header("x-indelible-conversation", "c-9")
            .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            .body(body)
            .unwrap();
        self.client.request(request).await.unwrap()
    }

    /// Waits until no exchange is open, and gives the endings of all events.
    pub(crate) async fn endings(&self) -> Vec<String> {
        for _ in 0..500 {
            if self.s.open.count() == 0 && !self.log.events().is_empty() {
                return self.log.endings();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("exchanges stay open: {:?}", self.log.endings());
    }

    pub(crate) async fn outcome(&self) -> serde_json::Value {
        let endings = self.endings().await;
        let outcomes: Vec<_> =
            self.log.events().into_iter().filter(|event| event["outcome"]["phase"] == "outcome").collect();
        assert_eq!(outcomes.len(), 1, "{endings:?}");
        outcomes.into_iter().next().unwrap()
    }
}

async fn serve(listener: TcpListener, gateway: LlmGateway) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let gateway = gateway.clone();
        drop(tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let gateway = gateway.clone();
                async move {
                    let mut caller = Caller::new("app", ActorType::Service);
                    caller.request = "r-1".to_owned();
                    caller.auth = "token";
                    Ok::<_, std::convert::Infallible>(gateway.handle(request, caller).await)
                }
            });
            drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
        }));
    }
}

/// The whole body, or how far it came before it broke off.
pub(crate) async fn read(response: Response<Incoming>) -> (u16, HeaderMap, Vec<u8>, bool) {
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(_) => return (parts.status.as_u16(), parts.headers, bytes, false),
        }
    }
    (parts.status.as_u16(), parts.headers, bytes, true)
}
