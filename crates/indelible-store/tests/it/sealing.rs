//! Sealing from outside: what stays of partial tiles, and what a log with long entries costs.

use std::path::Path;
use std::sync::Arc;

use indelible_event::doors::{EntryIndex, EntryReader, ReadError};
use indelible_store::disk::Disk;
use indelible_store::journal::JournalSettings;
use indelible_store::log::{LogError, load};
use indelible_store::name::LogName;
use indelible_store::read::BundleReader;
use indelible_store::storage::{FolderStorage, LogStorage, Object, StorageError};
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

/// Storage in which one bit of one object goes wrong on its way to the disk.
#[derive(Debug)]
struct Corrupting {
    inner: FolderStorage,
    /// Which object of a round, and which bit of it; `None` for none.
    at: Option<(usize, usize)>,
}

impl LogStorage for Corrupting {
    fn put(&self, objects: &[Object]) -> Result<(), StorageError> {
        let mut objects = objects.to_vec();
        if let Some((object, bit)) = self.at {
            let (_, bytes) = &mut objects[object];
            let at = bit % (bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
        }
        self.inner.put(&objects)
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.inner.sync()
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.inner.get(path)
    }

    fn swap_checkpoint(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<(), StorageError> {
        self.inner.swap_checkpoint(expected, new)
    }

    fn renew_checkpoint(&self, standing: &[u8]) -> Result<(), StorageError> {
        self.inner.renew_checkpoint(standing)
    }

    fn remove(&self, paths: &[String]) -> Result<(), StorageError> {
        self.inner.remove(paths)
    }

    fn remove_partials(&self, full: &[String]) -> Result<(), StorageError> {
        self.inner.remove_partials(full)
    }
}

#[test]
fn one_bit_gone_wrong_in_any_stored_object_keeps_the_checkpoint_from_being_signed() {
    let disk = SimDisk::new();
    let mut parts = open(&disk);
    round(&mut parts, 0, 150);
    let events: Vec<TestEvent> = (1..600).map(|number| TestEvent::new(number, "a")).collect();
    parts.committer.commit(vec![batch(&events)]).remove(0).unwrap();
    let memory = Path::new("/data/journal/main/signed-checkpoint");
    let seal = |at| {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let inner = FolderStorage::open(Arc::clone(&disk), "/data/logs/main".into()).unwrap();
        let storage = Arc::new(Corrupting { inner, at });
        let loaded = load(disk, storage, Arc::clone(&parts.key), memory).unwrap();
        loaded.into_sealer(parts.journal.clone()).seal()
    };
    let before = (disk.peek(memory), disk.peek(Path::new("/data/logs/main/checkpoint")));
    // three bundles, three tiles of level 0, one of level 1
    for object in 0..7 {
        for bit in [0, 9, 77, 2048, 4001] {
            let refused = seal(Some((object, bit)));
            assert!(matches!(refused, Err(LogError::Diverged { .. })), "object {object} bit {bit}: {refused:?}");
        }
    }
    assert_eq!(before, (disk.peek(memory), disk.peek(Path::new("/data/logs/main/checkpoint"))));
    assert_eq!(seal(None).unwrap().unwrap().checkpoint.size, 600);
}

#[test]
fn a_bit_flipped_in_a_stored_bundle_or_tile_is_told_and_never_read_as_an_entry() {
    let disk = SimDisk::new();
    let mut parts = open(&disk);
    let events: Vec<TestEvent> = (0..300).map(|number| TestEvent::new(number, "a")).collect();
    parts.committer.commit(vec![batch(&events)]).remove(0).unwrap();
    let sealed = parts.sealer.seal().unwrap().unwrap();
    *parts.published.write().unwrap() = Some(sealed.checkpoint);
    let reader = BundleReader::new(Arc::clone(&parts.storage), Arc::clone(&parts.published));
    let good = reader.read(EntryIndex(0), 300, usize::MAX).unwrap();
    assert_eq!(good.len(), 300);
    for path in ["tile/entries/000", "tile/0/000", "tile/entries/001.p/44", "tile/0/001.p/44"] {
        let path = Path::new("/data/logs/main").join(path);
        let bits = disk.peek(&path).unwrap().len() * 8;
        for bit in (0..bits).step_by(bits / 97) {
            let mut whole = Vec::new();
            disk.damage(&path, |bytes| {
                whole.clone_from(bytes);
                bytes[bit / 8] ^= 1 << (bit % 8);
            });
            let read = reader.read(EntryIndex(0), 300, usize::MAX);
            assert!(matches!(read, Err(ReadError::Damaged { .. })), "{} bit {bit}", path.display());
            disk.damage(&path, |bytes| *bytes = whole);
        }
    }
    assert_eq!(reader.read(EntryIndex(0), 300, usize::MAX).unwrap(), good);
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
