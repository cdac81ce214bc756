//! The transport: health, figures, request ids, slow and oversized clients, TLS, a stop that loses nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use indelible_server::config::{Config, Period};

use crate::harness::{ADMIN, Server, bearer, event};

#[test]
fn health_readiness_figures_and_the_description_need_no_token() {
    let server = Server::start();
    server.post("/v1/events", event(None, "ana").to_string());
    let open = |path: &str| server.send("GET", path, &[], None);
    assert_eq!(open("/healthz").text(), "ok\n");
    assert_eq!(open("/readyz").json()["ready"], true);
    let figures = open("/metrics").text();
    for line in [
        "indelible_events_recorded_total 1\n",
        "indelible_http_requests_total{operation=\"events.record\",status=\"200\"} 1\n",
        "indelible_log_recording{log=\"main\"} 1\n",
    ] {
        assert!(figures.contains(line), "{line} is not in\n{figures}");
    }
    assert_eq!(open("/openapi.json").json()["openapi"], "3.1.0");
}

#[test]
fn each_answer_has_a_request_id_of_its_own() {
    let server = Server::start();
    let ids: std::collections::HashSet<String> =
        (0..3).map(|_| server.get("/healthz").header("x-request-id").to_owned()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| id.len() == 17));
}

#[test]
fn a_head_that_never_comes_or_never_ends_is_cut_off() {
    let mut config = Config::default();
    config.limits.header_time = Period::seconds(1);
    let server = Server::start_with(config);
    for begun in ["", "P", "GET /healthz HTTP/1.1\r\nhost: x\r\n"] {
        let mut slow = TcpStream::connect(server.ready.address).unwrap();
        slow.write_all(begun.as_bytes()).unwrap();
        slow.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut rest = Vec::new();
        slow.read_to_end(&mut rest).unwrap();
        assert!(!String::from_utf8_lossy(&rest).contains("200"), "{}", String::from_utf8_lossy(&rest));
    }
    let mut idle = TcpStream::connect(server.ready.address).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = String::new();
    idle.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn a_body_that_never_ends_is_cut_off() {
    let mut config = Config::default();
    config.limits.body_time = Period::seconds(1);
    let server = Server::start_with(config);
    let mut slow = TcpStream::connect(server.ready.address).unwrap();
    let head =
        format!("POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN}\r\ncontent-length: 10\r\n\r\n{{");
    slow.write_all(head.as_bytes()).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = [0u8; 64];
    let read = slow.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 408 "));
}

#[test]
fn an_oversized_head_is_refused() {
    let server = Server::start();
    let mut socket = TcpStream::connect(server.ready.address).unwrap();
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(200_000));
    // The server may close before it was all sent, and the answer may then be lost on the way; it is never a good one.
    let _sent = socket.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _read = socket.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn whatever_was_acknowledged_before_a_stop_is_there_after_it() {
    let server = Server::start();
    let acknowledged: Vec<(u64, String)> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let server = &server;
                scope.spawn(move || {
                    (0..25)
                        .map(|n| {
                            let actor = format!("actor-{sender}-{n}");
                            let answer = server.post("/v1/events", event(None, &actor).to_string()).json();
                            (answer["first_index"].as_u64().unwrap(), actor)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    let server = Server::start_in(server.stop(), Config::default());
    assert_eq!(acknowledged.len(), 100);
    for (index, actor) in acknowledged {
        assert_eq!(server.get(&format!("/v1/logs/main/entries/{index}")).json()["actor"]["id"], actor.as_str());
    }
}

#[test]
fn a_stop_does_not_wait_for_connections_on_which_nothing_came() {
    let mut config = Config::default();
    config.limits.header_time = Period::seconds(86_400);
    config.limits.shutdown_time = Period::seconds(86_400);
    let server = Server::start_with(config);
    let kept_in_store = TcpStream::connect(server.ready.address).unwrap();
    // connections are taken in their order: after this answer the one above was taken too
    assert_eq!(server.get("/healthz").status, 200);
    server.stop();
    assert_eq!((&kept_in_store).read(&mut [0; 1]).unwrap_or(0), 0);
}

/// A server with a certificate of its own, and settings of a client that trusts it.
fn with_certificate() -> (Server, rustls::ClientConfig) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&chain, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let mut config = Config::default();
    config.server.tls_certificate = Some(chain);
    config.server.tls_key = Some(key);
    let server = Server::start_with(config);
    assert!(server.url.starts_with("https://127.0.0.1:"));
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (server, client)
}

#[test]
fn requests_come_over_tls_when_a_certificate_is_set() {
    let (server, client) = with_certificate();
    let name = "localhost".try_into().unwrap();
    let mut session = rustls::ClientConnection::new(std::sync::Arc::new(client), name).unwrap();
    let mut socket = TcpStream::connect(server.ready.address).unwrap();
    let mut stream = rustls::Stream::new(&mut session, &mut socket);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _closed = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ok\n"), "{answer}");
}

/// Records an event and searches it, both at once on one HTTP/2 connection, then once more.
async fn record_and_search_over_http2(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
) {
    async fn ask(
        sender: &mut h2::client::SendRequest<bytes::Bytes>,
        method: &str,
        path: &str,
        body: String,
    ) -> (u16, serde_json::Value) {
        let uri = format!("http://localhost{path}");
        let request = axum::http::Request::builder().method(method).uri(uri).header("authorization", bearer(ADMIN));
        let (answer, mut stream) = sender.send_request(request.body(()).unwrap(), body.is_empty()).unwrap();
        if !body.is_empty() {
            stream.send_data(body.into(), true).unwrap();
        }
        let answer = answer.await.unwrap();
        assert_eq!(answer.version(), axum::http::Version::HTTP_2);
        let (head, mut body) = answer.into_parts();
        let mut bytes = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece.unwrap();
            body.flow_control().release_capacity(piece.len()).unwrap();
            bytes.extend_from_slice(&piece);
        }
        (head.status.as_u16(), serde_json::from_slice(&bytes).unwrap())
    }
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut sender = sender.ready().await.unwrap();
    let mut other = sender.clone();
    let ana = event(None, "ana").to_string();
    let (recorded, logs) =
        tokio::join!(ask(&mut sender, "POST", "/v1/events", ana), ask(&mut other, "GET", "/v1/logs", String::new()));
    assert_eq!((recorded.0, &recorded.1["count"], logs.0), (200, &1.into(), 200), "{recorded:?}");
    let (status, found) = ask(&mut sender, "GET", "/v1/events?q=actor:ana", String::new()).await;
    assert_eq!((status, &found["events"][0]["index"]), (200, &recorded.1["first_index"]), "{found}");
}

#[tokio::test]
async fn http2_is_spoken_over_tls_by_alpn_and_without_tls_by_prior_knowledge() {
    let server = Server::start();
    let stream = tokio::net::TcpStream::connect(server.ready.address).await.unwrap();
    record_and_search_over_http2(stream).await;

    let (server, mut client) = with_certificate();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tokio::net::TcpStream::connect(server.ready.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(client));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    record_and_search_over_http2(stream).await;
}

#[test]
fn a_preface_in_pieces_is_one_and_a_request_that_begins_alike_is_none() {
    let server = Server::start();
    let mut socket = TcpStream::connect(server.ready.address).unwrap();
    socket.write_all(b"P").unwrap();
    std::thread::sleep(Duration::from_millis(30));
    socket.write_all(b"UT /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    let mut socket = TcpStream::connect(server.ready.address).unwrap();
    socket.write_all(b"PR").unwrap();
    std::thread::sleep(Duration::from_millis(30));
    socket.write_all(b"I * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut settings = [0; 9];
    socket.read_exact(&mut settings).unwrap();
    assert_eq!(settings[3], 4, "a SETTINGS frame comes first");
}
