//! Idempotency: which event ids the log already holds, and where.
//!
//! Promises: an id recorded among the last `window` entries is found, across restarts; memory stays bounded (a filter of 14
//! bits an id, and the ids not yet in a run). Never: decides that two events are the same; it only says where an id stands,
//! and the caller compares the stored bytes.
//!
//! The newest ids are held in memory and stand in the journal; older ones are in sorted runs in `journal/<log>/ids/`. The
//! journal keeps what no run holds yet, so a start replays the rest: recovery is the normal path.

mod run;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;

use crate::disk::{Disk, DiskError};
use crate::journal::{JournalError, JournalReader};

use run::Run;

/// Ids in a new run, and the most that are held in memory beyond the newest group.
pub const RUN_IDS: u64 = 131_072;
/// Runs of one size that are merged into one.
const MERGE_RUNS: usize = 8;
/// How far back an id is remembered, in entries, unless configured otherwise.
pub const WINDOW_DEFAULT: u64 = 10_000_000;

/// Why ids could not be looked up or kept.
#[derive(Debug, thiserror::Error)]
pub enum IdsError {
    /// The disk refused.
    #[error("the id index could not be read or written")]
    Disk(#[from] DiskError),
    /// The journal refused.
    #[error("the journal could not be read for its ids")]
    Journal(#[from] JournalError),
    /// A run is damaged. It can be rebuilt from the log.
    #[error("id index {} is damaged: {reason}; stop the server and remove the folder it is in: it is rebuilt from the log", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

type Runs = Arc<Vec<Arc<Run>>>;

/// The ids in runs: written by the sealing side, read by the committing side.
#[derive(Clone, Debug)]
pub struct IdRuns {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    window: u64,
    runs: Arc<RwLock<Runs>>,
}

impl IdRuns {
    /// Opens the runs in `folder`.
    ///
    /// # Errors
    /// [`IdsError::Damaged`] when a run cannot be used.
    pub fn open(disk: Arc<dyn Disk>, folder: PathBuf, window: u64) -> Result<Self, IdsError> {
        disk.create_dir_all(&folder)?;
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for name in disk.list(&folder)? {
            match run::parse_file_name(&name) {
                Some(range) => ranges.push(range),
                None => disk.remove(&folder.join(name))?,
            }
        }
        // a merged run and the runs it was made of may both be there after a crash: the larger one stands
        ranges.sort_by_key(|(first, end)| (*first, std::cmp::Reverse(*end)));
        let mut runs: Vec<Arc<Run>> = Vec::new();
        for (first, end) in ranges {
            let covered = runs.last().is_some_and(|last| end <= last.end);
            if covered {
                disk.remove(&folder.join(run::file_name(first, end)))?;
                continue;
            }
            if let Some(last) = runs.last()
                && last.end != first
            {
                let reason = format!("ids of entries {} to {first} are in no run", last.end);
                return Err(IdsError::Damaged { path: folder, reason });
            }
            runs.push(Arc::new(Run::open(disk.as_ref(), &folder, first, end)?));
        }
        Ok(Self { disk, folder, window, runs: Arc::new(RwLock::new(Arc::new(runs))) })
    }

    fn snapshot(&self) -> Runs {
        Arc::clone(&self.runs.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// One past the last entry whose id is in a run; `None` when there is no run.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.snapshot().last().map(|run| run.end)
    }

    /// Moves ids from the journal into runs as long as there are enough for one; merges runs; drops those out of the
    /// window. `ids_end` is where the first run begins when there is none.
    ///
    /// # Errors
    /// When the disk or the journal refuse; what is already in runs stays.
    pub fn flush(&self, journal: &JournalReader, ids_end: u64) -> Result<(), IdsError> {
        let (_, next) = journal.bounds();
        loop {
            let from = self.end().unwrap_or(ids_end);
            if next.saturating_sub(from) < RUN_IDS {
                break;
            }
            let mut pairs = Vec::with_capacity(usize::try_from(RUN_IDS).unwrap_or_default());
            journal.read(from, from + RUN_IDS, |entry| {
                pairs.push((entry.id, entry.index));
                true
            })?;
            self.add(from, from + RUN_IDS, pairs)?;
        }
        self.merge()?;
        self.drop_old(next)
    }

    /// Writes one run for the entries `[first, end)`; it must follow the last.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn add(&self, first: u64, end: u64, mut pairs: Vec<([u8; 16], u64)>) -> Result<(), IdsError> {
        pairs.sort_unstable();
        let run = Run::write(self.disk.as_ref(), &self.folder, first, end, pairs.into_iter().map(Ok))?;
        self.change(|runs| runs.push(Arc::new(run)));
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Run>>)) {
        let mut guard = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        let mut runs = guard.as_ref().clone();
        change(&mut runs);
        *guard = Arc::new(runs);
    }

    fn merge(&self) -> Result<(), IdsError> {
        let runs = self.snapshot();
        let small = |run: &Arc<Run>| run.end - run.first <= RUN_IDS;
        let Some(begin) = runs.iter().position(small) else { return Ok(()) };
        if runs.len() - begin < MERGE_RUNS {
            return Ok(());
        }
        let merged: Vec<Arc<Run>> = runs.iter().skip(begin).take(MERGE_RUNS).cloned().collect();
        let (Some(first), Some(last)) = (merged.first(), merged.last()) else { return Ok(()) };
        let pairs = run::merge(&merged);
        let run = Run::write(self.disk.as_ref(), &self.folder, first.first, last.end, pairs)?;
        self.change(|runs| {
            runs.splice(begin..begin + MERGE_RUNS, [Arc::new(run)]);
        });
        self.remove(&merged)
    }

    fn drop_old(&self, next: u64) -> Result<(), IdsError> {
        let keep_from = next.saturating_sub(self.window);
        let old: Vec<Arc<Run>> = self.snapshot().iter().filter(|run| run.end <= keep_from).cloned().collect();
        if old.is_empty() {
            return Ok(());
        }
        self.change(|runs| runs.retain(|run| run.end > keep_from));
        self.remove(&old)
    }

    /// Removes files that no later start needs. A reader that still holds one has it open.
    fn remove(&self, runs: &[Arc<Run>]) -> Result<(), IdsError> {
        for run in runs {
            self.disk.remove(&self.folder.join(run::file_name(run.first, run.end)))?;
        }
        Ok(self.disk.sync_dir(&self.folder)?)
    }
}

/// The committing side's view: the newest ids in memory, the rest in runs.
#[derive(Debug)]
pub struct Ids {
    runs: IdRuns,
    newest: HashMap<[u8; 16], u64>,
    /// Entries before this are in runs and were taken out of `newest`.
    newest_from: u64,
}

impl Ids {
    /// Replays what is in the journal but in no run, from `from` on.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn load(runs: IdRuns, journal: &JournalReader, from: u64) -> Result<Self, IdsError> {
        let mut ids = Self { runs, newest: HashMap::new(), newest_from: from };
        let (_, next) = journal.bounds();
        if next > from {
            let newest = &mut ids.newest;
            journal.read(from, next, |entry| {
                newest.insert(entry.id, entry.index);
                true
            })?;
        }
        Ok(ids)
    }

    /// Where an id stands in the log, if it is remembered.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn find(&self, id: &[u8; 16]) -> Result<Option<u64>, IdsError> {
        if let Some(index) = self.newest.get(id) {
            return Ok(Some(*index));
        }
        // newest run first: a repeated request is most likely a recent one
        for run in self.runs.snapshot().iter().rev() {
            if let Some(index) = run.find(id)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Remembers a durable entry's id.
    pub fn insert(&mut self, id: [u8; 16], index: u64) {
        self.newest.insert(id, index);
    }

    /// Forgets in memory what is by now in a run. Cheap when nothing changed.
    pub fn release(&mut self) {
        let Some(end) = self.runs.end() else { return };
        if end > self.newest_from {
            self.newest.retain(|_, index| *index >= end);
            self.newest_from = end;
        }
    }
}
