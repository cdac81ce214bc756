//! Alerts: the book, the receivers, and the threads that bring notices from one to the other.
//!
//! Promises: each receiver has a thread of its own, so that one that hangs delays nobody else; what is waiting is in the book, so a
//! kill repeats at most the delivery that was under way. Whatever the book does by itself is recorded as an event. Never: tells a
//! receiver that it cannot be reached.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indelible_detect::alert::Alert;
use indelible_detect::book::{Book, BookError, BookSettings, Change, ChangeKind, Due, Failure};
use indelible_detect::finding::Finding;
use indelible_detect::notice::Notice;
use indelible_detect::receivers::{DeliveryError, Receiver};
use indelible_event::build::EventBuilder;
use indelible_event::time::RecordedTime;
use indelible_event::words::{Action, ActorType, OutcomeResult};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::api::count;
use crate::app::{App, asked_to_stop};
use crate::config::{Config, ReceiverConfigError};
use crate::telemetry::chain;
use crate::trail::{OWN_SOURCE_ID, bounded};
use crate::watch::rules::skipped_findings;

/// How often time alone is looked at: silences that end, alerts that nobody took, receivers that fail, rules that changed.
const TICK: Duration = Duration::from_secs(1);
/// How often the book forgets what is beyond its bounds.
const FORGET: Duration = Duration::from_secs(600);
/// How long to rest when the book cannot be used.
const REST: Duration = Duration::from_secs(10);
/// Changes recorded at a time.
const CHANGES_AT_ONCE: u32 = 64;
/// What an alert is about is not told to itself.
const RECEIVER_ENTITY: &str = "receiver";

/// The book and the receivers.
#[derive(Debug)]
pub(crate) struct Alerts {
    /// The book.
    pub(crate) book: Book,
    receivers: Vec<Arc<Receiver>>,
    /// Rung when something was put into the book.
    bell: watch::Sender<()>,
}

/// Alerts cannot be looked after.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// The folder could not be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// Which folder.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The book could not be opened.
    #[error(transparent)]
    Book(#[from] BookError),
    /// A receiver could not be set up.
    #[error("the receiver `{name}` cannot be used")]
    Receiver {
        /// Which one.
        name: String,
        /// Why.
        source: ReceiverConfigError,
    },
}

impl Alerts {
    /// Opens the book in `data` and sets the receivers up; nothing is sent.
    pub(crate) fn open(config: &Config, data: &Path) -> Result<Self, AlertsError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let folder = data.join("detect");
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| AlertsError::Folder { path: folder.clone(), source })?;
        let detect = &config.detect;
        let settings = BookSettings {
            least: detect.severity,
            escalate_after: detect.escalate_after(),
            escalate_least: detect.escalate_severity,
            escalate_to: detect.escalate_to.clone(),
            link: config.server.public_url.as_ref().map(|url| format!("{url}/v1/alerts/")),
        };
        let book = Book::open(&folder.join("alerts.sqlite"), settings)?;
        let mut receivers = Vec::new();
        for settings in &config.receivers {
            let name = settings.name.clone();
            let receiver = settings.receiver().map_err(|source| AlertsError::Receiver { name, source })?;
            receivers.push(Arc::new(receiver));
        }
        Ok(Self { book, receivers, bell: watch::Sender::new(()) })
    }

    /// Takes findings to the book, and wakes who is to tell people.
    pub(crate) fn take(&self, findings: &[Finding], now_unix_ns: i64) -> Result<(), BookError> {
        let opened = self.book.take(findings, now_unix_ns, &|alert| self.route(alert))?;
        if opened > 0 {
            self.ring();
        }
        Ok(())
    }

    /// Wakes who is to tell people.
    pub(crate) fn ring(&self) {
        self.bell.send_replace(());
    }

    /// The receivers, in the order of the settings.
    pub(crate) fn receivers(&self) -> &[Arc<Receiver>] {
        &self.receivers
    }

    fn route(&self, alert: &Alert) -> Vec<String> {
        let is_itself =
            |receiver: &Receiver| alert.entity.kind == RECEIVER_ENTITY && alert.entity.id == receiver.name();
        let wants = |receiver: &&Arc<Receiver>| receiver.wants(alert) && !is_itself(receiver);
        self.receivers.iter().filter(wants).map(|receiver| receiver.name().to_owned()).collect()
    }
}

/// Starts the keeper of the book, and a thread for each receiver.
pub(crate) fn start(app: &Arc<App>) -> Vec<JoinHandle<()>> {
    let runtime = Handle::current();
    let mut threads = Vec::new();
    let mut spawn =
        |name: String, run: Box<dyn FnOnce() + Send>| match std::thread::Builder::new().name(name.clone()).spawn(run) {
            Ok(thread) => threads.push(thread),
            Err(error) => tracing::error!(name, %error, "no thread to look after alerts"),
        };
    let (keeper, handle) = (Keeper { app: Arc::clone(app), forgot: Instant::now() }, runtime.clone());
    spawn("alerts".to_owned(), Box::new(move || keeper.run(&handle)));
    for receiver in &app.alerts.receivers {
        let (app, receiver, handle) = (Arc::clone(app), Arc::clone(receiver), runtime.clone());
        spawn(format!("tell {}", receiver.name()), Box::new(move || tell(&app, &receiver, &handle)));
    }
    threads
}

/// Waits for the bell, for some time, or for the end; whether to go on.
fn wait(
    runtime: &Handle,
    bell: &mut watch::Receiver<()>,
    stopping: &mut watch::Receiver<bool>,
    most: Duration,
) -> bool {
    runtime.block_on(async {
        tokio::select! {
            _rung_or_time = tokio::time::timeout(most, bell.changed()) => true,
            () = asked_to_stop(stopping) => false,
        }
    })
}

/// Brings a receiver what waits for it, until the server stops.
fn tell(app: &Arc<App>, receiver: &Receiver, runtime: &Handle) {
    let (mut bell, mut stopping) = (app.alerts.bell.subscribe(), app.stopping.clone());
    let book = &app.alerts.book;
    while !*stopping.borrow() {
        let most = match book.due(receiver.name(), app.trail.now().0) {
            Ok(Ok(due)) => match deliver(app, receiver, &due) {
                Ok(()) => continue,
                Err(error) => {
                    tracing::error!(receiver = receiver.name(), error = chain(&error), "the book cannot be written");
                    REST
                }
            },
            Ok(Err(Some(next))) => until(next, app.trail.now()).min(REST),
            Ok(Err(None)) => REST,
            Err(error) => {
                tracing::error!(receiver = receiver.name(), error = chain(&error), "the book cannot be read");
                REST
            }
        };
        if !wait(runtime, &mut bell, &mut stopping, most) {
            return;
        }
    }
}

fn until(next_unix_ns: i64, now: RecordedTime) -> Duration {
    let left = u64::try_from(next_unix_ns.saturating_sub(now.0)).unwrap_or(0);
    Duration::from_nanos(left).max(Duration::from_millis(1))
}

fn deliver(app: &App, receiver: &Receiver, due: &Due) -> Result<(), BookError> {
    let (name, book) = (receiver.name(), &app.alerts.book);
    match receiver.deliver(&due.notice) {
        Ok(_delivered) => {
            app.metrics.notices_delivered.inc();
            book.delivered(name, due.number, app.trail.now().0)
        }
        Err(error) => {
            app.metrics.notice_failures.inc();
            let why = chain(&error);
            tracing::warn!(receiver = name, alert = %due.notice.alert.id, why, "a notice was not delivered; it is tried again");
            book.failed(name, due.number, app.trail.now().0, failure(&error), &why)
        }
    }
}

fn failure(error: &DeliveryError) -> Failure {
    if error.is_permanent() { Failure::Refused } else { Failure::Unreachable(error.retry_after()) }
}

/// Does what time alone does, and records what the book did by itself.
struct Keeper {
    app: Arc<App>,
    forgot: Instant,
}

impl Keeper {
    fn run(mut self, runtime: &Handle) {
        let (mut bell, mut stopping) = (self.app.alerts.bell.subscribe(), self.app.stopping.clone());
        // rules that could not be used at the start are told as those that change later are
        let mut rules = Some(self.app.rules.now());
        loop {
            if let Some(loaded) = rules.take() {
                let now = self.app.trail.now().0;
                for finding in skipped_findings(self.app.logs.first().name(), &loaded.skipped, now) {
                    self.app.watched.tell(finding);
                }
            }
            let rest = match self.look(runtime) {
                Ok(()) => TICK,
                Err(error) => {
                    tracing::error!(error = chain(&error), "the book of alerts cannot be used; it is tried again");
                    REST
                }
            };
            if !wait(runtime, &mut bell, &mut stopping, rest) {
                return;
            }
            rules = self.app.rules.reload();
            if let Some(loaded) = &rules {
                runtime.block_on(record_reload(&self.app, loaded.set.len(), loaded.skipped.len()));
            }
        }
    }

    fn look(&mut self, runtime: &Handle) -> Result<(), BookError> {
        let (app, now) = (&self.app, self.app.trail.now().0);
        let alerts = &app.alerts;
        let told = alerts.book.tick(now, &|alert| alerts.route(alert))?;
        let failing = alerts.book.failing_receivers(app.logs.first().name())?;
        alerts.take(&failing, now)?;
        if told > 0 {
            alerts.ring();
        }
        app.metrics.open_alerts(&alerts.book.open_by_severity()?);
        loop {
            let changes = alerts.book.changes(CHANGES_AT_ONCE)?;
            if changes.is_empty() {
                break;
            }
            for change in changes {
                if !runtime.block_on(record(app, &change)) {
                    return Ok(());
                }
                alerts.book.recorded(change.number)?;
            }
        }
        if self.forgot.elapsed() >= FORGET {
            self.forgot = Instant::now();
            alerts.book.forget_old()?;
        }
        Ok(())
    }
}

/// Records what the book did; whether that stands.
async fn record(app: &App, change: &Change) -> bool {
    let alert = &change.alert;
    let log = app.logs.get(&alert.log).unwrap_or_else(|| app.logs.first());
    let result = if change.what == ChangeKind::Undelivered { OutcomeResult::Failed } else { OutcomeResult::Allowed };
    let what = bounded(&alert.latest.summary);
    let time = RecordedTime(change.time_unix_ns);
    let mut event = EventBuilder::new(time, Action::Write, change.what.operation(), ActorType::System, OWN_SOURCE_ID)
        .result(result)
        .resource("alert", alert.id.as_str())
        .attribute("rule", bounded(&alert.rule.id))
        .attribute("title", bounded(&alert.rule.title))
        .attribute("severity", alert.severity.as_str())
        .attribute("entity_kind", bounded(&alert.entity.kind))
        .attribute("entity", bounded(&alert.entity.id))
        .attribute("findings", count(alert.findings))
        .attribute("silenced", alert.silenced)
        .attribute("summary", what);
    if let Some(receiver) = &change.receiver {
        event = event.attribute("receiver", receiver.as_str());
    }
    match app.trail.record(log, event).await {
        Ok(_mark) => true,
        Err(problem) => {
            tracing::error!(cause = problem.cause(), "a change of an alert could not be recorded; it is tried again");
            false
        }
    }
}

async fn record_reload(app: &App, rules: usize, skipped: usize) {
    tracing::info!(rules, skipped, "rules were read again");
    let now = app.trail.now();
    let event = EventBuilder::new(now, Action::Configure, "rules.reload", ActorType::System, OWN_SOURCE_ID)
        .attribute("rules", count(rules as u64))
        .attribute("skipped", count(skipped as u64));
    if let Err(problem) = app.trail.record(app.logs.first(), event).await {
        tracing::error!(cause = problem.cause(), "a change of rules could not be recorded");
    }
}

/// Sends a receiver a notice that says it is a test; blocks.
pub(crate) fn test(receiver: &Receiver, log: &str, now_unix_ns: i64) -> Result<(), DeliveryError> {
    receiver.deliver(&Notice::test(receiver.name(), log, now_unix_ns)).map(|_delivered| ())
}
