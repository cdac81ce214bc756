//! The files of encrypted contents: packs with many each, and one file each for the long ones.
//!
//! A pack is a header sector and contents one after the other; key slots say where. Promises: bytes that a slot names never move
//! and are never overwritten. Never: knows a key.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::slot::{Place, Slot};
use super::store::SealedSettings;
use crate::disk::{Disk, DiskError, DiskFile, SECTOR};

const MAGIC: &[u8; 8] = b"INDpack1";
/// So many never stand in what was encrypted.
const ZEROS_IN_A_ROW: usize = 16;

/// The first sector of a pack.
fn header(number: u64) -> [u8; SECTOR] {
    let mut header = [0; SECTOR];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&number.to_le_bytes());
    let crc = crc32c::crc32c(&header[..SECTOR - 4]);
    header[SECTOR - 4..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Where contents are, below `sealed/`.
#[derive(Clone, Debug)]
pub(super) struct ContentFiles {
    pub(super) packs: PathBuf,
    pub(super) large: PathBuf,
}

/// How the bytes of a content compare with what its slot says of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Whole,
    /// Some were never written.
    Torn,
    Damaged,
}

impl ContentFiles {
    pub(super) fn below(sealed: &Path) -> Self {
        Self { packs: sealed.join("packs"), large: sealed.join("large") }
    }

    pub(super) fn pack(&self, number: u64) -> PathBuf {
        self.packs.join(format!("{number:08}.pack"))
    }

    pub(super) fn large(&self, number: u64) -> PathBuf {
        self.large.join(format!("{number:016x}.content"))
    }

    /// A long content that is still coming. A start removes what a crash left under this name.
    pub(super) fn unfinished(&self, number: u64) -> PathBuf {
        self.large.join(format!("{number:016x}.part"))
    }

    /// The packs' numbers, rising.
    fn pack_numbers(&self, disk: &dyn Disk) -> Result<Vec<u64>, DiskError> {
        let names = disk.list(&self.packs)?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".pack")?.parse().ok()).collect())
    }

    /// Removes what no slot can name, and has the disk tell what it really holds of the packs that were written last.
    pub(super) fn settle(&self, disk: &dyn Disk) -> Result<(), DiskError> {
        for name in disk.list(&self.large)? {
            if name.ends_with(".part") {
                disk.remove(&self.large.join(name))?;
            }
        }
        for number in self.pack_numbers(disk)?.into_iter().rev().take(2) {
            disk.open(&self.pack(number))?.settle()?;
        }
        Ok(())
    }

    /// Compares a content in a pack with its slot's checksum.
    pub(super) fn compare(&self, disk: &dyn Disk, slot: &Slot) -> Result<Stored, DiskError> {
        let Place::Pack { number, offset } = slot.place else { return Ok(Stored::Whole) };
        let len = super::cipher::encrypted_len(slot.bytes);
        let file = match disk.open(&self.pack(number)) {
            Err(error) if error.is_not_found() => return Ok(Stored::Damaged),
            other => other?,
        };
        let held = file.len()?;
        if offset.checked_add(len).is_none_or(|end| end > held) {
            return Ok(Stored::Damaged);
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        file.read_at(offset, &mut bytes)?;
        if crc32c::crc32c(&bytes) == slot.content_crc {
            return Ok(Stored::Whole);
        }
        // Encryption leaves no zeros in a row: what reads so was never written.
        let blank = |part: &[u8]| part.iter().all(|byte| *byte == 0);
        let ends = [bytes.first(), bytes.last()].iter().any(|end| end.copied() == Some(0));
        let torn = ends || bytes.windows(ZEROS_IN_A_ROW).any(blank);
        Ok(if torn { Stored::Torn } else { Stored::Damaged })
    }
}

/// Fills packs. One at a time.
#[derive(Debug)]
pub(super) struct PackWriter {
    disk: Arc<dyn Disk>,
    files: ContentFiles,
    settings: SealedSettings,
    file: Option<Arc<dyn DiskFile>>,
    number: u64,
    next: u64,
    len: u64,
    /// The number of the next pack: no file with it, or a higher one, holds anything that a slot names.
    following: u64,
}

impl PackWriter {
    /// Goes on behind `last`: number and end of what the newest slots name. A pack beyond it is empty and is made anew.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        files: &ContentFiles,
        settings: SealedSettings,
        last: Option<(u64, u64)>,
    ) -> Result<Self, DiskError> {
        let newest = files.pack_numbers(disk.as_ref())?.last().copied();
        let files = files.clone();
        let following = newest.map_or(0, |newest| newest.saturating_add(1));
        let mut writer = Self { disk, files, settings, file: None, number: 0, next: 0, len: 0, following };
        let Some((_, end)) = last.filter(|(number, _)| Some(*number) == newest) else { return Ok(writer) };
        let number = newest.unwrap_or(0);
        let file = writer.disk.open(&writer.files.pack(number))?;
        // What a crash left behind the last content reads as zeros again, so that the next tear can be told.
        if file.len()? > end {
            file.truncate(end)?;
        }
        let len = match file.extend(settings.pack_bytes) {
            Ok(()) => settings.pack_bytes.max(end),
            Err(error) if error.is_full() => file.len()?,
            Err(error) => return Err(error),
        };
        file.sync()?;
        (writer.file, writer.number, writer.next, writer.len) = (Some(file), number, end, len);
        Ok(writer)
    }

    /// Makes sure that `bytes` fit behind the last content, if need be in a new pack.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<(), DiskError> {
        if self.file.is_some() && self.fits(0, bytes) {
            return Ok(());
        }
        let len = self.settings.pack_bytes.max(SECTOR as u64 + bytes);
        need_room(self.disk.as_ref(), &self.files.packs, len + self.settings.reserve_bytes)?;
        let number = self.following;
        let path = self.files.pack(number);
        // No slot names it: it is what an attempt that found no room has left.
        self.disk.remove(&path)?;
        let file = self.disk.create(&path, len)?;
        file.write_at(0, &header(number))?;
        file.sync()?;
        self.disk.sync_dir(&self.files.packs)?;
        if let Some(Err(error)) = self.file.as_ref().map(|full| full.truncate(self.next)) {
            // It only gives back what the full one did not use.
            tracing::debug!(%error, "a full pack keeps its room");
        }
        (self.file, self.number, self.next, self.len) = (Some(file), number, SECTOR as u64, len);
        self.following = number.saturating_add(1);
        Ok(())
    }

    /// Whether `bytes` fit after `before` others.
    pub(super) fn fits(&self, before: u64, bytes: u64) -> bool {
        self.next.saturating_add(before).saturating_add(bytes) <= self.len
    }

    /// Where the next content but `before` bytes comes to lie.
    pub(super) fn place(&self, before: u64) -> Place {
        Place::Pack { number: self.number, offset: self.next + before }
    }

    /// Writes behind the last content. Not durable before a sync of the file, and overwritten unless [`Self::advance`] follows.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<Option<&Arc<dyn DiskFile>>, DiskError> {
        if let Some(file) = &self.file {
            file.write_at(self.next, bytes)?;
        }
        Ok(self.file.as_ref())
    }

    pub(super) fn advance(&mut self, bytes: u64) {
        self.next += bytes;
    }
}

/// Refuses, as a full disk does, when less than `needed` bytes are free.
pub(super) fn need_room(disk: &dyn Disk, path: &Path, needed: u64) -> Result<(), DiskError> {
    if disk.free(path)? >= needed {
        return Ok(());
    }
    Err(DiskError { call: "reserve room in", path: path.to_owned(), source: io::ErrorKind::StorageFull.into() })
}
