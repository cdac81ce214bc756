//! The server's own events of one log stand in a line: one task numbers them (`source.seq`, from 1 at each start) and records
//! all that wait in one batch.
//!
//! Promises: the numbers of a start are in the log (or before it in the reserve) without a gap or a repeat, whatever fails and
//! whenever the process is killed: a number is used up only by an event that is durable, and events become durable in the order
//! of their numbers. So a start has a source id of its own; what an earlier one had reached need not be known. Never: lets a
//! caller that goes away take its event out of the line.

use std::sync::Arc;
use std::time::Duration;

use indelible_event::batch::EventBatch;
use indelible_event::build::EventBuilder;
use indelible_event::completeness::HEARTBEAT;
use indelible_event::doors::{RecordError, Recorder};
use indelible_event::id::EventId;
use indelible_event::words::{Action, ActorType};
use tokio::sync::{mpsc, oneshot};

use super::reserve::ReserveError;
use super::{OWN_SOURCE_ID, Shared};
use crate::problem::{Kind, Problem};

/// How many may stand in line; who comes then waits before it.
const LINE_MAX: usize = 1_024;
/// Most events written at once: even the longest ones then fit into a batch.
const BATCH_MAX: usize = 64;
/// How often events are tried again while the log's queue is full, before the accesses are refused.
const TRIES: u32 = 5;
/// Longest pause between tries.
const PAUSE_MS_MAX: u64 = 200;

/// An event that waits for its number, and who waits for it to be durable.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) event: EventBuilder<'static>,
    pub(super) answer: oneshot::Sender<Result<(), Problem>>,
}

/// Starts the line of one log on the runtime at hand. It ends when nobody can come any more.
pub(super) fn start(log: &str, recorder: Arc<dyn Recorder>, shared: Arc<Shared>) -> mpsc::Sender<Waiting> {
    let (line, comers) = mpsc::channel(LINE_MAX);
    let writer = Writer { log: log.to_owned(), recorder, shared, next: 1, behind: false };
    tokio::spawn(writer.run(comers));
    line
}

struct Writer {
    log: String,
    recorder: Arc<dyn Recorder>,
    shared: Arc<Shared>,
    /// The number of the next event.
    next: u64,
    /// Earlier events wait in the reserve: they go first.
    behind: bool,
}

/// Why events are not on record.
enum Refusal {
    Record(RecordError),
    Reserve(Problem),
}

impl Writer {
    async fn run(mut self, mut comers: mpsc::Receiver<Waiting>) {
        let mut waiting = Vec::with_capacity(BATCH_MAX);
        while self.come(&mut comers, &mut waiting).await {
            let (batch, answers) = self.batch(waiting.drain(..));
            if batch.is_empty() {
                continue;
            }
            let count = batch.len() as u64;
            let done = self.write(batch).await;
            if done.is_ok() {
                self.next += count;
                self.shared.metrics.own_events.inc_by(count);
            }
            for answer in answers {
                let said = match &done {
                    Ok(()) => Ok(()),
                    Err(Refusal::Record(error)) => Err(refused(&self.log, error)),
                    Err(Refusal::Reserve(problem)) => {
                        Err(refused(&self.log, &RecordError::Full).with_internal(problem.cause().unwrap_or_default()))
                    }
                };
                if answer.send(said).is_err() {
                    tracing::trace!(log = self.log, "who asked for an event to be recorded has gone; it stands");
                }
            }
        }
    }

    /// Waits until somebody stands in line; when nobody does for a while the server says that it lives. `false` when nobody can come
    /// any more.
    async fn come(&self, comers: &mut mpsc::Receiver<Waiting>, waiting: &mut Vec<Waiting>) -> bool {
        let came = comers.recv_many(waiting, BATCH_MAX);
        if self.shared.heartbeat.is_zero() {
            return came.await > 0;
        }
        if let Ok(came) = tokio::time::timeout(self.shared.heartbeat, came).await {
            return came > 0;
        }
        if self.behind {
            // the reserve is for what somebody waits for
            return true;
        }
        let now = self.shared.clock.now();
        let event = EventBuilder::new(now, Action::Execute, HEARTBEAT, ActorType::System, OWN_SOURCE_ID);
        // nobody waits for it
        waiting.push(Waiting { event, answer: oneshot::channel().0 });
        true
    }

    /// The events with their numbers. A wrong one is a mistake of ours: it is refused and takes no number.
    fn batch(&self, waiting: impl Iterator<Item = Waiting>) -> (EventBatch, Vec<oneshot::Sender<Result<(), Problem>>>) {
        let mut batch = EventBatch::new();
        let mut answers = Vec::new();
        for Waiting { event, answer } in waiting {
            match self.push(event, &mut batch) {
                Ok(()) => answers.push(answer),
                Err(problem) => {
                    if let Err(Err(problem)) = answer.send(Err(problem)) {
                        tracing::error!(
                            cause = problem.cause(),
                            "an own event is wrong, and who asked for it has gone"
                        );
                    }
                }
            }
        }
        (batch, answers)
    }

    fn push(&self, event: EventBuilder<'static>, batch: &mut EventBatch) -> Result<(), Problem> {
        let mut random = [0u8; 10];
        self.shared.randomness.fill(&mut random).map_err(Problem::internal)?;
        let now_ms = u64::try_from(self.shared.clock.now().0 / 1_000_000).unwrap_or(0);
        let numbered = event.seq(self.next + batch.len() as u64);
        numbered.push(EventId::version_7(now_ms, random), &self.shared.source_id, batch).map_err(|faults| {
            let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Problem::internal(format!("the server's own event is wrong: {}", words.join("; ")))
        })
    }

    /// Makes a batch durable in the log, or in the reserve while the disk is full; after those that wait there.
    async fn write(&mut self, batch: EventBatch) -> Result<(), Refusal> {
        if self.behind {
            if self.shared.empty_reserve().await.contains(&self.log) {
                return self.keep(batch).await;
            }
            self.behind = false;
        }
        let mut tried = 0;
        loop {
            tried += 1;
            let Err(error) = self.recorder.record(batch.clone()).await else { return Ok(()) };
            self.shared.metrics.own_event_failures.inc();
            match error {
                RecordError::Busy { retry_after_ms } if tried < TRIES => {
                    tokio::time::sleep(Duration::from_millis(retry_after_ms.min(PAUSE_MS_MAX))).await;
                }
                RecordError::Full => return self.keep(batch).await,
                error => return Err(Refusal::Record(error)),
            }
        }
    }

    async fn keep(&mut self, batch: EventBatch) -> Result<(), Refusal> {
        let Some(reserve) = self.shared.reserve.clone() else { return Err(Refusal::Record(RecordError::Full)) };
        let name = self.log.clone();
        let kept = tokio::task::spawn_blocking(move || reserve.keep(&name, &batch)).await;
        match kept.map_err(|error| Refusal::Reserve(Problem::internal(error)))? {
            Ok(()) => {
                self.behind = true;
                Ok(())
            }
            Err(ReserveError::Full) => Err(Refusal::Record(RecordError::Full)),
            Err(error) => Err(Refusal::Reserve(Problem::internal(error))),
        }
    }
}

/// No record, no access: what the client is told.
fn refused(log: &str, error: &RecordError) -> Problem {
    let kind = match error {
        RecordError::Full => Kind::Full,
        RecordError::Busy { .. } => Kind::Busy,
        RecordError::Conflict(_) | RecordError::TooLarge { .. } | RecordError::Stopped { .. } => Kind::Unavailable,
    };
    Problem::new(kind, format!("the access could not be recorded in the log `{log}`, so it is refused"))
        .with_internal(error)
}
