//! The trail: what the server itself writes into its logs, so that reading the record is on record too.
//!
//! Promises: no record, no access. A handler that answers with what is in a log needs a [`Mark`], and a `Mark` comes only from
//! an event that is durable. Refused requests are counted and recorded in bounded numbers; none is dropped silently.

mod line;
pub(crate) mod published_reads;
pub(crate) mod refusals;
pub(crate) mod reserve;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indelible_event::build::EventBuilder;
use indelible_event::doors::{RecordError, Recorder};
use indelible_event::env::{Clock, Randomness, RandomnessError};
use indelible_event::time::RecordedTime;
use tokio::sync::{mpsc, oneshot};

use crate::logs::{LogHandle, LogSet};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::trail::line::Waiting;
use crate::trail::reserve::Reserve;

/// Actor of what the server does by itself, and, with a number of each start behind it, `source.id` of its own events.
pub const OWN_SOURCE_ID: &str = "indelible-server";
/// Longest query text that is copied into an event; what is cut off is marked.
pub const RECORDED_TEXT_BYTES_MAX: usize = 4_096;

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

/// Writes the server's own events: those of each log stand in a line.
pub(crate) struct Trail {
    shared: Arc<Shared>,
    lines: Mutex<HashMap<String, mpsc::Sender<Waiting>>>,
}

/// What the lines share.
struct Shared {
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    metrics: Arc<Metrics>,
    /// `source.id` of this start: its events are numbered from 1.
    source_id: String,
    /// How long a line that nobody stands in waits before it says that the server lives; nought for ever.
    heartbeat: Duration,
    /// Where events go while the disk is full; `None` when there was no room even for that.
    reserve: Option<Arc<Reserve>>,
    /// The ways into the logs, for what waits in the reserve; at least one.
    recorders: Vec<(String, Arc<dyn Recorder>)>,
    /// Held by who moves the reserve into the logs.
    moving: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trail").finish_non_exhaustive()
    }
}

impl Trail {
    /// # Errors
    /// When the system gives no random bytes for the number of this start.
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        metrics: Arc<Metrics>,
        heartbeat: Duration,
        reserve: Option<Arc<Reserve>>,
        logs: &LogSet,
    ) -> Result<Self, RandomnessError> {
        let mut start = [0u8; 8];
        randomness.fill(&mut start)?;
        let source_id = format!("{OWN_SOURCE_ID}/{:016x}", u64::from_be_bytes(start));
        let recorders = logs.iter().map(|log| (log.name().to_owned(), Arc::clone(&log.recorder))).collect();
        let moving = tokio::sync::Mutex::new(());
        let shared = Arc::new(Shared { clock, randomness, metrics, source_id, heartbeat, reserve, recorders, moving });
        Ok(Self { shared, lines: Mutex::default() })
    }

    /// Now, by the server's clock.
    pub(crate) fn now(&self) -> RecordedTime {
        self.shared.clock.now()
    }

    /// Makes one event durable in `log`, or in the reserve while the disk is full. When this returns the mark, the event stands.
    ///
    /// # Errors
    /// A problem for the client when the log cannot take the event: then there must be no access.
    pub(crate) async fn record(&self, log: &LogHandle, event: EventBuilder<'_>) -> Result<Mark, Problem> {
        let gone = || Problem::internal("the line of the server's own events has ended");
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { event: event.into_owned(), answer };
        self.line(log).send(waiting).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())??;
        Ok(Mark(()))
    }

    fn line(&self, log: &LogHandle) -> mpsc::Sender<Waiting> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(log.name()) {
            return line.clone();
        }
        let line = line::start(log.name(), Arc::clone(&log.recorder), Arc::clone(&self.shared));
        lines.insert(log.name().to_owned(), line.clone());
        line
    }

    /// Moves what waits in the reserve into the logs. What a log cannot take yet stays.
    pub(crate) async fn empty_reserve(&self) {
        let _logs_that_cannot = self.shared.empty_reserve().await;
    }
}

impl Shared {
    /// Moves what waits in the reserve into the logs, in order. Gives the logs that could not take theirs: it stays there.
    async fn empty_reserve(&self) -> HashSet<String> {
        let Some(reserve) = &self.reserve else { return HashSet::new() };
        let _moving = self.moving.lock().await;
        if reserve.is_empty() {
            return HashSet::new();
        }
        let everyone = || self.recorders.iter().map(|(name, _)| name.clone()).collect();
        let source = Arc::clone(reserve);
        let (waiting, mark) = match tokio::task::spawn_blocking(move || source.waiting()).await {
            Ok(Ok(waiting)) => waiting,
            Ok(Err(error)) => {
                tracing::error!(%error, "events wait in the reserve of the trail");
                return everyone();
            }
            Err(error) => {
                tracing::error!(%error, "events wait in the reserve of the trail");
                return everyone();
            }
        };
        let count = waiting.len();
        let mut cannot = HashSet::new();
        for one in waiting {
            let named = self.recorders.iter().find(|(name, _)| *name == one.log);
            let Some((name, recorder)) = named.or(self.recorders.first()) else { continue };
            if cannot.contains(name) {
                continue;
            }
            match recorder.record(one.batch).await {
                // A conflict cannot come from this server; keeping the event would block the others for ever.
                Ok(_) | Err(RecordError::Conflict(_) | RecordError::TooLarge { .. }) => {}
                Err(RecordError::Full | RecordError::Busy { .. } | RecordError::Stopped { .. }) => {
                    cannot.insert(name.clone());
                }
            }
        }
        if cannot.is_empty() {
            let reserve = Arc::clone(reserve);
            match tokio::task::spawn_blocking(move || reserve.forget(mark)).await {
                Ok(Ok(())) => tracing::info!(events = count, "the reserve of the trail was moved into the logs"),
                Ok(Err(error)) => tracing::error!(%error, "the reserve of the trail could not be emptied"),
                Err(error) => tracing::error!(%error, "the reserve of the trail could not be emptied"),
            }
        }
        cannot
    }
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
