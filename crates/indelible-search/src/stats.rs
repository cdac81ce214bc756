//! Counting: how many entries match, by fields and by time.
//!
//! Values that repeat are counted by their place in a row group's dictionary, so that a value's text is looked at once for each
//! row group. Promises: exact counts; memory is bounded by [`GROUPS_MAX`]. Never: a partial count that looks like a whole one.

mod buckets;
mod code_lists;
mod counter;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indelible_event::time::RecordedTime;

pub use self::buckets::Interval;
use self::counter::{By, Counter, Tally};
use crate::columns::Kind;
use crate::error::FindError;
use crate::index::Index;
use crate::pool;
use crate::query::{FIELDS, Query, field, nearest};
use crate::scan::{Counters, Evaluator, Order, Patience, Program, ScanCounts, Units, Work};
use crate::search::SEARCH_TIME;

/// Most fields to count by: each multiplies the groups.
pub const BY_MAX: usize = 4;
/// Most groups that are counted before the request is refused: about 20 MiB.
pub const GROUPS_MAX: usize = 100_000;
/// Most rows in one answer.
pub const ROWS_MAX: usize = 10_000;

/// What to count.
#[derive(Clone, Debug)]
pub struct StatsRequest {
    /// What is counted; see [`filter`](crate::filter).
    pub query: Query,
    /// Fields to count by, as a query names them, or `attributes.key`; at most [`BY_MAX`]. By a list, an entry counts once for
    /// each distinct item; by a field that looks into two columns, the first of them is taken.
    pub by: Vec<String>,
    /// Length of the time buckets, such as `15m`: `s`, `m`, `h`, `d` or `w`, in UTC by `time`; weeks begin on Monday.
    pub interval: Option<String>,
    /// Most rows in the answer, 1 to [`ROWS_MAX`]; the largest counts are kept.
    pub limit: usize,
    /// How long it may take.
    pub time: Duration,
}

impl StatsRequest {
    /// How many entries match.
    #[must_use]
    pub fn new(query: Query) -> Self {
        Self { query, by: Vec::new(), interval: None, limit: ROWS_MAX, time: SEARCH_TIME }
    }
}

/// One group and its count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsRow {
    /// The value of each field of `by`, in that order: a text, a number, or null when the entry has none.
    pub by: Vec<serde_json::Value>,
    /// When its bucket begins, in nanoseconds since 1970-01-01T00:00:00Z; `None` without an interval, or without a time.
    pub time: Option<i64>,
    /// How many entries.
    pub count: u64,
}

/// Counts by group: by time, then largest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsAnswer {
    /// The groups.
    pub rows: Vec<StatsRow>,
    /// Whether groups were left out because of the limit.
    pub truncated: bool,
    /// How many entries match, whatever was left out. By a list, this still counts each entry once.
    pub matched: u64,
    /// How many entries were looked at: all below this index.
    pub size: u64,
    /// What had to be opened.
    pub counts: ScanCounts,
}

impl StatsRow {
    /// The row as an object: a member for each field of `by`, `time` where it was counted by an interval (`timed`), `count`.
    #[must_use]
    pub fn to_json(&self, by: &[String], timed: Timed) -> serde_json::Value {
        let mut object: serde_json::Map<_, _> = by.iter().cloned().zip(self.by.iter().cloned()).collect();
        if timed == Timed::Yes {
            let time = self.time.map(|time| RecordedTime(time).to_string());
            object.insert("time".to_owned(), time.into());
        }
        object.insert("count".to_owned(), self.count.into());
        serde_json::Value::Object(object)
    }
}

/// Whether rows have a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timed {
    /// They were counted by an interval.
    Yes,
    /// They were not.
    No,
}

impl Index {
    /// Counts matching entries.
    ///
    /// # Errors
    /// [`FindError`]: a field that cannot be counted by, too many groups, too long a count, an index that cannot be read.
    pub async fn stats(self: &Arc<Self>, request: StatsRequest) -> Result<StatsAnswer, FindError> {
        let (index, patience) = (self.clone(), Patience::of(request.time));
        let work = patience.clone();
        pool::blocking(&patience, move || index.count(&request, &work)).await
    }

    /// As [`Index::stats`], on this thread (and one for each other processor).
    ///
    /// # Errors
    /// As [`Index::stats`].
    pub fn stats_blocking(self: &Arc<Self>, request: &StatsRequest) -> Result<StatsAnswer, FindError> {
        self.count(request, &Patience::of(request.time))
    }

    fn count(self: &Arc<Self>, request: &StatsRequest, patience: &Patience) -> Result<StatsAnswer, FindError> {
        if !(1..=ROWS_MAX).contains(&request.limit) {
            return Err(FindError::OutOfRange { what: "limit", least: 1, most: ROWS_MAX });
        }
        if request.by.len() > BY_MAX {
            return Err(FindError::OutOfRange { what: "the number of fields to count by", least: 0, most: BY_MAX });
        }
        let by = request.by.iter().map(|name| read_by(name)).collect::<Result<Vec<_>, _>>()?;
        let interval = request.interval.as_deref().map(Interval::parse).transpose()?;
        let counter = Counter::new(by, interval);
        let (snapshot, bounds) = self.whole();
        let size = bounds.end;
        let program = Arc::new(Program::new(&request.query));
        let counters = Arc::new(Counters::default());
        let units = Units::new(self, snapshot, &program, (Order::NewestFirst, bounds), &counters);
        let evaluator = Evaluator { program: &program, patience, counters: &counters };
        let tally = count_all(units, &evaluator, &counter)?;
        let matched = tally.matched;
        let (rows, truncated) = counter.rows(tally, request.limit);
        Ok(StatsAnswer { rows, truncated, matched, size, counts: counters.counts() })
    }
}

/// The field to count by that `name` names.
fn read_by(name: &str) -> Result<By, FindError> {
    let wrong = |reason, nearest| FindError::CountBy { field: name.chars().take(64).collect(), reason, nearest };
    if let Some(key) = name.strip_prefix("attributes.").filter(|key| !key.is_empty()) {
        return Ok(By::attribute(key));
    }
    let Some(known) = field(name) else {
        return Err(wrong("there is no such field", nearest(name, FIELDS.iter().map(|field| field.name))));
    };
    let Some(column) = known.columns.first() else { return Err(wrong("there is no such field", None)) };
    match column.spec().kind {
        Kind::Time => Err(wrong("it is a time; use an interval", None)),
        Kind::Text | Kind::Texts | Kind::Number => Ok(By::column(*column)),
    }
}

/// Counts all units, each processor taking the next one that nobody has.
fn count_all(units: Units, evaluator: &Evaluator<'_>, counter: &Counter) -> Result<Tally, FindError> {
    let units = Mutex::new(units);
    let failed = AtomicBool::new(false);
    let next = || -> Result<Option<Work>, FindError> {
        if failed.load(Ordering::Relaxed) {
            return Ok(None);
        }
        units.lock().unwrap_or_else(PoisonError::into_inner).next()
    };
    let work = || {
        let mut tally = Tally::default();
        loop {
            let done = next().and_then(|work| match work {
                None => Ok(false),
                Some(work) => counter.add(&work, evaluator, &mut tally).map(|()| true),
            });
            match done {
                Ok(true) => {}
                Ok(false) => return Ok(tally),
                Err(fault) => {
                    failed.store(true, Ordering::Relaxed);
                    return Err(fault);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..pool::threads()).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            let other =
                other.join().unwrap_or_else(|_| Err(FindError::Bug { reason: "a count thread panicked".to_owned() }));
            all = match (all, other) {
                (Ok(mut all), Ok(other)) => all.merge(other).map(|()| all),
                (Err(fault), _) | (_, Err(fault)) => Err(fault),
            };
        }
        all
    })
}
