//! The book of alerts: findings become alerts, alerts are looked after, and whoever is to be told is told. One SQLite file,
//! `detect/alerts.sqlite`.
//!
//! Promises: a finding is taken once, whatever the order of repeats; with it, in one durable transaction, come the alert, what
//! receivers are to be told ([`outbox`](Due)) and what is to be recorded ([`Change`]), so that a kill at any moment loses none of
//! them. Never: content, a secret, or a delivery of its own.

mod decide;
mod file;
mod health;
mod keep;
mod list;
mod outbox;
mod silence;
mod take;
mod time;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, AlertId};
use crate::finding::Severity;

pub use decide::DecideError;
pub use health::FAILED_TRIES_TO_TELL;
pub use list::{AlertFilter, AlertPage, Attempted, NoticeState, ReceiverState};
pub use outbox::{Due, Failure, RETRY_FOR, WAITING_MAX};
pub use silence::{SILENCES_MAX, Silence, SilenceError};
pub use take::{STORM_ALERTS, STORM_WINDOW};

/// Who is to be told of an alert: the names of receivers.
pub type Route<'a> = &'a dyn Fn(&Alert) -> Vec<String>;

/// How findings become alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookSettings {
    /// Findings below this make no alert.
    pub least: Severity,
    /// How long an alert may stay untaken before it is told again; `None` for ever.
    pub escalate_after: Option<Duration>,
    /// Alerts below this are not told again.
    pub escalate_least: Severity,
    /// Whom to tell then; everybody who was told before when empty.
    pub escalate_to: Vec<String>,
    /// Where to look at an alert; its id follows.
    pub link: Option<String>,
}

impl Default for BookSettings {
    fn default() -> Self {
        Self {
            least: Severity::Low,
            escalate_after: Some(Duration::from_secs(3_600)),
            escalate_least: Severity::High,
            escalate_to: Vec::new(),
            link: None,
        }
    }
}

/// The book could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The file could not be made.
    #[error("cannot create the book of alerts {}", path.display())]
    Create {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file could not be read or written.
    #[error("cannot use the book of alerts {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file was written by another version.
    #[error("the book of alerts {} has layout {found}; this version knows layout {known} only", path.display())]
    Layout {
        /// Which file.
        path: PathBuf,
        /// Its layout.
        found: i64,
        /// The layout known here.
        known: i64,
    },
}

/// Something that the book did by itself, to be recorded as an event of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its place among changes.
    pub number: i64,
    /// What happened.
    pub what: ChangeKind,
    /// When, in nanoseconds since 1970-01-01T00:00:00Z.
    pub time_unix_ns: i64,
    /// The alert as it stands after it.
    pub alert: Alert,
    /// Which receiver, and why it could not be told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub receiver: Option<String>,
}

/// What the book does by itself. What people do is recorded where they ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// A finding opened an alert.
    Opened,
    /// A finding raised its severity.
    Raised,
    /// Nobody took it in time.
    Escalated,
    /// A silence ended and the alert is told after all.
    Unsilenced,
    /// A receiver could not be told, and no longer will be.
    Undelivered,
}

impl ChangeKind {
    /// The operation of its event.
    #[must_use]
    pub fn operation(self) -> &'static str {
        match self {
            Self::Opened => "alert.opened",
            Self::Raised => "alert.raised",
            Self::Escalated => "alert.escalated",
            Self::Unsilenced => "alert.unsilenced",
            Self::Undelivered => "alert.undelivered",
        }
    }

    /// Whether an event of this operation is one of these. Detectors pass over them: an alert about an alert would not end.
    #[must_use]
    pub fn is_operation(operation: &str) -> bool {
        [Self::Opened, Self::Raised, Self::Escalated, Self::Unsilenced, Self::Undelivered]
            .into_iter()
            .any(|kind| kind.operation() == operation)
    }
}

/// The book.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    settings: BookSettings,
    connection: Mutex<Connection>,
}

impl Book {
    /// Opens the book, or begins one (mode 0600). Blocks on the disk, as everything here does.
    ///
    /// # Errors
    /// [`BookError`] when the file cannot be used. It is left as it is then.
    pub fn open(path: &Path, settings: BookSettings) -> Result<Self, BookError> {
        let connection = file::connect(path)?;
        Ok(Self { path: path.to_owned(), settings, connection: Mutex::new(connection) })
    }

    /// From which entry on findings of a log are told: `size` when the book meets the log for the first time, for what was there
    /// before is history, and stays so.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn told_from(&self, log: &str, size: u64) -> Result<u64, BookError> {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.transaction(|tx| {
            tx.execute("insert or ignore into logs (name, told_from) values (?1, ?2)", (log, size))?;
            let from: i64 = tx.query_row("select told_from from logs where name = ?1", [log], |row| row.get(0))?;
            Ok(u64::try_from(from).unwrap_or(0))
        })
    }

    /// Changes that are not recorded yet, oldest first, at most `most`.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn changes(&self, most: u32) -> Result<Vec<Change>, BookError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("select number, body from changes order by number limit ?1")?;
            let rows = statement.query_map([most], |row| {
                let mut change: Change = file::json(row, 1)?;
                change.number = row.get(0)?;
                Ok(change)
            })?;
            rows.collect()
        })
    }

    /// The change with this number is on record.
    ///
    /// # Errors
    /// When the file cannot be used: the change is then recorded a second time.
    pub fn recorded(&self, number: i64) -> Result<(), BookError> {
        self.transaction(|tx| tx.execute("delete from changes where number = ?1", [number]).map(|_deleted| ()))
    }

    /// One alert.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn alert(&self, id: &AlertId) -> Result<Option<Alert>, BookError> {
        self.read(|connection| file::alert(connection, id))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, BookError> {
        work(&self.lock()).map_err(|source| self.fail(source))
    }

    /// All of `work`, durable, or none of it.
    fn transaction<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, BookError> {
        let mut connection = self.lock();
        let run = || {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            tx.commit()?;
            Ok(done)
        };
        run().map_err(|source| self.fail(source))
    }

    fn fail(&self, source: rusqlite::Error) -> BookError {
        BookError::File { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests;
