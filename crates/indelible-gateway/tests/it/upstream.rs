//! An upstream that does as it is told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// What the upstream does next with its answer's body.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send(Bytes),
    Wait(u64),
    /// Breaks the connection.
    Cut,
    /// Sends nothing any more.
    Stall,
}

pub(crate) fn send(text: &str) -> Step {
    Step::Send(Bytes::copy_from_slice(text.as_bytes()))
}

/// An answer as it is to be given.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    pub(crate) fn new(kind: &str, steps: Vec<Step>) -> Self {
        Self { status: 200, headers: vec![("content-type", kind.to_owned())], steps }
    }

    pub(crate) fn json(body: &str) -> Self {
        Self::new("application/json", vec![send(body)]).header("content-length", &body.len().to_string())
    }

    pub(crate) fn events(steps: Vec<Step>) -> Self {
        Self::new("text/event-stream", steps)
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// A request as the upstream got it.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) version: http::Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// The running upstream.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Upstream {
    pub(crate) async fn start(script: Script) -> Self {
        Self::start_with(script, None).await
    }

    /// The same behind TLS.
    pub(crate) async fn start_with(script: Script, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&got);
        drop(tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (script, seen, tls) = (script.clone(), Arc::clone(&seen), tls.clone());
                drop(tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, script.clone(), Arc::clone(&seen)));
                    let builder = auto::Builder::new(TokioExecutor::new());
                    match tls {
                        None => drop(builder.serve_connection(TokioIo::new(stream), service).await),
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            drop(builder.serve_connection(TokioIo::new(stream), service).await);
                        }
                    }
                }));
            }
        }));
        Self { address, got }
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    script: Script,
    seen: Arc<Mutex<Vec<Got>>>,
) -> Result<Response<ScriptBody>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(Got {
        path,
        version: parts.version,
        headers: parts.headers,
        body,
    });
    let (sender, receiver) = mpsc::channel(1);
    drop(tokio::spawn(play(script.steps, sender)));
    let mut response = Response::builder().status(script.status);
    for (name, value) in &script.headers {
        response = response.header(*name, value);
    }
    Ok(response.body(ScriptBody(receiver)).unwrap())
}

async fn play(steps: Vec<Step>, sender: mpsc::Sender<Result<Bytes, &'static str>>) {
    for step in steps {
        let sent = match step {
            Step::Send(bytes) => sender.send(Ok(bytes)).await,
            Step::Wait(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(())
            }
            Step::Cut => sender.send(Err("cut off")).await,
            Step::Stall => {
                sender.closed().await;
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

struct ScriptBody(mpsc::Receiver<Result<Bytes, &'static str>>);

impl Body for ScriptBody {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.0.poll_recv(context).map(|next| next.map(|bytes| bytes.map(Frame::data)))
    }
}
