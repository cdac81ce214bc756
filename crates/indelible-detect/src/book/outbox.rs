//! What receivers are to be told, until they are.
//!
//! Promises: a notice waits until a receiver has taken it, for [`RETRY_FOR`] at least; then it is dead, and shown. Notices of one
//! alert reach a receiver in their order. A crash between a delivery and its note repeats that one, under the same key.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::time::nanoseconds;
use super::{Book, BookError, BookSettings, ChangeKind, file};
use crate::alert::{Alert, AlertId};
use crate::finding::bounded;
use crate::notice::{Notice, NoticeReason};

/// How long a notice is tried.
pub const RETRY_FOR: Duration = Duration::from_secs(24 * 3_600);
/// Most notices that wait; further ones are dead at once, and shown.
pub const WAITING_MAX: u32 = 100_000;
/// The first pause after a failure; it doubles with each.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause between tries.
const PAUSE_MAX: Duration = Duration::from_secs(900);
/// The first pause of a notice that was refused for what it says.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// A notice that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its place in the outbox.
    pub number: i64,
    /// What to tell.
    pub notice: Notice,
}

/// Why a delivery failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The receiver could not be reached, or cannot just now: everything for it waits. With how long it asked us to wait.
    Unreachable(Option<Duration>),
    /// It refuses this notice: others go on.
    Refused,
}

/// States of a notice in the file.
pub(super) const WAITING: i64 = 0;
pub(super) const DELIVERED: i64 = 1;
pub(super) const DEAD: i64 = 2;

/// Puts a notice for each receiver.
pub(super) fn put(
    tx: &Connection,
    settings: &BookSettings,
    alert: &Alert,
    reason: NoticeReason,
    receivers: &[String],
    now: i64,
) -> rusqlite::Result<()> {
    let sql = "update alerts set changes = changes + 1 where id = ?1 returning changes";
    let change: i64 = tx.prepare_cached(sql)?.query_row([alert.id.as_str()], |row| row.get(0))?;
    let link = settings.link.as_ref().map(|link| format!("{link}{}", alert.id));
    let notice = Notice { key: format!("{}-{change}", alert.id), reason, alert: alert.clone(), link };
    let body = file::text(&notice)?;
    let waiting: u32 =
        tx.prepare_cached("select count(*) from notices where state = 0")?.query_row([], |row| row.get(0))?;
    let full = waiting >= WAITING_MAX;
    let sql = "insert or ignore into notices (receiver, alert, reason, key, body, made, next, state, error, done) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9)";
    for receiver in receivers {
        let (state, error) = if full { (DEAD, Some("too many notices wait")) } else { (WAITING, None) };
        let done = full.then_some(now);
        let row = params![receiver, alert.id.as_str(), reason.as_str(), notice.key, body, now, state, error, done];
        tx.prepare_cached(sql)?.execute(row)?;
        if full {
            file::note(tx, ChangeKind::Undelivered, now, alert, Some(receiver.clone()))?;
        }
    }
    Ok(())
}

/// Who was told of an alert, or is about to be.
pub(super) fn told(tx: &Connection, alert: &AlertId) -> rusqlite::Result<Vec<String>> {
    let sql = "select distinct receiver from notices where alert = ?1 order by receiver";
    tx.prepare_cached(sql)?.query_map([alert.as_str()], |row| row.get(0))?.collect()
}

impl Book {
    /// The notice that a receiver is to be given next, when one is due; else when to ask again, in nanoseconds since 1970, or
    /// `None` when nothing waits.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn due(&self, receiver: &str, now_unix_ns: i64) -> Result<Result<Due, Option<i64>>, BookError> {
        self.read(|connection| {
            let sql = "select next from receivers where name = ?1";
            let paused: Option<i64> =
                connection.prepare_cached(sql)?.query_row([receiver], |row| row.get(0)).optional()?;
            let sql = "select number, next, body from notices as one where receiver = ?1 and state = 0 and not exists \
                (select 1 from notices as earlier where earlier.receiver = one.receiver and earlier.alert = one.alert \
                and earlier.state = 0 and earlier.number < one.number) order by next, number limit 1";
            let mut statement = connection.prepare_cached(sql)?;
            let first = statement.query_row([receiver], |row| {
                let at: i64 = row.get(1)?;
                Ok((at, Due { number: row.get(0)?, notice: file::json(row, 2)? }))
            });
            let Some((at, due)) = first.optional()? else { return Ok(Err(None)) };
            let at = at.max(paused.unwrap_or(0));
            Ok(if at <= now_unix_ns { Ok(due) } else { Err(Some(at)) })
        })
    }

    /// A notice was taken.
    ///
    /// # Errors
    /// When the file cannot be used: it is delivered a second time then.
    pub fn delivered(&self, receiver: &str, number: i64, now_unix_ns: i64) -> Result<(), BookError> {
        self.transaction(|tx| {
            let sql = "update notices set state = ?2, done = ?3, attempts = attempts + 1, error = null where number = ?1";
            tx.prepare_cached(sql)?.execute((number, DELIVERED, now_unix_ns))?;
            let sql = "insert into receivers (name, delivered, last_delivered) values (?1, 1, ?2) on conflict (name) do \
                update set delivered = delivered + 1, last_delivered = ?2, failing_since = null, failed = 0, next = 0, \
                error = null";
            tx.prepare_cached(sql)?.execute((receiver, now_unix_ns))?;
            Ok(())
        })
    }

    /// A notice was not taken. It is tried again, or after [`RETRY_FOR`] is dead.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn failed(
        &self,
        receiver: &str,
        number: i64,
        now_unix_ns: i64,
        failure: Failure,
        why: &str,
    ) -> Result<(), BookError> {
        let why = bounded(why);
        self.transaction(|tx| {
            let sql = "insert into receivers (name, failing_since, failed, error) values (?1, ?2, 1, ?3) on conflict (name) \
                do update set failing_since = coalesce(failing_since, ?2), failed = failed + 1, error = ?3 returning failed";
            let failed: u32 =
                tx.prepare_cached(sql)?.query_row((receiver, now_unix_ns, &why), |row| row.get(0))?;
            let sql = "update notices set attempts = attempts + 1, error = ?2 where number = ?1 returning attempts, made, alert";
            let tried = tx.prepare_cached(sql)?.query_row((number, &why), |row| {
                Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)?, file::alert_id(row, 2)?))
            });
            let Some((attempts, made, alert)) = tried.optional()? else { return Ok(()) };
            if now_unix_ns.saturating_sub(made) >= nanoseconds(RETRY_FOR) {
                let sql = "update notices set state = ?2, done = ?3 where number = ?1";
                tx.prepare_cached(sql)?.execute((number, DEAD, now_unix_ns))?;
                if let Some(alert) = file::alert(tx, &alert)? {
                    file::note(tx, ChangeKind::Undelivered, now_unix_ns, &alert, Some(receiver.to_owned()))?;
                }
                return Ok(());
            }
            let at = |pause: Duration| now_unix_ns.saturating_add(nanoseconds(pause));
            match failure {
                Failure::Unreachable(asked) => {
                    let pause = asked.unwrap_or(Duration::ZERO).clamp(pause(PAUSE_MIN, failed), PAUSE_MAX);
                    let sql = "update receivers set next = ?2 where name = ?1";
                    tx.prepare_cached(sql)?.execute((receiver, at(pause)))?;
                }
                Failure::Refused => {
                    let sql = "update notices set next = ?2 where number = ?1";
                    tx.prepare_cached(sql)?.execute((number, at(pause(REFUSED_PAUSE, attempts))))?;
                }
            }
            Ok(())
        })
    }
}

/// The pause after so many failures: doubled with each.
fn pause(first: Duration, failures: u32) -> Duration {
    first.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1))).min(PAUSE_MAX)
}
