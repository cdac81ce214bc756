//! Sealed content on the command line: unsealed for a purpose, forgotten, and what `verify` says of it each time.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indelible_event::id::EventId;
use indelible_event::vault::{Commitment, ContentAbout, Keep, Vault as _};
use indelible_store::SystemRandomness;
use indelible_store::disk::{Disk as _, RealDisk};
use indelible_store::sealed::{MasterKeys, SealedSettings, SealedStore};
use serde_json::json;

use crate::harness::{Place, Server, until};

const EVENT: &str = "0199a5c4-0000-7000-8000-000000000001";

/// Seals contents as a gateway would have, before the server starts, and writes the event that carries them.
fn sealed(place: &Place, contents: &[(&str, &[u8])]) -> Vec<Commitment> {
    let data = place.path("data");
    RealDisk.create_dir_all(&data.join("keys")).unwrap();
    let master = data.join("keys/sealed.master");
    let masters = MasterKeys::from_file(&RealDisk, &master, true, &SystemRandomness).unwrap();
    let settings = SealedSettings { reserve_bytes: 0, ..SealedSettings::default() };
    let randomness = Arc::new(SystemRandomness);
    let store = SealedStore::open(Arc::new(RealDisk), &data.join("sealed"), masters, randomness, settings).unwrap();
    let mut commitments = Vec::new();
    for (subject, content) in contents {
        let event = EventId::parse(EVENT.as_bytes()).unwrap();
        let about = ContentAbout { event, subject: (*subject).to_owned(), keep: Keep::Sealed };
        let mut writer = store.begin(about).unwrap();
        writer.write(content).unwrap();
        commitments.push(writer.finish().unwrap().commitment);
    }
    store.close();
    let sealed: Vec<_> = commitments
        .iter()
        .map(|commitment| json!({"name": "prompt", "media_type": "text/plain", "commitment": STANDARD.encode(commitment.0)}))
        .collect();
    let event = json!({
        "id": EVENT, "time": "2026-11-23T10:15:30Z", "action": "infer", "actor": {"type": "human", "id": "ana"},
        "outcome": {"result": "allowed"}, "sealed": sealed,
    });
    place.write("event", format!("{event}\n"));
    commitments
}

#[test]
fn content_is_unsealed_forgotten_and_told_apart_from_tampering() {
    let mut place = Place::new();
    let contents = sealed(&place, &[("ana", b"a prompt"), ("bob", b"another one"), ("bob", b"a third")]);
    let server = Server::start(&mut place);
    place.run(&["record", "event"]).ok();
    let id = STANDARD.encode(contents[0].0);
    assert_eq!(place.run(&["unseal", &id, "--purpose", "a test"]).ok(), "a prompt");
    let shown = place.run(&["unseal", &id, "--purpose", "a test", "--format", "json"]).json();
    assert_eq!((&shown["content"], &shown["event"]), (&"a prompt".into(), &EVENT.into()));
    let hex = contents[1].to_string();
    place.run(&["unseal", &hex, "--purpose", "a test", "-o", "saved"]).ok();
    assert_eq!(std::fs::read(place.path("saved")).unwrap(), b"another one");
    place.run(&["unseal", "abc", "--purpose", "a test"]).with(64);
    // nobody is there to be asked
    place.run(&["forget", "--subject", "ana", "--reason", "a test"]).with(64);
    let forgotten =
        place.run(&["forget", "--subject", "ana", "--reason", "a test", "--yes", "--format", "json"]).json();
    assert_eq!((&forgotten["contents"], &forgotten["bytes"]), (&1.into(), &8.into()));
    place.run(&["unseal", &id, "--purpose", "a test"]).with(2);
    until("a checkpoint over the event", || {
        place.run(&["verify", "data", "--format", "json"]).json()["sealed"]["erased"] == 1
    });
    server.stop();

    let told = place.run(&["verify", "data"]).ok();
    assert!(told.contains("SEALED CONTENT") && told.contains("erased     1"), "{told}");
    let counts = place.run(&["verify", "data", "--format", "json"]).json()["sealed"].clone();
    assert_eq!((&counts["present"], &counts["opened"], &counts["altered"]), (&2.into(), &2.into(), &0.into()));
    let pack = place.path("data/sealed/packs/00000000.pack");
    let mut bytes = std::fs::read(&pack).unwrap();
    let second = 512 + b"a prompt".len() + 16;
    bytes[second] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let altered =
        serde_json::from_str::<serde_json::Value>(&place.run(&["verify", "data", "--format", "json"]).with(1).out)
            .unwrap();
    assert_eq!((&altered["sealed"]["altered"], &altered["sealed"]["opened"]), (&1.into(), &1.into()));
    assert_eq!(altered["integrity"]["verdict"], "intact");
}
