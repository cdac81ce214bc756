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

/// Ids in a new run, unless configured otherwise.
pub const RUN_IDS_DEFAULT: u64 = 131_072;
/// Runs of one size that are merged into one.
const MERGE_RUNS: usize = 8;
/// How far back an id is remembered, in entries, unless configured otherwise.
pub const WINDOW_DEFAULT: u64 = 10_000_000;
/// Runs' worth of ids held in memory before recording is told to wait: they come down to one when runs can be written.
const NEWEST_RUNS_MAX: u64 = 8;

/// What an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdSettings {
    /// How far back an id is remembered, in entries.
    pub window: u64,
    /// Ids in a new run.
    pub run_ids: u64,
}

impl Default for IdSettings {
    fn default() -> Self {
        Self { window: WINDOW_DEFAULT, run_ids: RUN_IDS_DEFAULT }
    }
}

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
    settings: IdSettings,
    runs: Arc<RwLock<Runs>>,
}

impl IdRuns {
    /// Opens the runs in `folder`, which is there. They are derived: where a run is missing, those before it are dropped too,
    /// and the caller adds again what the window asks for ([`IdRuns::add`]).
    ///
    /// # Errors
    /// [`IdsError::Damaged`] when a run cannot be used.
    pub fn open(disk: Arc<dyn Disk>, folder: PathBuf, settings: IdSettings) -> Result<Self, IdsError> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        // a run that a dying process put here may not be durable yet, and the journal is trimmed by what stands here
        disk.sync_dir(&folder)?;
        for name in disk.list(&folder)? {
            match run::parse_file_name(&name) {
                Some(range) => ranges.push(range),
                None if name.ends_with(".tmp") => disk.remove(&folder.join(name))?,
                None => {}
            }
        }
        // a merged run and the runs it was made of may both be there after a crash: the larger one stands
        ranges.sort_by_key(|(first, end)| (*first, std::cmp::Reverse(*end)));
        let mut kept: Vec<(u64, u64)> = Vec::new();
        let mut dropped: Vec<(u64, u64)> = Vec::new();
        for (first, end) in ranges {
            match kept.last() {
                Some((_, last_end)) if end <= *last_end => dropped.push((first, end)),
                Some((_, last_end)) if first != *last_end => {
                    dropped.append(&mut kept);
                    kept.push((first, end));
                }
                _ => kept.push((first, end)),
            }
        }
        let open = |(first, end): (u64, u64)| Run::open(disk.as_ref(), &folder, first, end).map(Arc::new);
        let runs: Vec<Arc<Run>> = kept.into_iter().map(open).collect::<Result<_, _>>()?;
        for (first, end) in dropped {
            disk.remove(&folder.join(run::file_name(first, end)))?;
        }
        Ok(Self { disk, folder, settings, runs: Arc::new(RwLock::new(Arc::new(runs))) })
    }

    fn snapshot(&self) -> Runs {
        Arc::clone(&self.runs.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// One past the last entry whose id is in a run; `None` when there is no run.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.snapshot().last().map(|run| run.end)
    }

    /// The first entry whose id is in a run; `None` when there is no run.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.snapshot().first().map(|run| run.first)
    }

    /// Moves ids from the journal into runs as long as there are enough for one; merges runs; drops those out of the
    /// window. `ids_end` is where the first run begins when there is none.
    ///
    /// # Errors
    /// When the disk or the journal refuse; what is already in runs stays.
    pub fn flush(&self, journal: &JournalReader, ids_end: u64) -> Result<(), IdsError> {
        let (_, next) = journal.bounds();
        let run_ids = self.settings.run_ids.max(1);
        loop {
            let from = self.end().unwrap_or(ids_end);
            if next.saturating_sub(from) < run_ids {
                break;
            }
            let mut pairs = Vec::with_capacity(usize::try_from(run_ids).unwrap_or_default());
            journal.read(from, from + run_ids, |entry| {
                pairs.push((entry.id, entry.index));
                true
            })?;
            self.add(from, from + run_ids, pairs)?;
        }
        self.merge(run_ids)?;
        self.drop_old(next)
    }

    /// Writes one run for the entries `[first, end)`; it must end where the first begins or begin where the last ends.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn add(&self, first: u64, end: u64, mut pairs: Vec<([u8; 16], u64)>) -> Result<(), IdsError> {
        pairs.sort_unstable();
        let count = pairs.len() as u64;
        let run = Run::write(self.disk.as_ref(), &self.folder, (first, end), count, pairs.into_iter().map(Ok))?;
        self.change(|runs| {
            let at = runs.partition_point(|run| run.first < first);
            runs.insert(at, Arc::new(run));
        });
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Run>>)) {
        let mut guard = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        let mut runs = guard.as_ref().clone();
        change(&mut runs);
        *guard = Arc::new(runs);
    }

    fn merge(&self, run_ids: u64) -> Result<(), IdsError> {
        let runs = self.snapshot();
        let small = |run: &Arc<Run>| run.end - run.first <= run_ids;
        let Some(begin) = runs.windows(MERGE_RUNS).position(|window| window.iter().all(small)) else { return Ok(()) };
        let merged: Vec<Arc<Run>> = runs.iter().skip(begin).take(MERGE_RUNS).cloned().collect();
        let (Some(first), Some(last)) = (merged.first(), merged.last()) else { return Ok(()) };
        let count = merged.iter().map(|run| run.count()).sum();
        let pairs = run::merge(&merged);
        let run = Run::write(self.disk.as_ref(), &self.folder, (first.first, last.end), count, pairs)?;
        self.change(|runs| {
            runs.splice(begin..begin + MERGE_RUNS, [Arc::new(run)]);
        });
        // should one of these stay behind, the next start finds it covered by the merged one. a reader has its file open
        for run in &merged {
            self.disk.remove(&self.folder.join(run::file_name(run.first, run.end)))?;
        }
        Ok(self.disk.sync_dir(&self.folder)?)
    }

    /// Drops runs that are out of the window, but never the newest: it says up to where ids are in runs. Oldest first and
    /// each for good before the next, so that no crash leaves a gap.
    fn drop_old(&self, next: u64) -> Result<(), IdsError> {
        let keep_from = next.saturating_sub(self.settings.window);
        let runs = self.snapshot();
        let Some((_newest, older)) = runs.split_last() else { return Ok(()) };
        for run in older.iter().take_while(|run| run.end <= keep_from) {
            self.disk.remove(&self.folder.join(run::file_name(run.first, run.end)))?;
            self.disk.sync_dir(&self.folder)?;
            self.change(|runs| runs.retain(|other| other.end != run.end));
        }
        Ok(())
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
        let mixed = run::Mixed::new(id);
        for run in self.runs.snapshot().iter().rev() {
            if let Some(index) = run.find(id, mixed)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Whether so many ids are held in memory that recording must wait until some are in runs.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.newest.len() as u64 > self.runs.settings.run_ids.max(1).saturating_mul(NEWEST_RUNS_MAX)
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
