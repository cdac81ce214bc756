//! Destroying keys: which slots, and how.
//!
//! A slot is overwritten where it stands and synced; what its sector held before is then only where the disk itself may keep old
//! copies (`docs/sealed-content.md` says so). Promises: what [`erase_in`] counted is destroyed and stays so; doing it again
//! finds nothing more.

use indelible_event::id::EventId;
use indelible_event::vault::Commitment;

use super::contents::ContentFiles;
use super::slot::{Place, Read, Slot};
use super::slots::{SlotAt, SlotReader, overwrite};
use crate::disk::{Disk, DiskError};

/// What to destroy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erase {
    /// All content about one subject.
    Subject(String),
    /// All content of one event.
    Event(EventId),
    /// One content.
    Content(Commitment),
}

/// The same as slots know it.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Subject([u8; 16]),
    Event(EventId),
    Content(Commitment),
}

impl Wanted {
    fn matches(&self, slot: &Slot) -> bool {
        match self {
            Self::Subject(tag) => slot.subject == *tag,
            Self::Event(event) => slot.event == *event,
            Self::Content(commitment) => slot.commitment == *commitment,
        }
    }
}

/// What was destroyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// How many contents.
    pub contents: u64,
    /// Their lengths together.
    pub bytes: u64,
    /// Matching contents whose key had been destroyed before.
    pub already: u64,
    /// Slots that cannot be read, so that nobody knows whether they match. Their contents cannot be read either.
    pub unreadable: u64,
}

impl Erased {
    pub(super) fn add(&mut self, other: Self) {
        self.contents += other.contents;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.already += other.already;
        self.unreadable += other.unreadable;
    }
}

/// Destroys what is wanted in one file of slots, durably.
pub(super) fn erase_in(
    disk: &dyn Disk,
    reader: &SlotReader,
    files: &ContentFiles,
    file: u64,
    wanted: &Wanted,
) -> Result<Erased, DiskError> {
    let mut erased = Erased::default();
    // At most as many as one file holds.
    let mut found: Vec<(SlotAt, Slot)> = Vec::new();
    reader.each(file, &mut |at, read| match read {
        Read::Slot(slot) if wanted.matches(&slot) && slot.secret.is_none() => erased.already += 1,
        Read::Slot(slot) | Read::HalfErased(slot) if wanted.matches(&slot) => found.push((at, *slot)),
        Read::Torn | Read::Damaged => erased.unreadable += 1,
        Read::Slot(_) | Read::HalfErased(_) | Read::Empty => {}
    })?;
    if found.is_empty() {
        return Ok(erased);
    }
    found.iter_mut().for_each(|(_, slot)| slot.secret = None);
    overwrite(disk, &reader.path(file), &found)?;
    for (_, slot) in found {
        erased.contents += 1;
        erased.bytes = erased.bytes.saturating_add(slot.bytes);
        if let Place::Large { number } = slot.place
            && let Err(error) = disk.remove(&files.large(number))
        {
            // Nobody can read it any more; this would only have freed its room.
            tracing::warn!(%error, "the file of an erased content could not be removed");
        }
    }
    Ok(erased)
}
