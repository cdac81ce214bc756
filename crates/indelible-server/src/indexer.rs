//! Keeps each log's search index up with it: a thread of its own for each log, with a lower priority. Never: slows recording, or
//! takes the server down; a panic in the index ends one round, is counted, and the next round tries again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use indelible_search::{ErrorKind, Index, IndexError};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::app::{App, asked_to_stop};
use crate::logs::LogHandle;

/// Entries taken at once before the stop is looked at.
const STEP: usize = 20_000;
/// How long events gather before they are taken: queries take them themselves, so nobody waits for this.
const GATHER: Duration = Duration::from_millis(250);
/// Longest time without a round, so that rows grow old enough to be written.
const IDLE: Duration = Duration::from_secs(5);
/// How long to rest after a failure.
const REST: Duration = Duration::from_secs(10);
/// A little lower than what records (0): recording goes first, and at full load the index still gets the half processor that it
/// needs to keep up; one that falls behind makes the next query wait.
const NICENESS: i32 = 3;

/// Starts a thread for each log whose index can be used.
pub(crate) fn start(app: &Arc<App>) -> Vec<JoinHandle<()>> {
    let runtime = Handle::current();
    let mut threads = Vec::new();
    for log in app.logs.iter() {
        let Ok(index) = log.index() else { continue };
        let round = Indexer {
            app: Arc::clone(app),
            log: Arc::clone(log),
            index: Arc::clone(index),
            stopping: app.stopping.clone(),
        };
        let runtime = runtime.clone();
        match std::thread::Builder::new().name(format!("index {}", log.name())).spawn(move || round.run(&runtime)) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                tracing::error!(log = log.name(), %error, "no thread for the search index; queries fill it alone");
            }
        }
    }
    threads
}

struct Indexer {
    app: Arc<App>,
    log: Arc<LogHandle>,
    index: Arc<Index>,
    stopping: watch::Receiver<bool>,
}

impl Indexer {
    fn run(mut self, runtime: &Handle) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::debug!(log = self.log.name(), %error, "the index runs with the priority of everything else");
        }
        let mut progress = self.log.watch();
        while !*self.stopping.borrow() {
            let rest = self.round();
            runtime.block_on(async {
                let quiet = async {
                    tokio::time::sleep(rest).await;
                    if rest < REST {
                        let _changed_or_idle = tokio::time::timeout(IDLE, progress.changed()).await;
                    }
                };
                tokio::select! {
                    () = quiet => {}
                    () = asked_to_stop(&mut self.stopping) => {}
                }
            });
        }
        self.last_words();
    }

    /// Takes what is new and keeps the files in order; gives how long to rest.
    fn round(&self) -> Duration {
        match catch_unwind(AssertUnwindSafe(|| self.catch_up())) {
            Ok(Ok(())) => GATHER,
            Ok(Err(error)) => {
                self.app.metrics.index_failed(self.log.name());
                if error.kind() == ErrorKind::Corrupt {
                    tracing::error!(log = self.log.name(), %error, "the search index is damaged; the log is not in doubt");
                } else {
                    tracing::warn!(log = self.log.name(), %error, "the search index falls behind; it tries again");
                }
                REST
            }
            Err(_) => {
                self.app.metrics.index_failed(self.log.name());
                tracing::error!(log = self.log.name(), "a mistake in the search index; it tries again");
                REST
            }
        }
    }

    fn catch_up(&self) -> Result<(), IndexError> {
        let wanted = self.log.reader.size();
        while self.index.refresh_some(&*self.log.reader, STEP)? < wanted {
            if *self.stopping.borrow() {
                return Ok(());
            }
        }
        self.index.maintain(self.app.trail.now()).map(|_| ())
    }

    /// Writes the fresh rows, so that other readers of the files see them and the next start has less to do.
    fn last_words(&self) {
        match catch_unwind(AssertUnwindSafe(|| self.index.flush())) {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(log = self.log.name(), %error, "fresh rows were not written; the next start reads them again");
            }
            Err(_) => tracing::error!(log = self.log.name(), "a mistake in the search index at the stop"),
        }
    }
}
