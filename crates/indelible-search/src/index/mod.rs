//! The index of one log: Parquet files by day, and a fresh tail in memory.
//!
//! Promises: what [`Index::refresh`] has taken is found by the next query; every state on disk after a crash is one that
//! [`Index::open`] mends or names; queries go on while files are written, merged and removed. Never: writes to the log, or makes
//! recording wait.

mod check;
mod disk;
mod merge;
mod names;
mod segment;
mod tail;
mod write;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use indelible_event::doors::{EntryIndex, EntryReader};
use indelible_event::time::RecordedTime;

pub(crate) use self::disk::IndexFile;
pub(crate) use self::names::day_of;
pub(crate) use self::segment::{Footer, Footers, Segment};
pub(crate) use self::tail::{Chunk, Filler};
pub(crate) use self::write::{GROUP_ROWS, encoder};
use crate::error::IndexError;
use crate::index::names::{FileName, list};
use crate::sql::Engine;
use crate::stats::Partials;

/// Entries asked of the log at once.
const READ_ENTRIES: usize = tail::CHUNK_ROWS;
/// Bytes asked of the log at once: what the allocator keeps ready, so that no page is fetched anew for each read.
const READ_BYTES: usize = 1 << 20;
/// Memory of tail rows that are due to be written to a file, however few they are.
const FLUSH_BYTES: usize = 64 << 20;
/// Memory the tail never passes: at this size whoever fills it writes a file first.
const TAIL_BYTES_MAX: usize = 96 << 20;

/// Whether the index may be changed on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Files are written, merged and removed. One process at a time: whoever owns the data folder.
    Owner,
    /// Nothing on disk is touched.
    ReadOnly,
}

/// How an index is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether it may be changed on disk.
    pub access: Access,
    /// How long rows may stay in memory only. They can always be read from the log again, so this bounds the work after a
    /// restart and how stale the files are for other readers.
    pub flush_age: Duration,
    /// Memory for footers of files, in bytes.
    pub footer_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { access: Access::Owner, flush_age: Duration::from_mins(5), footer_bytes: 64 << 20 }
    }
}

/// The index of one log.
pub struct Index {
    pub(crate) folder: PathBuf,
    pub(crate) log: String,
    settings: Settings,
    filler: Mutex<Filler>,
    /// Held while a file is written, so that flushes follow one another.
    keeping: Mutex<()>,
    shared: RwLock<Snapshot>,
    pub(crate) footers: Footers,
    pub(crate) partials: Partials,
    pub(crate) engine: Engine,
    unreadable: AtomicU64,
}

/// What is in force at one moment; queries work on it undisturbed.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// Files in order of their entries.
    pub(crate) segments: Arc<[Arc<Segment>]>,
    /// Rows in memory, after those in files.
    pub(crate) tail: Arc<[Arc<Chunk>]>,
}

impl Snapshot {
    /// How many entries it holds: all below this index.
    pub(crate) fn size(&self) -> u64 {
        let in_files = self.segments.last().map_or(0, |segment| segment.name.end);
        self.tail.last().map_or(in_files, |chunk| chunk.end)
    }
}

/// What an index holds, for health and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexState {
    /// Entries that can be found: all below this index.
    pub indexed: u64,
    /// Entries that are in files: all below this index.
    pub in_files: u64,
    /// How many files there are.
    pub files: usize,
    /// Their size in bytes.
    pub file_bytes: u64,
    /// About how much memory the tail takes, in bytes.
    pub tail_bytes: usize,
    /// Entries taken since the start that could not be read; they have an empty row.
    pub unreadable: u64,
}

/// What [`Index::maintain`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Files written from the tail.
    pub flushed: usize,
    /// Files that were merged into larger ones.
    pub merged: usize,
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("folder", &self.folder).field("state", &self.state()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Index {
    /// Opens the index in `folder` (`index/<log>`), which may not be there yet. Leftovers of a crash are removed.
    ///
    /// # Errors
    /// [`IndexError`] when files lack entries, overlap or cannot be read: then it says to rebuild.
    pub fn open(folder: &Path, log: &str, settings: Settings) -> Result<Self, IndexError> {
        let listing = list(folder, log)?;
        if settings.access == Access::Owner {
            disk::make_folder(folder)?;
            for leftover in &listing.leftovers {
                disk::remove(leftover)?;
            }
        }
        let segments = listing.files.into_iter().map(|name| Segment::new(folder, name).map(Arc::new));
        let snapshot = Snapshot { segments: segments.collect::<Result<_, _>>()?, tail: Arc::new([]) };
        Ok(Self {
            folder: folder.to_owned(),
            log: log.to_owned(),
            filler: Mutex::new(Filler::new(snapshot.size())),
            keeping: Mutex::new(()),
            shared: RwLock::new(snapshot),
            footers: Footers::new(settings.footer_bytes),
            partials: Partials::default(),
            engine: Engine::new(),
            unreadable: AtomicU64::new(0),
            settings,
        })
    }

    /// Makes the index of `log` anew from its first entry; `progress` hears how many entries of how many are done.
    ///
    /// # Errors
    /// When the old files cannot be removed, the log cannot be read or files cannot be written.
    pub fn rebuild(
        folder: &Path,
        log: &str,
        settings: Settings,
        entries: &dyn EntryReader,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, IndexError> {
        names::remove_all(folder)?;
        let index = Self::open(folder, log, settings)?;
        loop {
            let (done, size) = (index.refresh_some(entries, GROUP_ROWS)?, entries.size());
            progress(done, size);
            index.flush_due(None)?;
            if done >= size {
                index.flush()?;
                while index.merge()? > 0 {}
                return Ok(index);
            }
        }
    }

    /// Takes every entry that `entries` has by now; returns how many can be found. Blocks on the disk.
    ///
    /// # Errors
    /// When the log cannot be read, or has fewer entries than the index.
    pub fn refresh(&self, entries: &dyn EntryReader) -> Result<u64, IndexError> {
        self.refresh_some(entries, usize::MAX)
    }

    /// As [`Index::refresh`], but takes about `most` entries and then returns.
    ///
    /// # Errors
    /// As [`Index::refresh`].
    pub fn refresh_some(&self, entries: &dyn EntryReader, most: usize) -> Result<u64, IndexError> {
        let size = entries.size();
        let mut filler = lock(&self.filler);
        if size < filler.next() {
            return Err(IndexError::Ahead { log: self.log.clone(), indexed: filler.next(), size });
        }
        let until = size.min(filler.next().saturating_add(most as u64));
        let started = filler.next();
        if started < until {
            filler.recall(entries)?;
        }
        while filler.next() < until {
            let wanted = usize::try_from(until - filler.next()).unwrap_or(usize::MAX).min(READ_ENTRIES);
            let read = entries.read(EntryIndex(filler.next()), wanted, READ_BYTES)?;
            if read.is_empty() {
                break;
            }
            let mut sealed = Vec::new();
            filler.take(&read, &mut sealed)?;
            if !sealed.is_empty() {
                self.publish(sealed, None);
                self.make_room()?;
            }
        }
        // Copying the rows of an unfinished chunk pays only for who is about to look at them.
        if filler.next() > started && filler.next() == size {
            let open = filler.open()?;
            self.publish(Vec::new(), open);
        }
        self.unreadable.store(filler.unreadable(), Ordering::Relaxed);
        Ok(filler.next())
    }

    /// Puts sealed chunks, and the one still filling, in the place of the one that was filling.
    fn publish(&self, sealed: Vec<Arc<Chunk>>, open: Option<Arc<Chunk>>) {
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        let kept = shared.tail.iter().filter(|chunk| chunk.sealed).cloned();
        shared.tail = kept.chain(sealed).chain(open).collect();
    }

    /// Writes a file when the tail may not grow.
    fn make_room(&self) -> Result<(), IndexError> {
        if self.tail_bytes() < TAIL_BYTES_MAX {
            return Ok(());
        }
        if self.settings.access == Access::ReadOnly {
            return Err(IndexError::TailFull { log: self.log.clone() });
        }
        self.flush_due(None).map(|_| ())
    }

    fn tail_bytes(&self) -> usize {
        self.snapshot().tail.iter().map(|chunk| chunk.bytes).sum()
    }

    /// Background step: writes tail rows that are due to files and merges small files. Call it now and then from a thread that
    /// may block; `now` is the server's time.
    ///
    /// # Errors
    /// When files cannot be read or written. Nothing is lost: the step can be repeated.
    pub fn maintain(&self, now: RecordedTime) -> Result<Maintained, IndexError> {
        if self.settings.access == Access::ReadOnly {
            return Err(IndexError::ReadOnly { log: self.log.clone() });
        }
        let flushed = self.flush_due(Some(now))?;
        Ok(Maintained { flushed, merged: self.merge()? })
    }

    /// Writes the whole tail to files, for a clean end.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn flush(&self) -> Result<usize, IndexError> {
        if self.settings.access == Access::ReadOnly {
            return Err(IndexError::ReadOnly { log: self.log.clone() });
        }
        self.flush_due(Some(RecordedTime(i64::MAX)))
    }

    /// Writes the files that are due: a row group is full, memory is due, the day is over, or rows are old at `now`.
    fn flush_due(&self, now: Option<RecordedTime>) -> Result<usize, IndexError> {
        let age = i64::try_from(self.settings.flush_age.as_nanos()).unwrap_or(i64::MAX);
        let old = |chunk: &Chunk| now.is_some_and(|now| now.0.saturating_sub(chunk.recorded) >= age);
        if self.snapshot().tail.first().is_some_and(|chunk| old(chunk)) {
            let mut filler = lock(&self.filler);
            let sealed = filler.seal()?;
            self.publish(sealed.into_iter().collect(), None);
        }
        let _keeping = lock(&self.keeping);
        let mut files = 0;
        loop {
            let tail = self.snapshot().tail;
            let Some(first) = tail.first() else { return Ok(files) };
            let group = leading(&tail);
            let rows: usize = group.iter().map(|chunk| chunk.rows.num_rows()).sum();
            let bytes: usize = tail.iter().map(|chunk| chunk.bytes).sum();
            let day_is_over = tail.last().is_some_and(|last| last.date != first.date);
            let full = rows + tail::CHUNK_ROWS > GROUP_ROWS;
            let due = full || day_is_over || old(first) || bytes >= FLUSH_BYTES;
            let Some(last) = group.last().filter(|_| due) else { return Ok(files) };
            let name = FileName { date: first.date, first: first.first, end: last.end };
            let batches: Vec<_> = group.iter().map(|chunk| &chunk.rows).collect();
            write::write_rows(&self.folder, &name, &batches)?;
            let segment = Arc::new(Segment::new(&self.folder, name)?);
            let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
            shared.tail = shared.tail.iter().filter(|chunk| chunk.first >= segment.name.end).cloned().collect();
            shared.segments = shared.segments.iter().cloned().chain([segment]).collect();
            files += 1;
        }
    }

    /// How the index is kept.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is in force now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.shared.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the index holds, for health and metrics.
    #[must_use]
    pub fn state(&self) -> IndexState {
        let snapshot = self.snapshot();
        IndexState {
            indexed: snapshot.size(),
            in_files: snapshot.segments.last().map_or(0, |segment| segment.name.end),
            files: snapshot.segments.len(),
            file_bytes: snapshot.segments.iter().map(|segment| segment.bytes).sum(),
            tail_bytes: snapshot.tail.iter().map(|chunk| chunk.bytes).sum(),
            unreadable: self.unreadable.load(Ordering::Relaxed),
        }
    }
}

/// The sealed chunks at the front that make one file: of one day, and of one row group.
fn leading(tail: &[Arc<Chunk>]) -> &[Arc<Chunk>] {
    let mut rows = 0;
    let count = tail.iter().take_while(|chunk| {
        rows += chunk.rows.num_rows();
        chunk.sealed && Some(chunk.date) == tail.first().map(|first| first.date) && rows <= GROUP_ROWS
    });
    tail.get(..count.count()).unwrap_or_default()
}
