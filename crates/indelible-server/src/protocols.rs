//! The two protocols, each with its limits, and which one a connection speaks: over TLS what ALPN agreed on; without TLS HTTP/2
//! when the client begins with its preface ("prior knowledge", RFC 9113 section 3.3), else HTTP/1.1. Never: an upgrade in the
//! middle of a connection.

use std::io;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;

use crate::config::LimitsConfig;

/// Most header lines of a request.
const HEADERS_MAX: usize = 64;
/// Most requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// The first bytes of HTTP/2's preface; no method of HTTP/1.1 begins with them and a blank.
const PREFACE: &[u8; 4] = b"PRI ";
/// How long to wait for the rest of a preface that came in pieces before looking again.
const PIECE: Duration = Duration::from_millis(10);
/// How often it is looked again. What is still half a preface then is left to HTTP/1.1, whose time limit answers it.
const LOOKS: u32 = 50;

/// The two protocols, each with its limits. Which one a connection speaks is known before its first request.
pub(crate) struct Protocols {
    pub(crate) http1: auto::Builder<TokioExecutor>,
    pub(crate) http2: auto::Builder<TokioExecutor>,
}

impl Protocols {
    pub(crate) fn new(limits: &LimitsConfig) -> Self {
        let mut http1 = auto::Builder::new(TokioExecutor::new()).http1_only();
        http1
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_time.duration())
            .max_buf_size(limits.header_bytes.in_memory())
            .max_headers(HEADERS_MAX);
        let mut http2 = auto::Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(u32::try_from(limits.header_bytes.0).unwrap_or(u32::MAX))
            .keep_alive_interval(limits.header_time.duration())
            .keep_alive_timeout(limits.header_time.duration());
        Self { http1, http2 }
    }
}

/// Whether a client without TLS speaks HTTP/2. Looks at its first bytes and leaves them. Waits for the first one, for which the
/// caller bounds the time.
pub(crate) async fn begins_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    for _ in 0..LOOKS {
        let length = stream.peek(&mut first).await?;
        let came = first.get(..length).unwrap_or_default();
        if length == PREFACE.len() || came.is_empty() || !PREFACE.starts_with(came) {
            return Ok(came == PREFACE);
        }
        tokio::time::sleep(PIECE).await;
    }
    Ok(false)
}
