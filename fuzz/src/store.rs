//! The readers of `indelible-store`: journal segments, id runs and sealed content, raw bytes and damaged real ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_event::env::{Randomness, RandomnessError};
use indelible_event::id::EventId;
use indelible_event::vault::{Commitment, ContentAbout, Keep, Vault as _};
use indelible_store::disk::Disk;
use indelible_store::ids::{IdRuns, IdSettings, Ids};
use indelible_store::journal::{Journal, JournalReader, JournalSettings};
use indelible_store::sealed::{Erase, MasterKeys, SealedSettings, SealedStore, slot_reads_back};
use indelible_tlog::hash::leaf_hash;

use crate::memory_disk::MemoryDisk;

const FOLDER: &str = "journal";
/// Small, so that segments change often; the reserve is not what is looked at.
const SETTINGS: JournalSettings = JournalSettings { segment_bytes: 16 * 1024, reserve_bytes: 0 };

fn segment(first_index: u64) -> PathBuf {
    Path::new(FOLDER).join(format!("{first_index:020}.journal"))
}

fn open(disk: &Arc<dyn Disk>) -> Option<Journal> {
    Journal::open(Arc::clone(disk), PathBuf::from(FOLDER), SETTINGS, 0, 0).ok().map(|(journal, _)| journal)
}

fn entries(reader: &JournalReader) -> Vec<Vec<u8>> {
    let (first, next) = reader.bounds();
    let mut found = Vec::new();
    if next > first {
        let read = reader.read(first, next, |entry| {
            found.push(entry.entry.to_vec());
            true
        });
        if read.is_err() {
            return found;
        }
    }
    found
}

fn record(journal: &mut Journal, group: &[&[u8]]) {
    journal.begin();
    for entry in group {
        assert!(journal.frame(&[7; 16], &leaf_hash(entry), entry));
    }
    journal.commit(1).expect("a memory disk takes every record");
}

/// A journal of any bytes opens or is refused; one that opened takes and gives back records. A real journal that was changed
/// never gives an entry that was not recorded there.
pub fn journal_recover(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    if mode % 2 == 0 { journal_of_any_bytes(rest) } else { journal_changed(rest) }
}

fn journal_of_any_bytes(data: &[u8]) {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    disk.write(&segment(0), data).expect("memory");
    let Some(mut journal) = open(&disk) else { return };
    let before = journal.next_index();
    let found = entries(&journal.reader());
    record(&mut journal, &[b"one more"]);
    assert_eq!(journal.next_index(), before + 1);
    let again = open(&disk).expect("a journal that was mended and written opens");
    let after = entries(&again.reader());
    assert_eq!(after.len(), found.len() + 1);
    assert_eq!(after.last().map(Vec::as_slice), Some(b"one more".as_slice()));
}

/// The bytes tell how many groups of which sizes are recorded, and then what happens to the file.
fn journal_changed(data: &[u8]) {
    let mut bytes = data.iter().copied();
    let mut next = || bytes.next().unwrap_or(0);
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let mut journal = open(&disk).expect("an empty folder is an empty journal");
    let mut recorded: Vec<Vec<u8>> = Vec::new();
    for _ in 0..next() % 8 {
        let group: Vec<Vec<u8>> = (0..next() % 4 + 1).map(|_| vec![next() | 1; usize::from(next()) * 9]).collect();
        record(&mut journal, &group.iter().map(Vec::as_slice).collect::<Vec<_>>());
        recorded.extend(group);
    }
    drop(journal);
    let names = disk.list(Path::new(FOLDER)).expect("memory");
    for _ in 0..next() % 4 + 1 {
        let Some(name) = names.get(usize::from(next()) % names.len().max(1)) else { return };
        let path = Path::new(FOLDER).join(name);
        let mut content = disk.read(&path).expect("memory");
        change(&mut content, [next(), next(), next(), next()]);
        disk.write(&path, &content).expect("memory");
    }
    let Some(mut journal) = open(&disk) else { return };
    let found = entries(&journal.reader());
    assert!(found.len() <= recorded.len() && found == recorded[..found.len()], "an entry was invented or moved");
    record(&mut journal, &[b"one more"]);
    let again = open(&disk).expect("a journal that was mended and written opens");
    assert_eq!(entries(&again.reader()).len(), found.len() + 1);
}

/// One change: a byte, a sector gone, a sector copied, the end cut off.
fn change(content: &mut Vec<u8>, [what, high, low, value]: [u8; 4]) {
    if content.is_empty() {
        return;
    }
    let at = (usize::from(high) << 8 | usize::from(low)) % content.len();
    let sector = at / 512 * 512;
    match what % 4 {
        0 => content[at] ^= value.max(1),
        1 => content.iter_mut().skip(sector).take(512).for_each(|byte| *byte = 0),
        2 => {
            let copy: Vec<u8> = content.iter().skip(usize::from(value) * 512).take(512).copied().collect();
            content.iter_mut().skip(sector).zip(copy).for_each(|(to, from)| *to = from);
        }
        _ => content.truncate(at),
    }
}

/// An id run of any bytes, its checksum put right half of the time, opens or is refused; looking up never panics.
pub fn id_run(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let mut bytes = rest.to_vec();
    if mode % 2 == 1 {
        mend_checksums(&mut bytes);
    }
    let folder = PathBuf::from("ids");
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let end = rest.get(16..24).and_then(|end| end.try_into().ok()).map_or(500, u64::from_le_bytes);
    disk.write(&folder.join(format!("{:020}-{end:020}.ids", 0)), &bytes).expect("memory");
    let Ok(runs) = IdRuns::open(Arc::clone(&disk), folder, IdSettings::default()) else { return };
    let Some(journal) = open(&disk) else { return };
    let Ok(ids) = Ids::load(runs, &journal.reader(), end) else { return };
    for id in rest.chunks_exact(16).take(64) {
        let _ = ids.find(id.try_into().expect("sixteen bytes"));
    }
}

/// Makes the sums fit, as a thief would: header, block starts and filter first, then each block.
fn mend_checksums(bytes: &mut [u8]) {
    let number =
        |at: usize| bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes);
    let head = 96u64.saturating_add(number(32).saturating_mul(8)).saturating_add(number(40));
    let Ok(head) = usize::try_from(head) else { return };
    let Some((body, rest)) = bytes.split_at_mut_checked(head) else { return };
    let Some((crc, blocks)) = rest.split_at_mut_checked(4) else { return };
    crc.copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
    for block in blocks.chunks_exact_mut(4096) {
        let (pairs, crc) = block.split_at_mut(4092);
        crc.copy_from_slice(&crc32c::crc32c(pairs).to_le_bytes());
    }
}

/// Small files, so that they change often.
const SEALED: SealedSettings = SealedSettings {
    reserve_bytes: 0,
    sync_together: false,
    pack_bytes: 4 * 1024,
    file_slots: 5,
    packed_bytes_max: 1024 * 1024,
};

/// Bytes that differ each time and are the same in every run.
struct Counting(std::sync::atomic::AtomicU64);

impl Randomness for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        for byte in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            byte.copy_from_slice(&number.to_le_bytes()[..byte.len()]);
        }
        Ok(())
    }
}

fn open_sealed(disk: &Arc<dyn Disk>, start: u64) -> Option<Arc<SealedStore>> {
    let masters = MasterKeys::parse(&"5a".repeat(32), "the fuzzer").expect("64 hexadecimal digits");
    let randomness = Arc::new(Counting((start << 32).into()));
    SealedStore::open(Arc::clone(disk), Path::new("data/sealed"), masters, randomness, SEALED).ok()
}

/// `None` when the vault takes it no more.
fn seal(store: &SealedStore, content: &[u8]) -> Option<Commitment> {
    let about = ContentAbout { event: EventId([1; 16]), subject: "ana".to_owned(), keep: Keep::Sealed };
    let mut writer = store.begin(about).ok()?;
    writer.write(content).ok()?;
    let sealed = writer.finish().ok()?;
    // What was handed over before the end is durable or refused after it.
    store.close();
    Some(sealed.commitment)
}

/// A slot of any bytes is read; a vault whose files were changed opens or is refused, shows only what was sealed, and goes on.
pub fn sealed(data: &[u8]) {
    let (slots, _) = data.as_chunks();
    assert!(slots.iter().all(slot_reads_back));
    let mut bytes = data.iter().copied();
    let mut next = || bytes.next().unwrap_or(0);
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let mut kept: Vec<(Commitment, Vec<u8>)> = Vec::new();
    for start in 0..u64::from(next() % 8) {
        let content = vec![next(); usize::from(next()) * 9];
        let store = open_sealed(&disk, start).expect("nothing was changed yet");
        let commitment = seal(&store, &content).expect("a memory disk takes everything");
        kept.push((commitment, content));
    }
    for _ in 0..next() % 4 {
        let folder = Path::new("data/sealed").join(if next() % 2 == 0 { "keys" } else { "packs" });
        let names = disk.list(&folder).expect("memory");
        let Some(name) = names.get(usize::from(next()) % names.len().max(1)) else { continue };
        let mut content = disk.read(&folder.join(name)).expect("memory");
        change(&mut content, [next(), next(), next(), next()]);
        disk.write(&folder.join(name), &content).expect("memory");
    }
    let Some(store) = open_sealed(&disk, 100) else { return };
    for (commitment, content) in &kept {
        let mut shown = Vec::new();
        let mut show = |piece: &[u8]| {
            shown.extend_from_slice(piece);
            true
        };
        if store.reader().read(commitment, &mut show).is_ok() {
            assert_eq!(&shown, content);
        }
    }
    store.erase(&Erase::Subject("ana".to_owned())).expect("a memory disk does not fail");
    if let Some(commitment) = seal(&store, b"one more") {
        drop(store);
        let store = open_sealed(&disk, 101).expect("a vault that went on opens");
        assert!(store.reader().check(&commitment).is_ok());
        assert!(kept.iter().all(|(commitment, _)| store.reader().check(commitment).is_err()));
    }
}
