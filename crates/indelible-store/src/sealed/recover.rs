//! What a start finds of the slots, and where it goes on.
//!
//! Slots that were written together say so. Of the last group a crash may have left any part, and any part of its contents: it is
//! kept when all of it is there, and dropped when something was never written, for then nobody was told that it is kept. Promises:
//! anything else that is wrong is told with file and place and left as it is. Never: drops what may have been acknowledged.

use std::path::{Path, PathBuf};

use super::contents::{ContentFiles, Stored};
use super::slot::{Group, Place, Read, SLOT_BYTES, Slot};
use super::slots::{SlotAt, each_slot, file_name, numbers};
use super::store::SealedSettings;
use crate::disk::{Disk, DiskError, DiskFile};

/// Most damaged places that are told one by one.
const DAMAGES_MAX: usize = 16;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedDamage {
    /// In which file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What is wrong.
    pub reason: &'static str,
}

/// What a start found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedOpened {
    /// Slots of a group that a crash tore and that nobody was told of.
    pub dropped: u64,
    /// Contents wrapped anew under the master key in use.
    pub rewrapped: u64,
    /// What is damaged in the newest file of slots, at most 16 places.
    pub damages: Vec<SealedDamage>,
}

/// Where to go on.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// File and place behind the last slot; `None` when there is no file.
    pub(super) next: Option<SlotAt>,
    /// Number and end of the pack that the newest slots name.
    pub(super) pack: Option<(u64, u64)>,
}

/// What stands at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Empty,
    Torn,
    Damaged,
    Slot(Group),
}

/// Looks at the newest file of slots, drops what a crash tore, and says where to go on.
pub(super) fn recover(
    disk: &dyn Disk,
    keys: &Path,
    files: &ContentFiles,
    settings: &SealedSettings,
    opened: &mut SealedOpened,
) -> Result<Tail, DiskError> {
    for name in disk.list(keys)?.iter().filter(|name| name.ends_with(".tmp")) {
        // What a crash left of a change of the master key would outlive an erasure.
        disk.remove(&keys.join(name))?;
    }
    let mut numbers = numbers(disk, keys)?;
    for number in &numbers {
        // An erasure that a dying process began may not have been synced.
        disk.open(&keys.join(file_name(*number)))?.settle()?;
    }
    let Some(last) = numbers.last().copied() else { return Ok(Tail::default()) };
    let path = keys.join(file_name(last));
    let file = disk.open(&path)?;
    let len = file.len()?;
    if len < settings.file_slots * SLOT_BYTES as u64 && is_blank(file.as_ref(), len)? {
        // A crash while it was made.
        disk.remove(&path)?;
        disk.sync_dir(keys)?;
        numbers.pop();
        let before = numbers.last().map(|number| SlotAt { file: *number, place: settings.file_slots });
        return Ok(Tail { next: before, pack: newest_pack(disk, keys, &numbers)? });
    }
    let place = TailOf { disk, files, path: &path, file: file.as_ref() }.judge(opened)?;
    Ok(Tail { next: Some(SlotAt { file: last, place }), pack: newest_pack(disk, keys, &numbers)? })
}

fn is_blank(file: &dyn DiskFile, len: u64) -> Result<bool, DiskError> {
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    file.read_at(0, &mut bytes)?;
    Ok(bytes.iter().all(|byte| *byte == 0))
}

/// Number and end of the pack that the newest slots name. None when a slot cannot be read: what it names might be overwritten.
fn newest_pack(disk: &dyn Disk, keys: &Path, numbers: &[u64]) -> Result<Option<(u64, u64)>, DiskError> {
    for number in numbers.iter().rev() {
        let mut newest = None;
        let mut unknown = false;
        each_slot(disk.open(&keys.join(file_name(*number)))?.as_ref(), &mut |_, bytes| {
            match Slot::read(bytes) {
                Read::Slot(slot) | Read::HalfErased(slot) => {
                    if let Place::Pack { number, offset } = slot.place {
                        let end = offset.saturating_add(super::cipher::encrypted_len(slot.bytes));
                        newest = newest.max(Some((number, end)));
                    }
                }
                Read::Torn | Read::Damaged => unknown = true,
                Read::Empty => {}
            }
            Ok(())
        })?;
        if newest.is_some() || unknown {
            return Ok(newest.filter(|_| !unknown));
        }
    }
    Ok(None)
}

/// The newest file of slots.
struct TailOf<'t> {
    disk: &'t dyn Disk,
    files: &'t ContentFiles,
    path: &'t Path,
    file: &'t dyn DiskFile,
}

impl TailOf<'_> {
    /// Where the next slot goes.
    fn judge(&self, opened: &mut SealedOpened) -> Result<u64, DiskError> {
        let mut seen = Vec::new();
        each_slot(self.file, &mut |_, bytes| {
            seen.push(match Slot::read(bytes) {
                Read::Empty => Seen::Empty,
                Read::Torn => Seen::Torn,
                Read::Damaged => Seen::Damaged,
                Read::Slot(slot) | Read::HalfErased(slot) => Seen::Slot(slot.group),
            });
            Ok(())
        })?;
        let end = seen.iter().rposition(|seen| *seen != Seen::Empty).map_or(0, |last| last + 1);
        let newest = seen.iter().enumerate().rev().find_map(|(place, seen)| match seen {
            Seen::Slot(group) => Some((place, *group)),
            _ => None,
        });
        let last = newest.map(|(_, group)| group);
        let first = last.map_or(0, |group| usize::try_from(group.first).unwrap_or(usize::MAX).min(end));
        let behind = last.map_or(0, |group| first.saturating_add(usize::try_from(group.count).unwrap_or(usize::MAX)));
        // Before the last group everything was acknowledged.
        for (place, seen) in seen.iter().enumerate().take(first) {
            if !matches!(seen, Seen::Slot(_)) {
                self.told(opened, place, "a key slot is damaged");
            }
        }
        let group = seen.get(first..behind.min(seen.len())).unwrap_or_default();
        let rest = seen.get(behind.min(end)..end).unwrap_or_default();
        let mut damaged = false;
        let mut torn = false;
        if let Some((place, _)) = newest.filter(|(place, _)| !(first..behind).contains(place) || behind > seen.len()) {
            // A slot that was copied to where it does not belong must not make others be dropped.
            damaged = true;
            self.told(opened, place, "a key slot is not where it was written");
        }
        for (place, seen) in (first..).zip(group).chain((behind.min(end)..).zip(rest)) {
            match seen {
                Seen::Slot(group) if Some(*group) != last => {
                    damaged = true;
                    self.told(opened, place, "a key slot is not where it was written");
                }
                Seen::Slot(_) => {
                    let stored = self.content(place)?;
                    torn |= stored == Stored::Torn;
                    if stored == Stored::Damaged {
                        damaged = true;
                        self.told(opened, place, "the content that this key slot names is damaged");
                    }
                }
                Seen::Damaged => {
                    damaged = true;
                    self.told(opened, place, "a key slot is damaged");
                }
                Seen::Empty | Seen::Torn => torn |= place < behind,
            }
        }
        if damaged {
            return Ok(end.max(behind).min(seen.len()) as u64);
        }
        let keep = if torn { first } else { behind };
        if end > keep {
            let blank = vec![0; (end - keep) * SLOT_BYTES];
            self.file.write_at((keep * SLOT_BYTES) as u64, &blank)?;
            self.file.sync()?;
            opened.dropped += (end - keep) as u64;
        }
        Ok(keep as u64)
    }

    fn content(&self, place: usize) -> Result<Stored, DiskError> {
        let mut bytes = [0; SLOT_BYTES];
        self.file.read_at((place * SLOT_BYTES) as u64, &mut bytes)?;
        match Slot::read(&bytes) {
            Read::Slot(slot) if slot.secret.is_some() => self.files.compare(self.disk, &slot),
            _ => Ok(Stored::Whole),
        }
    }

    fn told(&self, opened: &mut SealedOpened, place: usize, reason: &'static str) {
        let offset = (place * SLOT_BYTES) as u64;
        tracing::error!(file = %self.path.display(), offset, "{reason}");
        if opened.damages.len() < DAMAGES_MAX {
            opened.damages.push(SealedDamage { path: self.path.to_owned(), offset, reason });
        }
    }
}
