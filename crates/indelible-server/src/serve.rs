//! Listening and stopping: connections within their limits, TLS, and an end that loses nothing.
//!
//! The order of a stop: no new connections; running requests go on until their time is over; the sums of the trail; the event
//! of the stop; each log commits, seals and publishes what waits. A kill at any point loses at most the sums.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use indelible_access::{Minted, TokenError, TokenText};
use indelible_event::build::EventBuilder;
use indelible_event::words::{Action, ActorType};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api::count;
use crate::app::App;
use crate::assemble::{AssembleError, Assembled, assemble};
use crate::config::Config;
use crate::connections::{Doorway, accept};
use crate::logs::LogHandle;
use crate::problem::Problem;
use crate::tls::{TlsError, acceptor};
use crate::trail::{OWN_SOURCE_ID, bounded};
use crate::{alerts, background, guard, indexer, watch as watching_logs};

/// How long the stop waits for the outcomes of exports and followers to be put on record.
const LAST_OUTCOMES_TIME: Duration = Duration::from_secs(10);

/// What the server runs with.
#[derive(Debug)]
pub struct ServeOptions {
    /// The settings.
    pub config: Config,
    /// The admin token that the operator chose (`INDELIBLE_ADMIN_TOKEN`).
    pub admin_token: Option<TokenText>,
}

/// What to tell when the server is ready.
#[derive(Debug)]
pub struct Ready {
    /// How to reach it.
    pub url: String,
    /// The address it listens on.
    pub address: SocketAddr,
    /// The admin token, if this start made one: to be shown once.
    pub admin_token: Option<TokenText>,
    /// Where data is.
    pub data_dir: PathBuf,
    /// The logs, with whether this start made them.
    pub logs: Vec<(String, bool)>,
    /// Whether requests come over TLS.
    pub tls: bool,
    /// Where the gateways are mounted.
    pub gateways: Vec<String>,
    /// What stands before them, in words.
    pub policy: String,
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error("cannot use the certificate")]
    Tls(#[from] TlsError),
    /// The parts could not be put together.
    #[error("cannot start")]
    Assemble(#[from] AssembleError),
    /// The admin token cannot be used or made.
    #[error("cannot set the admin token")]
    AdminToken(#[source] TokenError),
    /// The start could not be recorded, so nothing is served.
    #[error("the start cannot be recorded in the log: {reason}")]
    Record {
        /// Why.
        reason: String,
    },
    /// A task of the server ended early.
    #[error("the server ended early: {reason}")]
    Early {
        /// Why.
        reason: String,
    },
}

/// Runs the server until `shutdown` resolves. `ready` is called once it listens and its start is on record.
///
/// # Errors
/// [`ServeError`] when it cannot start. Nothing was served then.
pub async fn run(
    options: ServeOptions,
    ready: impl FnOnce(Ready),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let ServeOptions { mut config, admin_token } = options;
    let limits = config.limits.clone();
    let listen = config.server.listen.clone();
    let tls = acceptor(&config)?;
    let refused = |source| ServeError::Listen { address: listen.clone(), source };
    let listener = TcpListener::bind(&listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    // a port that the system chose: it is known now, before a new log takes its origin from it
    if let Some(host) = listen.strip_suffix(":0") {
        config.server.listen = format!("{host}:{}", address.port());
    }

    let (stop, stopping) = watch::channel(false);
    let watching = stopping.clone();
    let assembled = tokio::task::spawn_blocking(move || assemble(config, watching)).await;
    let assembled = assembled.map_err(|error| ServeError::Early { reason: error.to_string() })??;
    let app = Arc::clone(&assembled.app);
    if tls.is_none() && !address.ip().is_loopback() {
        tracing::warn!(%address, "tokens travel in clear: set `server.tls.certificate`, or let a proxy end TLS in front");
    }
    app.trail.empty_reserve().await;
    record_start(&assembled, address).await?;
    let admin_token = admin(&app, admin_token).await?;
    app.gateways.begin(app.logs.first()).await.map_err(AssembleError::from)?;
    let doorway = Doorway { listener, tls, stopping: stopping.clone() };
    let each_second = background::start_each_second(&app, stopping.clone());
    let sums = background::start(&app, stopping);
    let mut threads = indexer::start(&app);
    threads.extend(watching_logs::start(&app));
    threads.extend(alerts::start(&app));
    threads.extend(guard::start(&app));
    ready(Ready {
        url: url(&app.config, address, doorway.tls.is_some()),
        address,
        admin_token,
        data_dir: app.config.server.data.clone(),
        logs: assembled.opened.iter().map(|(log, opened)| (log.name().to_owned(), opened.created)).collect(),
        tls: doorway.tls.is_some(),
        gateways: app.gateways.mounts(),
        policy: policy_words(&app),
    });

    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    accept(&app, &limits, &doorway, &graceful, &mut connections, shutdown).await;
    drop(doorway);
    stop.send_replace(true);
    if tokio::time::timeout(limits.shutdown_time.duration(), graceful.shutdown()).await.is_err() {
        tracing::warn!(open = connections.len(), "requests were cut off: they took longer than `limits.shutdown_time`");
    }
    connections.shutdown().await;
    if let Err(error) = each_second.await {
        tracing::error!(%error, "looking after policies and gateways ended early");
    }
    if let Err(error) = sums.await {
        tracing::error!(%error, "the sums of the trail ended early");
    }
    close(&app, threads).await;
    drop(assembled);
    Ok(())
}

/// The admin token of this start: its making is on record before it opens anything.
async fn admin(app: &Arc<App>, chosen: Option<TokenText>) -> Result<Option<TokenText>, ServeError> {
    if chosen.as_ref().is_some_and(|token| token.reveal().len() < indelible_access::token::TOKEN_TEXT_BYTES_STRONG) {
        tracing::warn!("INDELIBLE_ADMIN_TOKEN is short enough to be guessed; use at least 32 random characters");
    }
    let now = app.environment.now_seconds();
    let Some(minted) = app.tokens.mint_admin(chosen.as_ref(), now).map_err(ServeError::AdminToken)? else {
        return Ok(None);
    };
    record_own(app, admin_event(app, &minted)).await?;
    let (_, text) = app.tokens.keep(minted).map_err(ServeError::AdminToken)?;
    Ok(text)
}

fn admin_event<'a>(app: &App, minted: &'a Minted) -> EventBuilder<'a> {
    let origin = if minted.row.from_environment { "environment" } else { "made at start" };
    EventBuilder::new(app.trail.now(), Action::Grant, "tokens.create", ActorType::System, OWN_SOURCE_ID)
        .resource("token", &minted.row.id)
        .attribute("name", minted.row.name.as_str())
        .attribute("role", minted.row.role.word())
        .attribute("origin", origin)
}

/// The start is on record before anything is served; so is what it found that a person should know.
async fn record_start(assembled: &Assembled, address: SocketAddr) -> Result<(), ServeError> {
    let app = &assembled.app;
    let event =
        |operation| EventBuilder::new(app.trail.now(), Action::Configure, operation, ActorType::System, OWN_SOURCE_ID);
    for (log, opened) in &assembled.opened {
        if opened.created {
            let made = event("log.create").resource("log", log.name()).attribute("origin", log.origin());
            let _mark = app.trail.record(log, made).await.map_err(|problem| unrecorded(&problem))?;
        }
        if let Some(cut) = &opened.cut {
            let file = cut.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            tracing::warn!(
                log = log.name(),
                file,
                offset = cut.offset,
                bytes = cut.bytes,
                "a torn tail was cut off the journal; nothing in it was acknowledged"
            );
            let torn = event("journal.cut")
                .resource("log", log.name())
                .attribute("file", file)
                .attribute("offset", count(cut.offset))
                .attribute("bytes", count(cut.bytes))
                .attribute("next_index", count(cut.next_index));
            let _mark = app.trail.record(log, torn).await.map_err(|problem| unrecorded(&problem))?;
        }
        record_lifting(app, log).await?;
    }
    let start = event("server.start")
        .attribute("version", env!("CARGO_PKG_VERSION"))
        .attribute("address", address.to_string())
        .attribute("tls", app.config.tls())
        .attribute("public_logs", app.logs.iter().any(|log| log.is_public()));
    record_own(app, start).await
}

/// That signing goes on after a person looked is on record before anything is served.
async fn record_lifting(app: &App, log: &LogHandle) -> Result<(), ServeError> {
    let data = &app.config.server.data;
    let Some(lifted) = guard::lifted(data, log.name()) else { return Ok(()) };
    let now = app.trail.now();
    let event = EventBuilder::new(now, Action::Configure, "log.signing.resume", ActorType::System, OWN_SOURCE_ID)
        .resource("log", log.name())
        .attribute("rule", lifted.stopped.rule.as_str())
        .attribute("stopped", lifted.stopped.time.as_str())
        .attribute("stopped_reason", bounded(&lifted.stopped.reason))
        .attribute("lifted", lifted.time.as_str())
        .attribute("reason", bounded(&lifted.reason))
        .attribute("checkpoints_set_aside", lifted.set_aside.is_some());
    let _mark = app.trail.record(log, event).await.map_err(|problem| unrecorded(&problem))?;
    if let Err(error) = guard::forget_lifted(data, log.name()) {
        tracing::warn!(log = log.name(), %error, "a lifting that is on record could not be removed; the next start records it again");
    }
    Ok(())
}

async fn record_own(app: &App, event: EventBuilder<'_>) -> Result<(), ServeError> {
    app.trail.record(app.logs.first(), event).await.map(|_mark| ()).map_err(|problem| unrecorded(&problem))
}

fn unrecorded(problem: &Problem) -> ServeError {
    ServeError::Record { reason: problem.cause().unwrap_or(problem.detail()).to_owned() }
}

/// What stands before the gateways, in words.
pub(crate) fn policy_words(app: &App) -> String {
    match app.door.policies() {
        Some(policies) => format!("{} in {} files; what none permits is refused", policies.len(), policies.files()),
        None => "none: every call is permitted, and recorded (set `policy.folder`)".to_owned(),
    }
}

/// The last words of the server, then of each log.
async fn close(app: &Arc<App>, threads: Vec<JoinHandle<()>>) {
    let places = [(&app.queries, app.config.limits.queries), (&app.followers, app.config.limits.followers)];
    for (places, count) in places {
        let all = places.acquire_many(u32::try_from(count).unwrap_or(u32::MAX));
        if tokio::time::timeout(LAST_OUTCOMES_TIME, all).await.is_err() {
            tracing::warn!("a long answer did not end in time; its outcome is not on record");
        }
    }
    background::finish(app).await;
    let now = app.trail.now();
    let stop = EventBuilder::new(now, Action::Configure, "server.stop", ActorType::System, OWN_SOURCE_ID);
    if let Err(problem) = app.trail.record(app.logs.first(), stop).await {
        tracing::error!(cause = problem.cause(), "the stop could not be recorded");
    }
    let ended =
        tokio::task::spawn_blocking(move || threads.into_iter().filter_map(|thread| thread.join().err()).count());
    if !matches!(ended.await, Ok(0)) {
        tracing::error!("the search index ended by a mistake; it is filled again at the next start");
    }
    for log in app.logs.iter() {
        let published = Arc::clone(&log.published);
        let (guarded, of) = (Arc::clone(app), Arc::clone(log));
        let closing = move || {
            published.close();
            guard::after_close(&guarded, &of);
        };
        if let Err(error) = tokio::task::spawn_blocking(closing).await {
            tracing::error!(log = log.name(), %error, "the log could not be closed; the next start recovers it");
        }
    }
}

/// How others reach this server: what the settings say, otherwise where it listens.
pub(crate) fn url(config: &Config, address: impl Display, tls: bool) -> String {
    match &config.server.public_url {
        Some(url) => url.clone(),
        None => format!("{}://{address}", if tls { "https" } else { "http" }),
    }
}
