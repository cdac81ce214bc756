//! Reading what is durable in the journal, beside its writer.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use indelible_tlog::hash::Hash;

use crate::disk::DiskFile;

use super::JournalError;
use super::record::{Extent, Frames, HEADER_BYTES, judge};
use super::segment::{RecordPlace, Segment};

/// The durable records, by place. Shared by the writer (which adds) and the readers.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) segments: VecDeque<HeldSegment>,
}

#[derive(Debug)]
pub(super) struct HeldSegment {
    pub(super) segment: Segment,
    pub(super) records: Vec<RecordPlace>,
}

impl Held {
    pub(super) fn push(&mut self, place: RecordPlace) {
        if let Some(last) = self.segments.back_mut() {
            last.records.push(place);
        }
    }

    fn bounds(&self) -> (u64, u64) {
        let first = self.segments.front().map_or(0, |held| held.segment.first_index);
        let next = self.segments.back().map_or(0, |held| {
            let last = held.records.last().map(|place| place.header.first_index + u64::from(place.header.count));
            last.unwrap_or(held.segment.first_index)
        });
        (first, next)
    }

    /// The record that holds `index`, with its file.
    fn find(&self, index: u64) -> Option<(Arc<dyn DiskFile>, RecordPlace, &Segment)> {
        let segment = self.segments.partition_point(|held| held.segment.first_index <= index).checked_sub(1)?;
        let held = self.segments.get(segment)?;
        let record = held.records.partition_point(|place| place.header.first_index <= index).checked_sub(1)?;
        let place = *held.records.get(record)?;
        let holds = index < place.header.first_index + u64::from(place.header.count);
        holds.then(|| (Arc::clone(&held.segment.file), place, &held.segment))
    }
}

/// One durable entry as the journal holds it.
#[derive(Clone, Copy, Debug)]
pub struct JournalEntry<'a> {
    /// Its place in the log.
    pub index: u64,
    /// The event's id.
    pub id: [u8; 16],
    /// Its leaf hash as computed when it was recorded.
    pub leaf: Hash,
    /// Its canonical bytes.
    pub entry: &'a [u8],
}

/// Reads durable entries. Cheap to clone; every read checks the record's checksum again.
#[derive(Clone, Debug)]
pub struct JournalReader {
    held: Arc<RwLock<Held>>,
}

impl JournalReader {
    pub(super) fn new(held: Arc<RwLock<Held>>) -> Self {
        Self { held }
    }

    /// The first entry held and one past the last.
    #[must_use]
    pub fn bounds(&self) -> (u64, u64) {
        self.held.read().unwrap_or_else(PoisonError::into_inner).bounds()
    }

    /// Calls `each` with consecutive entries from `from`, record by record, until `to` (exclusive), or until `each` says
    /// `false`. Returns the index after the last one given.
    ///
    /// # Errors
    /// [`JournalError::NotHere`] when `from` is not held; [`JournalError::Damaged`] when a record changed under us.
    pub fn read(
        &self,
        from: u64,
        to: u64,
        mut each: impl FnMut(JournalEntry<'_>) -> bool,
    ) -> Result<u64, JournalError> {
        let mut at = from;
        let mut bytes = Vec::new();
        while at < to {
            let (file, place, path) = {
                let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
                let Some((file, place, segment)) = held.find(at) else {
                    let (first, next) = held.bounds();
                    return Err(JournalError::NotHere { first, next, asked: at });
                };
                (file, place, segment.path.clone())
            };
            // grows to the largest record and is then filled anew each time: nothing is zeroed for nothing
            if bytes.len() < place.header.extent() {
                bytes.resize(place.header.extent(), 0);
            }
            let bytes = &mut bytes[..place.header.extent()];
            file.read_at(place.offset, bytes)?;
            if judge(&place.header, bytes) != Extent::Whole {
                let reason = "a durable record no longer matches its checksum".to_owned();
                return Err(JournalError::Damaged { path, offset: place.offset, reason });
            }
            let payload = &bytes[HEADER_BYTES..HEADER_BYTES + place.header.payload_len as usize];
            let mut index = place.header.first_index;
            for frame in Frames::new(payload) {
                if index >= to {
                    break;
                }
                if index >= at {
                    at = index + 1;
                    if !each(JournalEntry { index, id: frame.id, leaf: frame.leaf, entry: frame.entry }) {
                        return Ok(at);
                    }
                }
                index += 1;
            }
            let expected = to.min(place.header.first_index + u64::from(place.header.count));
            if at < expected {
                let reason = format!(
                    "a record holds {} entries but says {}",
                    index - place.header.first_index,
                    place.header.count
                );
                return Err(JournalError::Damaged { path, offset: place.offset, reason });
            }
        }
        Ok(at)
    }
}
