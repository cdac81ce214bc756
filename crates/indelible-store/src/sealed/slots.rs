//! The files of key slots: `keys/<number>.keys`, 65,536 slots each, filled from the front, and beside each full one its index.
//!
//! Promises: a look-up reads a few bytes of each file whatever their number, and memory holds the places of the file being
//! filled; a slot never moves. Never: decides what is destroyed, or changes anything when it only reads.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use indelible_event::vault::{Commitment, Keep};

use super::contents::need_room;
use super::slot::{Read, SLOT_BYTES, Slot};
use super::store::SealedSettings;
use crate::disk::{Disk, DiskError, DiskFile, RealDisk, read_optional, replace_file};

/// Slots read at once: 64 KiB.
const SLOTS_AT_ONCE: u64 = 256;
/// Bytes of one record of an index: the first eight of a commitment, and the place.
const INDEX_BYTES: usize = 12;
/// Bytes after them: a checksum.
const INDEX_END_BYTES: usize = 4;

/// Where a slot is: file and place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotAt {
    pub(super) file: u64,
    pub(super) place: u64,
}

/// What became of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentState {
    /// It can be read by who has the master key.
    Sealed,
    /// Only its salt is kept: who has the content can show that it is the one.
    HashOnly,
    /// Its key was destroyed.
    Erased,
    /// There is no slot for it here.
    Missing,
}

/// Places by the first bytes of their commitments.
type Places = BTreeSet<(u64, u32)>;

/// A file's number and its index.
type WholeIndex = (u64, Vec<(u64, u32)>);

/// What is done with the bytes at a place.
pub(super) type Each<'e> = dyn FnMut(u64, &[u8; SLOT_BYTES]) -> Result<(), DiskError> + 'e;

/// Reads slots. Blocks on the disk.
#[derive(Debug)]
pub struct SlotReader {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    recent: RwLock<Recent>,
    /// The index that was of use last, as a whole: who asks for many contents asks in the order in which they came.
    hot: Mutex<Option<WholeIndex>>,
}

/// The files that have no index: the one being filled, and after a crash the one before it.
#[derive(Debug, Default)]
struct Recent {
    files: Vec<(u64, Places)>,
    /// Files with an index, rising.
    indexed: Vec<u64>,
}

fn prefix(commitment: &Commitment) -> u64 {
    commitment.0.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

fn place_of(at: SlotAt) -> u32 {
    u32::try_from(at.place).unwrap_or(u32::MAX)
}

pub(super) fn file_name(number: u64) -> String {
    format!("{number:08}.keys")
}

fn index_name(number: u64) -> String {
    format!("{number:08}.index")
}

/// The numbers of the files of slots in a folder, rising.
pub(super) fn numbers(disk: &dyn Disk, keys: &Path) -> Result<Vec<u64>, DiskError> {
    let names = disk.list(keys)?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".keys")?.parse().ok()).collect())
}

/// An index's records; `None` when they are not those that were written.
fn read_index(bytes: &[u8]) -> Option<Vec<(u64, u32)>> {
    let (records, end) = bytes.split_last_chunk::<INDEX_END_BYTES>()?;
    let (records, rest) = records.as_chunks::<INDEX_BYTES>();
    let whole = rest.is_empty() && *end == crc32c::crc32c(records.as_flattened()).to_le_bytes();
    let record = |record: &[u8; INDEX_BYTES]| {
        let first = record.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        (first, record.last_chunk().map_or(0, |place| u32::from_be_bytes(*place)))
    };
    whole.then(|| records.iter().map(record).collect())
}

fn write_index(places: &Places) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(places.len() * INDEX_BYTES + INDEX_END_BYTES);
    for (first, place) in places {
        bytes.extend_from_slice(&first.to_be_bytes());
        bytes.extend_from_slice(&place.to_be_bytes());
    }
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

impl SlotReader {
    /// Opens the slots of the folder `sealed/`, changing nothing.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn open(sealed: &Path) -> Result<Self, DiskError> {
        Self::on(Arc::new(RealDisk), sealed)
    }

    pub(super) fn on(disk: Arc<dyn Disk>, sealed: &Path) -> Result<Self, DiskError> {
        let reader = Self { disk, folder: sealed.join("keys"), recent: RwLock::default(), hot: Mutex::default() };
        let mut recent = Recent::default();
        for number in numbers(reader.disk.as_ref(), &reader.folder)? {
            let index = read_optional(reader.disk.as_ref(), &reader.folder.join(index_name(number)))?;
            if index.is_some_and(|index| read_index(&index).is_some()) {
                recent.indexed.push(number);
                continue;
            }
            let mut places = Places::new();
            reader.each(number, &mut |at, read| {
                if let Read::Slot(slot) | Read::HalfErased(slot) = read {
                    places.insert((prefix(&slot.commitment), place_of(at)));
                }
            })?;
            recent.files.push((number, places));
        }
        *reader.recent.write().unwrap_or_else(PoisonError::into_inner) = recent;
        Ok(reader)
    }

    /// What became of the content with this commitment.
    ///
    /// # Errors
    /// When a slot cannot be read.
    pub fn state(&self, commitment: &Commitment) -> Result<ContentState, DiskError> {
        Ok(match self.find(commitment)? {
            None => ContentState::Missing,
            Some((_, slot)) if slot.secret.is_none() => ContentState::Erased,
            Some((_, slot)) if slot.keep == Keep::Hash => ContentState::HashOnly,
            Some(_) => ContentState::Sealed,
        })
    }

    pub(super) fn find(&self, commitment: &Commitment) -> Result<Option<(SlotAt, Slot)>, DiskError> {
        let wanted = prefix(commitment);
        let mut found = Vec::new();
        let indexed = {
            let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
            for (file, places) in &recent.files {
                let places = places.range((wanted, 0)..=(wanted, u32::MAX));
                found.extend(places.map(|(_, place)| SlotAt { file: *file, place: u64::from(*place) }));
            }
            recent.indexed.clone()
        };
        if let Some(known) = self.first_of(&found, commitment)? {
            return Ok(Some(known));
        }
        if let Some(known) = self.first_of(&self.search_hot(wanted), commitment)? {
            return Ok(Some(known));
        }
        for file in indexed.into_iter().rev() {
            let places = self.search_index(file, wanted)?;
            if let Some(known) = self.first_of(&places, commitment)? {
                self.heat(file)?;
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    fn first_of(&self, places: &[SlotAt], commitment: &Commitment) -> Result<Option<(SlotAt, Slot)>, DiskError> {
        for at in places {
            let mut bytes = [0; SLOT_BYTES];
            self.disk.open(&self.path(at.file))?.read_at(at.place * SLOT_BYTES as u64, &mut bytes)?;
            if let Read::Slot(slot) | Read::HalfErased(slot) = Slot::read(&bytes)
                && slot.commitment == *commitment
            {
                return Ok(Some((*at, *slot)));
            }
        }
        Ok(None)
    }

    fn search_hot(&self, wanted: u64) -> Vec<SlotAt> {
        let hot = self.hot.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((file, places)) = hot.as_ref() else { return Vec::new() };
        let from = places.partition_point(|(first, _)| *first < wanted);
        let same = places.iter().skip(from).take_while(|(first, _)| *first == wanted);
        same.map(|(_, place)| SlotAt { file: *file, place: u64::from(*place) }).collect()
    }

    /// Remembers a whole index.
    fn heat(&self, number: u64) -> Result<(), DiskError> {
        let bytes = self.disk.read(&self.folder.join(index_name(number)))?;
        let places = read_index(&bytes).map(|places| (number, places));
        *self.hot.lock().unwrap_or_else(PoisonError::into_inner) = places;
        Ok(())
    }

    /// Binary search in the index of a full file.
    fn search_index(&self, number: u64, wanted: u64) -> Result<Vec<SlotAt>, DiskError> {
        let file = self.disk.open(&self.folder.join(index_name(number)))?;
        let records = file.len()?.saturating_sub(INDEX_END_BYTES as u64) / INDEX_BYTES as u64;
        let record = |at: u64| -> Result<(u64, u32), DiskError> {
            let mut bytes = [0; INDEX_BYTES];
            file.read_at(at * INDEX_BYTES as u64, &mut bytes)?;
            let place = bytes.last_chunk().map_or(0, |place| u32::from_be_bytes(*place));
            Ok((bytes.first_chunk().map_or(0, |first| u64::from_be_bytes(*first)), place))
        };
        let (mut low, mut high) = (0, records);
        while low < high {
            let middle = low + (high - low) / 2;
            if record(middle)?.0 < wanted { low = middle + 1 } else { high = middle }
        }
        let mut places = Vec::new();
        while low < records {
            let (first, place) = record(low)?;
            if first != wanted {
                break;
            }
            places.push(SlotAt { file: number, place: u64::from(place) });
            low += 1;
        }
        Ok(places)
    }

    /// Every file's number, rising.
    pub(super) fn numbers(&self) -> Vec<u64> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        let mut numbers: Vec<u64> = recent.indexed.clone();
        numbers.extend(recent.files.iter().map(|(number, _)| *number));
        numbers.sort_unstable();
        numbers
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.folder.join(file_name(number))
    }

    /// Calls `each` with what stands at every place of a file.
    pub(super) fn each(&self, number: u64, each: &mut dyn FnMut(SlotAt, Read)) -> Result<(), DiskError> {
        each_slot(self.disk.open(&self.path(number))?.as_ref(), &mut |place, bytes| {
            each(SlotAt { file: number, place }, Slot::read(bytes));
            Ok(())
        })
    }

    /// Makes slots known that have just become durable.
    fn learn(&self, file: u64, slots: impl Iterator<Item = (u64, u32)>) {
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        if recent.files.last().is_none_or(|(number, _)| *number != file) {
            recent.files.push((file, Places::new()));
        }
        if let Some((_, places)) = recent.files.last_mut() {
            places.extend(slots);
        }
    }

    /// Writes the index of every full file that has none. An index is derived: without one a file's places stay in memory, and
    /// the next start tries again.
    pub(super) fn index_full(&self, filling: u64) {
        let full: Vec<(u64, Vec<u8>)> = {
            let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
            let full = recent.files.iter().filter(|(number, _)| *number < filling);
            full.map(|(number, places)| (*number, write_index(places))).collect()
        };
        for (number, bytes) in full {
            let path = self.folder.join(index_name(number));
            if let Err(error) = replace_file(self.disk.as_ref(), &path, &bytes) {
                tracing::warn!(%error, "an index of key slots was not written; its places stay in memory");
                continue;
            }
            let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
            recent.files.retain(|(file, _)| *file != number);
            recent.indexed.push(number);
            recent.indexed.sort_unstable();
        }
    }
}

/// Calls `each` with the bytes of every place of a file.
pub(super) fn each_slot(file: &dyn DiskFile, each: &mut Each<'_>) -> Result<(), DiskError> {
    let slots = file.len()? / SLOT_BYTES as u64;
    let mut bytes = Vec::new();
    let mut place = 0;
    while place < slots {
        let count = SLOTS_AT_ONCE.min(slots - place);
        bytes.resize(usize::try_from(count).unwrap_or(0) * SLOT_BYTES, 0);
        file.read_at(place * SLOT_BYTES as u64, &mut bytes)?;
        for slot in bytes.as_chunks::<SLOT_BYTES>().0 {
            let mut slot = *slot;
            if Slot::read(&slot) == Read::Damaged {
                // What memory or a bus has altered is read right the second time.
                file.read_at(place * SLOT_BYTES as u64, &mut slot)?;
            }
            each(place, &slot)?;
            place += 1;
        }
    }
    Ok(())
}

/// Overwrites slots of a file where they stand, durably.
pub(super) fn overwrite(disk: &dyn Disk, path: &Path, slots: &[(SlotAt, Slot)]) -> Result<(), DiskError> {
    let file = disk.open(path)?;
    for (at, slot) in slots {
        file.write_at(at.place * SLOT_BYTES as u64, &slot.encode())?;
    }
    file.sync()
}

/// Fills slots, one group after the other. One at a time.
#[derive(Debug)]
pub(super) struct SlotWriter {
    disk: Arc<dyn Disk>,
    reader: Arc<SlotReader>,
    settings: SealedSettings,
    file: Option<Arc<dyn DiskFile>>,
    number: u64,
    next: u64,
}

impl SlotWriter {
    /// Goes on at `next`: the file and place behind the last slot; `None` when there is no file.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        reader: Arc<SlotReader>,
        settings: SealedSettings,
        next: Option<SlotAt>,
    ) -> Result<Self, DiskError> {
        let at = next.unwrap_or(SlotAt { file: 0, place: 0 });
        let file = next.map(|at| disk.open(&reader.path(at.file))).transpose()?;
        reader.index_full(at.file);
        Ok(Self { disk, reader, settings, file, number: at.file, next: at.place })
    }

    /// Makes sure that there is room for a slot, if need be in a new file, and says where it is.
    pub(super) fn make_room(&mut self) -> Result<u64, DiskError> {
        if self.file.is_some() && self.next < self.settings.file_slots {
            return Ok(self.next);
        }
        let number = self.number.saturating_add(u64::from(self.file.is_some()));
        let path = self.reader.path(number);
        let len = self.settings.file_slots * SLOT_BYTES as u64;
        need_room(self.disk.as_ref(), &self.reader.folder, len + self.settings.reserve_bytes)?;
        let file = self.disk.create(&path, len)?;
        // Zeros must be durable before a slot is: a start takes a shorter file for one that never held any.
        file.sync()?;
        self.disk.sync_dir(&self.reader.folder)?;
        (self.file, self.number, self.next) = (Some(file), number, 0);
        self.reader.index_full(number);
        Ok(0)
    }

    /// How many slots the file at hand still takes.
    pub(super) fn room(&self) -> usize {
        usize::try_from(self.settings.file_slots.saturating_sub(self.next)).unwrap_or(0)
    }

    /// Writes slots behind the last one. Not durable before a sync, and overwritten unless [`Self::advance`] follows.
    pub(super) fn write(&self, slots: &[Slot]) -> Result<(), DiskError> {
        let bytes: Vec<u8> = slots.iter().flat_map(Slot::encode).collect();
        self.write_bytes(&bytes)
    }

    /// Takes back what a failed write may have left, durably.
    pub(super) fn blank(&self, count: usize) -> Result<(), DiskError> {
        self.write_bytes(&vec![0; count * SLOT_BYTES])?;
        self.sync()
    }

    fn write_bytes(&self, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.as_ref().map_or(Ok(()), |file| file.write_at(self.next * SLOT_BYTES as u64, bytes))
    }

    pub(super) fn sync(&self) -> Result<(), DiskError> {
        self.file.as_ref().map_or(Ok(()), |file| file.sync())
    }

    /// What was written is durable.
    pub(super) fn advance(&mut self, slots: &[Slot]) {
        let places = (self.next..).map(|place| place_of(SlotAt { file: self.number, place }));
        self.reader.learn(self.number, slots.iter().map(|slot| prefix(&slot.commitment)).zip(places));
        self.next += slots.len() as u64;
    }

    /// The file being filled.
    pub(super) fn filling(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_comes_back_and_a_flipped_bit_makes_it_none() {
        let places = Places::from([(7, 3), (7, 4), (u64::MAX, 65_535), (0, 0)]);
        let bytes = write_index(&places);
        assert_eq!(read_index(&bytes).unwrap(), places.into_iter().collect::<Vec<_>>());
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read_index(&altered), None);
        }
        assert_eq!(read_index(&bytes[..bytes.len() - 12]), None);
        assert_eq!(read_index(&[]), None);
    }
}
