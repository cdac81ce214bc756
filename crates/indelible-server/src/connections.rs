//! Connections: accepted within a bound, begun within a time, over TLS or not, and ended with the server.
//!
//! Never: reads a request; that is the router's.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use indelible_event::doors::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use crate::app::App;
use crate::call::Peer;
use crate::config::LimitsConfig;
use crate::gate::router;
use crate::protocols::{Protocols, begins_http2};

/// How long to wait after the operating system refused a connection (no file handles, …).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come in.
pub(crate) struct Doorway {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    /// True when the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Accepts connections until the stop.
pub(crate) async fn accept(
    app: &Arc<App>,
    limits: &LimitsConfig,
    doorway: &Doorway,
    graceful: &GracefulShutdown,
    connections: &mut JoinSet<()>,
    shutdown: impl Future<Output = ()>,
) {
    let router = router(app);
    let server = Arc::new(Protocols::new(limits));
    let room = Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(Semaphore::MAX_PERMITS)));
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await.ok();
            (place, doorway.listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = &mut shutdown => return,
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let one = Connection {
            requests: Requests { router: router.clone(), peer: Peer(peer.ip().to_canonical()) },
            protocols: Arc::clone(&server),
            watcher: graceful.watcher(),
            handshake_time: limits.header_time.duration(),
            stopping: doorway.stopping.clone(),
        };
        let (tls, app) = (doorway.tls.clone(), Arc::clone(app));
        connections.spawn(async move {
            app.metrics.connections.inc();
            one.run(stream, tls).await;
            app.metrics.connections.dec();
            drop(place);
        });
    }
}

/// One connection and the requests on it.
struct Connection {
    requests: Requests,
    protocols: Arc<Protocols>,
    watcher: Watcher,
    handshake_time: Duration,
    stopping: watch::Receiver<bool>,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection answers slowly: TCP_NODELAY was refused");
        }
        let protocols = Arc::clone(&self.protocols);
        let Some(tls) = tls else {
            match self.begun(begins_http2(&stream)).await {
                Some(true) => self.serve(&protocols.http2, stream).await,
                Some(false) => self.serve(&protocols.http1, stream).await,
                None => {}
            }
            return;
        };
        let Some(stream) = self.begun(tls.accept(stream)).await else { return };
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            self.serve(&protocols.http2, stream).await;
        } else {
            self.serve(&protocols.http1, stream).await;
        }
    }

    /// How a connection begins. `None` when that takes too long, and when nothing has come by the time the server stops: browsers keep
    /// connections in store, and nobody waits for those.
    async fn begun<T>(&self, beginning: impl Future<Output = std::io::Result<T>>) -> Option<T> {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            begun = tokio::time::timeout(self.handshake_time, beginning) => match begun {
                Ok(Ok(begun)) => return Some(begun),
                Ok(Err(error)) => tracing::debug!(%error, "a connection ended before its first request"),
                Err(_) => tracing::debug!("a connection took too long to begin"),
            },
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        None
    }

    async fn serve(
        self,
        protocol: &auto::Builder<TokioExecutor>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) {
        let connection = protocol.serve_connection(TokioIo::new(stream), self.requests).into_owned();
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(error = %error, "a connection ended early");
        }
    }
}

/// Hands requests of one connection to the router, with the client's address.
#[derive(Clone)]
struct Requests {
    router: Router,
    peer: Peer,
}

impl hyper::service::Service<Request<Incoming>> for Requests {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        let mut router = self.router.clone();
        Box::pin(async move { router.call(request).await })
    }
}
