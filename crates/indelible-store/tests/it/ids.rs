//! An id is recorded once: across restarts, in runs, after merging, while the window lasts, and when the index is gone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_event::doors::{EntryIndex, RecordError};
use indelible_store::commit::Committed;
use indelible_store::disk::Disk;
use indelible_store::ids::IdSettings;
use indelible_store::journal::JournalSettings;
use indelible_store::name::LogName;
use indelible_store::{LogSettings, OpenError, OpenedParts, open_parts};
use indelible_testkit::env::{SeededRandomness, SimClock};
use indelible_testkit::events::{TestEvent, batch};
use indelible_testkit::sim_disk::SimDisk;
use indelible_tlog::checkpoint::Origin;

const ROOT: &str = "/data";
const IDS: &str = "/data/journal/main/ids";

fn settings() -> LogSettings {
    let mut settings = LogSettings::new(LogName::new("main").unwrap(), Origin::new("test.example/main").unwrap());
    settings.journal = JournalSettings { segment_bytes: 4096, reserve_bytes: 0 };
    settings.ids = IdSettings { window: 100, run_ids: 10 };
    settings
}

fn try_open(disk: &SimDisk, settings: &LogSettings) -> Result<OpenedParts, OpenError> {
    disk.restart();
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    open_parts(&disk, Path::new(ROOT), settings, Arc::new(SimClock::default()), &SeededRandomness::new(1))
}

fn open(disk: &SimDisk) -> OpenedParts {
    try_open(disk, &settings()).unwrap()
}

fn record(parts: &mut OpenedParts, numbers: std::ops::Range<u64>, text: &str) -> Result<Committed, RecordError> {
    let events: Vec<TestEvent> = numbers.map(|number| TestEvent::new(number, text)).collect();
    parts.committer.commit(vec![batch(&events)]).remove(0)
}

/// Seals, moves ids into runs and trims, as the sealing thread does.
fn settle(parts: &mut OpenedParts) {
    if let Some(sealed) = parts.sealer.seal().unwrap() {
        *parts.published.write().unwrap() = Some(sealed.checkpoint);
    }
    parts.id_runs.flush(&parts.journal, parts.ids_begin).unwrap();
    let done = parts.sealer.size().min(parts.id_runs.end().unwrap_or(parts.ids_begin));
    parts.committer.trim(done).unwrap();
}

/// Asks for every event again: each stands where it was, and one that changed is a conflict.
fn assert_known(parts: &mut OpenedParts, numbers: std::ops::Range<u64>) {
    let size = parts.committer.size();
    let expected: Vec<EntryIndex> = numbers.clone().map(EntryIndex).collect();
    let again = record(parts, numbers.clone(), "a").unwrap();
    assert_eq!((again.count, again.indexes), (0, Some(expected)));
    let Err(RecordError::Conflict(conflicts)) = record(parts, numbers.clone(), "b") else {
        panic!("a change was taken")
    };
    let places: Vec<_> = conflicts.iter().map(|conflict| (conflict.position as u64, conflict.index)).collect();
    let expected: Vec<_> = numbers.clone().zip(numbers).map(|(n, index)| (n - index + n, index)).collect();
    assert_eq!(places.len(), expected.len());
    assert!(places.iter().zip(&expected).all(|((_, found), (_, index))| *found == Some(EntryIndex(*index))));
    assert!(places.is_sorted());
    assert_eq!(parts.committer.size(), size);
}

fn runs(disk: &SimDisk) -> Vec<PathBuf> {
    disk.files(Path::new(IDS)).into_iter().map(|(path, _)| path).collect()
}

#[test]
fn an_id_is_known_after_a_restart_in_runs_and_after_they_are_merged() {
    let disk = SimDisk::new();
    let mut parts = open(&disk);
    for n in 0..9 {
        record(&mut parts, n * 10..n * 10 + 10, "a").unwrap();
        assert_known(&mut parts, 0..n * 10 + 10);
        parts = open(&disk);
        assert_known(&mut parts, 0..n * 10 + 10);
        if n % 2 == 0 {
            settle(&mut parts);
            assert_known(&mut parts, 0..n * 10 + 10);
        }
    }
    // eight small runs became one
    assert_eq!(
        runs(&disk),
        ["00000000000000000000-00000000000000000080.ids", "00000000000000000080-00000000000000000090.ids"]
            .map(|name| Path::new(IDS).join(name))
    );
    parts = open(&disk);
    assert_known(&mut parts, 0..90);
}

#[test]
fn ids_out_of_the_window_are_forgotten_and_no_others() {
    let disk = SimDisk::new();
    let mut parts = open(&disk);
    for n in 0..40 {
        record(&mut parts, n * 10..n * 10 + 10, "a").unwrap();
        settle(&mut parts);
    }
    for _ in 0..2 {
        assert_known(&mut parts, 300..400);
        parts = open(&disk);
    }
    // of the older ones, those go whose whole run is out of the window
    assert_eq!(record(&mut parts, 0..1, "a").unwrap().count, 1);
    let most = runs(&disk).len();
    assert!(most <= 20, "{most} runs for a window of ten");
}

#[test]
fn a_window_smaller_than_a_run_still_lets_the_journal_go() {
    let disk = SimDisk::new();
    let mut settings = settings();
    settings.ids = IdSettings { window: 3, run_ids: 10 };
    let mut parts = try_open(&disk, &settings).unwrap();
    for n in 0..40 {
        record(&mut parts, n * 10..n * 10 + 10, "a").unwrap();
        settle(&mut parts);
    }
    assert!(parts.journal.bounds().0 > 300);
    parts = try_open(&disk, &settings).unwrap();
    assert_known(&mut parts, 397..400);
}

#[test]
fn a_removed_or_incomplete_id_index_is_rebuilt_from_the_log() {
    let whole = SimDisk::new();
    let mut parts = open(&whole);
    for n in 0..25 {
        record(&mut parts, n * 10..n * 10 + 10, "a").unwrap();
        settle(&mut parts);
    }
    record(&mut parts, 250..257, "a").unwrap();
    let all = runs(&whole);
    assert!(all.len() >= 3, "{all:?}");
    assert!(parts.journal.bounds().0 > 200, "{:?}", parts.journal.bounds());
    // every one alone, and all together with their folder
    for lost in all.chunks(1).chain([&all[..]]) {
        let disk = whole.copy();
        for path in lost {
            disk.remove(path).unwrap();
        }
        disk.remove_folder(Path::new(IDS)).unwrap();
        let mut parts = open(&disk);
        assert_known(&mut parts, 157..257);
        settle(&mut parts);
        parts = open(&disk);
        assert_known(&mut parts, 157..257);
    }
}

#[test]
fn a_journal_put_back_behind_its_ids_or_its_checkpoint_is_refused() {
    let disk = SimDisk::new();
    let mut parts = open(&disk);
    record(&mut parts, 0..5, "a").unwrap();
    let older = disk.copy();
    record(&mut parts, 5..30, "a").unwrap();
    parts.id_runs.flush(&parts.journal, parts.ids_begin).unwrap();
    for (path, _) in disk.files(Path::new("/data/journal/main")) {
        if path.extension().is_some_and(|extension| extension == "journal") {
            let content = older.peek(&path).unwrap_or_default();
            disk.damage(&path, |bytes| *bytes = content);
        }
    }
    let refused = try_open(&disk, &settings()).unwrap_err();
    assert!(matches!(refused, OpenError::JournalBehind { journal: 5, signed: 30, .. }), "{refused}");
}
