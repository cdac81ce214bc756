//! The gate with a log that fails as told: which error is answered how, and that nothing is read without a record.

use std::sync::{Arc, Mutex};

use axum::Router;
use http_body_util::BodyExt as _;
use indelible_access::{NewToken, Role, TokenBook, TokenName};
use indelible_event::batch::EventBatch;
use indelible_event::doors::{BoxFuture, Entries, EntryIndex, EntryReader, ReadError, RecordError, Recorded, Recorder};
use indelible_event::time::RecordedTime;
use indelible_store::{LogState, SystemClock, SystemRandomness};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tower::ServiceExt as _;

mod browser;

use super::*;
use crate::alerts::Alerts;
use crate::app::Environment;
use crate::app::Parts;
use crate::config::{Config, LogConfig};
use crate::gateways::Gateways;
use crate::logs::{LogHandle, LogSet, Published};
use crate::trail::reserve::Reserve;
use crate::vault::OpenVault;
use crate::watch::rules::RulesInForce;
use indelible_access::door::Door;

const SECRET: &str = "{\"what\":\"nobody may see without a record\"}";

/// A log in memory that fails as told.
#[derive(Default)]
struct Fake {
    fails: Mutex<Option<RecordError>>,
    damaged: Mutex<bool>,
    recorded: Mutex<Vec<Value>>,
    holds: Mutex<Option<Arc<(Notify, Notify)>>>,
}

impl Recorder for Fake {
    fn record(&self, mut batch: EventBatch) -> BoxFuture<'_, Result<Recorded, RecordError>> {
        let holds = self.holds.lock().unwrap().clone();
        Box::pin(async move {
            if let Some(holds) = holds {
                holds.0.notify_one();
                holds.1.notified().await;
            }
            if let Some(error) = self.fails.lock().unwrap().clone() {
                return Err(error);
            }
            batch.stamp(RecordedTime(0));
            let mut recorded = self.recorded.lock().unwrap();
            let first_index = EntryIndex(recorded.len() as u64);
            recorded.extend(batch.entries().map(|(_, entry)| serde_json::from_slice::<Value>(entry).unwrap()));
            let count = batch.len() as u64;
            Ok(Recorded { first_index, count, indexes: None, recorded: RecordedTime(0), receipt: "".into() })
        })
    }
}

impl EntryReader for Fake {
    fn size(&self) -> u64 {
        1
    }

    fn read(&self, first: EntryIndex, _: usize, _: usize) -> Result<Entries, ReadError> {
        if *self.damaged.lock().unwrap() {
            return Err(ReadError::Damaged { index: first, reason: "/srv/secret/path".to_owned() });
        }
        let mut entries = Entries::starting_at(first);
        entries.push(SECRET.as_bytes());
        Ok(entries)
    }
}

struct Nothing(watch::Sender<LogState>);

impl Published for Nothing {
    fn checkpoint(&self) -> Option<Arc<str>> {
        None
    }

    fn resource(&self, _: &str) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(Some(SECRET.as_bytes().to_vec()))
    }

    fn proof(&self, _: EntryIndex) -> Result<Option<String>, ReadError> {
        Ok(None)
    }

    fn vkey(&self) -> String {
        "example.com/log+00000000+AA==".to_owned()
    }

    fn stop_signing(&self, _: &str) {}

    fn watch(&self) -> watch::Receiver<LogState> {
        self.0.subscribe()
    }

    fn close(&self) {}
}

struct Bench {
    app: Arc<App>,
    router: Router,
    log: Arc<Fake>,
    token: String,
    _stop: watch::Sender<bool>,
    folder: TempDir,
}

impl Bench {
    fn new(with_reserve: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let randomness = Arc::new(SystemRandomness);
        let tokens = TokenBook::open(&folder.path().join("state.sqlite"), randomness.clone()).unwrap();
        let new = NewToken {
            name: TokenName::new("root").unwrap(),
            role: Role::Admin,
            holder: indelible_access::Holder::default(),
            logs: None,
            expires: None,
        };
        let (_, text) = tokens.keep(tokens.mint(new, 0).unwrap()).unwrap();
        let log = Arc::new(Fake::default());
        let config = LogConfig { name: "main".to_owned(), ..LogConfig::default() };
        let state = LogState { durable_size: 1, ..LogState::default() };
        let published = Arc::new(Nothing(watch::channel(state).0));
        let handle = LogHandle::new(
            config,
            "example.com/log".to_owned(),
            log.clone(),
            log.clone(),
            published,
            Err("none".to_owned()),
        );
        let logs = LogSet::new(vec![Arc::new(handle)]).unwrap();
        let environment = Environment { clock: Arc::new(SystemClock), randomness };
        let (stop, stopping) = watch::channel(false);
        let reserve =
            with_reserve.then(|| Arc::new(Reserve::open(&folder.path().join("trail.reserve"), 64 * 1024).unwrap()));
        let settings = Config::default();
        let parts = Parts {
            open_id: None,
            rules: RulesInForce::load(&settings.detect),
            alerts: Alerts::open(&settings, folder.path()).unwrap(),
            tokens,
            searches: indelible_access::searches::SavedSearches::open(&folder.path().join("state.sqlite")).unwrap(),
            logs,
            vault: OpenVault::None,
            door: Arc::new(Door::permit_all()),
            gateways: Gateways::default(),
            reserve,
        };
        let app = Arc::new(App::new(settings, environment, parts, stopping).unwrap());
        let token = text.unwrap().reveal().to_owned();
        Self { router: router(&app), app, log, token, _stop: stop, folder }
    }

    async fn send(&self, method: &str, path: &str, body: &'static str) -> (u16, Value, axum::http::HeaderMap) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.token))
            .body(Body::from(body))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null), parts.headers)
    }

    fn fail(&self, error: Option<RecordError>) {
        *self.log.fails.lock().unwrap() = error;
    }

    fn operations(&self) -> Vec<String> {
        let recorded = self.log.recorded.lock().unwrap();
        recorded.iter().map(|event| event["operation"].as_str().unwrap_or("-").to_owned()).collect()
    }
}

const EVENT: &str = r#"{"time":"2026-11-23T10:15:30Z","actor":{"id":"a","type":"human"},"action":"read","outcome":{"result":"allowed"}}"#;
const READS: [&str; 4] = ["/v1/logs/main/entries/0", "/v1/logs", "/v1/logs/main", "/log/main/tile/0/000"];

fn stopped() -> RecordError {
    RecordError::Stopped { log: "main".to_owned(), reason: "fsync of /srv/secret/path failed".to_owned() }
}

#[tokio::test]
async fn each_failure_of_the_log_has_its_own_answer() {
    let bench = Bench::new(false);
    for (error, status, code, retry) in [
        (RecordError::Full, 507, "full", Some("30")),
        (RecordError::Busy { retry_after_ms: 2_500 }, 503, "busy", Some("3")),
        (stopped(), 503, "unavailable", Some("5")),
        (RecordError::TooLarge { bytes: 9, max: 8 }, 413, "too-large", None),
    ] {
        bench.fail(Some(error));
        let (got, problem, headers) = bench.send("POST", "/v1/events", EVENT).await;
        assert_eq!((got, problem["type"].as_str().unwrap()), (status, format!("/problems/{code}").as_str()));
        assert_eq!(headers.get("retry-after").map(|value| value.to_str().unwrap()), retry);
        assert!(!problem.to_string().contains("/srv/secret"), "{problem}");
    }
}

#[tokio::test]
async fn without_a_record_there_is_no_access() {
    let bench = Bench::new(false);
    for error in [RecordError::Full, stopped()] {
        bench.fail(Some(error));
        for path in READS {
            let (status, answer, _) = bench.send("GET", path, "").await;
            assert!(status == 507 || status == 503, "{path}: {status}");
            assert!(!answer.to_string().contains("nobody may see"), "{path}");
        }
    }
}

#[tokio::test]
async fn an_answer_waits_for_its_record() {
    let bench = Arc::new(Bench::new(false));
    let holds = Arc::new((Notify::new(), Notify::new()));
    *bench.log.holds.lock().unwrap() = Some(Arc::clone(&holds));
    let asking = Arc::clone(&bench);
    let answer = tokio::spawn(async move { asking.send("GET", READS[0], "").await });
    holds.0.notified().await;
    assert!(!answer.is_finished());
    holds.1.notify_one();
    let (status, entry, _) = answer.await.unwrap();
    assert_eq!((status, entry), (200, serde_json::from_str(SECRET).unwrap()));
    assert_eq!(bench.operations(), ["entries.read"]);
}

#[tokio::test]
async fn reads_go_on_while_the_disk_is_full_and_move_into_the_log_afterwards() {
    let bench = Bench::new(true);
    bench.fail(Some(RecordError::Full));
    assert_eq!(bench.send("POST", "/v1/events", EVENT).await.0, 507);
    for path in READS {
        assert_eq!(bench.send("GET", path, "").await.0, 200, "{path}");
    }
    assert_eq!(bench.operations(), [""; 0]);
    bench.app.trail.empty_reserve().await;
    let again = Reserve::open(&bench.folder.path().join("trail.reserve"), 64 * 1024).unwrap();
    assert_eq!(again.waiting().unwrap().0.len(), READS.len(), "they wait, over a crash too");
    bench.fail(None);
    bench.app.trail.empty_reserve().await;
    assert_eq!(bench.operations(), ["entries.read", "logs.list", "logs.describe", "published.read"]);
    assert_eq!(bench.send("POST", "/v1/events", EVENT).await.0, 200);
}

#[tokio::test]
async fn damaged_bytes_are_told_without_their_place() {
    let bench = Bench::new(false);
    *bench.log.damaged.lock().unwrap() = true;
    let (status, problem, _) = bench.send("GET", READS[0], "").await;
    assert_eq!((status, problem["type"].as_str().unwrap()), (500, "/problems/damaged"));
    assert!(!problem.to_string().contains("/srv/secret"), "{problem}");
}

#[tokio::test]
async fn an_index_that_cannot_be_used_is_told_with_the_way_out() {
    let bench = Bench::new(false);
    for path in ["/v1/events", "/v1/stats", "/v1/export", "/v1/events/stream"] {
        let (status, problem, _) = bench.send("GET", path, "").await;
        assert_eq!(status, 503, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("indelible index rebuild"), "{problem}");
    }
}

#[tokio::test]
async fn a_refusal_that_cannot_be_recorded_now_is_counted_until_it_can() {
    let bench = Bench::new(false);
    bench.fail(Some(stopped()));
    let (status, _, _) = bench.send("GET", "/v1/logs/none", "").await;
    assert_eq!(status, 404);
    bench.fail(None);
    bench.app.refusals.flush(&bench.app.trail, &bench.app.logs, crate::trail::refusals::WINDOW_MIN).await;
    let recorded = bench.log.recorded.lock().unwrap().clone();
    assert_eq!((&recorded[0]["operation"], &recorded[0]["attributes"]["count"]), (&"logs.describe".into(), &1.into()));
    assert_eq!((&recorded[0]["outcome"]["code"], &recorded[0]["actor"]["id"]), (&"not-found".into(), &"root".into()));
}
