//! Sealing from outside: what stays of partial tiles, and what a log with long entries costs.

use std::path::Path;
use std::sync::Arc;

use indelible_event::doors::{EntryIndex, EntryReader};
use indelible_store::disk::Disk;
use indelible_store::journal::JournalSettings;
use indelible_store::name::LogName;
use indelible_store::{LogSettings, OpenedParts, open_parts};
use indelible_testkit::env::{SeededRandomness, SimClock};
use indelible_testkit::events::{TestEvent, batch};
use indelible_testkit::sim_disk::SimDisk;
use indelible_tlog::checkpoint::Origin;

fn open(disk: &SimDisk) -> OpenedParts {
    let mut settings = LogSettings::new(LogName::new("main").unwrap(), Origin::new("test.example/main").unwrap());
    settings.journal = JournalSettings { segment_bytes: 128 * 1024, reserve_bytes: 0 };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    open_parts(&disk, Path::new("/data"), &settings, Arc::new(SimClock::default()), &SeededRandomness::new(1)).unwrap()
}

/// Records one event of so many bytes and seals it.
fn round(parts: &mut OpenedParts, number: u64, bytes: usize) {
    parts.committer.commit(vec![batch([&TestEvent::sized(number, bytes)])]).remove(0).unwrap();
    let sealed = parts.sealer.seal().unwrap().unwrap();
    *parts.published.write().unwrap() = Some(sealed.checkpoint);
}

fn partials(disk: &SimDisk, of: &str) -> usize {
    disk.files(&Path::new("/data/logs/main/tile").join(of)).len()
}

#[test]
fn partial_versions_stay_until_the_full_one_is_published_and_go_then() {
    let disk = SimDisk::new();
    let mut parts = open(&disk);
    for n in 0..255 {
        round(&mut parts, n, 150);
        if n == 100 {
            parts = open(&disk);
        }
    }
    assert_eq!((partials(&disk, "0/000.p"), partials(&disk, "entries/000.p")), (255, 255));
    round(&mut parts, 255, 150);
    assert_eq!((partials(&disk, "0/000.p"), partials(&disk, "entries/000.p")), (0, 0));
    assert_eq!((partials(&disk, "1/000.p"), partials(&disk, "entries")), (1, 1));
}

#[test]
fn versions_of_a_bundle_of_long_entries_are_bounded() {
    let disk = SimDisk::new();
    let mut parts = open(&disk);
    for n in 0..60 {
        round(&mut parts, n, 60_000);
        assert!(parts.reader.read(EntryIndex(n), 1, 0).is_ok());
    }
    let bytes: usize = disk.files(Path::new("/data/logs/main/tile/entries")).iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes <= 32 * 1024 * 1024, "{bytes} bytes of versions");
    assert_eq!(partials(&disk, "0/000.p"), 60);
}
