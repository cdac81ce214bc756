//! The logs as the rest of the server sees them: the two doors, what is published, and the search index beside them.
//!
//! Never: the store itself; it is plugged in once, in `assemble`, so that tests can put something else behind the doors.

use std::fmt;
use std::sync::Arc;

use indelible_event::doors::{EntryIndex, EntryReader, ReadError, Recorder};
use indelible_search::Index;
use indelible_store::LogState;
use tokio::sync::watch;

use crate::config::LogConfig;
use crate::near::nearest;
use crate::problem::{Kind, Problem};

/// Whether a log in this state takes events.
#[must_use]
pub fn takes_events(state: &LogState) -> bool {
    !state.full && state.stopped.is_none()
}

/// What a log publishes. Calls block on the disk; they are made on blocking threads.
pub trait Published: Send + Sync {
    /// The newest checkpoint, a signed note; `None` before the first.
    fn checkpoint(&self) -> Option<Arc<str>>;

    /// A resource of the static log by its path (`tile/…`); `None` when there is no such resource now.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when the stored bytes cannot be read.
    fn resource(&self, path: &str) -> Result<Option<Vec<u8>>, ReadError>;

    /// The C2SP tlog-proof of an entry under the newest checkpoint; `None` while no checkpoint covers it.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when the stored bytes cannot be read.
    fn proof(&self, index: EntryIndex) -> Result<Option<String>, ReadError>;

    /// The verifier key as text.
    fn vkey(&self) -> String;

    /// No checkpoint is signed any more until the next start; events are recorded all the same.
    fn stop_signing(&self, reason: &str);

    /// How far the log is, now and at each change.
    fn watch(&self) -> watch::Receiver<LogState>;

    /// Commits, seals and publishes what waits, and ends the log's threads. Later calls to record are refused.
    fn close(&self);
}

/// One log.
pub struct LogHandle {
    config: LogConfig,
    origin: String,
    /// The way in.
    pub recorder: Arc<dyn Recorder>,
    /// The way out.
    pub reader: Arc<dyn EntryReader>,
    /// What is published.
    pub published: Arc<dyn Published>,
    index: Result<Arc<Index>, String>,
    progress: watch::Receiver<LogState>,
}

impl fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogHandle").field("name", &self.config.name).finish_non_exhaustive()
    }
}

impl LogHandle {
    /// A log out of its parts; `index` is the search index, or why there is none.
    #[must_use]
    pub fn new(
        config: LogConfig,
        origin: String,
        recorder: Arc<dyn Recorder>,
        reader: Arc<dyn EntryReader>,
        published: Arc<dyn Published>,
        index: Result<Arc<Index>, String>,
    ) -> Self {
        let progress = published.watch();
        Self { config, origin, recorder, reader, published, index, progress }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The origin in its checkpoints.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether its static resources need no token.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.config.public
    }

    /// How far it is.
    #[must_use]
    pub fn state(&self) -> LogState {
        self.progress.borrow().clone()
    }

    /// How far it is, now and at each change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<LogState> {
        self.progress.clone()
    }

    /// The search index. It is a view: when it cannot be used, the log goes on.
    ///
    /// # Errors
    /// A problem that says what the operator can do.
    pub fn index(&self) -> Result<&Arc<Index>, Problem> {
        self.index.as_ref().map_err(|reason| {
            let detail = format!(
                "the search index of `{}` cannot be used; the log itself is not in doubt. the operator can stop the server and \
                 run `indelible index rebuild`",
                self.name()
            );
            Problem::new(Kind::Unavailable, detail).with_internal(reason)
        })
    }

    /// How many entries the search index holds.
    #[must_use]
    pub fn indexed(&self) -> u64 {
        self.index.as_ref().map_or(0, |index| index.state().indexed)
    }
}

/// All logs, in the order of the configuration; at least one.
#[derive(Debug)]
pub struct LogSet(Vec<Arc<LogHandle>>);

impl LogSet {
    /// The logs; `None` when there is none.
    #[must_use]
    pub fn new(logs: Vec<Arc<LogHandle>>) -> Option<Self> {
        if logs.is_empty() { None } else { Some(Self(logs)) }
    }

    /// The log that also takes what concerns the whole server.
    #[must_use]
    pub fn first(&self) -> &Arc<LogHandle> {
        &self.0[0]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<LogHandle>> {
        self.0.iter()
    }

    /// The log with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<LogHandle>> {
        self.0.iter().find(|log| log.name() == name)
    }

    /// The log with this name, or what to tell a client who may see all logs.
    ///
    /// # Errors
    /// Not found, with the nearest name.
    pub fn find(&self, name: &str) -> Result<&Arc<LogHandle>, Problem> {
        self.get(name).ok_or_else(|| {
            let near = nearest(name, self.0.iter().map(|log| log.name()));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Problem::new(Kind::NotFound, format!("there is no log `{}`{hint}", shown(name)))
        })
    }
}

/// A name from outside, fit to be shown: at most 64 characters, none of them a control character.
pub(crate) fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
