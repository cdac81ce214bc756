//! The two doors of the log: `Recorder` in, `EntryReader` out. Rooms that need a log know these traits, never the store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::batch::EventBatch;
use crate::id::EventId;
use crate::time::RecordedTime;

/// An entry's place in its log, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryIndex(pub u64);

impl fmt::Display for EntryIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the log answers when a batch is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The index of the first entry that this call added (of the first entry already there, when none was new).
    pub first_index: EntryIndex,
    /// How many entries this call added. They stand one after the other from `first_index`.
    pub count: u64,
    /// For each event of the batch in order, its index: differs from `first_index + n` only where an event was known before.
    /// `None` when all are new.
    pub indexes: Option<Vec<EntryIndex>>,
    /// When they were recorded.
    pub recorded: RecordedTime,
    /// A signed receipt for the added entries, in the text form of `docs/formats.md`; empty when none was added.
    pub receipt: Arc<str>,
}

/// Why a batch was not recorded. Nothing of it is in the log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecordError {
    /// Ids that the log knows with other content, or that appear twice in the batch with different content.
    #[error("{} event(s) carry an id that is already recorded with other content", .0.len())]
    Conflict(Vec<Conflict>),
    /// The batch is too large to be made durable as a whole.
    #[error("the batch takes {bytes} bytes; the most that can be recorded at once is {max}: send it in parts")]
    TooLarge {
        /// What it takes.
        bytes: usize,
        /// What is possible.
        max: usize,
    },
    /// No room on the disk. Reads go on; recording resumes by itself.
    #[error("the disk is full; recording resumes by itself when there is room")]
    Full,
    /// The queue before the journal is full: come back after the given milliseconds.
    #[error("too many events are waiting; try again in {retry_after_ms} ms")]
    Busy {
        /// When to come back.
        retry_after_ms: u64,
    },
    /// The journal has stopped: shutting down, or an outcome was not known (a failed fsync) and only a restart can tell.
    #[error("the log `{log}` takes no events: {reason}")]
    Stopped {
        /// Which log.
        log: String,
        /// Why.
        reason: String,
    },
}

/// One event that conflicts with a recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Its position in the batch, from 0.
    pub position: usize,
    /// Its id.
    pub id: EventId,
    /// Where the other event with this id stands; `None` when it is in the same batch.
    pub index: Option<EntryIndex>,
}

/// A boxed future, so that doors can be `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The way in. When `record` resolves to `Ok`, every event of the batch is on stable storage, ordered and numbered.
pub trait Recorder: Send + Sync {
    /// Records a batch, all or nothing.
    fn record(&self, batch: EventBatch) -> BoxFuture<'_, Result<Recorded, RecordError>>;
}

/// Consecutive entries read from a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    first: EntryIndex,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Entries {
    /// Nothing yet, to begin at `first`.
    #[must_use]
    pub fn starting_at(first: EntryIndex) -> Self {
        Self { first, bytes: Vec::new(), ends: Vec::new() }
    }

    /// The same, with room for `bytes` of entries.
    #[must_use]
    pub fn with_capacity(first: EntryIndex, bytes: usize) -> Self {
        Self { first, bytes: Vec::with_capacity(bytes), ends: Vec::new() }
    }

    /// Appends the next entry.
    pub fn push(&mut self, entry: &[u8]) {
        self.bytes.extend_from_slice(entry);
        self.ends.push(self.bytes.len());
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All bytes together.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The index after the last entry.
    #[must_use]
    pub fn next_index(&self) -> EntryIndex {
        EntryIndex(self.first.0 + self.ends.len() as u64)
    }

    /// Each entry with its index.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (EntryIndex, &[u8])> {
        (0..self.ends.len()).map(|n| {
            let start = n.checked_sub(1).map_or(0, |before| self.ends[before]);
            (EntryIndex(self.first.0 + n as u64), &self.bytes[start..self.ends[n]])
        })
    }
}

/// Why entries could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The index lies beyond what is durable.
    #[error("entry {index} is not in the log, which has {size} entries")]
    Beyond {
        /// What was asked for.
        index: EntryIndex,
        /// How many entries there are.
        size: u64,
    },
    /// The stored bytes are damaged or gone.
    #[error("entry {index} cannot be read: {reason}")]
    Damaged {
        /// The first entry that cannot be read.
        index: EntryIndex,
        /// What is wrong, with the file.
        reason: String,
    },
}

/// The way out: acknowledged entries in order. Calls block on the disk; an asynchronous caller uses a blocking thread.
pub trait EntryReader: Send + Sync {
    /// How many entries are durable (acknowledged). Never decreases.
    fn size(&self) -> u64;

    /// Reads consecutive entries from `first`, at least one (unless `first` is the size: then none), at most `max_entries`
    /// and about `max_bytes`.
    ///
    /// # Errors
    /// [`ReadError`] names the first entry that cannot be read.
    fn read(&self, first: EntryIndex, max_entries: usize, max_bytes: usize) -> Result<Entries, ReadError>;
}
