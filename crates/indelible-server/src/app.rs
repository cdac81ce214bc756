//! What every request can reach: settings, clock, tokens, logs, trail, figures and the shares of bounded things.
//!
//! Never: a global; one is made in `assemble` and handed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use indelible_access::TokenBook;
use indelible_access::door::Door;
use indelible_access::searches::SavedSearches;
use indelible_access::session::SessionBook;
use indelible_event::env::{Clock, Randomness, RandomnessError};
use indelible_event::id::EventId;
use tokio::sync::{Semaphore, watch};

use crate::alerts::Alerts;
use crate::config::Config;
use crate::gateways::Gateways;
use crate::guard::Guarded;
use crate::logs::LogSet;
use crate::metrics::Metrics;
use crate::pages::exports::Exports;
use crate::pages::sign_in_oidc::OpenId;
use crate::trail::Trail;
use crate::trail::published_reads::PublishedReads;
use crate::trail::refusals::Refusals;
use crate::trail::reserve::Reserve;
use crate::vault::OpenVault;
use crate::watch::rules::RulesInForce;
use crate::watched::Watched;

/// The unit in which memory for bodies is shared out. Bodies up to this size need no share: the number of connections bounds
/// them.
pub(crate) const BODY_SHARE_BYTES: usize = 64 * 1024;

/// Everything a request can reach.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) environment: Environment,
    pub(crate) tokens: TokenBook,
    /// Searches that people keep.
    pub(crate) searches: SavedSearches,
    /// Exports that somebody began at a browser.
    pub(crate) exports: Exports,
    /// Who is signed in at a browser.
    pub(crate) sessions: SessionBook,
    /// The provider that people may sign in with.
    pub(crate) open_id: Option<OpenId>,
    pub(crate) logs: LogSet,
    /// Where content is sealed.
    pub(crate) vault: OpenVault,
    /// Who may call what through gateways.
    pub(crate) door: Arc<Door>,
    pub(crate) gateways: Gateways,
    pub(crate) trail: Trail,
    pub(crate) refusals: Refusals,
    pub(crate) published_reads: PublishedReads,
    /// What watching the logs showed last.
    pub(crate) watched: Arc<Watched>,
    /// The rules that are put to the logs.
    pub(crate) rules: RulesInForce,
    /// What was found, and who is told.
    pub(crate) alerts: Alerts,
    /// How the integrity of the logs stands.
    pub(crate) guarded: Guarded,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) request_ids: RequestIds,
    /// Memory for large bodies, in units of [`BODY_SHARE_BYTES`].
    pub(crate) body_memory: Arc<Semaphore>,
    /// Queries, exports and SQL statements at once.
    pub(crate) queries: Arc<Semaphore>,
    /// Live followers at once.
    pub(crate) followers: Arc<Semaphore>,
    /// Becomes true when the server was asked to stop.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// What an application is put together from.
pub(crate) struct Parts {
    pub(crate) open_id: Option<OpenId>,
    pub(crate) tokens: TokenBook,
    pub(crate) searches: SavedSearches,
    pub(crate) logs: LogSet,
    pub(crate) vault: OpenVault,
    pub(crate) door: Arc<Door>,
    pub(crate) gateways: Gateways,
    pub(crate) reserve: Option<Arc<Reserve>>,
    pub(crate) rules: RulesInForce,
    pub(crate) alerts: Alerts,
}

/// Clock and randomness, passed in.
#[derive(Clone)]
pub(crate) struct Environment {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

impl Environment {
    /// Seconds since the epoch.
    pub(crate) fn now_seconds(&self) -> i64 {
        self.clock.now().0.div_euclid(1_000_000_000)
    }

    /// An id for an event of now.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub(crate) fn new_event_id(&self) -> Result<EventId, RandomnessError> {
        let mut random = [0u8; 10];
        self.randomness.fill(&mut random)?;
        Ok(EventId::version_7(u64::try_from(self.clock.now().0 / 1_000_000).unwrap_or(0), random))
    }
}

impl App {
    /// An application out of its parts, with the shares that the settings allow.
    pub(crate) fn new(
        config: Config,
        environment: Environment,
        parts: Parts,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, RandomnessError> {
        let Parts { open_id, tokens, searches, logs, vault, door, gateways, reserve, rules, alerts } = parts;
        let metrics = Arc::new(Metrics::new());
        let share = |count: u64| Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS)));
        Ok(Self {
            trail: Trail::new(
                Arc::clone(&environment.clock),
                Arc::clone(&environment.randomness),
                Arc::clone(&metrics),
                config.gateway.heartbeat.duration(),
                reserve,
                &logs,
            )?,
            refusals: Refusals::default(),
            published_reads: PublishedReads::default(),
            watched: Arc::default(),
            rules,
            alerts,
            guarded: Guarded::default(),
            metrics,
            sessions: SessionBook::new(config.sign_in.times(), Arc::clone(&environment.randomness)),
            open_id,
            exports: Exports::default(),
            request_ids: RequestIds::new(&*environment.randomness)?,
            body_memory: Arc::new(Semaphore::new(config.limits.body_memory.in_memory() / BODY_SHARE_BYTES)),
            queries: share(config.limits.queries),
            followers: share(config.limits.followers),
            tokens,
            searches,
            logs,
            vault,
            door,
            gateways,
            environment,
            config,
            stopping,
        })
    }

    /// Whether the server was asked to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }
}

/// Resolves when the server was asked to stop (or its end can no longer be told).
pub(crate) async fn asked_to_stop(stopping: &mut watch::Receiver<bool>) {
    let told = stopping.wait_for(|stopping| *stopping).await.is_ok();
    tracing::trace!(told, "asked to stop");
}

/// Gives each request an id: eight digits of this start, eight of the request. Unique as long as anyone reads log lines.
#[derive(Debug)]
pub(crate) struct RequestIds {
    start: u32,
    next: AtomicU32,
}

impl RequestIds {
    fn new(randomness: &dyn Randomness) -> Result<Self, RandomnessError> {
        let mut bytes = [0u8; 4];
        randomness.fill(&mut bytes)?;
        Ok(Self { start: u32::from_be_bytes(bytes), next: AtomicU32::new(1) })
    }

    pub(crate) fn next(&self) -> RequestId {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 17];
        let (start, count) = (self.start, self.next.fetch_add(1, Ordering::Relaxed));
        for place in 0..8 {
            let shift = 28 - 4 * place;
            text[place] = DIGITS[(start >> shift & 15) as usize];
            text[place + 9] = DIGITS[(count >> shift & 15) as usize];
        }
        RequestId(text)
    }
}

/// A request's id: in `x-request-id`, in problem documents, in log lines and in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestId([u8; 17]);

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
