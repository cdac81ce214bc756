//! A running log: one thread that commits, one that seals, and the doors in and out.
//!
//! Promises: `record` answers only from what the committing thread made durable; queues are bounded and a full one is said so;
//! when an outcome is unknown both threads stop and every later call is refused with the reason. Never: restarts by itself
//! after that: only a new start, which is recovery, can tell what is durable.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indelible_event::batch::EventBatch;
use indelible_event::doors::{BoxFuture, Entries, EntryIndex, EntryReader, ReadError, RecordError, Recorded, Recorder};
use indelible_tlog::receipt::Receipt;
use indelible_tlog::tree::{LeafIndex, TreeSize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::commit::{Committed, Committer, GROUP_BYTES_MAX};
use crate::ids::IdRuns;
use crate::journal::{FRAME_BYTES, JournalReader};
use crate::log::key::LogKey;
use crate::log::{LogError, SEAL_ENTRIES_MAX, Sealer, SignedCheckpoint, TileReader, proof_text};
use crate::open::{DataFolder, LogSettings, Opened, OpenError, OpenedParts, open_parts};
use crate::read::{LogReader, Published};
use crate::storage::{LogStorage, StorageError};
use crate::system::{SystemClock, SystemRandomness};

/// Requests that may wait for the committing thread.
const QUEUE_REQUESTS: usize = 4_096;
/// Bytes of events that may wait, in KiB (the unit of the permits): bounds memory whatever clients do.
const QUEUE_KIB: usize = 48 * 1024;
/// How long a request waits for room in the queue before it is told to come back.
const QUEUE_WAIT: Duration = Duration::from_secs(5);
/// What a refused request is told.
const RETRY_AFTER_MS: u64 = 1_000;

/// How far a log is. `published_size <= durable_size`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// Entries that are durable (acknowledged).
    pub durable_size: u64,
    /// Entries that the published checkpoint covers.
    pub published_size: u64,
    /// The disk is full: events are refused until there is room.
    pub full: bool,
    /// Why the log has stopped, if it has.
    pub stopped: Option<String>,
}

enum Message {
    Record { batch: EventBatch, answer: oneshot::Sender<Result<Committed, RecordError>>, room: OwnedSemaphorePermit },
    Trim(u64),
    Close,
}

/// A running log. Dropping it closes it.
#[derive(Debug)]
pub struct Log {
    name: String,
    opened: Opened,
    key: Arc<LogKey>,
    reader: LogReader,
    published: Published,
    storage: Arc<dyn LogStorage>,
    queue: mpsc::Sender<Message>,
    room: Arc<Semaphore>,
    state: watch::Receiver<LogState>,
    close_sealer: std_mpsc::Sender<()>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closing: AtomicBool,
}

/// Changes the shared state, waking those who watch it.
#[derive(Clone, Debug)]
struct StateCell(Arc<watch::Sender<LogState>>);

impl StateCell {
    fn change(&self, change: impl FnOnce(&mut LogState)) {
        self.0.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            *state != before
        });
    }

    fn stop(&self, reason: String) {
        self.change(|state| {
            state.stopped.get_or_insert(reason);
        });
    }
}

impl Log {
    /// Opens, or makes, a log on the real disk and starts its threads.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(data: &DataFolder, settings: &LogSettings) -> Result<Arc<Self>, OpenError> {
        let disk: Arc<dyn crate::disk::Disk> = Arc::new(crate::disk::RealDisk);
        let parts = open_parts(&disk, data.root(), settings, Arc::new(SystemClock), &SystemRandomness)?;
        Ok(Self::start(settings, parts))
    }

    /// Runs the parts of a log on threads of their own.
    #[must_use]
    pub fn start(settings: &LogSettings, parts: OpenedParts) -> Arc<Self> {
        let OpenedParts { committer, sealer, id_runs, ids_begin, journal, reader, published, storage, key, opened } = parts;
        let initial = LogState { durable_size: opened.size, published_size: opened.published, ..LogState::default() };
        let (state_sender, state) = watch::channel(initial);
        let cell = StateCell(Arc::new(state_sender));
        let (queue, messages) = mpsc::channel(QUEUE_REQUESTS);
        let (close_sealer, sealer_closed) = std_mpsc::channel();
        let name = settings.name.to_string();

        let commit_cell = cell.clone();
        let commit = spawn(&format!("commit {name}"), &cell, move || run_committer(committer, messages, &commit_cell));
        let sealing = Sealing {
            sealer,
            id_runs,
            ids_begin,
            journal,
            published: Arc::clone(&published),
            trim: queue.clone(),
            interval: settings.checkpoint_interval,
            state: cell.clone(),
        };
        let seal = spawn(&format!("seal {name}"), &cell, move || sealing.run(&sealer_closed));
        Arc::new(Self {
            name,
            opened,
            key,
            reader,
            published,
            storage,
            queue,
            room: Arc::new(Semaphore::new(QUEUE_KIB)),
            state,
            close_sealer,
            threads: Mutex::new([commit, seal].into_iter().flatten().collect()),
            closing: AtomicBool::new(false),
        })
    }

    /// The log's short name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the start found.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The verifier key as text.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.key.verifier().to_vkey()
    }

    /// The newest published checkpoint, a signed note.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Arc<str>> {
        self.published().map(|published| published.note)
    }

    fn published(&self) -> Option<SignedCheckpoint> {
        self.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A `tile/…` resource of the published tree. Blocks on the disk.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn resource(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let size = self.published().map_or(0, |published| published.size);
        TileReader::new(Arc::clone(&self.storage), TreeSize(size)).resource(path)
    }

    /// The tlog-proof of an entry under the newest checkpoint; `None` while no checkpoint covers it. Blocks on the disk.
    ///
    /// # Errors
    /// When the storage fails or its tiles do not fit the tree.
    pub fn proof(&self, index: EntryIndex) -> Result<Option<String>, LogError> {
        match self.published() {
            Some(published) => proof_text(&self.storage, &published, index.0),
            None => Ok(None),
        }
    }

    /// How far the log is, now and at each change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<LogState> {
        self.state.clone()
    }

    /// How far the log is.
    #[must_use]
    pub fn state(&self) -> LogState {
        self.state.borrow().clone()
    }

    /// Commits what waits, seals it, publishes the checkpoint and ends the threads. Blocks. Later calls are refused.
    pub fn close(&self) {
        if self.closing.swap(true, Ordering::SeqCst) {
            return;
        }
        self.room.close();
        let mut message = Message::Close;
        while let Err(mpsc::error::TrySendError::Full(returned)) = self.queue.try_send(message) {
            message = returned;
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            let ended = thread.join();
            if ended.is_err() {
                tracing::error!(log = %self.name, "a thread of the log ended by a panic");
            }
            // the committer is first in line: once it has ended there is nothing more to seal, and the sealer may end too
            let sealer_gone = self.close_sealer.send(()).is_err();
            tracing::debug!(log = %self.name, sealer_gone, "thread ended");
        }
    }

    async fn record_batch(&self, batch: EventBatch) -> Result<Recorded, RecordError> {
        let stopped = |reason: &str| RecordError::Stopped { log: self.name.clone(), reason: reason.to_owned() };
        if let Some(reason) = &self.state.borrow().stopped {
            return Err(stopped(reason));
        }
        let kib = (batch.byte_len() + batch.len() * FRAME_BYTES) / 1024 + 1;
        let kib = u32::try_from(kib.min(QUEUE_KIB)).unwrap_or(u32::MAX);
        let room = match tokio::time::timeout(QUEUE_WAIT, Arc::clone(&self.room).acquire_many_owned(kib)).await {
            Ok(Ok(room)) => room,
            Ok(Err(_)) => return Err(stopped("the server is shutting down")),
            Err(_) => return Err(RecordError::Busy { retry_after_ms: RETRY_AFTER_MS }),
        };
        let (answer, answered) = oneshot::channel();
        let gone = || stopped("its committing thread has ended");
        self.queue.send(Message::Record { batch, answer, room }).await.map_err(|_| gone())?;
        let committed = answered.await.map_err(|_| gone())??;
        let receipt = self.receipt(&committed).map_err(|error| stopped(&error.to_string()))?;
        Ok(Recorded {
            first_index: EntryIndex(committed.first_index),
            count: committed.count,
            indexes: committed.indexes,
            recorded: committed.recorded,
            receipt,
        })
    }

    fn receipt(&self, committed: &Committed) -> Result<Arc<str>, LogError> {
        if committed.count == 0 {
            return Ok(Arc::from(""));
        }
        let recorded = committed.recorded.write();
        self.key.sign_receipt(&Receipt {
            origin: self.key.origin().clone(),
            first_index: LeafIndex(committed.first_index),
            count: committed.count,
            entries_root: committed.root,
            recorded: String::from_utf8_lossy(&recorded).into_owned(),
        })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

impl Recorder for Log {
    fn record(&self, batch: EventBatch) -> BoxFuture<'_, Result<Recorded, RecordError>> {
        Box::pin(self.record_batch(batch))
    }
}

impl EntryReader for Log {
    fn size(&self) -> u64 {
        self.reader.size()
    }

    fn read(&self, first: EntryIndex, max_entries: usize, max_bytes: usize) -> Result<Entries, ReadError> {
        self.reader.read(first, max_entries, max_bytes)
    }
}

fn spawn(name: &str, state: &StateCell, run: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    // the kernel shows 15 bytes of a thread's name
    match std::thread::Builder::new().name(name.to_owned()).spawn(run) {
        Ok(thread) => Some(thread),
        Err(error) => {
            state.stop(format!("no thread could be started: {error}"));
            None
        }
    }
}

/// The committing thread: takes what has come together, commits it with one sync, answers.
fn run_committer(mut committer: Committer, mut messages: mpsc::Receiver<Message>, state: &StateCell) {
    let mut closing = false;
    while !closing {
        let Some(first) = messages.blocking_recv() else { break };
        let mut batches = Vec::new();
        let mut answers = Vec::new();
        let mut rooms = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Record { batch, answer, room } => {
                    bytes += batch.byte_len();
                    batches.push(batch);
                    answers.push(answer);
                    rooms.push(room);
                }
                Message::Trim(index) => {
                    if let Err(error) = committer.trim(index) {
                        tracing::warn!(%error, "old journal segments could not be removed");
                    }
                }
                Message::Close => closing = true,
            }
            let full = bytes >= GROUP_BYTES_MAX;
            next = if full || closing { None } else { messages.try_recv().ok() };
        }
        if batches.is_empty() {
            continue;
        }
        let outcomes = committer.commit(batches);
        let full = outcomes.iter().any(|outcome| matches!(outcome, Err(RecordError::Full)));
        state.change(|state| {
            state.durable_size = committer.size();
            state.full = full;
        });
        if let Some(reason) = committer.stopped() {
            tracing::error!(reason, "the journal has stopped");
            state.stop(reason.to_owned());
            closing = true;
        }
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // a client that has gone away needs no answer; what it sent is recorded
            if answer.send(outcome).is_err() {
                tracing::debug!("a client left before its answer");
            }
        }
    }
    messages.close();
}

/// The sealing thread.
struct Sealing {
    sealer: Sealer,
    id_runs: IdRuns,
    ids_begin: u64,
    journal: JournalReader,
    published: Published,
    trim: mpsc::Sender<Message>,
    interval: Duration,
    state: StateCell,
}

impl Sealing {
    fn run(mut self, closed: &std_mpsc::Receiver<()>) {
        let mut closing = false;
        loop {
            let round = Instant::now();
            let mut sealed = 0;
            match self.round() {
                Ok(added) => sealed = added,
                Err(error) if error.is_full() => {
                    self.state.change(|state| state.full = true);
                    tracing::warn!(error = %chain(&error), "sealing waits for room on the disk");
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
            let behind = sealed >= SEAL_ENTRIES_MAX || closing;
            let wait = if behind { Duration::ZERO } else { self.interval.saturating_sub(round.elapsed()) };
            closing |= !matches!(closed.recv_timeout(wait), Err(std_mpsc::RecvTimeoutError::Timeout));
        }
    }

    /// One checkpoint, if there is something new; then what is in runs and in the tree may leave the journal.
    fn round(&mut self) -> Result<u64, LogError> {
        let mut added = 0;
        if let Some(sealed) = self.sealer.seal()? {
            let size = sealed.checkpoint.size;
            added = sealed.added;
            *self.published.write().unwrap_or_else(PoisonError::into_inner) = Some(sealed.checkpoint);
            self.state.change(|state| state.published_size = size);
            tracing::debug!(size, added, "checkpoint published");
        }
        if let Err(error) = self.id_runs.flush(&self.journal, self.ids_begin) {
            // nothing is lost: the journal keeps what no run holds
            tracing::warn!(error = %chain(&error), "ids could not be moved out of the journal");
        }
        let done = self.sealer.size().min(self.id_runs.end().unwrap_or(self.ids_begin));
        if let Err(mpsc::error::TrySendError::Full(_)) = self.trim.try_send(Message::Trim(done)) {
            tracing::debug!("the committing thread is busy; trimming waits for the next round");
        }
        Ok(added)
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
