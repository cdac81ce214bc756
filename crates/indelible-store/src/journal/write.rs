//! The journal's single writer: frame entries, commit them as one record, rotate and trim segments.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use indelible_tlog::hash::Hash;

use crate::disk::{Disk, SECTOR};

use super::JournalError;
use super::read::{Held, HeldSegment, JournalReader};
use super::record::{self, PAYLOAD_BYTES_MAX, RecordBuffer};
use super::recover::{self, Cut};
use super::segment::{RecordPlace, Segment};

/// What an operator may set.
#[derive(Clone, Copy, Debug)]
pub struct JournalSettings {
    /// Bytes reserved for a segment at once. A larger group gets a segment of its own.
    pub segment_bytes: u64,
    /// Bytes that must stay free beside a new segment, so that sealing can finish when the disk runs full.
    pub reserve_bytes: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self { segment_bytes: 64 * 1024 * 1024, reserve_bytes: 64 * 1024 * 1024 }
    }
}

/// Entries framed but not yet committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// How many.
    pub count: u32,
    /// Their bytes with framing.
    pub bytes: usize,
}

/// What a commit made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Index of the first entry.
    pub first_index: u64,
    /// How many entries.
    pub count: u32,
}

/// The writer. One for each log; [`JournalReader`]s read beside it.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    settings: JournalSettings,
    held: Arc<RwLock<Held>>,
    buffer: RecordBuffer,
    next_index: u64,
    last_recorded: i64,
    /// Where the next record goes in the last segment, and that segment's length.
    tail: Option<Tail>,
    stopped: Option<String>,
}

#[derive(Clone, Debug)]
struct Tail {
    segment: Segment,
    offset: u64,
    len: u64,
}

impl Journal {
    /// Opens the journal in `folder` (which is there), replaying what it holds. `needed_from` is the first entry that nobody
    /// else has yet; `keep_from`, at most that, is the first that somebody would rather read from here.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] for anything but a torn tail; nothing is changed then.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        settings: JournalSettings,
        needed_from: u64,
        keep_from: u64,
    ) -> Result<(Self, Option<Cut>), JournalError> {
        let recovered = recover::recover(disk.as_ref(), &folder, needed_from, keep_from)?;
        let tail = recovered.last.map(|(segment, offset, len)| Tail { segment, offset, len });
        let journal = Self {
            disk,
            folder,
            settings,
            held: Arc::new(RwLock::new(recovered.held)),
            buffer: RecordBuffer::default(),
            next_index: recovered.next_index,
            last_recorded: recovered.last_recorded,
            tail,
            stopped: None,
        };
        Ok((journal, recovered.cut))
    }

    /// A reader of what is durable.
    #[must_use]
    pub fn reader(&self) -> JournalReader {
        JournalReader::new(Arc::clone(&self.held))
    }

    /// One past the last durable entry: the index the next one gets.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// When the last durable entry was recorded; the smallest time the next may carry.
    #[must_use]
    pub fn last_recorded(&self) -> i64 {
        self.last_recorded
    }

    /// Whether an earlier outcome is unknown, and why.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Begins a group; forgets what was framed and not committed.
    pub fn begin(&mut self) {
        self.buffer.begin();
    }

    /// Frames one entry of the group. `false` when the group is full: commit, begin, frame again.
    #[must_use]
    pub fn frame(&mut self, id: &[u8; 16], leaf: &Hash, entry: &[u8]) -> bool {
        let Ok(len) = u16::try_from(entry.len()) else { return false };
        if self.buffer.payload_len() + record::HEADER_BYTES + entry.len() + super::FRAME_BYTES > PAYLOAD_BYTES_MAX {
            return false;
        }
        self.buffer.frame(id, leaf, len, entry);
        true
    }

    /// What is framed.
    #[must_use]
    pub fn pending(&self) -> Pending {
        Pending { count: self.buffer.count(), bytes: self.buffer.payload_len() }
    }

    /// Makes the framed group durable.
    ///
    /// # Errors
    /// After [`JournalError::Full`] the journal goes on and the group is not in it; after any other error it has stopped,
    /// because nobody knows what a restart will find.
    pub fn commit(&mut self, recorded: i64) -> Result<Appended, JournalError> {
        if let Some(reason) = &self.stopped {
            return Err(JournalError::Stopped { reason: reason.clone() });
        }
        let count = self.buffer.count();
        let first_index = self.next_index;
        if count == 0 {
            return Ok(Appended { first_index, count });
        }
        let recorded = recorded.max(self.last_recorded);
        let extent = record::extent(self.buffer.payload_len()) as u64;

        // 1. A place for the whole record. A crash in here leaves a segment that is empty or has no header: recovery uses the
        //    one and removes the other.
        let tail = match &self.tail {
            Some(tail) if tail.offset + extent <= tail.len => tail.clone(),
            _ => self.rotate(extent)?,
        };
        let Some((header, bytes)) = self.buffer.finish(first_index, recorded) else {
            return Err(self.stop("a record grew past 4 GiB".to_owned()));
        };

        // 2. Write it. A crash leaves a torn record that recovery cuts; none of the group was acknowledged.
        if let Err(error) = tail.segment.file.write_at(tail.offset, bytes) {
            return Err(self.write_failed(&tail, error));
        }

        // 3. Make it durable. A crash before the end leaves a torn or a whole record: recovery keeps a whole one, which is
        //    an event recorded but not acknowledged; its sender asks again with the same id and gets this index.
        if let Err(error) = tail.segment.file.sync() {
            self.stopped = Some(format!("{error}: which events are durable is unknown until the next start"));
            return Err(error.into());
        }

        // 4. Known to readers and, by our return, to the senders. Nothing is lost by a crash from here on.
        self.next_index += u64::from(count);
        self.last_recorded = recorded;
        self.held.write().unwrap_or_else(PoisonError::into_inner).push(RecordPlace { offset: tail.offset, header });
        self.tail = Some(Tail { offset: tail.offset + extent, ..tail });
        Ok(Appended { first_index, count })
    }

    /// Whether there is room for one more segment and the reserve.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let needed = self.settings.segment_bytes.saturating_add(self.settings.reserve_bytes);
        self.disk.free(&self.folder).is_ok_and(|free| free >= needed)
    }

    fn stop(&mut self, reason: String) -> JournalError {
        self.stopped = Some(reason.clone());
        JournalError::Stopped { reason }
    }

    /// Makes room behind the last record. Only a full disk is no reason to stop.
    fn rotate(&mut self, extent: u64) -> Result<Tail, JournalError> {
        let len = self.settings.segment_bytes.max(extent + SECTOR as u64);
        let needed = len.saturating_add(self.settings.reserve_bytes);
        let made = match self.disk.free(&self.folder) {
            Ok(free) if free < needed => return Err(JournalError::Full { free, needed }),
            Ok(_) => self.make_room(len),
            Err(error) => Err(error.into()),
        };
        match made {
            Ok(tail) => {
                self.tail = Some(tail.clone());
                Ok(tail)
            }
            Err(JournalError::Disk(error)) if error.is_full() => Err(JournalError::Full { free: 0, needed }),
            Err(error) => {
                self.stopped = Some(format!("no room could be made for the next record: {error}"));
                Err(error)
            }
        }
    }

    /// Starts the next segment; the old one gives back the room it did not use. A segment without a record (recovery cut it,
    /// or the disk was full) is made longer instead: the next one would have its name. Longer is durable before it is used,
    /// so that a file that ends inside a record is known to be damaged.
    fn make_room(&mut self, len: u64) -> Result<Tail, JournalError> {
        if let Some(tail) = &mut self.tail {
            if tail.offset == SECTOR as u64 {
                tail.segment.file.extend(len)?;
                tail.segment.file.sync()?;
                return Ok(Tail { len, ..tail.clone() });
            }
            if tail.offset < tail.len {
                tail.segment.file.truncate(tail.offset)?;
                tail.len = tail.offset;
            }
        }
        let segment = Segment::create(self.disk.as_ref(), &self.folder, self.next_index, self.last_recorded, len)?;
        self.held
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .segments
            .push_back(HeldSegment { segment: segment.clone(), records: Vec::new() });
        Ok(Tail { segment, offset: SECTOR as u64, len })
    }

    /// A failed write: on a full disk the unfinished record is cut off and recording may resume; anything else stops us.
    fn write_failed(&mut self, tail: &Tail, error: crate::disk::DiskError) -> JournalError {
        if error.is_full() {
            let cut = tail.segment.file.truncate(tail.offset).and_then(|()| tail.segment.file.sync());
            if cut.is_ok() {
                self.tail = Some(Tail { len: tail.offset, ..tail.clone() });
                return JournalError::Full { free: 0, needed: self.settings.reserve_bytes };
            }
        }
        self.stopped = Some(format!("{error}: the record may be half written until the next start"));
        error.into()
    }

    /// Removes segments that hold only entries before `index`. The last segment stays.
    ///
    /// # Errors
    /// When a file cannot be removed; nothing is lost by that, and the next call tries again.
    pub fn trim(&mut self, index: u64) -> Result<(), JournalError> {
        let mut removed = false;
        while let Some(path) = self.removable(index) {
            // a reader that is in it has the file open; the next one finds these entries in bundles
            self.disk.remove(&path)?;
            self.held.write().unwrap_or_else(PoisonError::into_inner).segments.pop_front();
            removed = true;
        }
        if removed {
            self.disk.sync_dir(&self.folder)?;
        }
        Ok(())
    }

    fn removable(&self, index: u64) -> Option<PathBuf> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let next_begins = held.segments.get(1).map(|next| next.segment.first_index)?;
        let oldest = held.segments.front().filter(|_| next_begins <= index)?;
        Some(oldest.segment.path.clone())
    }
}
