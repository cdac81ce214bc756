//! Counting: how many entries match, by fields and by time.
//!
//! Values that repeat are counted by their place in a row group's dictionary, so that a value's text is looked at once for each
//! row group. Promises: exact counts; memory is bounded by [`GROUPS_MAX`]. Never: a partial count that looks like a whole one.

mod buckets;
mod code_lists;
mod counter;
mod partials;
mod tally;
mod values;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::compute::filter_record_batch;
use indelible_event::time::RecordedTime;

pub use self::buckets::Interval;
use self::counter::{By, Counter};
pub(crate) use self::partials::Partials;
use self::partials::{PARTIAL_GROUPS_MAX, PARTIAL_ROWS_MIN};
use self::tally::Tally;
use crate::columns::{Column, Kind};
use crate::error::FindError;
use crate::index::Index;
use crate::pool;
use crate::query::{FIELDS, Query, field, nearest};
use crate::scan::{Counters, Evaluator, GroupReader, Memo, Order, Patience, Program, ScanCounts, Units, Work};
use crate::search::SEARCH_TIME;

/// Most fields to count by: each multiplies the groups.
pub const BY_MAX: usize = 4;
/// Most fields to sum.
pub const SUMS_MAX: usize = 2;
/// Most groups that are counted before the request is refused: about 20 MiB.
pub const GROUPS_MAX: usize = 100_000;
/// Most rows in one answer.
pub const ROWS_MAX: usize = 10_000;

/// How to count.
#[derive(Clone, Debug)]
pub struct Counting {
    /// Fields to count by, as a query names them, or `attributes.key`; at most [`BY_MAX`]. By a list, an entry counts once for
    /// each distinct item; by a field that looks into two columns, the first of them is taken.
    pub by: Vec<String>,
    /// Length of the time buckets, such as `15m`: `s`, `m`, `h`, `d` or `w`, in UTC by `time`; weeks begin on Monday.
    pub interval: Option<String>,
    /// Fields with numbers, summed for each group; at most [`SUMS_MAX`].
    pub sums: Vec<String>,
    /// Most rows in the answer, 1 to [`ROWS_MAX`]; the largest counts are kept.
    pub limit: usize,
}

impl Counting {
    /// By these fields; by none, how many entries match.
    #[must_use]
    pub fn by<T: AsRef<str>>(fields: &[T]) -> Self {
        let by = fields.iter().map(|field| field.as_ref().to_owned()).collect();
        Self { by, interval: None, sums: Vec::new(), limit: ROWS_MAX }
    }

    /// The same with a limit of its own.
    #[must_use]
    pub fn most(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The same by time too.
    #[must_use]
    pub fn each(mut self, interval: Option<&str>) -> Self {
        self.interval = interval.map(str::to_owned);
        self
    }

    fn counter(&self) -> Result<Counter, FindError> {
        let outside = |what, least, most| Err(FindError::OutOfRange { what, least, most });
        if !(1..=ROWS_MAX).contains(&self.limit) {
            return outside("limit", 1, ROWS_MAX);
        }
        if self.by.len() > BY_MAX {
            return outside("the number of fields to count by", 0, BY_MAX);
        }
        if self.sums.len() > SUMS_MAX {
            return outside("the number of fields to sum", 0, SUMS_MAX);
        }
        let by = self.by.iter().map(|name| read_by(name)).collect::<Result<Vec<_>, _>>()?;
        let sums = self.sums.iter().map(|name| read_sum(name)).collect::<Result<Vec<_>, _>>()?;
        let interval = self.interval.as_deref().map(Interval::parse).transpose()?;
        Ok(Counter::new(by, sums, interval))
    }
}

/// What to count.
#[derive(Clone, Debug)]
pub struct StatsRequest {
    /// What is counted; see [`filter`](crate::filter).
    pub query: Query,
    /// How.
    pub counting: Counting,
    /// How long it may take.
    pub time: Duration,
}

impl StatsRequest {
    /// Counts what matches in one way.
    #[must_use]
    pub fn new(query: Query, counting: Counting) -> Self {
        Self { query, counting, time: SEARCH_TIME }
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
    /// The sum of each field of `sums`, in that order; entries without the field add nothing.
    pub sums: Vec<i128>,
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
        only(self.stats_each(request.query, vec![request.counting], request.time).await?)
    }

    /// Counts matching entries in several ways by one pass: an answer for each, in their order, or that it has too many groups.
    ///
    /// # Errors
    /// As [`Index::stats`] for what is wrong with all of them.
    pub async fn stats_each(
        self: &Arc<Self>,
        query: Query,
        counted: Vec<Counting>,
        time: Duration,
    ) -> Result<Vec<Result<StatsAnswer, FindError>>, FindError> {
        let (index, patience) = (self.clone(), Patience::of(time));
        let work = patience.clone();
        pool::blocking(&patience, move || index.count(&query, &counted, &work)).await
    }

    /// As [`Index::stats`], on this thread (and one for each other processor).
    ///
    /// # Errors
    /// As [`Index::stats`].
    pub fn stats_blocking(self: &Arc<Self>, request: &StatsRequest) -> Result<StatsAnswer, FindError> {
        only(self.count(&request.query, std::slice::from_ref(&request.counting), &Patience::of(request.time))?)
    }

    fn count(
        self: &Arc<Self>,
        query: &Query,
        counted: &[Counting],
        patience: &Patience,
    ) -> Result<Vec<Result<StatsAnswer, FindError>>, FindError> {
        let counters = counted.iter().map(Counting::counter).collect::<Result<Vec<_>, _>>()?;
        let (snapshot, bounds) = self.whole();
        let size = bounds.end;
        let program = Arc::new(Program::new(query));
        let opened = Arc::new(Counters::default());
        let units = Units::new(self, snapshot, &program, (Order::NewestFirst, bounds), &opened);
        let evaluator = Evaluator { program: &program, patience, counters: &opened };
        let tests = format!("{:?}", program.tests);
        let begin = |counter: &Counter| match self.partials.is_hopeless(&counter.question(&tests)) {
            true => Err(FindError::TooManyGroups { most: GROUPS_MAX }),
            false => Ok(Tally::default()),
        };
        let pass = Pass { evaluator, counters: &counters, partials: &self.partials };
        let tallies = count_all(units, &pass, || counters.iter().map(begin).collect())?;
        for (counter, _) in counters.iter().zip(&tallies).filter(|(_, counted)| counted.is_err()) {
            self.partials.give_up(counter.question(&tests));
        }
        let answers = tallies.into_iter().zip(&counters).zip(counted).map(|((tally, counter), counting)| {
            let mut tally = tally?;
            tally.settle()?;
            let matched = tally.matched;
            let (rows, truncated) = counter.rows(tally, counting.limit);
            Ok(StatsAnswer { rows, truncated, matched, size, counts: opened.counts() })
        });
        Ok(answers.collect())
    }
}

/// The answer to the one way of counting that was asked for.
fn only(answers: Vec<Result<StatsAnswer, FindError>>) -> Result<StatsAnswer, FindError> {
    let without = || Err(FindError::Bug { reason: "a count has no answer".to_owned() });
    answers.into_iter().next().unwrap_or_else(without)
}

/// What was counted in one way, or that it has too many groups; then it is counted no further.
type Counted = Result<Tally, FindError>;

/// Goes on with `counted` unless it has too many groups; any other fault ends the pass.
fn go_on(counted: &mut Counted, count: impl FnOnce(&mut Tally) -> Result<(), FindError>) -> Result<(), FindError> {
    let Ok(tally) = counted else { return Ok(()) };
    match count(tally) {
        Err(fault @ FindError::TooManyGroups { .. }) => {
            *counted = Err(fault);
            Ok(())
        }
        other => other,
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

/// The field with numbers that `name` names.
fn read_sum(name: &str) -> Result<Column, FindError> {
    let column =
        field(name).and_then(|known| known.columns.first()).filter(|column| column.spec().kind == Kind::Number);
    column.copied().ok_or_else(|| FindError::CountBy {
        field: name.chars().take(64).collect(),
        reason: "it is no field with numbers, which could be summed",
        nearest: None,
    })
}

/// One pass over the index.
struct Pass<'a> {
    evaluator: Evaluator<'a>,
    counters: &'a [Counter],
    partials: &'a Partials,
}

impl Pass<'_> {
    /// Counts one piece of work in every way.
    fn add(&self, work: &Work, tallies: &mut [Counted]) -> Result<(), FindError> {
        match work {
            Work::Chunk(chunk) => {
                self.evaluator.patience.check()?;
                Counters::add(&self.evaluator.counters.tail_rows, chunk.rows.num_rows() as u64);
                let chosen = self.evaluator.program.matches(&chunk.rows, &mut Memo::default());
                let rows = filter_record_batch(&chunk.rows, &BooleanArray::new(chosen, None))?;
                let mut each = self.counters.iter().zip(tallies);
                each.try_for_each(|(counter, counted)| go_on(counted, |tally| counter.add_rows(&rows, tally)))
            }
            Work::Group(group) => self.add_group(group, tallies),
        }
    }

    fn add_group(&self, group: &GroupReader, tallies: &mut [Counted]) -> Result<(), FindError> {
        let Some(open) = self.evaluator.open(group)? else { return Ok(()) };
        let is_worth_keeping = group.len() >= PARTIAL_ROWS_MIN;
        let tests = if is_worth_keeping { format!("{open:?}") } else { String::new() };
        // which rows match is found out once, and only if somebody has to count them
        let mut chosen = None;
        for (counter, counted) in self.counters.iter().zip(tallies).filter(|(_, counted)| counted.is_ok()) {
            let key = is_worth_keeping.then(|| counter.key(group, &tests));
            if let Some(known) = key.as_ref().and_then(|key| self.partials.get(key)) {
                Counters::add(&self.evaluator.counters.remembered, 1);
                go_on(counted, |tally| counter.add_partial(&known, tally))?;
                continue;
            }
            let chosen = match &mut chosen {
                Some(chosen) => chosen,
                none => none.insert(self.evaluator.rows_by(group, &open)?),
            };
            go_on(counted, |tally| {
                let mut own = Tally::default();
                if let Some(rows) = chosen {
                    counter.add_group(group, rows, self.evaluator.patience, &mut own)?;
                }
                if let Some(key) = key.filter(|_| own.groups.len() <= PARTIAL_GROUPS_MAX) {
                    self.partials.put(key, counter.partial(&own, self.partials.texts()));
                }
                tally.merge(own)
            })?;
        }
        Ok(())
    }
}

/// Counts all units, each processor taking the next one that nobody has.
fn count_all(
    units: Units,
    pass: &Pass<'_>,
    begin: impl Fn() -> Vec<Counted> + Sync,
) -> Result<Vec<Counted>, FindError> {
    let units = Mutex::new(units);
    let failed = AtomicBool::new(false);
    let next = || -> Result<Option<Work>, FindError> {
        if failed.load(Ordering::Relaxed) {
            return Ok(None);
        }
        units.lock().unwrap_or_else(PoisonError::into_inner).next()
    };
    let work = || {
        let mut tallies = begin();
        loop {
            let done = next().and_then(|work| match work {
                None => Ok(false),
                Some(work) => pass.add(&work, &mut tallies).map(|()| true),
            });
            match done {
                Ok(true) => {}
                Ok(false) => return Ok(tallies),
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
                (Ok(mut all), Ok(others)) => {
                    let mut each = all.iter_mut().zip(others);
                    each.try_for_each(|(counted, other)| go_on(counted, |tally| tally.merge(other?))).map(|()| all)
                }
                (Err(fault), _) | (_, Err(fault)) => Err(fault),
            };
        }
        all
    })
}
