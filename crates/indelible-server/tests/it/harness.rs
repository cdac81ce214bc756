//! Starts a server and talks to it.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indelible_access::TokenText;
use indelible_server::config::Config;
use indelible_server::{Ready, ServeError, ServeOptions, run};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// The admin token that tests choose.
pub(crate) const ADMIN: &str = "ind_a_test-token-for-the-administrator-0001";

/// A running server.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) ready: Ready,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
    pub(crate) folder: TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The code of a problem document.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let json = self.json();
        assert_eq!(json["status"], self.status);
        assert_eq!(json["instance"], self.header("x-request-id"));
        json["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned()
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(Config::default())
    }

    pub(crate) fn start_with(config: Config) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), config)
    }

    pub(crate) fn start_in(folder: TempDir, mut config: Config) -> Self {
        config.server.listen = "127.0.0.1:0".to_owned();
        config.server.data = folder.path().join("data");
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let options = ServeOptions { config, admin_token: Some(TokenText::chosen(ADMIN).unwrap()) };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let shutdown = async {
                let _asked = stopped.await;
            };
            runtime.block_on(run(options, |ready| tell.send(ready).unwrap(), shutdown))
        });
        let Ok(ready) = told.recv_timeout(Duration::from_secs(60)) else {
            panic!("the server did not start: {:?}", thread.join().unwrap());
        };
        Self { url: ready.url.clone(), ready, stop: Some(stop), thread: Some(thread), folder }
    }

    /// Stops in order and gives the folder back.
    pub(crate) fn stop(mut self) -> TempDir {
        self.end();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _sent = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", &bearer(ADMIN))], None)
    }

    pub(crate) fn get_as(&self, token: &str, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", &bearer(token))], None)
    }

    pub(crate) fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("POST", path, &[("authorization", &bearer(ADMIN))], Some(body.as_ref()))
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let mut response = match body {
            Some(body) => agent.run(request.body(body).unwrap()).unwrap(),
            None => agent.run(request.body(()).unwrap()).unwrap(),
        };
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap(),
        }
    }

    /// A token of a role, limited to `logs` if any.
    pub(crate) fn token(&self, name: &str, role: &str, logs: Option<&[&str]>) -> String {
        let body = serde_json::json!({"name": name, "role": role, "logs": logs});
        let answer = self.post("/v1/tokens", body.to_string());
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// All events of a log, oldest first. Reading them adds events of its own.
    pub(crate) fn events(&self, log: &str) -> Vec<Value> {
        let size = self.get(&format!("/v1/logs/{log}")).json()["size"].as_u64().unwrap();
        (0..size).map(|index| self.get(&format!("/v1/logs/{log}/entries/{index}")).json()).collect()
    }

    /// Waits until `done`.
    pub(crate) fn until(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(began.elapsed() < Duration::from_secs(60), "waited too long for {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A small right event; `id` makes it one of its own.
pub(crate) fn event(id: Option<&str>, actor: &str) -> Value {
    let mut event = serde_json::json!({
        "time": "2026-11-23T10:15:30.5+01:00",
        "actor": {"id": actor, "type": "human"},
        "action": "read",
        "outcome": {"result": "allowed"},
    });
    if let Some(id) = id {
        event["id"] = id.into();
    }
    event
}

/// An id that counts.
pub(crate) fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}
