//! Canonical events on their way into the log: one contiguous buffer, ready to be copied into the journal.
//!
//! Each entry is complete but for `recorded`, whose fixed-width slot the journal's single writer fills in when it gives the
//! entry its place; so all the work of reading and writing JSON is done by the request, none by the writer.

use crate::id::EventId;
use crate::limits::ENTRY_BYTES_MAX;
use crate::time::{RECORDED_BYTES, RecordedTime};

/// Where one canonical entry stands in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntrySlot {
    /// First byte of the entry in the batch's buffer.
    pub start: u32,
    /// Bytes of the entry, at most [`ENTRY_BYTES_MAX`].
    pub len: u16,
    /// Where the `recorded` slot begins, counted from the entry's first byte.
    pub recorded_at: u16,
    /// The event's id.
    pub id: EventId,
}

/// Canonical events of one request, in order. Recorded all or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventBatch {
    bytes: Vec<u8>,
    slots: Vec<EntrySlot>,
}

/// An entry did not fit: too long, or without a whole `recorded` slot, or the batch would pass 4 GiB.
#[derive(Debug, thiserror::Error)]
#[error("the entry is {bytes} bytes long; the longest an entry may be is {ENTRY_BYTES_MAX}")]
pub struct EntryTooLong {
    /// How long the entry was.
    pub bytes: usize,
}

impl EventBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one entry written by `write`, which gets the buffer, appends the canonical bytes and says where the
    /// `recorded` slot begins in the whole buffer.
    ///
    /// # Errors
    /// [`EntryTooLong`] when the entry does not fit; the batch is then as it was before.
    pub fn push(&mut self, id: EventId, write: impl FnOnce(&mut Vec<u8>) -> usize) -> Result<(), EntryTooLong> {
        self.push_checked(|bytes| Some((id, write(bytes)))).unwrap_or(Ok(()))
    }

    /// As [`Self::push`], for a writer that finds out the id on its way and may give up: `None` then, and the batch is as it
    /// was before.
    pub(crate) fn push_checked(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Option<(EventId, usize)>,
    ) -> Option<Result<(), EntryTooLong>> {
        let start = self.bytes.len();
        let Some((id, recorded_at)) = write(&mut self.bytes) else {
            self.bytes.truncate(start);
            return None;
        };
        let bytes = self.bytes.len() - start;
        let slot = (|| {
            let slot = EntrySlot {
                start: u32::try_from(start).ok()?,
                len: u16::try_from(bytes).ok()?,
                recorded_at: u16::try_from(recorded_at.checked_sub(start)?).ok()?,
                id,
            };
            (usize::from(slot.recorded_at) + RECORDED_BYTES <= bytes).then_some(slot)
        })();
        match slot {
            Some(slot) => {
                self.slots.push(slot);
                Some(Ok(()))
            }
            None => {
                self.bytes.truncate(start);
                Some(Err(EntryTooLong { bytes }))
            }
        }
    }

    /// Writes the time of recording into every entry.
    pub fn stamp(&mut self, recorded: RecordedTime) {
        let text = recorded.write();
        for slot in &self.slots {
            let at = slot.start as usize + usize::from(slot.recorded_at);
            self.bytes[at..at + RECORDED_BYTES].copy_from_slice(&text);
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All entries' bytes together, without framing.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The entries in order: place and canonical bytes.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&EntrySlot, &[u8])> {
        self.slots.iter().map(|slot| {
            let start = slot.start as usize;
            (slot, &self.bytes[start..start + usize::from(slot.len)])
        })
    }
}

/// Whether two canonical entries say the same but for when they were recorded: the test behind "same id, same content".
#[must_use]
pub fn same_content(a: &[u8], a_recorded_at: usize, b: &[u8]) -> bool {
    let slot = a_recorded_at..a_recorded_at + RECORDED_BYTES;
    a.len() == b.len() && slot.end <= a.len() && a[..slot.start] == b[..slot.start] && a[slot.end..] == b[slot.end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: EventId = EventId([1; 16]);

    fn entry(out: &mut Vec<u8>, before: usize, after: usize) -> usize {
        out.resize(out.len() + before, b'a');
        let recorded_at = out.len();
        out.resize(out.len() + RECORDED_BYTES + after, b'z');
        recorded_at
    }

    #[test]
    fn an_entry_fits_up_to_the_limit_and_a_refused_one_leaves_no_trace() {
        let mut batch = EventBatch::new();
        batch.push(ID, |out| entry(out, 3, 4)).unwrap();
        batch.push(ID, |out| entry(out, 0, ENTRY_BYTES_MAX - RECORDED_BYTES)).unwrap();
        let before = batch.clone();
        let too_long = batch.push(ID, |out| entry(out, 0, ENTRY_BYTES_MAX - RECORDED_BYTES + 1)).unwrap_err();
        assert_eq!(too_long.bytes, ENTRY_BYTES_MAX + 1);
        assert!(batch.push(ID, |out| entry(out, 0, 0) + 1).is_err(), "half a slot");
        assert_eq!(batch, before);
        assert_eq!((batch.len(), batch.byte_len()), (2, 37 + ENTRY_BYTES_MAX));
    }

    #[test]
    fn entries_of_other_times_have_the_same_content() {
        let mut batch = EventBatch::new();
        batch.push(ID, |out| entry(out, 3, 4)).unwrap();
        let mut later = batch.clone();
        batch.stamp(RecordedTime(0));
        later.stamp(RecordedTime(1 << 60));
        let (a, b) = (batch.entries().next().unwrap().1, later.entries().next().unwrap().1);
        assert_ne!(a, b);
        assert!(same_content(a, 3, b));
        assert!(!same_content(a, 4, b));
        assert!(!same_content(a, usize::from(u16::MAX), b));
    }
}
