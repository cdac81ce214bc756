//! Silences: alerts of a rule, about an entity or in a log that nobody is told of for a while, with a reason and an end. They are
//! gathered all the same; those that are still open at the end are told then.

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::{Book, BookError};
use crate::finding::{Entity, Finding};

/// Most silences that have not ended.
pub const SILENCES_MAX: u32 = 1_000;
/// Longest text in a silence, in bytes.
const TEXT_BYTES_MAX: usize = 1_000;

/// A silence. What it does not name it does not ask for; it names at least a rule or an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its identity.
    pub id: String,
    /// In one log only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<String>,
    /// Of one rule: its id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    /// About one entity: its id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entity: Option<String>,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
    /// Since when, in nanoseconds since 1970-01-01T00:00:00Z.
    pub since_unix_ns: i64,
    /// Until when, likewise.
    pub until_unix_ns: i64,
}

/// Why there is no such silence.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    /// It would silence everything.
    #[error(
        "a silence names a rule or an entity; to stop being told of everything, take the receiver out of the settings"
    )]
    Everything,
    /// It has no end ahead.
    #[error("a silence ends after it begins, and within a year")]
    End,
    /// A text that cannot stand there.
    #[error("`{field}` must have 1 to {TEXT_BYTES_MAX} bytes without control characters")]
    Text {
        /// Which text.
        field: &'static str,
    },
    /// There are too many.
    #[error("there are {SILENCES_MAX} silences already, the most that are kept; end some")]
    TooMany,
    /// No such silence.
    #[error("no silence has the id `{id}`")]
    NotFound {
        /// What was asked for.
        id: String,
    },
    /// The file cannot be used.
    #[error(transparent)]
    Book(#[from] BookError),
}

const YEAR_NS: i64 = 366 * 24 * 3_600 * 1_000_000_000;
const SILENCE: &str = "id, log, rule, entity, reason, by, since, until";

impl Silence {
    /// Whether this can stand.
    ///
    /// # Errors
    /// [`SilenceError`] with what is wrong.
    pub fn check(&self) -> Result<(), SilenceError> {
        if self.rule.is_none() && self.entity.is_none() {
            return Err(SilenceError::Everything);
        }
        let span = self.until_unix_ns.saturating_sub(self.since_unix_ns);
        if span <= 0 || span > YEAR_NS {
            return Err(SilenceError::End);
        }
        let texts = [
            ("log", self.log.as_deref()),
            ("rule", self.rule.as_deref()),
            ("entity", self.entity.as_deref()),
            ("reason", Some(self.reason.as_str())),
        ];
        for (field, text) in texts {
            let wrong = |text: &str| {
                text.trim().is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control)
            };
            if text.is_some_and(wrong) {
                return Err(SilenceError::Text { field });
            }
        }
        Ok(())
    }
}

impl Book {
    /// Silences from now on.
    ///
    /// # Errors
    /// [`SilenceError`]; nothing has changed then.
    pub fn silence(&self, silence: &Silence) -> Result<(), SilenceError> {
        silence.check()?;
        self.transaction(|tx| {
            tx.execute("delete from silences where until < ?1", [silence.since_unix_ns.saturating_sub(YEAR_NS)])?;
            let sql = "select count(*) from silences where until > ?1";
            let live: u32 = tx.query_row(sql, [silence.since_unix_ns], |row| row.get(0))?;
            if live >= SILENCES_MAX {
                return Ok(Err(SilenceError::TooMany));
            }
            let sql = "insert into silences (id, log, rule, entity, reason, by, since, until) \
                values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let Silence { id, log, rule, entity, reason, by, since_unix_ns, until_unix_ns } = silence;
            tx.execute(sql, params![id, log, rule, entity, reason, by, since_unix_ns, until_unix_ns])?;
            Ok(Ok(()))
        })?
    }

    /// Ends a silence now.
    ///
    /// # Errors
    /// [`SilenceError`]; nothing has changed then.
    pub fn unsilence(&self, id: &str, now_unix_ns: i64) -> Result<Silence, SilenceError> {
        self.transaction(|tx| {
            let sql = format!("update silences set until = ?2 where id = ?1 and until > ?2 returning {SILENCE}");
            let mut statement = tx.prepare(&sql)?;
            let mut ended = statement.query_map((id, now_unix_ns), read)?;
            Ok(ended.next().transpose()?.ok_or_else(|| SilenceError::NotFound { id: id.to_owned() }))
        })?
    }

    /// The silences that have not ended, by their ends.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn silences(&self, now_unix_ns: i64) -> Result<Vec<Silence>, BookError> {
        self.read(|connection| {
            let sql = format!("select {SILENCE} from silences where until > ?1 order by until, id");
            connection.prepare_cached(&sql)?.query_map([now_unix_ns], read)?.collect()
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Silence> {
    Ok(Silence {
        id: row.get(0)?,
        log: row.get(1)?,
        rule: row.get(2)?,
        entity: row.get(3)?,
        reason: row.get(4)?,
        by: row.get(5)?,
        since_unix_ns: row.get(6)?,
        until_unix_ns: row.get(7)?,
    })
}

/// Whether an alert about this is silenced now.
pub(super) fn silences(tx: &Connection, finding: &Finding, entity: &Entity, now: i64) -> rusqlite::Result<bool> {
    let sql = "select 1 from silences where since <= ?1 and until > ?1 and (log is null or log = ?2) \
        and (rule is null or rule = ?3) and (entity is null or entity = ?4)";
    tx.prepare_cached(sql)?.exists(params![now, finding.log, finding.rule.id, entity.id])
}
