//! The guard of integrity: what was tampered with on disk is found, signing stops and stays stopped, recording goes on; and what
//! is whole is never doubted.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indelible_event::time::RecordedTime;
use indelible_server::config::{Config, Period};
use indelible_server::guard::lift;
use indelible_tlog::bundle;
use indelible_tlog::checkpoint::{Checkpoint, Origin};
use indelible_tlog::edge::Edge;
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::note::{SigningKey, sign};
use indelible_tlog::tile::{BundleId, encode_hashes};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Server, event};

const INTEGRITY: &str = "/v1/logs/main/integrity";

/// Every entry within a second, so that a test need not wait a day.
fn config() -> Config {
    let mut config = Config::default();
    config.guard.sweep = Period::seconds(1);
    config
}

fn until(what: &str, mut come: impl FnMut() -> bool) {
    let began = Instant::now();
    while !come() {
        assert!(began.elapsed() < Duration::from_secs(60), "still waiting for: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn record(server: &Server, events: usize) {
    let body: String = (0..events).map(|n| format!("{}\n", event(None, &format!("user-{n}")))).collect();
    let answer = server.post("/v1/events", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Waits until everything that is recorded now was verified by the guard.
fn until_verified(server: &Server) {
    let size = server.get("/v1/logs/main").json()["size"].as_u64().unwrap();
    until("verified", || server.get(INTEGRITY).json()["verified"]["size"].as_u64().is_some_and(|done| done >= size));
}

fn until_stopped(server: &Server) -> Value {
    until("stopped", || server.get(INTEGRITY).json()["signing"] == false);
    until("told", || server.get(INTEGRITY).json()["findings_total"].as_u64() > Some(0));
    server.get(INTEGRITY).json()
}

fn log_file(folder: &TempDir, file: &str) -> PathBuf {
    folder.path().join("data/logs/main").join(file)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let to = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &to);
        } else {
            std::fs::copy(item.path(), to).unwrap();
        }
    }
}

#[test]
fn an_edited_entry_stops_signing_over_starts_until_a_person_has_looked_and_recording_goes_on() {
    let server = Server::start_with(config());
    record(&server, 600);
    until_verified(&server);
    let bundle = log_file(&server.folder, "tile/entries/001");
    flip(&bundle, 100);
    let integrity = until_stopped(&server);
    assert_eq!(integrity["stopped"]["rule"], "integrity/leaf", "{integrity:#}");
    assert_eq!(integrity["findings"][0]["file"], "tile/entries/001");
    assert_eq!(integrity["findings"][0]["first_index"], 256);
    until("the alert", || server.get("/v1/alerts").text().contains("integrity/leaf"));
    // what is recorded now is durable, and no checkpoint covers it
    let published = server.get("/v1/logs/main").json()["published_size"].as_u64().unwrap();
    record(&server, 10);
    std::thread::sleep(Duration::from_millis(1_200));
    let log = server.get("/v1/logs/main").json();
    assert_eq!((log["published_size"].as_u64(), &log["signing"]), (Some(published), &Value::from("stopped")));
    assert_eq!(log["state"], "recording");
    let ready = server.get("/readyz");
    assert_eq!((ready.status, ready.json()["warnings"].as_array().map(Vec::len)), (200, Some(1)));
    assert!(server.get("/metrics").text().contains("indelible_log_signing{log=\"main\"} 0"));

    let server = Server::start_in(server.stop(), config());
    assert_eq!(server.get("/v1/logs/main").json()["signing"], "stopped");
    record(&server, 10);
    let folder = server.stop();
    flip(&bundle, 100);
    let data = folder.path().join("data");
    lift(&data, "main", "one byte put back from the copy of Monday", false, RecordedTime(0)).unwrap();
    let server = Server::start_in(folder, config());
    until_verified(&server);
    let integrity = server.get(INTEGRITY).json();
    assert_eq!((&integrity["signing"], integrity["findings_total"].as_u64()), (&Value::from(true), Some(0)));
    for operation in ["log.signing.stop", "log.signing.resume"] {
        let found = server.get(&format!("/v1/events?q=operation:{operation}")).text();
        assert!(found.contains("integrity/leaf"), "{operation}: {found}");
    }
    assert!(!data.join("guard/main/lifted").exists());
}

#[test]
fn an_edited_or_missing_tile_is_named() {
    for file in ["tile/0/000", "tile/1/000.p/2"] {
        let server = Server::start_with(config());
        record(&server, 600);
        until_verified(&server);
        let path = log_file(&server.folder, file);
        flip(&path, 40);
        let integrity = until_stopped(&server);
        assert_eq!(integrity["findings"][0]["rule"], "integrity/tile", "{integrity:#}");
        assert_eq!(integrity["findings"][0]["file"], file);
    }
    let server = Server::start_with(config());
    record(&server, 300);
    until_verified(&server);
    std::fs::remove_file(log_file(&server.folder, "tile/0/000")).unwrap();
    assert_eq!(until_stopped(&server)["findings"][0]["rule"], "integrity/tile");
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_signing_goes_on() {
    let server = Server::start_with(config());
    record(&server, 300);
    until_verified(&server);
    // a folder in its place: an error that root gets too
    let bundle = log_file(&server.folder, "tile/entries/000");
    std::fs::rename(&bundle, bundle.with_extension("away")).unwrap();
    std::fs::create_dir(&bundle).unwrap();
    until("told", || server.get(INTEGRITY).json()["findings_total"].as_u64() > Some(0));
    let integrity = server.get(INTEGRITY).json();
    assert_eq!(integrity["findings"][0]["rule"], "integrity/unreadable", "{integrity:#}");
    assert_eq!(integrity["signing"], true);
    std::fs::remove_dir(&bundle).unwrap();
    std::fs::rename(bundle.with_extension("away"), &bundle).unwrap();
    until_verified(&server);
}

#[test]
fn an_older_checkpoint_put_in_place_of_the_newest_is_a_rollback() {
    let server = Server::start_with(config());
    record(&server, 5);
    until_verified(&server);
    let checkpoint = log_file(&server.folder, "checkpoint");
    let older = std::fs::read(&checkpoint).unwrap();
    record(&server, 5);
    until_verified(&server);
    // nothing is asked meanwhile: each question would be recorded, and the log would find out by itself
    let newest = std::fs::read(&checkpoint).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert_ne!(older, newest);
    std::fs::write(&checkpoint, older).unwrap();
    let marker = server.folder.path().join("data/guard/main/stopped");
    until("the marker", || marker.exists());
    assert!(std::fs::read_to_string(marker).unwrap().contains("integrity/rollback"));
}

#[test]
fn a_folder_rolled_back_with_all_its_state_signs_nothing_from_the_start() {
    let server = Server::start_with(config());
    record(&server, 400);
    until_verified(&server);
    let folder = server.stop();
    let (data, copied) = (folder.path().join("data"), folder.path().join("copy"));
    copy(&data, &copied);
    let server = Server::start_in(folder, config());
    record(&server, 300);
    until_verified(&server);
    let folder = server.stop();
    // all but what the guard keeps
    std::fs::rename(data.join("guard"), copied.join("guard-of-later")).unwrap();
    std::fs::remove_dir_all(copied.join("guard")).unwrap();
    std::fs::rename(copied.join("guard-of-later"), copied.join("guard")).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&copied, &data).unwrap();
    let before = std::fs::read(data.join("logs/main/checkpoint")).unwrap();

    let server = Server::start_in(folder, config());
    record(&server, 500);
    let integrity = until_stopped(&server);
    assert_eq!(integrity["stopped"]["rule"], "integrity/rollback", "{integrity:#}");
    assert!(server.get("/v1/events?q=operation:log.signing.stop").text().contains("integrity/rollback"));
    // no second history was signed
    let folder = server.stop();
    assert_eq!(std::fs::read(log_file(&folder, "checkpoint")).unwrap(), before);
    // a person may say that the older one stands
    lift(&data, "main", "put back from the backup of Monday", true, RecordedTime(0)).unwrap();
    let server = Server::start_in(folder, config());
    until_verified(&server);
    assert_eq!(server.get(INTEGRITY).json()["signing"], true);
}

#[test]
fn a_history_rewritten_and_signed_with_the_logs_own_key_is_caught() {
    let server = Server::start_with(config());
    record(&server, 700);
    until_verified(&server);
    let folder = server.stop();
    rewrite(&folder.path().join("data"), 300);
    let server = Server::start_in(folder, config());
    let integrity = until_stopped(&server);
    assert_eq!(integrity["stopped"]["rule"], "integrity/rollback", "{integrity:#}");
    assert!(integrity["findings"][0]["reason"].as_str().unwrap().contains("rewritten"), "{integrity:#}");
}

/// What a thief of the key would do: one entry altered, everything above it computed and signed anew, the store's own memory too.
fn rewrite(data: &Path, index: usize) {
    let log = data.join("logs/main");
    let key = std::fs::read_to_string(data.join("keys/main.key")).unwrap();
    let key = SigningKey::parse(key.trim_end()).unwrap();
    let old = Checkpoint::open(std::fs::read(log.join("checkpoint")).unwrap(), &key.verifier()).unwrap();
    let mut entries: Vec<Vec<u8>> = Vec::new();
    for index in 0..old.size.0.div_ceil(256) {
        let bytes = std::fs::read(log.join(BundleId::at(index, old.size).unwrap().path())).unwrap();
        entries.extend(bundle::entries(&bytes).map(|entry| entry.unwrap().to_vec()));
    }
    let entry = String::from_utf8(entries[index].clone()).unwrap();
    entries[index] = entry.replace("\"id\":\"user-", "\"id\":\"loser-").into_bytes();
    assert_ne!(entries[index], entry.into_bytes());
    let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let mut edge = Edge::empty();
    let mut tiles = Vec::new();
    edge.append(&leaves, &mut |id, hashes| tiles.push((id, hashes.to_vec())));
    tiles.extend(edge.partial_tiles());
    for (id, hashes) in tiles {
        std::fs::write(log.join(id.path()), encode_hashes(&hashes)).unwrap();
    }
    for (place, entries) in (0..).zip(entries.chunks(256)) {
        let mut bytes = Vec::new();
        for entry in entries {
            bundle::append_entry(&mut bytes, entry).unwrap();
        }
        std::fs::write(log.join(BundleId::at(place, old.size).unwrap().path()), bytes).unwrap();
    }
    let origin = Origin::new(old.origin.as_str()).unwrap();
    let note = sign(&Checkpoint { origin, size: old.size, root: edge.root() }.to_text(), &key).unwrap();
    std::fs::write(log.join("checkpoint"), &note).unwrap();
    std::fs::write(data.join("journal/main/signed-checkpoint"), &note).unwrap();
}

#[test]
fn what_is_whole_is_never_doubted_over_growth_starts_and_partial_tiles() {
    let mut folder = tempfile::tempdir().unwrap();
    for events in [1, 254, 300, 3, 1_200] {
        let server = Server::start_in(folder, config());
        for _ in 0..4 {
            record(&server, events);
        }
        until_verified(&server);
        let completed = || server.get(INTEGRITY).json()["sweep"]["completed"].clone();
        until("a pass", || completed().is_string());
        let integrity = server.get(INTEGRITY).json();
        assert_eq!((integrity["findings_total"].as_u64(), &integrity["signing"]), (Some(0), &Value::from(true)));
        assert!(integrity["kept"]["count"].as_u64() > Some(0), "{integrity:#}");
        folder = server.stop();
    }
    // switched off it says so
    let mut off = Config::default();
    off.guard.enabled = false;
    let server = Server::start_in(folder, off);
    let integrity = server.get(INTEGRITY).json();
    assert_eq!((&integrity["guarded"], &integrity["signing"]), (&Value::from(false), &Value::from(true)));
}
