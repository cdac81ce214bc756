//! A running log: one thread that commits, one that seals, and the doors in and out.
//!
//! Promises: `record` answers only from what the committing thread made durable; queues are bounded and a full one is said so;
//! when an outcome is unknown both threads stop and every later call is refused with the reason. Never: restarts by itself
//! after that: only a new start, which is recovery, can tell what is durable.

mod committing;
mod sealing;
mod state;

use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indelible_event::batch::EventBatch;
use indelible_event::doors::{BoxFuture, Entries, EntryIndex, EntryReader, ReadError, RecordError, Recorded, Recorder};
use indelible_event::env::Clock as _;
use indelible_tlog::receipt::Receipt;
use indelible_tlog::tree::{LeafIndex, TreeSize};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::commit::Committed;
use crate::data_folder::DataFolder;
use crate::journal::FRAME_BYTES;
use crate::log::key::LogKey;
use crate::log::{LogError, SignedCheckpoint, TileReader, proof_text};
use crate::open::{LogSettings, OpenError, Opened, OpenedParts, QueueSettings, open_parts};
use crate::read::{LogReader, Published};
use crate::storage::{LogStorage, StorageError};
use crate::system::{SystemClock, SystemRandomness};

use committing::{Message, run_committer};
use sealing::Sealing;
use state::StateCell;

pub use state::LogState;

/// Requests that may wait for the committing thread.
const QUEUE_REQUESTS: usize = 4_096;
/// What a refused request is told.
const RETRY_AFTER_MS: u64 = 1_000;

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
    /// One permit a KiB that may wait.
    room: Arc<Semaphore>,
    limits: QueueSettings,
    state: watch::Receiver<LogState>,
    cell: StateCell,
    threads: Mutex<Option<Threads>>,
}

/// What must be ended, in this order.
#[derive(Debug)]
struct Threads {
    commit: Option<JoinHandle<()>>,
    seal: Option<JoinHandle<()>>,
    close_sealer: std_mpsc::Sender<()>,
}

impl Log {
    /// Opens, or makes, a log on the real disk and starts its threads.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(data: &DataFolder, settings: &LogSettings) -> Result<Arc<Self>, OpenError> {
        Self::open_judged(data, settings, |_| None)
    }

    /// The same, but asks `judge` when the published log stands as it was last signed, and before anything is signed: a reason
    /// stops signing from the start ([`Log::stop_signing`]). It is given the verifier key as text.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open_judged(
        data: &DataFolder,
        settings: &LogSettings,
        judge: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Arc<Self>, OpenError> {
        let disk: Arc<dyn crate::disk::Disk> = Arc::new(crate::disk::RealDisk);
        let parts = open_parts(&disk, data.root(), settings, Arc::new(SystemClock), &SystemRandomness)?;
        let signing_stopped = judge(&parts.key.verifier().to_vkey());
        Ok(Self::run(settings, parts, signing_stopped))
    }

    /// Runs the parts of a log on threads of their own.
    #[must_use]
    pub fn start(settings: &LogSettings, parts: OpenedParts) -> Arc<Self> {
        Self::run(settings, parts, None)
    }

    fn run(settings: &LogSettings, parts: OpenedParts, signing_stopped: Option<String>) -> Arc<Self> {
        let OpenedParts { committer, sealer, id_runs, ids_begin, journal, reader, published, storage, key, opened } =
            parts;
        let initial = LogState {
            durable_size: opened.size,
            published_size: opened.published,
            // opening has just compared it with what was signed
            confirmed: sealer.published().map(|_| SystemClock.now()),
            signing_stopped,
            ..LogState::default()
        };
        let (cell, state) = StateCell::new(initial);
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
            trimmed: 0,
            interval: settings.checkpoint_interval,
            idle_interval: settings.idle_checkpoint_interval,
            confirmed: Instant::now(),
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
            room: Arc::new(Semaphore::new(kib(settings.queue.bytes))),
            limits: settings.queue,
            state,
            cell,
            threads: Mutex::new(Some(Threads { commit, seal, close_sealer })),
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
        let size = || self.published().map_or(0, |published| published.size);
        let read = |size| TileReader::new(Arc::clone(&self.storage), TreeSize(size)).resource(path);
        let before = size();
        match read(before)? {
            // the newest partial bundle may have been tidied away while we looked for it: then there is a newer one
            None if size() != before => read(size()),
            found => Ok(found),
        }
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

    /// From the next round of sealing on, no checkpoint is signed or confirmed until the log is opened anew. Events go on being
    /// recorded: they are durable in the journal, which keeps what no checkpoint covers. The first reason stands.
    pub fn stop_signing(&self, reason: String) {
        self.cell.stop_signing(reason);
    }

    /// Commits what waits, seals it, publishes the checkpoint and ends the threads. Blocks, also when another caller is at it.
    /// Later calls are refused.
    pub fn close(&self) {
        self.room.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Threads { commit, seal, close_sealer }) = threads.take() else { return };
        let mut message = Message::Close;
        while let Err(mpsc::error::TrySendError::Full(returned)) = self.queue.try_send(message) {
            message = returned;
            std::thread::sleep(Duration::from_millis(1));
        }
        // the committer first: once it has ended nothing more comes to be sealed, and the sealer may end too
        self.join(commit);
        let sealer_gone = close_sealer.send(()).is_err();
        self.join(seal);
        tracing::debug!(log = %self.name, sealer_gone, "log closed");
    }

    fn join(&self, thread: Option<JoinHandle<()>>) {
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!(log = %self.name, "a thread of the log ended by a panic");
        }
    }

    async fn record_batch(&self, batch: EventBatch) -> Result<Recorded, RecordError> {
        let stopped = |reason: &str| RecordError::Stopped { log: self.name.clone(), reason: reason.to_owned() };
        if let Some(reason) = &self.state.borrow().stopped {
            return Err(stopped(reason));
        }
        let bytes = (batch.byte_len() + batch.len() * FRAME_BYTES).min(self.limits.bytes);
        let permits = u32::try_from(kib(bytes)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(permits);
        let room = match tokio::time::timeout(self.limits.wait, room).await {
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
        self.key.sign_receipt(&Receipt {
            origin: self.key.origin().clone(),
            first_index: LeafIndex(committed.first_index),
            count: committed.count,
            entries_root: committed.root,
            recorded: committed.recorded.to_string(),
        })
    }
}

/// Permits of the queue for so many bytes: at least one.
fn kib(bytes: usize) -> usize {
    bytes / 1024 + 1
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

/// Runs one of the log's threads. Should it end by a panic, the log has stopped: what it was at is known to nobody.
fn spawn(name: &str, state: &StateCell, run: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    let guard = state.clone();
    let guarded = move || {
        let _guard = state::StopsOnPanic(guard);
        run();
    };
    // the kernel shows 15 bytes of a thread's name
    match std::thread::Builder::new().name(name.to_owned()).spawn(guarded) {
        Ok(thread) => Some(thread),
        Err(error) => {
            state.stop(format!("no thread could be started: {error}"));
            None
        }
    }
}
