//! The fresh tail: rows that are in memory and not yet in a file.
//!
//! Promises: a chunk never mixes days; chunks stand in order of their entries without a gap. Never: grows without bound (the
//! index flushes it).

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;
use indelible_event::doors::Entries;
use indelible_event::view::EventView;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::names::day_of;
use crate::rows::RowBuilder;

/// Rows in one chunk: a sixteenth of a row group, small enough to be copied for a query while it still fills.
pub(crate) const CHUNK_ROWS: usize = 8_192;

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
    builder: RowBuilder,
    next: u64,
    first: u64,
    first_recorded: i64,
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
        Self { builder: RowBuilder::new(0), next, first: next, first_recorded: 0, day: Day::of(0), unreadable: 0 }
    }

    /// The entry it wants next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// How many entries could not be read so far.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Takes entries, which begin with [`Filler::next`], and hands out each chunk that got full or whose day ended.
    pub(crate) fn take(&mut self, entries: &Entries, sealed: &mut Vec<Arc<Chunk>>) -> Result<(), ArrowError> {
        for (index, entry) in entries.iter() {
            let view = EventView::parse(entry).ok();
            let recorded = view.as_ref().and_then(|view| view.recorded_unix_ns).unwrap_or(self.builder.last_recorded());
            if !self.day.holds(recorded) {
                sealed.extend(self.seal()?);
                self.day = Day::of(recorded);
            }
            if self.builder.rows() == 0 {
                (self.first, self.first_recorded) = (index.0, recorded);
            }
            self.unreadable += u64::from(view.is_none());
            self.builder.push(i64::try_from(index.0).unwrap_or(i64::MAX), entry.len(), view.as_ref());
            self.next = index.0 + 1;
            if self.builder.rows() == CHUNK_ROWS {
                sealed.extend(self.seal()?);
            }
        }
        Ok(())
    }

    /// The rows that no sealed chunk holds yet, as a chunk of their own; the builder keeps them.
    pub(crate) fn open(&self) -> Result<Option<Arc<Chunk>>, ArrowError> {
        if self.builder.rows() == 0 {
            return Ok(None);
        }
        Ok(Some(self.chunk(self.builder.copy()?, self.builder.bytes(), false)))
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
