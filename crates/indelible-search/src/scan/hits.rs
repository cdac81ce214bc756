//! Goes through the units of a scan in order, newest or oldest first, and hands out matching indexes.
//!
//! Promises: indexes come in strict order, each once; memory is a few row groups whatever is found. Never: opens a file before
//! the ones before it are done with.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::buffer::BooleanBuffer;

use super::group::{Evaluator, GroupReader, Rows};
use super::test::{Memo, Program, Test};
use super::{Counters, Patience, ScanCounts};
use crate::columns::Column;
use crate::error::FindError;
use crate::index::{Chunk, Index, IndexFile, Segment, Snapshot, day_of};
use crate::query::{Query, Span};

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the newest entry.
    NewestFirst,
    /// From the oldest entry.
    OldestFirst,
}

/// What a scan may look at: indexes in a range.
pub(crate) type Bounds = Range<u64>;

/// A piece of work: small enough to hold, large enough to be worth a thread.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// A row group of a file.
    Group(GroupReader),
    /// Rows in memory.
    Chunk(Arc<Chunk>),
}

/// The pieces of work of a scan, opened one file at a time.
pub(crate) struct Units {
    index: Arc<Index>,
    snapshot: Snapshot,
    program: Arc<Program>,
    order: Order,
    bounds: Bounds,
    counters: Arc<Counters>,
    /// How many files and chunks have been gone through.
    segments_done: usize,
    chunks_done: usize,
    /// Row groups of the file that is open, the next one last.
    waiting: Vec<GroupReader>,
}

impl Units {
    pub(crate) fn new(
        index: &Arc<Index>,
        snapshot: Snapshot,
        program: &Arc<Program>,
        (order, bounds): (Order, Bounds),
        counters: &Arc<Counters>,
    ) -> Self {
        Self {
            index: index.clone(),
            snapshot,
            program: program.clone(),
            order,
            bounds,
            counters: counters.clone(),
            segments_done: 0,
            chunks_done: 0,
            waiting: Vec::new(),
        }
    }

    /// The next piece of work that is not ruled out by its place or its file's name.
    pub(crate) fn next(&mut self) -> Result<Option<Work>, FindError> {
        let tail_first = self.order == Order::NewestFirst;
        if tail_first && let Some(chunk) = self.next_chunk() {
            return Ok(Some(Work::Chunk(chunk)));
        }
        loop {
            if let Some(group) = self.waiting.pop() {
                let (first, rows) = (group.first(), group.len() as u64);
                if first < self.bounds.end && first + rows > self.bounds.start {
                    return Ok(Some(Work::Group(group)));
                }
            } else if !self.open_next()? {
                break;
            }
        }
        Ok(self.next_chunk().map(Work::Chunk))
    }

    fn next_chunk(&mut self) -> Option<Arc<Chunk>> {
        let tail = self.snapshot.tail.clone();
        while self.chunks_done < tail.len() {
            let place = match self.order {
                Order::NewestFirst => tail.len() - 1 - self.chunks_done,
                Order::OldestFirst => self.chunks_done,
            };
            self.chunks_done += 1;
            let chunk = &tail[place];
            if chunk.first < self.bounds.end && chunk.end > self.bounds.start {
                return Some(chunk.clone());
            }
        }
        None
    }

    /// Opens the next file that its name does not rule out; `false` when there is none left.
    fn open_next(&mut self) -> Result<bool, FindError> {
        let segments = self.snapshot.segments.clone();
        while self.segments_done < segments.len() {
            let place = match self.order {
                Order::NewestFirst => segments.len() - 1 - self.segments_done,
                Order::OldestFirst => self.segments_done,
            };
            self.segments_done += 1;
            let segment = &segments[place];
            if self.ruled_out(segment) {
                Counters::add(&self.counters.files_pruned, 1);
                continue;
            }
            Counters::add(&self.counters.files_opened, 1);
            let file = IndexFile::open(&segment.path)?;
            let footer = self.index.footers.get(segment, &file)?;
            let groups = 0..footer.starts.len();
            let open = |number| GroupReader { file: file.clone(), footer: footer.clone(), number };
            self.waiting = match self.order {
                Order::NewestFirst => groups.map(open).collect(),
                Order::OldestFirst => groups.rev().map(open).collect(),
            };
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether a file's name says that it holds nothing that is wanted.
    fn ruled_out(&self, segment: &Segment) -> bool {
        let name = &segment.name;
        let indexes = (signed(name.first), signed(name.end - 1));
        let outside = name.first >= self.bounds.end || name.end <= self.bounds.start;
        outside
            || self.program.tests.iter().any(|test| match test {
                Test::Span { column: Column::Index, any } => !any.iter().any(|span| span.meets(indexes.0, indexes.1)),
                Test::Span { column: Column::Recorded, any } => !any.iter().any(|span| reaches_day(*span, name.date)),
                _ => false,
            })
    }
}

fn signed(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn reaches_day(span: Span, date: jiff::civil::Date) -> bool {
    span.least.is_none_or(|least| day_of(least) <= date) && span.most.is_none_or(|most| day_of(most) >= date)
}

/// Matching indexes in order. Blocks on the disk; an asynchronous caller uses a blocking thread.
pub struct Hits {
    units: Units,
    program: Arc<Program>,
    patience: Patience,
    counters: Arc<Counters>,
    order: Order,
    bounds: Bounds,
    threads: usize,
    /// How many pieces of work to do at once next: one at first, since a search often ends there.
    wave: usize,
    /// Runs of matching indexes, the next one last.
    ready: Vec<Range<u64>>,
    failed: bool,
}

impl std::fmt::Debug for Hits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hits").field("order", &self.order).field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl Hits {
    pub(crate) fn new(
        index: &Arc<Index>,
        snapshot: Snapshot,
        query: &Query,
        (order, bounds): (Order, Bounds),
        patience: Patience,
    ) -> Self {
        let program = Arc::new(Program::new(query));
        let counters = Arc::new(Counters::default());
        let units = Units::new(index, snapshot, &program, (order, bounds.clone()), &counters);
        let threads = crate::pool::threads();
        Self { units, program, patience, counters, order, bounds, threads, wave: 1, ready: Vec::new(), failed: false }
    }

    /// What has been opened so far.
    #[must_use]
    pub fn counts(&self) -> ScanCounts {
        self.counters.counts()
    }

    /// The next run of matching indexes, in order of the scan; within a run they rise.
    pub(crate) fn next_run(&mut self) -> Result<Option<Range<u64>>, FindError> {
        while self.ready.is_empty() {
            let mut wave = Vec::new();
            while wave.len() < self.wave
                && let Some(work) = self.units.next()?
            {
                wave.push(work);
            }
            if wave.is_empty() {
                return Ok(None);
            }
            self.wave = self.threads;
            let found = self.find_in(&wave)?;
            self.ready = found.into_iter().flatten().collect();
            if self.order == Order::OldestFirst {
                self.ready.reverse();
            } else {
                // Units came newest first, each with rising runs; the newest run has to be last.
                self.ready.sort_by_key(|run| run.start);
            }
        }
        Ok(self.ready.pop())
    }

    /// The matching runs of each piece of work, done side by side.
    fn find_in(&self, wave: &[Work]) -> Result<Vec<Vec<Range<u64>>>, FindError> {
        let one = |work: &Work| self.runs(work);
        let [first, others @ ..] = wave else { return Ok(Vec::new()) };
        std::thread::scope(|scope| {
            let others: Vec<_> = others.iter().map(|work| scope.spawn(move || one(work))).collect();
            let mut found = vec![one(first)];
            found.extend(others.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|_| Err(FindError::Bug { reason: "a scan thread panicked".to_owned() }))
            }));
            found.into_iter().collect()
        })
    }

    fn runs(&self, work: &Work) -> Result<Vec<Range<u64>>, FindError> {
        let (first, rows) = match work {
            Work::Group(group) => {
                let evaluator =
                    Evaluator { program: &self.program, patience: &self.patience, counters: &self.counters };
                match evaluator.rows(group)? {
                    None => return Ok(Vec::new()),
                    Some(Rows::All) => return Ok(self.clip(group.first()..group.first() + group.len() as u64)),
                    Some(Rows::Some(rows)) => (group.first(), rows),
                }
            }
            Work::Chunk(chunk) => {
                self.patience.check()?;
                Counters::add(&self.counters.tail_rows, chunk.rows.num_rows() as u64);
                (chunk.first, self.program.matches(&chunk.rows, &mut Memo::default()))
            }
        };
        Ok(self.in_runs(first, &rows))
    }

    fn in_runs(&self, first: u64, rows: &BooleanBuffer) -> Vec<Range<u64>> {
        rows.set_slices().flat_map(|(from, until)| self.clip(first + from as u64..first + until as u64)).collect()
    }

    fn clip(&self, run: Range<u64>) -> Vec<Range<u64>> {
        let run = run.start.max(self.bounds.start)..run.end.min(self.bounds.end);
        if run.is_empty() { Vec::new() } else { vec![run] }
    }
}

impl Iterator for Hits {
    type Item = Result<u64, FindError>;

    /// The next matching index. After an error there are no more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let mut run = match self.next_run() {
            Ok(run) => run?,
            Err(fault) => {
                self.failed = true;
                return Some(Err(fault));
            }
        };
        let index = match self.order {
            Order::OldestFirst => {
                run.start += 1;
                run.start - 1
            }
            Order::NewestFirst => {
                run.end -= 1;
                run.end
            }
        };
        if !run.is_empty() {
            self.ready.push(run);
        }
        Some(Ok(index))
    }
}
