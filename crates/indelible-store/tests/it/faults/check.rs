//! The six invariants that hold after every recovery, whatever the fault was.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use indelible_event::batch::same_content;
use indelible_event::doors::{EntryIndex, EntryReader};
use indelible_store::OpenedParts;
use indelible_testkit::check_log::check_log;
use indelible_testkit::events::{TestEvent, id_of};
use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::note::VerifierKey;

use super::workload::{Driver, ROOT};

/// Checks a log that was just opened again, after everything was acknowledged and sealed.
pub(super) fn check(driver: &Driver<'_>, seed: u64) -> Result<(), String> {
    let parts = driver.parts.as_ref().ok_or("the log is not open")?;
    let entries = read_all(parts)?;
    acknowledged_entries_are_there(driver, &entries)?;
    nothing_is_there_twice_or_invented(driver, &entries)?;
    let fetch = |path: &str| driver.disk.peek(&Path::new(ROOT).join("logs/main").join(path));
    let key = parts.key.verifier();

    // I4: the log is whole, by its published bytes alone
    let log = check_log(&fetch, key).map_err(|error| format!("I4: {error}"))?;
    if log.entries != entries {
        return Err(format!("I4: {} entries are published, {} are read", log.entries.len(), entries.len()));
    }

    // I2: whatever was ever signed is a prefix of it
    let signed = signed_checkpoints(driver, key)?;
    log.check_prefixes(&signed).map_err(|error| format!("I2: {error}"))?;

    // I3: what those checkpoints name is still there, unchanged
    if seed.is_multiple_of(4) {
        for checkpoint in &signed {
            log.check_partial_tiles(&fetch, checkpoint.size).map_err(|error| format!("I3: {error}"))?;
        }
    }
    Ok(())
}

fn read_all(parts: &OpenedParts) -> Result<Vec<Vec<u8>>, String> {
    let size = parts.reader.size();
    let mut entries: Vec<Vec<u8>> = Vec::new();
    while (entries.len() as u64) < size {
        let read =
            parts.reader.read(EntryIndex(entries.len() as u64), 1000, 1 << 20).map_err(|error| error.to_string())?;
        if read.is_empty() {
            return Err(format!("nothing is read at entry {}", entries.len()));
        }
        entries.extend(read.iter().map(|(_, entry)| entry.to_vec()));
    }
    Ok(entries)
}

/// I1: every acknowledged event stands at the index that was given, with the bytes that were recorded then.
fn acknowledged_entries_are_there(driver: &Driver<'_>, entries: &[Vec<u8>]) -> Result<(), String> {
    for ack in &driver.acks {
        for (event, index) in driver.workload.batches[ack.batch].iter().zip(&ack.indexes) {
            let stored = usize::try_from(*index).ok().and_then(|index| entries.get(index));
            let same = stored.is_some_and(|stored| match ack.added.contains(index) {
                true => *stored == event.recorded(ack.recorded),
                false => same_event(event, stored),
            });
            if !same {
                let found = stored.map(|stored| String::from_utf8_lossy(stored).into_owned());
                return Err(format!("I1: entry {index} of batch {} was acknowledged, found: {found:?}", ack.batch));
            }
        }
    }
    Ok(())
}

fn same_event(event: &TestEvent, stored: &[u8]) -> bool {
    let Some(slot) = event.entry.find("\"recorded\":\"") else { return false };
    same_content(event.entry.as_bytes(), slot + "\"recorded\":\"".len(), stored)
}

/// I5 and I6: every event of the workload is there once and no other; time does not go back.
fn nothing_is_there_twice_or_invented(driver: &Driver<'_>, entries: &[Vec<u8>]) -> Result<(), String> {
    let ids: BTreeSet<_> = entries.iter().map(|entry| id_of(entry)).collect();
    let wanted: BTreeSet<_> = driver.workload.batches.iter().flatten().map(|event| Some(event.id)).collect();
    if ids.len() != entries.len() {
        return Err(format!("I5: {} entries have {} ids", entries.len(), ids.len()));
    }
    if ids != wanted {
        return Err(format!("I6: {} events are there, {} were sent", ids.len(), wanted.len()));
    }
    let recorded = |entry: &[u8]| entry[entry.len() - 32..].to_vec();
    if entries.windows(2).any(|pair| recorded(&pair[0]) > recorded(&pair[1])) {
        return Err("the time of recording goes back".to_owned());
    }
    Ok(())
}

/// Every checkpoint that was signed, by its text: that the signature is ours is checked on what is published. One that another
/// key signed must be the empty one of a log that was never finished.
fn signed_checkpoints(driver: &Driver<'_>, key: &VerifierKey) -> Result<Vec<Checkpoint>, String> {
    let mut notes = driver.disk.notes();
    notes.sort();
    notes.dedup();
    let parse = |note: &Arc<[u8]>| {
        let note = String::from_utf8_lossy(note);
        let (text, signatures) = note.split_once("\n\n").ok_or("a note without signature")?;
        if !signatures.contains(key.name().as_str()) {
            return Err(format!("I2: a note of another log was signed: {note}"));
        }
        Checkpoint::parse(&format!("{text}\n")).map_err(|error| format!("I2: {error}"))
    };
    notes.iter().map(parse).collect()
}
