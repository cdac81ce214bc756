//! Watches each log: a thread of its own, with a low priority, shows every entry to the follower of sources and publishes what it
//! knows of them (`GET /v1/sources`). Begins at entry 0 at each start, for what it knows is a view.
//!
//! Promises: entries in order, each once; what is told in the server's log lines happened since this start. Never: slows
//! recording, or takes the server down: a panic ends the watching of that log, is told, and the log counts as not watched.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indelible_detect::finding::Finding;
use indelible_detect::seen::Seen;
use indelible_detect::sources::{SourceSettings, Sources};
use indelible_event::doors::{EntryIndex, ReadError};
use indelible_event::view::EventView;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::app::{App, asked_to_stop};
use crate::logs::LogHandle;

/// Entries, and their bytes, read at a time.
const READ_ENTRIES: usize = 4_096;
const READ_BYTES: usize = 4 * 1024 * 1024;
/// How long events gather before they are looked at.
const GATHER: Duration = Duration::from_millis(250);
/// How often time alone is looked at, and the report is published at most.
const TICK: Duration = Duration::from_secs(1);
/// How long to rest after entries could not be read.
const REST: Duration = Duration::from_secs(10);
/// Lower than what records (0) and what finds (3).
const NICENESS: i32 = 10;

/// Starts a thread for each log.
pub(crate) fn start(app: &Arc<App>) -> Vec<JoinHandle<()>> {
    let runtime = Handle::current();
    let mut threads = Vec::new();
    for log in app.logs.iter() {
        let watcher = Watcher {
            app: Arc::clone(app),
            log: Arc::clone(log),
            sources: Sources::new(log.name(), SourceSettings::default()),
            next: EntryIndex(0),
            new_from: log.reader.size(),
            ticked: Instant::now(),
            stopping: app.stopping.clone(),
        };
        let (runtime, name) = (runtime.clone(), log.name().to_owned());
        let (app, log) = (Arc::clone(app), name.clone());
        let run = move || {
            if catch_unwind(AssertUnwindSafe(|| watcher.run(&runtime))).is_err() {
                tracing::error!(log, "a mistake in watching; this log is not watched until the next start");
                app.watched.sources.lock().unwrap_or_else(PoisonError::into_inner).remove(&log);
            }
        };
        match std::thread::Builder::new().name(format!("watch {name}")).spawn(run) {
            Ok(thread) => threads.push(thread),
            Err(error) => tracing::error!(log = name, %error, "no thread to watch the log"),
        }
    }
    threads
}

struct Watcher {
    app: Arc<App>,
    log: Arc<LogHandle>,
    sources: Sources,
    /// The entry to look at next.
    next: EntryIndex,
    /// What stands before this was there at the start: it was told then.
    new_from: u64,
    ticked: Instant,
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
                    tracing::warn!(log = self.log.name(), %error, "watching falls behind; it tries again");
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
    }

    /// Looks at what is new; then, when all was seen, at the time.
    fn catch_up(&mut self) -> Result<(), ReadError> {
        let mut findings = Vec::new();
        while self.next.0 < self.log.reader.size() {
            let entries = self.log.reader.read(self.next, READ_ENTRIES, READ_BYTES)?;
            for (index, bytes) in entries.iter() {
                // What nobody can read as an event was not written by this program; `verify` is who judges it.
                let Ok(view) = EventView::parse(bytes) else { continue };
                self.sources.see(&Seen { index, bytes, view }, &mut findings);
                if index.0 < self.new_from {
                    findings.clear();
                }
                self.tell(&mut findings);
            }
            self.next = entries.next_index();
            if *self.stopping.borrow() {
                return Ok(());
            }
        }
        if self.ticked.elapsed() >= TICK || !self.is_published() {
            self.ticked = Instant::now();
            let now = self.app.trail.now().0;
            self.sources.tick(now, &mut findings);
            self.tell(&mut findings);
            let report = self.sources.report(now);
            let mut published = self.app.watched.sources.lock().unwrap_or_else(PoisonError::into_inner);
            published.insert(self.log.name().to_owned(), report);
        }
        Ok(())
    }

    fn is_published(&self) -> bool {
        self.app.watched.sources.lock().unwrap_or_else(PoisonError::into_inner).contains_key(self.log.name())
    }

    fn tell(&self, findings: &mut Vec<Finding>) {
        for finding in findings.drain(..) {
            let (rule, entity) = (finding.rule.id, finding.entity.id);
            tracing::warn!(log = self.log.name(), rule, entity, severity = %finding.severity, finding.summary);
        }
    }
}
