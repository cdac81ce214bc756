//! Watches each log: a thread of its own, with a low priority, shows every entry to the detectors and takes what they find to the
//! book of alerts; what is known of sources it publishes (`GET /v1/sources`).
//!
//! Promises: entries in order; a finding is in the book before the place of its entry is passed, so a kill repeats entries and
//! loses none, and the book takes a repeated finding once. Never: slows recording, or takes the server down: a panic ends the
//! watching of that log, is told, and the log counts as not watched.

mod detectors;
pub(crate) mod rules;
mod state;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indelible_detect::baseline::BaselineSettings;
use indelible_detect::book::BookError;
use indelible_detect::finding::Finding;
use indelible_detect::seen::Seen;
use indelible_event::doors::ReadError;
use indelible_event::view::EventView;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::app::{App, asked_to_stop};
use crate::logs::LogHandle;
use crate::telemetry::chain;
use detectors::{Detectors, Keep, Made};
use state::StateFolder;

/// Entries, and their bytes, read at a time.
const READ_ENTRIES: usize = 4_096;
const READ_BYTES: usize = 4 * 1024 * 1024;
/// How long events gather before they are looked at.
const GATHER: Duration = Duration::from_millis(50);
/// How often time alone is looked at, and the report is published at most.
const TICK: Duration = Duration::from_secs(1);
/// How long to rest after entries could not be read, or findings not be kept.
const REST: Duration = Duration::from_secs(10);
/// How often what was counted is kept, and how often what was learned is too.
const SAVE: Duration = Duration::from_secs(60);
const SAVE_ALL: Duration = Duration::from_secs(900);
/// Most findings that wait to be taken to the book together.
const FINDINGS_AT_ONCE: usize = 256;
/// Lower than what records (0) and what finds (3).
const NICENESS: i32 = 10;

/// Watching has to wait.
#[derive(Debug, thiserror::Error)]
enum Behind {
    #[error("entries cannot be read")]
    Read(#[from] ReadError),
    #[error("findings cannot be kept")]
    Book(#[from] BookError),
}

/// Starts a thread for each log.
pub(crate) fn start(app: &Arc<App>) -> Vec<JoinHandle<()>> {
    let runtime = Handle::current();
    let mut threads = Vec::new();
    for log in app.logs.iter() {
        let (runtime, name) = (runtime.clone(), log.name().to_owned());
        let (app, log) = (Arc::clone(app), Arc::clone(log));
        let run = move || {
            let watched = catch_unwind(AssertUnwindSafe(|| watch_log(&app, &log, &runtime)));
            if let Ok(Err(error)) = &watched {
                tracing::error!(log = log.name(), error = chain(error), "this log is not watched until the next start");
            }
            if watched.is_err() {
                tracing::error!(
                    log = log.name(),
                    "a mistake in watching; this log is not watched until the next start"
                );
            }
            app.watched.sources.lock().unwrap_or_else(PoisonError::into_inner).remove(log.name());
        };
        match std::thread::Builder::new().name(format!("watch {name}")).spawn(run) {
            Ok(thread) => threads.push(thread),
            Err(error) => tracing::error!(log = name, %error, "no thread to watch the log"),
        }
    }
    threads
}

/// Why a log cannot be watched at all.
#[derive(Debug, thiserror::Error)]
enum NotWatched {
    #[error("cannot make the folder of detectors")]
    Folder(#[source] std::io::Error),
    #[error(transparent)]
    Book(#[from] BookError),
}

fn watch_log(app: &Arc<App>, log: &Arc<LogHandle>, runtime: &Handle) -> Result<(), NotWatched> {
    let states = StateFolder::open(&app.config.server.data, log.name()).map_err(NotWatched::Folder)?;
    let size = log.reader.size();
    let told_from = app.alerts.book.told_from(log.name(), size)?;
    let detect = &app.config.detect;
    let made = Made {
        rules: Arc::clone(&app.rules.now().set),
        sources: app.config.sources.settings(),
        baselines: (detect.enabled && detect.baselines).then(BaselineSettings::default),
    };
    let now = Instant::now();
    let watcher = Watcher {
        app: Arc::clone(app),
        detectors: Detectors::restore(log.name(), made, &states, (told_from, size)),
        log: Arc::clone(log),
        states,
        findings: Vec::new(),
        ticked: now,
        saved: now,
        saved_all: now,
        stopping: app.stopping.clone(),
    };
    watcher.run(runtime);
    Ok(())
}

struct Watcher {
    app: Arc<App>,
    log: Arc<LogHandle>,
    detectors: Detectors,
    states: StateFolder,
    /// Found, and not yet in the book: as long as there are some, no further entry is looked at.
    findings: Vec<Finding>,
    ticked: Instant,
    saved: Instant,
    saved_all: Instant,
    stopping: watch::Receiver<bool>,
}

impl Watcher {
    fn run(mut self, runtime: &Handle) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::debug!(log = self.log.name(), %error, "watching runs with the priority of everything else");
        }
        let mut progress = self.log.watch();
        while !*self.stopping.borrow() {
            let rest = match self.catch_up() {
                Ok(()) => GATHER,
                Err(error) => {
                    tracing::warn!(
                        log = self.log.name(),
                        error = chain(&error),
                        "watching falls behind; it tries again"
                    );
                    REST
                }
            };
            runtime.block_on(async {
                let quiet = async {
                    tokio::time::sleep(rest).await;
                    let _changed_or_time = tokio::time::timeout(TICK, progress.changed()).await;
                };
                tokio::select! {
                    () = quiet => {}
                    () = asked_to_stop(&mut self.stopping) => {}
                }
            });
        }
        self.save(Keep::All);
    }

    /// Looks at what is new; then, when all was seen, at the time.
    fn catch_up(&mut self) -> Result<(), Behind> {
        self.findings.extend(self.app.watched.take(self.log.name()));
        self.take()?;
        self.detectors.use_rules(&self.app.rules.now().set);
        while self.detectors.next().0 < self.log.reader.size() {
            let entries = self.log.reader.read(self.detectors.next(), READ_ENTRIES, READ_BYTES)?;
            for (index, bytes) in entries.iter() {
                // What nobody can read as an event was not written by this program; the guard and `verify` are who judge it.
                match EventView::parse(bytes) {
                    Ok(view) => self.detectors.see(&Seen { index, bytes, view }, &mut self.findings),
                    Err(_) => self.detectors.skip(index),
                }
                if self.findings.len() >= FINDINGS_AT_ONCE {
                    self.take()?;
                }
            }
            self.take()?;
            if *self.stopping.borrow() {
                return Ok(());
            }
        }
        if self.ticked.elapsed() >= TICK || !self.is_published() {
            self.ticked = Instant::now();
            let now = self.app.trail.now().0;
            self.detectors.tick(now, &mut self.findings);
            let report = self.detectors.sources(now);
            let mut published = self.app.watched.sources.lock().unwrap_or_else(PoisonError::into_inner);
            published.insert(self.log.name().to_owned(), report);
        }
        self.take()?;
        if self.saved_all.elapsed() >= SAVE_ALL {
            self.save(Keep::All);
        } else if self.saved.elapsed() >= SAVE {
            self.save(Keep::Often);
        }
        Ok(())
    }

    fn is_published(&self) -> bool {
        self.app.watched.sources.lock().unwrap_or_else(PoisonError::into_inner).contains_key(self.log.name())
    }

    /// Takes findings to the book.
    fn take(&mut self) -> Result<(), Behind> {
        if !self.findings.is_empty() {
            self.app.alerts.take(&self.findings, self.app.trail.now().0)?;
            self.findings.clear();
        }
        Ok(())
    }

    fn save(&mut self, keep: Keep) {
        // what is not in the book must be found again
        if !self.findings.is_empty() {
            return;
        }
        self.saved = Instant::now();
        if keep == Keep::All {
            self.saved_all = self.saved;
        }
        if let Err(error) = self.detectors.save(&self.states, keep) {
            tracing::warn!(log = self.log.name(), %error, "what detectors counted could not be kept; it is tried again");
        }
    }
}
