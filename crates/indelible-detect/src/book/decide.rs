//! What people do with an alert: take it, close it with a reason.

use rusqlite::Connection;

use super::{Book, BookError, file, outbox};
use crate::alert::{Alert, AlertId, AlertState};
use crate::notice::NoticeReason;

/// Longest owner or reason, in bytes.
const TEXT_BYTES_MAX: usize = 1_000;

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// No such alert.
    #[error("no alert has the id `{id}`")]
    NotFound {
        /// What was asked for.
        id: String,
    },
    /// It is done already.
    #[error("the alert `{id}` is closed; a later finding opens another one")]
    Closed {
        /// Which alert.
        id: AlertId,
    },
    /// A text that cannot stand there.
    #[error("`{field}` must have 1 to {TEXT_BYTES_MAX} bytes without control characters")]
    Text {
        /// Which text.
        field: &'static str,
    },
    /// The file cannot be used.
    #[error(transparent)]
    Book(#[from] BookError),
}

impl Book {
    /// Somebody takes an alert. Taken again, it changes hands.
    ///
    /// # Errors
    /// [`DecideError`]; nothing has changed then.
    pub fn acknowledge(&self, id: &AlertId, owner: &str, now_unix_ns: i64) -> Result<Alert, DecideError> {
        checked("owner", owner)?;
        self.decide(id, NoticeReason::Acknowledged, now_unix_ns, |alert| {
            alert.state = AlertState::Acknowledged;
            alert.owner = Some(owner.to_owned());
        })
    }

    /// An alert is done, and why.
    ///
    /// # Errors
    /// [`DecideError`]; nothing has changed then.
    pub fn close(&self, id: &AlertId, reason: &str, now_unix_ns: i64) -> Result<Alert, DecideError> {
        checked("reason", reason)?;
        self.decide(id, NoticeReason::Closed, now_unix_ns, |alert| {
            alert.state = AlertState::Closed;
            alert.reason = Some(reason.to_owned());
        })
    }

    /// Whether an alert can be decided on, so that it can be recorded first.
    ///
    /// # Errors
    /// [`DecideError`] when it cannot.
    pub fn can_decide(&self, id: &AlertId, field: &'static str, text: &str) -> Result<Alert, DecideError> {
        checked(field, text)?;
        self.read(|connection| undecided(connection, id))?
    }

    fn decide(
        &self,
        id: &AlertId,
        reason: NoticeReason,
        now: i64,
        change: impl FnOnce(&mut Alert),
    ) -> Result<Alert, DecideError> {
        self.transaction(|tx| {
            let mut alert = match undecided(tx, id)? {
                Ok(alert) => alert,
                Err(error) => return Ok(Err(error)),
            };
            change(&mut alert);
            file::update(tx, &alert)?;
            // who was told that it began is told how it goes on
            let told = outbox::told(tx, id)?;
            outbox::put(tx, &self.settings, &alert, reason, &told, now)?;
            Ok(Ok(alert))
        })?
    }
}

fn undecided(connection: &Connection, id: &AlertId) -> rusqlite::Result<Result<Alert, DecideError>> {
    Ok(match file::alert(connection, id)? {
        None => Err(DecideError::NotFound { id: id.to_string() }),
        Some(alert) if alert.state == AlertState::Closed => Err(DecideError::Closed { id: id.clone() }),
        Some(alert) => Ok(alert),
    })
}

fn checked(field: &'static str, text: &str) -> Result<(), DecideError> {
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(DecideError::Text { field });
    }
    Ok(())
}
