//! Guards the integrity of each log: a thread of its own, with a low priority, reads what is *published* (checkpoint, tiles,
//! bundles) as an outsider would and checks it by the verifier's code, so that the store does not judge itself.
//!
//! Each new checkpoint soon after it was published; every entry again at least once in `guard.sweep`; and all of it against
//! checkpoints kept apart from the log (`guard/<log>`), at the start before anything is signed. On a mismatch: no further
//! checkpoint is signed, over restarts, until a person has looked; events go on being recorded. Promises: what is told was seen
//! twice. Never: changes a file of the log; takes a disk that cannot be read for tampering.

mod check;
mod files;
mod kept;
mod status;
mod stop;
mod tell;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indelible_event::build::EventBuilder;
use indelible_event::time::RecordedTime;
use indelible_event::words::{Action, ActorType, OutcomeResult};
use indelible_verify::report::Finding as Wrong;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::app::{App, asked_to_stop};
use crate::logs::LogHandle;
use crate::telemetry::chain;
use crate::trail::{OWN_SOURCE_ID, bounded};

use check::Checker;
use status::{FINDINGS_SHOWN_MAX, Found, Verified};
pub(crate) use status::{Guarded, Integrity};
pub use stop::{LiftError, Lifted, Stopped, lift};
pub(crate) use stop::{forget_lifted, lifted};

/// How long new entries gather before their checkpoint is looked at.
const GATHER: Duration = Duration::from_secs(2);
/// How often the published checkpoint is looked at when nothing is new.
const IDLE: Duration = Duration::from_secs(10);
/// Shortest rest between two steps of a pass that is not behind its time.
const STEP: Duration = Duration::from_millis(500);
/// Most bundles of one step, so that a stop is not kept waiting.
const STEP_BUNDLES: u64 = 64;
/// How long to wait before something that is wrong is looked at a second time.
const SECOND_LOOK: Duration = Duration::from_millis(500);
/// How often something that cannot be read is tried, and how long to rest in between.
const TRIES: u32 = 3;
const REST: Duration = Duration::from_secs(5);
/// How long the last checkpoint may take when the server stops.
const LAST_LOOK: Duration = Duration::from_secs(5);
/// A pass takes nine tenths of the time it has.
const PACE: f64 = 0.9;
/// Most things told of one log in one run.
const TOLD_MAX: usize = 100;
/// How often the place of the pass is written down.
const SAVE: Duration = Duration::from_secs(60);
/// Lower than everything but nothing: what records has 0, what finds 3, what watches 10.
const NICENESS: i32 = 15;

/// Asked when a log is opened, before it signs anything: why it must not, if so. Compares the published log with the newest
/// checkpoint that was kept. Blocks on the disk.
pub(crate) fn before_signing(data: &Path, log: &str, vkey: &str, enabled: bool) -> Option<String> {
    if let Some(stopped) = stop::standing(&files::folder(data, log)) {
        tracing::error!(
            log,
            since = stopped.time,
            reason = stopped.reason,
            "no checkpoint is signed: the log did not hold. events are recorded. look at it with `indelible verify`, keep a copy, \
             mend it or put it back; then stop the server and run `indelible log resume`"
        );
        return Some(stopped.reason);
    }
    if !enabled {
        return None;
    }
    let wrong = match Checker::open(data, log, vkey) {
        Ok((mut checker, _)) => checker.compare_newest_kept().err()?,
        // told by the thread, which tries the same
        Err(_) => return None,
    };
    if !tell::is_tampering(&wrong) {
        return None;
    }
    // the thread finds the same at once: it writes it down, tells it and puts it on record
    Some(tell::words(&wrong))
}

/// Verifies and keeps the last checkpoint once the log is closed, so that the next start misses nothing that was published.
/// Blocks on the disk.
pub(crate) fn after_close(app: &App, log: &LogHandle) {
    let state = log.state();
    if !app.config.guard.enabled || state.signing_stopped.is_some() || state.published_size == 0 {
        return;
    }
    let data = &app.config.server.data;
    let Ok((mut checker, _)) = Checker::open(data, log.name(), &log.published.vkey()) else { return };
    let began = Instant::now();
    let seconds = app.environment.now_seconds();
    let checked =
        checker.compare_newest_kept().and_then(|()| checker.check_newest(seconds, &|| began.elapsed() < LAST_LOOK));
    if let Err(wrong) = checked.map(|_| ())
        && tell::is_tampering(&wrong)
    {
        let stopped = stopped(&wrong, app.trail.now());
        tracing::error!(log = log.name(), reason = stopped.reason, "the log did not hold when it was closed");
        remember(&files::folder(data, log.name()), log.name(), &stopped);
    }
}

fn stopped(wrong: &Wrong, now: RecordedTime) -> Stopped {
    let (rule, _) = tell::rule(wrong);
    Stopped { time: now.whole_seconds(), rule: rule.to_owned(), reason: tell::words(wrong) }
}

fn remember(folder: &Path, log: &str, stopped: &Stopped) {
    if let Err(error) = stop::write(folder, stopped) {
        tracing::error!(log, %error, "that signing was stopped could not be written down; it is found anew after a start");
    }
}

/// Starts a thread for each log, if the guard is not switched off.
pub(crate) fn start(app: &Arc<App>) -> Vec<JoinHandle<()>> {
    let mut threads = Vec::new();
    for log in app.logs.iter() {
        let name = log.name().to_owned();
        if !app.config.guard.enabled {
            publish_unguarded(app, log);
            continue;
        }
        let (app, log, runtime) = (Arc::clone(app), Arc::clone(log), Handle::current());
        let run = move || {
            let guarded = || Guard::new(&app, &log).map(|guard| guard.run(&runtime));
            match catch_unwind(AssertUnwindSafe(guarded)) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => tracing::error!(log = log.name(), error = %chain(&error), "the log is not guarded"),
                Err(_) => {
                    tracing::error!(log = log.name(), "a mistake in guarding; the log is not guarded until a start");
                }
            }
            publish_unguarded(&app, &log);
        };
        match std::thread::Builder::new().name(format!("guard {name}")).spawn(run) {
            Ok(thread) => threads.push(thread),
            Err(error) => tracing::error!(log = name, %error, "no thread to guard the log"),
        }
    }
    threads
}

/// Nobody guards it; a stop stands all the same.
fn publish_unguarded(app: &App, log: &LogHandle) {
    let stopped = stop::standing(&files::folder(&app.config.server.data, log.name()));
    let signing = log.state().signing_stopped.is_none();
    app.guarded.publish(log.name(), Integrity { signing, stopped, ..Integrity::default() });
}

struct Guard {
    app: Arc<App>,
    log: Arc<LogHandle>,
    checker: Checker,
    told: HashSet<String>,
    found: Vec<Found>,
    found_total: u64,
    stopped: Option<Stopped>,
    /// Bundles that the pass is behind its time.
    owed: f64,
    /// When the pass went on last, and the newest checkpoint was looked at.
    swept: Instant,
    looked: Option<Instant>,
    saved: Instant,
    tries: u32,
    /// False once nothing below the checkpoint can be judged.
    passes: bool,
    stopping: watch::Receiver<bool>,
}

impl Guard {
    fn new(app: &Arc<App>, log: &Arc<LogHandle>) -> Result<Self, check::CheckerError> {
        let data = &app.config.server.data;
        let (checker, lost) = Checker::open(data, log.name(), &log.published.vkey())?;
        if lost > 0 {
            tracing::warn!(log = log.name(), bytes = lost, "the end of the kept checkpoints was torn, and is cut off");
        }
        Ok(Self {
            app: Arc::clone(app),
            log: Arc::clone(log),
            checker,
            told: HashSet::new(),
            found: Vec::new(),
            found_total: 0,
            stopped: stop::standing(&files::folder(data, log.name())),
            owed: 0.0,
            swept: Instant::now(),
            looked: None,
            saved: Instant::now(),
            tries: 0,
            passes: true,
            stopping: app.stopping.clone(),
        })
    }

    fn run(mut self, runtime: &Handle) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::debug!(log = self.log.name(), %error, "guarding runs with the priority of everything else");
        }
        let mut progress = self.log.watch();
        self.begin(runtime);
        while !*self.stopping.borrow() {
            let published = progress.borrow_and_update().published_size;
            if self.is_time_to_look(published) {
                self.look(runtime);
            }
            let rest = self.go_on_sweeping(runtime);
            self.publish();
            runtime.block_on(async {
                let quiet = async {
                    tokio::time::sleep(rest.min(GATHER)).await;
                    if rest > GATHER {
                        let _changed_or_time = tokio::time::timeout(rest - GATHER, progress.changed()).await;
                    }
                };
                tokio::select! {
                    () = quiet => {}
                    () = asked_to_stop(&mut self.stopping) => {}
                }
            });
        }
        // what was published last is verified by the next start
        self.checker.save_place();
    }

    /// The newest kept checkpoint first, then all of them: files may have been exchanged while no server ran.
    fn begin(&mut self, runtime: &Handle) {
        if let Err(wrong) = self.twice(|guard| guard.checker.compare_newest_kept()) {
            return self.take(runtime, &wrong);
        }
        let stopping = self.stopping.clone();
        if let Err(wrong) = self.twice(|guard| guard.checker.compare_all_kept(&|| !*stopping.borrow())) {
            self.take(runtime, &wrong);
        }
    }

    fn is_time_to_look(&self, published: u64) -> bool {
        let Some(looked) = self.looked else { return true };
        let is_new = self.checker.verified().is_none_or(|verified| verified.size.0 < published);
        looked.elapsed() >= if is_new { GATHER } else { IDLE }
    }

    /// Looks at the newest checkpoint.
    fn look(&mut self, runtime: &Handle) {
        self.looked = Some(Instant::now());
        if !self.passes {
            return;
        }
        // before the first checkpoint there is nothing to look at
        if self.log.state().published_size == 0 && self.checker.verified().is_none() {
            return self.checker.is_empty_now();
        }
        let seconds = self.app.environment.now_seconds();
        let stopping = self.stopping.clone();
        match self.twice(|guard| guard.checker.check_newest(seconds, &|| !*stopping.borrow())) {
            Ok(_) => {}
            Err(wrong) => self.take(runtime, &wrong),
        }
    }

    /// Goes on with the pass over all entries as far as it is behind its time; how long to rest until it is again.
    fn go_on_sweeping(&mut self, runtime: &Handle) -> Duration {
        let bundles = self.checker.bundles();
        if bundles == 0 || !self.passes {
            self.swept = Instant::now();
            return IDLE;
        }
        let each = self.app.config.guard.sweep.duration().mul_f64(PACE).as_secs_f64() / as_float(bundles);
        self.owed += self.swept.elapsed().as_secs_f64() / each.max(f64::MIN_POSITIVE);
        self.swept = Instant::now();
        // never more than one pass behind: a machine that slept need not make up for it
        self.owed = self.owed.min(as_float(bundles));
        if self.owed >= 1.0 {
            let step = whole(self.owed).min(STEP_BUNDLES);
            let now = self.app.trail.now();
            match self.twice(|guard| guard.checker.sweep(step, now)) {
                Ok(false) => {}
                Ok(true) => self.ended_pass(runtime),
                Err(wrong) => {
                    self.take(runtime, &wrong);
                    if tell::is_tampering(&wrong) || self.tries == 0 {
                        self.checker.skip(&wrong);
                    }
                }
            }
            self.owed -= as_float(step);
        }
        if self.saved.elapsed() >= SAVE {
            self.saved = Instant::now();
            self.checker.save_place();
        }
        if self.owed >= as_float(STEP_BUNDLES) {
            return Duration::ZERO;
        }
        let until_owed = Duration::try_from_secs_f64((1.0 - self.owed).max(0.0) * each).unwrap_or(IDLE);
        until_owed.clamp(STEP, IDLE)
    }

    fn ended_pass(&mut self, runtime: &Handle) {
        tracing::debug!(log = self.log.name(), "every entry was checked");
        let stopping = self.stopping.clone();
        if let Err(wrong) = self.twice(|guard| guard.checker.compare_all_kept(&|| !*stopping.borrow())) {
            self.take(runtime, &wrong);
        }
    }

    /// What is wrong is looked at a second time: files move while the log grows, and a disk may stumble.
    fn twice<T>(&mut self, check: impl Fn(&mut Self) -> Result<T, Wrong>) -> Result<T, Wrong> {
        check(self).or_else(|_| {
            std::thread::sleep(SECOND_LOOK);
            check(self)
        })
    }

    /// Takes up what is wrong. Tampering stops signing; what cannot be read is told after a few tries.
    fn take(&mut self, runtime: &Handle, wrong: &Wrong) {
        if !tell::is_tampering(wrong) {
            self.tries += 1;
            if self.tries < TRIES {
                let mut stopping = self.stopping.clone();
                return runtime.block_on(async {
                    tokio::select! {
                        () = tokio::time::sleep(REST) => {}
                        () = asked_to_stop(&mut stopping) => {}
                    }
                });
            }
            self.tries = 0;
            return self.tell(wrong);
        }
        self.passes &= !tell::ends_passes(wrong);
        if self.log.state().signing_stopped.is_none() {
            self.log.published.stop_signing(&tell::words(wrong));
        }
        if self.stopped.is_none() {
            let stopped = stopped(wrong, self.app.trail.now());
            remember(&files::folder(&self.app.config.server.data, self.log.name()), self.log.name(), &stopped);
            self.stopped = Some(stopped);
            self.tell(wrong);
            self.record_stop(runtime, wrong);
        } else {
            self.tell(wrong);
        }
    }

    fn tell(&mut self, wrong: &Wrong) {
        let now = self.app.trail.now();
        let finding = tell::finding(self.log.name(), wrong, now.0);
        if self.told.len() >= TOLD_MAX || !self.told.insert(finding.id.as_str().to_owned()) {
            return;
        }
        self.found_total += 1;
        if self.found.len() < FINDINGS_SHOWN_MAX {
            self.found.push(Found {
                time: now.whole_seconds(),
                rule: finding.rule.id.clone(),
                file: wrong.file.clone(),
                first_index: wrong.first_index,
                reason: wrong.reason.clone(),
            });
        }
        tracing::error!(log = self.log.name(), rule = finding.rule.id, finding.summary);
        self.app.watched.tell(finding);
    }

    fn record_stop(&self, runtime: &Handle, wrong: &Wrong) {
        let (rule, _) = tell::rule(wrong);
        let now = self.app.trail.now();
        let event = EventBuilder::new(now, Action::Configure, "log.signing.stop", ActorType::System, OWN_SOURCE_ID)
            .resource("log", self.log.name())
            .result(OutcomeResult::Failed)
            .attribute("rule", rule)
            .attribute("reason", bounded(&tell::words(wrong)));
        if let Err(problem) = runtime.block_on(self.app.trail.record(&self.log, event)) {
            tracing::error!(cause = problem.cause(), "that signing was stopped could not be recorded");
        }
    }

    fn publish(&self) {
        let verified = self.checker.verified().map(|checkpoint| Verified {
            size: checkpoint.size.0,
            root: checkpoint.root.to_base64(),
            time: self.app.trail.now().whole_seconds(),
        });
        let mut sweep = self.checker.place().clone();
        sweep.seconds = self.app.config.guard.sweep.duration().as_secs();
        let integrity = Integrity {
            guarded: true,
            signing: self.log.state().signing_stopped.is_none(),
            stopped: self.stopped.clone(),
            verified,
            kept: self.checker.kept_checkpoints(),
            sweep,
            findings: self.found.clone(),
            findings_total: self.found_total,
        };
        self.app.metrics.guarded(self.log.name(), &integrity);
        self.app.guarded.publish(self.log.name(), integrity);
    }
}

/// Exact up to 2^53 bundles, which is more than a log can have on any disk.
#[allow(clippy::cast_precision_loss, reason = "a pace, not a place")]
fn as_float(count: u64) -> f64 {
    count as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cast saturates, and owed is not negative")]
fn whole(count: f64) -> u64 {
    count as u64
}
