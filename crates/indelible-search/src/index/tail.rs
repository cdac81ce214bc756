//! The fresh tail: rows that are in memory and not yet in a file.
//!
//! Promises: a chunk never mixes days; chunks stand in order of their entries without a gap. Never: grows without bound (the
//! index flushes it).

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;
use indelible_event::doors::{Entries, EntryIndex, EntryReader, ReadError};
use indelible_event::json::{Document, Tape};
use jiff::civil::Date;
use jiff::tz::Offset;

use super::names::day_of;
use crate::rows::{RowBuilder, recorded};

/// Rows in one chunk: a sixteenth of a row group, small enough to be copied for a query while it still fills.
pub(crate) const CHUNK_ROWS: usize = 8_192;
/// How many entries are looked at for a time that stands in for that of an unreadable one.
const NEIGHBOURS: u64 = 64;

/// Consecutive rows in memory.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Its first entry.
    pub(crate) first: u64,
    /// The entry after its last.
    pub(crate) end: u64,
    /// UTC day on which all of them were recorded.
    pub(crate) date: Date,
    /// When the first of them was recorded.
    pub(crate) recorded: i64,
    /// About how much memory it takes.
    pub(crate) bytes: usize,
    /// Whether it is complete; if not, a longer one takes its place.
    pub(crate) sealed: bool,
    /// The rows.
    pub(crate) rows: RecordBatch,
}

/// Fills chunks from entries.
pub(crate) struct Filler {
    tape: Tape,
    builder: RowBuilder,
    next: u64,
    first: u64,
    first_recorded: i64,
    /// Stands in for the time of an entry that does not say when it was recorded; `None` until one was seen that does.
    last_recorded: Option<i64>,
    day: Day,
    unreadable: u64,
}

/// The day of the rows in the builder, with its bounds so that most rows need no calendar.
struct Day {
    date: Date,
    from: i64,
    until: i64,
}

impl Day {
    fn of(unix_ns: i64) -> Self {
        let date = day_of(unix_ns);
        let bound = |date: Date| {
            let midnight = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
            i64::try_from(midnight.as_nanosecond()).ok()
        };
        let until = date.tomorrow().ok().and_then(bound).unwrap_or(i64::MAX);
        Self { date, from: bound(date).unwrap_or(i64::MIN), until }
    }

    fn holds(&self, unix_ns: i64) -> bool {
        (self.from..self.until).contains(&unix_ns)
    }
}

impl Filler {
    /// Begins with entry `next`.
    pub(crate) fn new(next: u64) -> Self {
        Self {
            tape: Tape::default(),
            builder: RowBuilder::new(),
            next,
            first: next,
            first_recorded: 0,
            last_recorded: None,
            day: Day::of(0),
            unreadable: 0,
        }
    }

    /// The entry it wants next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Looks up when the entry before the first one was recorded, once: should the first ones be unreadable, their rows get the
    /// time that they would have got without the restart in between.
    pub(crate) fn recall(&mut self, entries: &dyn EntryReader) -> Result<(), ReadError> {
        if self.last_recorded.is_some() {
            return Ok(());
        }
        for index in (self.next.saturating_sub(NEIGHBOURS)..self.next).rev() {
            self.last_recorded = first_recorded(&mut self.tape, &entries.read(EntryIndex(index), 1, 0)?);
            if self.last_recorded.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// How many entries could not be read so far.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Takes entries, which begin with [`Filler::next`], and hands out each chunk that got full or whose day ended.
    pub(crate) fn take(&mut self, entries: &Entries, sealed: &mut Vec<Arc<Chunk>>) -> Result<(), ArrowError> {
        let mut tape = std::mem::take(&mut self.tape);
        let mut last = self.last_recorded.or_else(|| first_recorded(&mut tape, entries)).unwrap_or_default();
        for (index, entry) in entries.iter() {
            let document = tape.read(entry).ok();
            let root = document.as_ref().map(Document::root).filter(|root| root.kind_name() == "an object");
            let recorded = root.and_then(recorded).unwrap_or(last);
            last = recorded;
            if !self.day.holds(recorded) {
                sealed.extend(self.seal()?);
                self.day = Day::of(recorded);
            }
            if self.builder.rows() == 0 {
                (self.first, self.first_recorded) = (index.0, recorded);
            }
            self.unreadable += u64::from(root.is_none());
            self.builder.push(i64::try_from(index.0).unwrap_or(i64::MAX), recorded, entry, root);
            self.next = index.0 + 1;
            if self.builder.rows() == CHUNK_ROWS {
                sealed.extend(self.seal()?);
            }
        }
        self.last_recorded = Some(last);
        self.tape = tape;
        Ok(())
    }

    /// The rows that no sealed chunk holds yet, as a chunk of their own; the builder keeps them.
    pub(crate) fn open(&mut self) -> Result<Option<Arc<Chunk>>, ArrowError> {
        if self.builder.rows() == 0 {
            return Ok(None);
        }
        let rows = self.builder.copy()?;
        Ok(Some(self.chunk(rows, self.builder.bytes(), false)))
    }

    /// Seals what has been taken.
    pub(crate) fn seal(&mut self) -> Result<Option<Arc<Chunk>>, ArrowError> {
        if self.builder.rows() == 0 {
            return Ok(None);
        }
        let rows = self.builder.finish()?;
        let bytes = rows.get_array_memory_size();
        Ok(Some(self.chunk(rows, bytes, true)))
    }

    fn chunk(&self, rows: RecordBatch, bytes: usize, sealed: bool) -> Arc<Chunk> {
        let (first, date, recorded) = (self.first, self.day.date, self.first_recorded);
        Arc::new(Chunk { first, end: first + rows.num_rows() as u64, date, recorded, bytes, sealed, rows })
    }
}

/// When the first entry that says it was recorded.
fn first_recorded(tape: &mut Tape, entries: &Entries) -> Option<i64> {
    let near = usize::try_from(NEIGHBOURS).unwrap_or(usize::MAX);
    entries.iter().take(near).find_map(|(_, entry)| recorded(tape.read(entry).ok()?.root()))
}
