//! The work that faults are put into: a script of steps over the parts of a log, and a driver that copes with whatever fails as
//! a server would: it starts again after a crash or an unknown outcome, and asks again for what was not acknowledged.

use std::path::Path;
use std::sync::Arc;

use indelible_event::doors::RecordError;
use indelible_event::time::RecordedTime;
use indelible_store::commit::Committed;
use indelible_store::disk::Disk;
use indelible_store::ids::IdSettings;
use indelible_store::journal::JournalSettings;
use indelible_store::name::LogName;
use indelible_store::{LogSettings, OpenedParts, open_parts};
use indelible_testkit::env::{SeededRandomness, SimClock};
use indelible_testkit::events::{TestEvent, batch};
use indelible_testkit::sim_disk::{SimDisk, Survivors};
use indelible_tlog::checkpoint::Origin;

/// The data folder on the simulated disk.
pub(super) const ROOT: &str = "/data";
/// What is watched: every note that was signed, wherever it was to go.
pub(super) const NOTES: &str = "checkpoint.tmp";

/// One step of a workload.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Open,
    /// Commit these batches in one call.
    Commit(&'static [usize]),
    Seal,
    Flush,
    Trim,
    /// The process ends without a word and another one starts.
    Die,
    /// As `Die`, with the power.
    LosePower(Survivors, u64),
}

/// A script and what it works on.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) steps: Vec<Step>,
    pub(super) batches: Arc<Vec<Vec<TestEvent>>>,
    pub(super) settings: LogSettings,
}

/// What the log said about a batch.
#[derive(Clone, Debug)]
pub(super) struct Ack {
    pub(super) batch: usize,
    /// Where each event stands.
    pub(super) indexes: Vec<u64>,
    /// Where those stand that this call added.
    pub(super) added: std::ops::Range<u64>,
    pub(super) recorded: RecordedTime,
    /// How many operations the disk had done by then.
    pub(super) operations: u64,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Crashed,
}

/// Small segments and runs, so that a few dozen events rotate, flush and merge.
pub(super) fn settings(ids: IdSettings) -> LogSettings {
    let mut settings = LogSettings::new(LogName::new("main").unwrap(), Origin::new("test.example/main").unwrap());
    settings.journal = JournalSettings { segment_bytes: 4096, reserve_bytes: 0 };
    settings.ids = ids;
    settings
}

/// Works on a disk.
#[derive(Debug)]
pub(super) struct Driver<'w> {
    pub(super) workload: &'w Workload,
    pub(super) disk: SimDisk,
    pub(super) parts: Option<OpenedParts>,
    pub(super) acks: Vec<Ack>,
    clock: Arc<SimClock>,
    seed: u64,
}

impl<'w> Driver<'w> {
    pub(super) fn new(workload: &'w Workload, disk: SimDisk, seed: u64) -> Self {
        Self { workload, disk, parts: None, acks: Vec::new(), clock: Arc::default(), seed }
    }

    /// Opens the log. A single fault may make a start fail, but not the one after it.
    pub(super) fn open(&mut self) -> Result<End, String> {
        self.parts = None;
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let mut refused = String::new();
        for _ in 0..2 {
            self.seed += 1;
            let randomness = SeededRandomness::new(self.seed);
            let clock = Arc::clone(&self.clock);
            match open_parts(&disk, Path::new(ROOT), &self.workload.settings, clock, &randomness) {
                Ok(parts) => {
                    self.parts = Some(parts);
                    return Ok(End::Done);
                }
                Err(_) if self.disk.crashed() => return Ok(End::Crashed),
                Err(error) => refused = format!("the start was refused: {}", chain(&error)),
            }
            if !self.disk.met() {
                break;
            }
            self.disk.restart();
        }
        Err(refused)
    }

    /// The parts, opened if need be; `None` when that crashed.
    fn opened(&mut self) -> Result<Option<&mut OpenedParts>, String> {
        if self.parts.is_none() && self.open()? == End::Crashed {
            return Ok(None);
        }
        Ok(self.parts.as_mut())
    }

    /// Another process starts on the same disk.
    pub(super) fn restart(&mut self) {
        self.parts = None;
        self.disk.restart();
    }

    pub(super) fn run(&mut self) -> Result<End, String> {
        for step in &self.workload.steps {
            let end = match *step {
                Step::Open => self.open()?,
                Step::Commit(batches) => self.commit(batches)?,
                Step::Seal => self.seal()?,
                Step::Flush => self.flush()?,
                Step::Trim => self.trim()?,
                Step::Die => {
                    self.parts = None;
                    self.disk.restart();
                    End::Done
                }
                Step::LosePower(survivors, seed) => {
                    self.parts = None;
                    self.disk.lose_power(survivors, seed);
                    self.disk.restart();
                    End::Done
                }
            };
            if end == End::Crashed {
                return Ok(end);
            }
        }
        Ok(End::Done)
    }

    /// Asks for everything that was not acknowledged, then seals it.
    pub(super) fn finish(&mut self) -> Result<End, String> {
        for _ in 0..3 {
            let missing = self.missing();
            if missing.is_empty() {
                break;
            }
            if self.commit(&missing)? == End::Crashed {
                return Ok(End::Crashed);
            }
        }
        if !self.missing().is_empty() {
            return Err("batches are still refused after three tries".to_owned());
        }
        for _ in 0..2 {
            if self.seal()? == End::Crashed {
                return Ok(End::Crashed);
            }
        }
        self.flush()
    }

    fn missing(&self) -> Vec<usize> {
        let acked = |batch: &usize| self.acks.iter().any(|ack| ack.batch == *batch);
        (0..self.workload.batches.len()).filter(|batch| !acked(batch)).collect()
    }

    pub(super) fn commit(&mut self, numbers: &[usize]) -> Result<End, String> {
        let workload = self.workload;
        let disk = self.disk.clone();
        let Some(parts) = self.opened()? else { return Ok(End::Crashed) };
        let batches = numbers.iter().map(|number| batch(&workload.batches[*number])).collect();
        let answers = parts.committer.commit(batches);
        if disk.crashed() {
            return Ok(End::Crashed);
        }
        let stopped = parts.committer.stopped().is_some();
        for (number, answer) in numbers.iter().zip(answers) {
            match answer {
                Ok(committed) => self.acknowledge(*number, &committed)?,
                Err(RecordError::Full | RecordError::Stopped { .. }) => {}
                Err(error) => return Err(format!("batch {number} was refused: {error}")),
            }
        }
        if stopped {
            self.restart();
        }
        Ok(End::Done)
    }

    fn acknowledge(&mut self, number: usize, committed: &Committed) -> Result<(), String> {
        let events = self.workload.batches[number].len() as u64;
        let first = committed.first_index;
        let indexes = match &committed.indexes {
            Some(indexes) => indexes.iter().map(|index| index.0).collect(),
            None => (first..first + events).collect(),
        };
        let ack = Ack {
            batch: number,
            indexes,
            added: first..first + committed.count,
            recorded: committed.recorded,
            operations: self.disk.operations(),
        };
        match self.acks.iter().find(|earlier| earlier.batch == number) {
            Some(earlier) if earlier.indexes != ack.indexes || committed.count > 0 => {
                Err(format!("batch {number} was acknowledged at {:?}, and again at {:?}", earlier.indexes, ack.indexes))
            }
            Some(_) => Ok(()),
            None => {
                self.acks.push(ack);
                Ok(())
            }
        }
    }

    pub(super) fn seal(&mut self) -> Result<End, String> {
        let disk = self.disk.clone();
        for _ in 0..2 {
            let Some(parts) = self.opened()? else { return Ok(End::Crashed) };
            match parts.sealer.seal() {
                Ok(Some(sealed)) => {
                    *parts.published.write().unwrap() = Some(sealed.checkpoint);
                    return Ok(End::Done);
                }
                Ok(None) => return Ok(End::Done),
                Err(_) if disk.crashed() => return Ok(End::Crashed),
                Err(error) if !disk.met() => return Err(format!("sealing failed without a fault: {}", chain(&error))),
                Err(error) if error.is_full() => {}
                Err(_) => self.restart(),
            }
        }
        Ok(End::Done)
    }

    pub(super) fn flush(&mut self) -> Result<End, String> {
        let disk = self.disk.clone();
        let Some(parts) = self.opened()? else { return Ok(End::Crashed) };
        match parts.id_runs.flush(&parts.journal, parts.ids_begin) {
            Err(_) if disk.crashed() => Ok(End::Crashed),
            Err(error) if !disk.met() => Err(format!("moving ids failed without a fault: {}", chain(&error))),
            _ => Ok(End::Done),
        }
    }

    fn trim(&mut self) -> Result<End, String> {
        let disk = self.disk.clone();
        let Some(parts) = self.opened()? else { return Ok(End::Crashed) };
        let done = parts.sealer.size().min(parts.id_runs.end().unwrap_or(parts.ids_begin));
        match parts.committer.trim(done) {
            Err(_) if disk.crashed() => Ok(End::Crashed),
            Err(error) if !disk.met() => Err(format!("trimming failed without a fault: {}", chain(&error))),
            _ => Ok(End::Done),
        }
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
