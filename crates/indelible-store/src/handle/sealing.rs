//! The sealing thread: checkpoints at an interval, ids into runs, and word to the journal about what it may forget. Never: signs, or
//! confirms what was signed, once signing was stopped; what is recorded then stays in the journal.

use std::sync::{PoisonError, mpsc as std_mpsc};
use std::time::{Duration, Instant};

use indelible_event::env::Clock as _;
use tokio::sync::mpsc;

use crate::ids::IdRuns;
use crate::journal::JournalReader;
use crate::log::{LogError, SEAL_ENTRIES_MAX, Sealer};
use crate::read::Published;
use crate::system::SystemClock;

use super::committing::Message;
use super::state::{Side, StateCell};

/// Shortest time between two rounds, whatever is configured: an idle log must not keep a core busy.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// A round of this many entries means that many more have come meanwhile: the next begins at once.
const BEHIND_ENTRIES: u64 = SEAL_ENTRIES_MAX / 4;

/// What the sealing thread works with.
pub(super) struct Sealing {
    pub(super) sealer: Sealer,
    pub(super) id_runs: IdRuns,
    pub(super) ids_begin: u64,
    pub(super) journal: JournalReader,
    pub(super) published: Published,
    pub(super) trim: mpsc::Sender<Message>,
    /// Up to where the committing thread was last told to trim.
    pub(super) trimmed: u64,
    pub(super) interval: Duration,
    /// Longest time without a checkpoint, or a word that the last one stands.
    pub(super) idle_interval: Duration,
    pub(super) confirmed: Instant,
    pub(super) state: StateCell,
}

impl Sealing {
    /// Seals once an interval until told to close, then until nothing is left.
    pub(super) fn run(mut self, closed: &std_mpsc::Receiver<()>) {
        let mut closing = false;
        let interval = self.interval.max(INTERVAL_MIN);
        loop {
            let round = Instant::now();
            let mut sealed = 0;
            match self.round() {
                Ok(added) => {
                    sealed = added;
                    self.state.set_full(Side::Sealing, false);
                }
                Err(error) if error.is_full() => {
                    if !self.state.is_full(Side::Sealing) {
                        tracing::warn!(error = %chain(&error), "sealing waits for room on the disk");
                    }
                    self.state.set_full(Side::Sealing, true);
                }
                Err(error) => {
                    tracing::error!(error = %chain(&error), "sealing has stopped");
                    self.state.stop(chain(&error));
                    return;
                }
            }
            if closing && sealed == 0 {
                return;
            }
            let behind = sealed >= BEHIND_ENTRIES || closing;
            let wait = if behind { Duration::ZERO } else { interval.saturating_sub(round.elapsed()) };
            closing |= !matches!(closed.recv_timeout(wait), Err(std_mpsc::RecvTimeoutError::Timeout));
        }
    }

    /// One checkpoint, if there is something new; then what is in runs and in the tree may leave the journal.
    fn round(&mut self) -> Result<u64, LogError> {
        let mut added = 0;
        if !self.state.may_sign() {
            // nothing to seal: the journal keeps what no checkpoint covers
        } else if let Some(sealed) = self.sealer.seal()? {
            let size = sealed.checkpoint.size;
            added = sealed.added;
            *self.published.write().unwrap_or_else(PoisonError::into_inner) = Some(sealed.checkpoint);
            self.confirmed = Instant::now();
            let now = SystemClock.now();
            self.state.change(|state| {
                state.published_size = size;
                state.confirmed = Some(now);
                // the committing thread may not have come to saying so yet
                state.durable_size = state.durable_size.max(size);
            });
            tracing::debug!(size, added, "checkpoint published");
        } else if self.confirmed.elapsed() >= self.idle_interval {
            self.confirm()?;
        }
        if let Err(error) = self.id_runs.flush(&self.journal, self.ids_begin) {
            // nothing is lost: the journal keeps what no run holds
            tracing::warn!(error = %chain(&error), "ids could not be moved out of the journal");
        }
        let done = self.sealer.size().min(self.id_runs.end().unwrap_or(self.ids_begin));
        if done > self.trimmed || self.state.is_full(Side::Committing) {
            match self.trim.try_send(Message::Trim(done)) {
                Ok(()) => self.trimmed = done,
                Err(error) => {
                    tracing::debug!(%error, "the committing thread is busy; trimming waits for the next round");
                }
            }
        }
        Ok(added)
    }

    /// An idle log says that its checkpoint stands. No room for that is no reason to refuse events.
    fn confirm(&mut self) -> Result<(), LogError> {
        self.confirmed = Instant::now();
        match self.sealer.confirm() {
            Ok(true) => {
                let now = SystemClock.now();
                self.state.change(|state| state.confirmed = Some(now));
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) if error.is_full() => {
                tracing::warn!(error = %chain(&error), "the checkpoint could not be confirmed; it is tried again");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
