//! Sealed content over HTTP: shown for a purpose and on record, erased for good, and what a wrong master key does not stop.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indelible_event::id::EventId;
use indelible_event::vault::{Commitment, ContentAbout, Keep, Vault as _};
use indelible_server::config::Config;
use indelible_store::SystemRandomness;
use indelible_store::disk::{Disk as _, RealDisk};
use indelible_store::sealed::{MasterKeys, SealedSettings, SealedStore};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Server, id};

const SECRET: &str = "what was asked and nobody else shall know";

/// Seals contents as a gateway would have, before the server starts.
fn seal(data: &Path, contents: &[(u32, &str, Keep, &[u8])]) -> Vec<Commitment> {
    let keys = data.join("keys");
    RealDisk.create_dir_all(&keys).unwrap();
    let masters = MasterKeys::from_file(&RealDisk, &keys.join("sealed.master"), true, &SystemRandomness).unwrap();
    let settings = SealedSettings { reserve_bytes: 0, ..SealedSettings::default() };
    let store =
        SealedStore::open(Arc::new(RealDisk), &data.join("sealed"), masters, Arc::new(SystemRandomness), settings);
    let store = store.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let seal = |(event, subject, keep, content): &(u32, &str, Keep, &[u8])| {
        let event = EventId::parse(id(*event).as_bytes()).unwrap();
        let mut writer = store.begin(ContentAbout { event, subject: (*subject).to_owned(), keep: *keep }).unwrap();
        writer.write(content).unwrap();
        let sealed = writer.finish().unwrap();
        runtime.block_on(sealed.durable).unwrap();
        sealed.commitment
    };
    contents.iter().map(seal).collect()
}

fn carrier(number: u32, sealed: &[(&str, &str, &Commitment)]) -> String {
    let sealed: Vec<Value> = sealed
        .iter()
        .map(|(name, media_type, commitment)| {
            json!({"name": name, "media_type": media_type, "bytes": 1, "commitment": STANDARD.encode(commitment.0)})
        })
        .collect();
    json!({
        "id": id(number), "time": "2026-11-23T10:15:30Z", "action": "infer",
        "actor": {"type": "human", "id": "ana@example.com"}, "outcome": {"result": "allowed"}, "sealed": sealed,
    })
    .to_string()
}

fn of(events: &[Value], operation: &str) -> Vec<Value> {
    events.iter().filter(|event| event["operation"] == operation).cloned().collect()
}

#[test]
fn the_query_of_a_retrieval_is_sealed_under_its_event() {
    let folder = tempfile::tempdir().unwrap();
    seal(&folder.path().join("data"), &[(1, "ana", Keep::Sealed, SECRET.as_bytes())]);
    let server = Server::start_in(folder, Config::default());
    let told = json!({
        "query": "what did ana earn", "index": "hr", "documents": [{"id": "d1"}],
        "on_behalf_of": [{"id": "planner", "type": "agent"}, {"id": "ben@example.com", "type": "human"}],
    });
    let answer = server.post("/v1/retrievals", told.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stored = server.get(&format!("/v1/logs/main/entries/{}", answer.json()["index"])).json();
    assert_eq!((&stored["sealed"][0]["name"], &stored["sealed"][0]["bytes"]), (&"query".into(), &17.into()));
    assert!(!stored.to_string().contains("earn"));
    let commitment = STANDARD.decode(stored["sealed"][0]["commitment"].as_str().unwrap()).unwrap();
    let path = format!("/v1/sealed/{}?purpose=audit", Commitment(commitment.try_into().unwrap()));
    let shown = server.get(&path);
    assert_eq!(
        (shown.text().as_str(), shown.header("x-indelible-event")),
        ("what did ana earn", stored["id"].as_str().unwrap())
    );
    // it is about the person at the end of the chain, and goes when that person is forgotten
    let forget = json!({"subject": "ben@example.com", "reason": "request 119"}).to_string();
    assert_eq!(server.post("/v1/forget", &forget).status, 200);
    assert_eq!(server.get(&path).status, 410);
}

#[test]
fn content_is_shown_for_a_purpose_on_record_and_is_gone_once_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let long: Vec<u8> = (0..=250u8).cycle().take(1_500_000).collect();
    let kept = seal(
        &folder.path().join("data"),
        &[
            (1, "ana", Keep::Sealed, SECRET.as_bytes()),
            (1, "ana", Keep::Sealed, &long),
            (2, "bob", Keep::Sealed, b"<script>"),
            (2, "bob", Keep::Hash, b"only its hash"),
        ],
    );
    let server = Server::start_in(folder, Config::default());
    let parts = [("prompt", "application/json", &kept[0]), ("answer", "text/event-stream; charset=utf-8", &kept[1])];
    assert_eq!(server.post("/v1/events", carrier(1, &parts)).status, 200);
    assert_eq!(server.post("/v1/events", carrier(2, &[("prompt", "text/html", &kept[2])])).status, 200);
    let path = |commitment: &Commitment| format!("/v1/sealed/{commitment}?purpose=incident%204711");

    let refused = server.get(&format!("/v1/sealed/{}", kept[0]));
    assert_eq!((refused.status, refused.problem()), (400, "invalid-request".to_owned()));
    let reader = server.token("reader", "read", None);
    assert_eq!(server.get_as(&reader, &path(&kept[0])).problem(), "forbidden");
    assert!(of(&server.events("main"), "sealed.read").iter().all(|event| event["outcome"]["result"] != "allowed"));

    let shown = server.get(&path(&kept[0]));
    assert_eq!((shown.status, shown.text().as_str()), (200, SECRET));
    assert_eq!((shown.header("content-type"), shown.header("x-indelible-event")), ("application/json", id(1).as_str()));
    assert!(shown.header("content-security-policy").contains("sandbox"));
    let streamed = server.get(&path(&kept[1]));
    assert!(streamed.body == long && streamed.header("content-type") == "text/event-stream");
    // what a browser would run is told as bytes
    assert_eq!(server.get(&path(&kept[2])).header("content-type"), "application/octet-stream");
    assert_eq!(server.get(&path(&kept[3])).problem(), "not-found");
    assert_eq!(server.get(&path(&Commitment([7; 32]))).problem(), "not-found");

    let events = server.events("main");
    let read: Vec<Value> =
        of(&events, "sealed.read").into_iter().filter(|event| event["outcome"]["result"] == "allowed").collect();
    assert_eq!(read.len(), 3);
    assert_eq!((&read[0]["purpose"], &read[0]["action"]), (&"incident 4711".into(), &"read".into()));
    assert_eq!(read[0]["resources"][0]["id"], kept[0].to_string());
    assert_eq!((&read[1]["resources"][1]["id"], &read[1]["attributes"]["bytes"]), (&id(1).into(), &1_500_000.into()));

    for wrong in
        [json!({"subject": "ana"}), json!({"reason": "x"}), json!({"subject": "a", "event": "b", "reason": "x"})]
    {
        assert_eq!(server.post("/v1/forget", wrong.to_string()).problem(), "invalid-request");
    }
    let forget = json!({"subject": "ana", "reason": "request 118"}).to_string();
    let erased = server.post("/v1/forget", &forget).json();
    assert_eq!((&erased["contents"], &erased["bytes"]), (&2.into(), &(1_500_000 + SECRET.len()).into()));
    assert_eq!(server.post("/v1/forget", &forget).json()["already"], 2);
    let gone = server.get(&path(&kept[0]));
    assert_eq!((gone.status, gone.problem()), (410, "erased".to_owned()));
    assert_eq!(server.get(&path(&kept[2])).status, 200);

    let server = Server::start_in(server.stop(), Config::default());
    assert_eq!(server.get(&path(&kept[1])).status, 410);
    let events = server.events("main");
    // the wrong requests stand there too, as refused
    let forgot: Vec<Value> =
        of(&events, "sealed.forget").into_iter().filter(|event| event["outcome"]["result"] == "allowed").collect();
    let told = |event: &Value| {
        let outcome = (event["outcome"]["phase"].clone(), event["action"].clone());
        (outcome, event["attributes"]["why"].clone(), event["attributes"]["contents"].clone())
    };
    let delete: Value = "delete".into();
    assert_eq!(told(&forgot[0]), (("intent".into(), delete.clone()), "request 118".into(), Value::Null));
    assert_eq!(told(&forgot[1]), (("outcome".into(), delete), "request 118".into(), 2.into()));
    assert!(!serde_json::to_string(&events).unwrap().contains(SECRET));
}

#[test]
fn a_wrong_master_key_stops_unsealing_and_nothing_else() {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let kept = seal(&data, &[(1, "ana", Keep::Sealed, SECRET.as_bytes())]);
    let master = data.join("keys/sealed.master");
    let right = std::fs::read(&master).unwrap();
    std::fs::write(&master, "5a".repeat(32)).unwrap();
    let server = Server::start_in(folder, Config::default());
    let path = format!("/v1/sealed/{}?purpose=x", kept[0]);
    assert_eq!(server.get(&path).problem(), "unavailable");
    assert_eq!(server.post("/v1/events", carrier(1, &[("prompt", "text/plain", &kept[0])])).status, 200);
    let folder = server.stop();
    std::fs::write(&master, right).unwrap();
    let server = Server::start_in(folder, Config::default());
    assert_eq!(server.get(&path).text(), SECRET);
}
