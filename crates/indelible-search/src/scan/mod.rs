//! Scanning: which rows match a query, found by opening as little as possible.
//!
//! Of a file the name is looked at first, then the statistics in its footer, then its bloom filters, then only the columns that
//! the query names. Promises: each unit of work is one row group, so a scan can stop early and never holds more than a few of
//! them. Never: reads the entries themselves.

mod group;
mod hits;
mod prune;
mod test;

#[cfg(test)]
mod tests;

pub(crate) use self::group::{Evaluator, GroupReader, Rows};
pub use self::hits::{Hits, Order};
pub(crate) use self::hits::{Units, Work};
pub(crate) use self::prune::whole_bounds;
pub(crate) use self::test::attribute::texts as attribute_texts;
pub(crate) use self::test::{AttributeName, Memo, Program};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::columns::Column;
use crate::error::FindError;

/// Where a free text is looked for.
pub const FREE_TEXT_COLUMNS: &[Column] = &[
    Column::ActorId,
    Column::ActorName,
    Column::ActorIp,
    Column::ActorUserAgent,
    Column::OnBehalfOf,
    Column::SourceId,
    Column::Operation,
    Column::ResourceIds,
    Column::ResourceNames,
    Column::OutcomeCode,
    Column::OutcomeReason,
    Column::OutcomePolicy,
    Column::Purpose,
    Column::AiRequestModel,
    Column::AiResponseModel,
    Column::AiAgent,
    Column::AiToolName,
    Column::Attributes,
];

/// What a search opened: so that tests, and people who tune, can see how well it was narrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanCounts {
    /// Files that their name ruled out.
    pub files_pruned: u64,
    /// Files whose footer was looked at.
    pub files_opened: u64,
    /// Row groups that statistics ruled out.
    pub groups_pruned_by_statistics: u64,
    /// Row groups that bloom filters ruled out.
    pub groups_pruned_by_bloom: u64,
    /// Row groups that match whole by their statistics, and needed no reading.
    pub groups_taken_whole: u64,
    /// Row groups of which columns were read.
    pub groups_read: u64,
    /// Counts of row groups that were remembered: nothing of those was read.
    pub groups_remembered: u64,
    /// Rows of the fresh tail that were looked at.
    pub tail_rows: u64,
}

/// Counts kept by many threads.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) files_pruned: AtomicU64,
    pub(crate) files_opened: AtomicU64,
    pub(crate) by_statistics: AtomicU64,
    pub(crate) by_bloom: AtomicU64,
    pub(crate) whole: AtomicU64,
    pub(crate) read: AtomicU64,
    pub(crate) remembered: AtomicU64,
    pub(crate) tail_rows: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> ScanCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ScanCounts {
            files_pruned: of(&self.files_pruned),
            files_opened: of(&self.files_opened),
            groups_pruned_by_statistics: of(&self.by_statistics),
            groups_pruned_by_bloom: of(&self.by_bloom),
            groups_taken_whole: of(&self.whole),
            groups_read: of(&self.read),
            groups_remembered: of(&self.remembered),
            tail_rows: of(&self.tail_rows),
        }
    }
}

/// Until when a scan may work, and whether anyone still waits for it.
#[derive(Clone, Debug)]
pub struct Patience {
    deadline: Option<(Instant, Duration)>,
    abandoned: Arc<AtomicBool>,
}

impl Patience {
    /// Work for at most `limit`.
    #[must_use]
    pub fn of(limit: Duration) -> Self {
        let deadline = Instant::now().checked_add(limit).map(|at| (at, limit));
        Self { deadline, abandoned: Arc::default() }
    }

    /// Work until the end, unless abandoned.
    #[must_use]
    pub fn endless() -> Self {
        Self { deadline: None, abandoned: Arc::default() }
    }

    /// Tells the scan that nobody waits any more.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// # Errors
    /// [`FindError::TookTooLong`] or [`FindError::Abandoned`] when the work should stop.
    pub(crate) fn check(&self) -> Result<(), FindError> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(FindError::Abandoned);
        }
        match self.deadline {
            Some((at, limit)) if Instant::now() > at => Err(FindError::TookTooLong { seconds: limit.as_secs() }),
            _ => Ok(()),
        }
    }
}
