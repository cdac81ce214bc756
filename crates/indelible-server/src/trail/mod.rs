//! The trail: what the server itself writes into its logs, so that reading the record is on record too.
//!
//! Promises: no record, no access. A handler that answers with what is in a log needs a [`Mark`], and a `Mark` comes only from
//! an event that is durable. Refused requests are counted and recorded in bounded numbers; none is dropped silently.

pub(crate) mod published_reads;
pub(crate) mod refusals;
pub(crate) mod reserve;

use std::sync::Arc;
use std::time::Duration;

use indelible_event::batch::EventBatch;
use indelible_event::build::EventBuilder;
use indelible_event::doors::RecordError;
use indelible_event::env::{Clock, Randomness};
use indelible_event::id::EventId;
use indelible_event::time::RecordedTime;

use crate::logs::{LogHandle, LogSet};
use crate::metrics::Metrics;
use crate::problem::{Kind, Problem};
use crate::trail::reserve::{Reserve, ReserveError};

/// `source.id` of the server's own events.
pub const OWN_SOURCE_ID: &str = "indelible-server";
/// Longest query text that is copied into an event; what is cut off is marked.
pub const RECORDED_TEXT_BYTES_MAX: usize = 4_096;
/// How often an own event is tried again while the log's queue is full, before the access is refused.
const TRIES: u32 = 5;

/// Proof that an access is on record, or that its route is one that needs none. It cannot be made outside this module.
#[derive(Debug)]
#[must_use]
pub struct Mark(());

impl Mark {
    /// For a route whose use is not recorded, and for answers that show nothing out of a log; the reason is for the reader.
    pub(crate) fn not_needed(_reason: &'static str) -> Self {
        Self(())
    }
}

/// Writes the server's own events.
pub(crate) struct Trail {
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    metrics: Arc<Metrics>,
    /// Where events go while the disk is full; `None` when there was no room even for that.
    reserve: Option<Arc<Reserve>>,
}

impl std::fmt::Debug for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trail").finish_non_exhaustive()
    }
}

impl Trail {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        metrics: Arc<Metrics>,
        reserve: Option<Arc<Reserve>>,
    ) -> Self {
        Self { clock, randomness, metrics, reserve }
    }

    /// Now, by the server's clock.
    pub(crate) fn now(&self) -> RecordedTime {
        self.clock.now()
    }

    /// Makes one event durable in `log`, or in the reserve while the disk is full. When this returns the mark, the event stands.
    ///
    /// # Errors
    /// A problem for the client when the log cannot take the event: then there must be no access.
    pub(crate) async fn record(&self, log: &LogHandle, event: EventBuilder<'_>) -> Result<Mark, Problem> {
        let batch = self.batch(event)?;
        let mut tried = 0;
        loop {
            tried += 1;
            let Err(error) = log.recorder.record(batch.clone()).await else {
                self.metrics.own_events.inc();
                return Ok(Mark(()));
            };
            self.metrics.own_event_failures.inc();
            match error {
                RecordError::Busy { retry_after_ms } if tried < TRIES => {
                    tokio::time::sleep(Duration::from_millis(retry_after_ms.min(200))).await;
                }
                RecordError::Full => return self.keep_in_reserve(log, batch).await,
                error => return Err(refused(log.name(), &error)),
            }
        }
    }

    async fn keep_in_reserve(&self, log: &LogHandle, batch: EventBatch) -> Result<Mark, Problem> {
        let full = || refused(log.name(), &RecordError::Full);
        let Some(reserve) = self.reserve.clone() else { return Err(full()) };
        let name = log.name().to_owned();
        let kept = tokio::task::spawn_blocking(move || reserve.keep(&name, &batch)).await.map_err(Problem::internal)?;
        match kept {
            Ok(()) => {
                self.metrics.own_events.inc();
                Ok(Mark(()))
            }
            Err(ReserveError::Full) => Err(full()),
            Err(error) => Err(full().with_internal(error)),
        }
    }

    /// Moves what waits in the reserve into the logs. What a log cannot take yet stays.
    pub(crate) async fn empty_reserve(&self, logs: &LogSet) {
        let Some(reserve) = self.reserve.clone().filter(|reserve| !reserve.is_empty()) else { return };
        let source = Arc::clone(&reserve);
        let (waiting, mark) = match tokio::task::spawn_blocking(move || source.waiting()).await {
            Ok(Ok(waiting)) => waiting,
            Ok(Err(error)) => return tracing::error!(%error, "events wait in the reserve of the trail"),
            Err(error) => return tracing::error!(%error, "events wait in the reserve of the trail"),
        };
        let count = waiting.len();
        for one in waiting {
            let log = logs.get(&one.log).unwrap_or_else(|| logs.first());
            match log.recorder.record(one.batch).await {
                // A conflict cannot come from this server; keeping the event would block the others for ever.
                Ok(_) | Err(RecordError::Conflict(_) | RecordError::TooLarge { .. }) => {}
                Err(RecordError::Full | RecordError::Busy { .. } | RecordError::Stopped { .. }) => return,
            }
        }
        match tokio::task::spawn_blocking(move || reserve.forget(mark)).await {
            Ok(Ok(())) => tracing::info!(events = count, "the reserve of the trail was moved into the logs"),
            Ok(Err(error)) => tracing::error!(%error, "the reserve of the trail could not be emptied"),
            Err(error) => tracing::error!(%error, "the reserve of the trail could not be emptied"),
        }
    }

    fn batch(&self, event: EventBuilder<'_>) -> Result<EventBatch, Problem> {
        let mut random = [0u8; 10];
        self.randomness.fill(&mut random).map_err(Problem::internal)?;
        let now_ms = u64::try_from(self.clock.now().0 / 1_000_000).unwrap_or(0);
        let mut batch = EventBatch::new();
        let pushed = event.push(EventId::version_7(now_ms, random), OWN_SOURCE_ID, &mut batch);
        pushed.map_err(|faults| {
            let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Problem::internal(format!("the server's own event is wrong: {}", words.join("; ")))
        })?;
        Ok(batch)
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

/// A text from outside for an event: at most [`RECORDED_TEXT_BYTES_MAX`] bytes, marked where it was cut.
pub(crate) fn bounded(text: &str) -> String {
    if text.len() <= RECORDED_TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(RECORDED_TEXT_BYTES_MAX);
    let (kept, cut) = text.split_at(end);
    format!("{kept}… ({} bytes cut off)", cut.len())
}
