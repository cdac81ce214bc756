//! A log on the real disk: record, seal, stop, start again.

use std::sync::Arc;

use indelible_event::batch::EventBatch;
use indelible_event::doors::{EntryIndex, EntryReader, RecordError, Recorder};
use indelible_event::id::EventId;
use indelible_store::name::LogName;
use indelible_store::{DataFolder, Log, LogSettings};
use indelible_tlog::checkpoint::{Checkpoint, Origin};
use indelible_tlog::hash::leaf_hash;
use indelible_tlog::note::VerifierKey;
use indelible_tlog::proof_file::TlogProof;
use indelible_tlog::receipt::Receipt;

fn settings() -> LogSettings {
    LogSettings::new(LogName::new("main").unwrap(), Origin::new("test.example/main").unwrap())
}

fn event(n: u64, text: &str) -> (EventId, String) {
    let id = EventId::version_7(n, [7; 10]);
    (id, format!("{{\"attributes\":\"{text}\",\"id\":\"{id}\",\"recorded\":\"2026-01-01T00:00:00.000000000Z\"}}"))
}

fn batch(events: &[(EventId, String)]) -> EventBatch {
    let mut batch = EventBatch::new();
    for (id, text) in events {
        batch
            .push(*id, |bytes| {
                let start = bytes.len();
                bytes.extend_from_slice(text.as_bytes());
                start + text.find("2026-01-01").unwrap()
            })
            .unwrap();
    }
    batch
}

fn entry(log: &Log, index: u64) -> String {
    let entries = log.read(EntryIndex(index), 1, 0).unwrap();
    String::from_utf8(entries.iter().next().unwrap().1.to_vec()).unwrap()
}

async fn until_published(log: &Log, size: u64) {
    let mut watch = log.watch();
    watch.wait_for(|state| state.published_size >= size || state.stopped.is_some()).await.unwrap();
    assert_eq!(log.state().stopped, None);
}

#[tokio::test]
async fn acknowledged_events_are_read_proven_and_found_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut receipts = Vec::new();
    {
        let data = DataFolder::open(folder.path()).unwrap();
        let log = Log::open(&data, &settings()).unwrap();
        for n in 0..40u64 {
            let events: Vec<_> = (0..n).map(|m| event(n * 100 + m, "first")).collect();
            let recorded = log.record(batch(&events)).await.unwrap();
            assert_eq!(recorded.count, n);
            receipts.push(recorded.receipt);
        }
        until_published(&log, 780).await;
        log.close();
    }
    let data = DataFolder::open(folder.path()).unwrap();
    let log = Log::open(&data, &settings()).unwrap();
    assert_eq!(log.size(), 780);
    let key = VerifierKey::parse(&log.vkey()).unwrap();
    let checkpoint = Checkpoint::open(log.checkpoint().unwrap().as_bytes(), &key).unwrap();
    assert_eq!(checkpoint.size.0, 780);
    for index in [0, 1, 255, 256, 511, 512, 779] {
        let text = entry(&log, index);
        let proof = TlogProof::parse(&log.proof(EntryIndex(index)).unwrap().unwrap()).unwrap();
        proof.verify(&leaf_hash(text.as_bytes()), &key).unwrap();
    }
    let last = Receipt::open(receipts.last().unwrap().as_bytes(), &key).unwrap();
    assert_eq!((last.first_index.0, last.count), (741, 39));
}

#[tokio::test]
async fn an_idle_log_confirms_its_checkpoint_and_stops_when_it_is_not_its_own_any_more() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(folder.path()).unwrap();
    let mut idle = settings();
    idle.checkpoint_interval = std::time::Duration::from_millis(5);
    idle.idle_checkpoint_interval = std::time::Duration::from_millis(20);
    let log = Log::open(&data, &idle).unwrap();
    log.record(batch(&[event(1, "a")])).await.unwrap();
    until_published(&log, 1).await;
    let path = folder.path().join("logs/main/checkpoint");
    let (note, signed) = (std::fs::read(&path).unwrap(), log.state().confirmed.unwrap());
    let file = std::fs::metadata(&path).unwrap();
    let mut watch = log.watch();
    watch.wait_for(|state| state.confirmed > Some(signed)).await.unwrap();
    let renewed = std::fs::metadata(&path).unwrap();
    assert_ne!((file.ino(), file.mtime_nsec()), (renewed.ino(), renewed.mtime_nsec()), "it was written anew");
    assert_eq!(std::fs::read(&path).unwrap(), note);

    std::fs::write(&path, "another history").unwrap();
    let reason = watch.wait_for(|state| state.stopped.is_some()).await.unwrap().stopped.clone().unwrap();
    assert!(reason.contains("not the one this server published last"), "{reason}");
}

#[tokio::test]
async fn an_id_is_recorded_once_whatever_the_order_of_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(folder.path()).unwrap();
    let log = Log::open(&data, &settings()).unwrap();
    let first = log.record(batch(&[event(1, "a"), event(2, "b"), event(1, "a")])).await.unwrap();
    assert_eq!((first.first_index, first.count), (EntryIndex(0), 2));
    assert_eq!(first.indexes, Some(vec![EntryIndex(0), EntryIndex(1), EntryIndex(0)]));

    let again = log.record(batch(&[event(2, "b"), event(3, "c")])).await.unwrap();
    assert_eq!(again.indexes, Some(vec![EntryIndex(1), EntryIndex(2)]));
    assert_eq!((again.first_index, again.count), (EntryIndex(2), 1));

    let Err(RecordError::Conflict(conflicts)) = log.record(batch(&[event(4, "d"), event(2, "changed")])).await else {
        panic!("a changed event was taken")
    };
    assert_eq!((conflicts[0].position, conflicts[0].index), (1, Some(EntryIndex(1))));
    assert_eq!(log.size(), 3);

    let same: Vec<_> = (0..50).map(|_| log.record(batch(&[event(9, "z")]))).collect();
    for recorded in futures::future::join_all(same).await {
        assert_eq!(recorded.unwrap().first_index, EntryIndex(3));
    }
    assert_eq!(log.size(), 4);
}

#[tokio::test]
async fn every_partial_tile_of_a_published_size_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(folder.path()).unwrap();
    let log = Log::open(&data, &settings()).unwrap();
    for n in 0..300u64 {
        log.record(batch(&[event(n, "x")])).await.unwrap();
        if n % 100 == 0 {
            until_published(&log, n + 1).await;
        }
    }
    until_published(&log, 300).await;
    for width in [1, 101, 201, 255] {
        assert_eq!(log.resource(&format!("tile/0/000.p/{width}")).unwrap().unwrap().len(), width * 32);
        assert!(log.resource(&format!("tile/entries/000.p/{width}")).unwrap().is_some());
    }
    assert_eq!(log.resource("tile/0/000").unwrap().unwrap().len(), 8192);
    assert!(log.resource("tile/0/001.p/44").unwrap().is_some());
    assert!(log.resource("tile/0/001.p/45").unwrap().is_none());
    assert!(log.resource("tile/1/000.p/1").unwrap().is_some());
    assert!(log.resource("../../keys/main.key").unwrap().is_none());
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _data = DataFolder::open(folder.path()).unwrap();
    assert!(DataFolder::open(folder.path()).unwrap_err().to_string().contains("in use by another process"));
}

#[tokio::test]
async fn a_log_without_its_memory_or_journal_is_not_silently_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    {
        let data = DataFolder::open(folder.path()).unwrap();
        let log = Log::open(&data, &settings()).unwrap();
        log.record(batch(&[event(1, "a")])).await.unwrap();
        until_published(&log, 1).await;
    }
    let data = DataFolder::open(folder.path()).unwrap();
    for part in ["journal/main/signed-checkpoint", "journal/main/00000000000000000000.journal", "keys/main.key"] {
        let (path, aside) = (folder.path().join(part), folder.path().join("aside"));
        std::fs::rename(&path, &aside).unwrap();
        assert!(Log::open(&data, &settings()).is_err(), "{part}");
        std::fs::rename(&aside, &path).unwrap();
    }
    let log: Arc<Log> = Log::open(&data, &settings()).unwrap();
    assert_eq!(log.size(), 1);
}

#[tokio::test]
async fn once_signing_is_stopped_events_are_kept_and_nothing_is_published_until_a_start_allows_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(folder.path()).unwrap();
    let log = Log::open(&data, &settings()).unwrap();
    log.record(batch(&[event(1, "before")])).await.unwrap();
    until_published(&log, 1).await;
    let checkpoint = log.checkpoint();
    log.stop_signing("a tile is not what it was".to_owned());
    log.stop_signing("another reason".to_owned());
    log.record(batch(&[event(2, "after")])).await.unwrap();
    log.close();
    assert_eq!((log.checkpoint(), log.state().published_size, log.state().stopped), (checkpoint.clone(), 1, None));
    drop(log);
    // a start that is told so does not sign either
    let log = Log::open_judged(&data, &settings(), |_| Some("nobody looked yet".to_owned())).unwrap();
    log.record(batch(&[event(3, "later")])).await.unwrap();
    assert_eq!(entry(&log, 1), event(2, "after").1.replace("2026-01-01T00:00:00.000000000Z", &recorded(&log, 1)));
    log.close();
    assert_eq!(log.checkpoint(), checkpoint);
    drop(log);
    // and one that is not covers all of it
    let log = Log::open(&data, &settings()).unwrap();
    until_published(&log, 3).await;
    assert_ne!(log.checkpoint(), checkpoint);
}

/// The time that an entry was recorded.
fn recorded(log: &Log, index: u64) -> String {
    let text = entry(log, index);
    let (_, rest) = text.split_once("\"recorded\":\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}
