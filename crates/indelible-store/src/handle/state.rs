//! How far a running log is, as its threads say and everybody may watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indelible_event::time::RecordedTime;
use tokio::sync::watch;

/// How far a log is. `published_size <= durable_size`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// Entries that are durable (acknowledged).
    pub durable_size: u64,
    /// Entries that the published checkpoint covers.
    pub published_size: u64,
    /// When the published checkpoint was signed, or last confirmed to stand: never longer ago than the idle interval.
    pub confirmed: Option<RecordedTime>,
    /// The disk is full: events are refused until there is room.
    pub full: bool,
    /// Why the log has stopped, if it has.
    pub stopped: Option<String>,
    /// Why no further checkpoint is signed, if somebody stopped that ([`super::Log::stop_signing`]). Events are taken all the same.
    pub signing_stopped: Option<String>,
}

/// Which of the threads found the disk full.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Committing,
    Sealing,
}

/// Changes the shared state, waking those who watch it.
#[derive(Clone, Debug)]
pub(super) struct StateCell {
    sender: Arc<watch::Sender<LogState>>,
    full: Arc<[AtomicBool; 2]>,
}

impl StateCell {
    pub(super) fn new(initial: LogState) -> (Self, watch::Receiver<LogState>) {
        let (sender, receiver) = watch::channel(initial);
        (Self { sender: Arc::new(sender), full: Arc::default() }, receiver)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut LogState)) {
        self.sender.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            *state != before
        });
    }

    pub(super) fn stop(&self, reason: String) {
        self.change(|state| {
            state.stopped.get_or_insert(reason);
        });
    }

    /// Takes the right to sign away until the next start.
    pub(super) fn stop_signing(&self, reason: String) {
        self.change(|state| {
            state.signing_stopped.get_or_insert(reason);
        });
    }

    pub(super) fn may_sign(&self) -> bool {
        self.sender.borrow().signing_stopped.is_none()
    }

    /// How many acknowledged entries sealing still has to cover; none while it cannot go on, for then nobody may wait for it.
    pub(super) fn unsealed(&self) -> u64 {
        let state = self.sender.borrow();
        let waits = state.full || state.stopped.is_some() || state.signing_stopped.is_some();
        if waits { 0 } else { state.durable_size.saturating_sub(state.published_size) }
    }

    /// Each side speaks for itself: the log is full while either is.
    pub(super) fn set_full(&self, side: Side, full: bool) {
        self.full[side as usize].store(full, Ordering::SeqCst);
        self.change(|state| state.full = self.full.iter().any(|full| full.load(Ordering::SeqCst)));
    }

    pub(super) fn is_full(&self, side: Side) -> bool {
        self.full[side as usize].load(Ordering::SeqCst)
    }
}

/// Says that the log has stopped when its thread ends by a panic.
#[derive(Debug)]
pub(super) struct StopsOnPanic(pub(super) StateCell);

impl Drop for StopsOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop("one of its threads ended by a panic; only the next start can tell what is durable".to_owned());
        }
    }
}
