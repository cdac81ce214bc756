//! Changing the master key: every key slot of an older one is wrapped anew, file by file.
//!
//! A file is written beside, synced, and takes the old one's place, so that a crash leaves the one or the other. Until all are
//! done a file names the keys that are needed: a start without one of them is refused. Never: touches a content.

use std::path::{Path, PathBuf};

use indelible_event::env::Randomness;

use super::master::{MasterKeys, SubjectKey, id_text};
use super::slot::{Read, SLOT_BYTES, Slot};
use super::slots::{each_slot, file_name, numbers};
use super::store::SealedOpenError;
use crate::disk::{Disk, DiskError, DiskFile, read_optional, replace_file};

/// The file that is there while the master key is being changed: the ids of all keys that are needed, four bytes each.
fn marker(keys: &Path) -> PathBuf {
    keys.join("changing")
}

/// Refuses when a change of the master key was begun and one of its keys is not given.
pub(super) fn all_needed_are_given(disk: &dyn Disk, keys: &Path, masters: &MasterKeys) -> Result<(), SealedOpenError> {
    let needed = read_optional(disk, &marker(keys))?.unwrap_or_default();
    match needed.as_chunks::<4>().0.iter().find(|id| masters.by_id(**id).is_none()) {
        None => Ok(()),
        Some(missing) => Err(SealedOpenError::OtherMaster {
            path: keys.to_owned(),
            needed: id_text(*missing),
            ours: masters.id_text(),
        }),
    }
}

/// Puts all under the master key in use: the subject key and every slot. Says how many slots were under an older one.
pub(super) fn rewrap_all(
    disk: &dyn Disk,
    keys: &Path,
    masters: &MasterKeys,
    subjects: &SubjectKey,
    randomness: &dyn Randomness,
) -> Result<u64, SealedOpenError> {
    replace_file(disk, &marker(keys), masters.ids().as_flattened())?;
    let changed = rewrap(disk, keys, masters, randomness)?;
    keep_subject_key(disk, &keys.join("subjects.key"), subjects, masters, randomness)?;
    disk.remove(&marker(keys))?;
    disk.sync_dir(keys)?;
    Ok(changed)
}

fn rewrap(
    disk: &dyn Disk,
    keys: &Path,
    masters: &MasterKeys,
    randomness: &dyn Randomness,
) -> Result<u64, SealedOpenError> {
    let mut changed = 0;
    for number in numbers(disk, keys)? {
        let path = keys.join(file_name(number));
        let file = disk.open(&path)?;
        let mut wanted = 0;
        each_slot(file.as_ref(), &mut |_, bytes| {
            wanted += u64::from(is_older(bytes, masters));
            Ok(())
        })?;
        if wanted == 0 {
            continue;
        }
        let beside = path.with_extension("tmp");
        disk.remove(&beside)?;
        let new = disk.create(&beside, file.len()?)?;
        changed += copy(file.as_ref(), new.as_ref(), masters, randomness)?;
        new.sync()?;
        disk.rename(&beside, &path)?;
        disk.sync_dir(keys)?;
    }
    Ok(changed)
}

fn is_older(bytes: &[u8; SLOT_BYTES], masters: &MasterKeys) -> bool {
    let Read::Slot(slot) = Slot::read(bytes) else { return false };
    slot.secret
        .is_some_and(|wrapped| wrapped.master != masters.current().id() && masters.by_id(wrapped.master).is_some())
}

fn copy(
    from: &dyn DiskFile,
    to: &dyn DiskFile,
    masters: &MasterKeys,
    randomness: &dyn Randomness,
) -> Result<u64, SealedOpenError> {
    let mut changed = 0;
    let mut failed = None;
    each_slot(from, &mut |place, bytes| {
        let mut out = *bytes;
        if is_older(bytes, masters) {
            match anew(bytes, masters, randomness) {
                Ok(Some(slot)) => {
                    out = slot.encode();
                    changed += 1;
                }
                // It is not what its key wrapped: it stays as it is, and reading it says so.
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        to.write_at(place * SLOT_BYTES as u64, &out)
    })?;
    failed.map_or(Ok(changed), Err)
}

fn anew(
    bytes: &[u8; SLOT_BYTES],
    masters: &MasterKeys,
    randomness: &dyn Randomness,
) -> Result<Option<Slot>, SealedOpenError> {
    let Read::Slot(slot) = Slot::read(bytes) else { return Ok(None) };
    let secret = slot.secret.and_then(|wrapped| masters.by_id(wrapped.master)?.unwrap(&wrapped, &slot));
    let Some(secret) = secret else { return Ok(None) };
    let mut nonce = [0; 12];
    randomness.fill(&mut nonce)?;
    Ok(masters.current().wrap(&secret, nonce, &slot).map(|wrapped| Slot { secret: Some(wrapped), ..*slot }))
}

/// Writes the subject key, wrapped by the master key in use.
pub(super) fn keep_subject_key(
    disk: &dyn Disk,
    path: &Path,
    subjects: &SubjectKey,
    masters: &MasterKeys,
    randomness: &dyn Randomness,
) -> Result<(), SealedOpenError> {
    let mut nonce = [0; 12];
    randomness.fill(&mut nonce)?;
    let failed = || DiskError { call: "wrap", path: path.to_owned(), source: std::io::ErrorKind::Other.into() };
    let wrapped = subjects.wrap(masters.current(), nonce).ok_or_else(failed)?;
    Ok(replace_file(disk, path, &wrapped)?)
}
