//! The file of the book: its layout, and rows as alerts. Write-ahead log, synchronous FULL.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};
use serde::de::DeserializeOwned;

use super::{BookError, Change, ChangeKind};
use crate::alert::{Alert, AlertId, AlertState};
use crate::finding::{Entity, RuleName, Severity};

/// The layout, kept in SQLite's `user_version`.
const LAYOUT: i64 = 1;

/// Severities and states stand as their places in `ALL`; times are nanoseconds since 1970; bodies are JSON.
const CREATE: &str = "
create table logs (name text primary key not null, told_from integer not null) strict;
create table findings (
    id     text primary key not null,
    alert  text not null,
    time   integer not null,
    body   text
) strict, without rowid;
create index findings_alert on findings (alert, time);
create index findings_time on findings (time);
create table alerts (
    id          text primary key not null,
    log         text not null,
    rule        text not null,
    title       text not null,
    severity    integer not null,
    entity_kind text not null,
    entity      text not null,
    state       integer not null,
    owner       text,
    reason      text,
    opened      integer not null,
    last        integer not null,
    findings    integer not null,
    escalated   integer not null default 0,
    silenced    integer not null default 0,
    latest      text not null,
    taken       integer not null,
    told        integer,
    changes     integer not null default 0
) strict;
create unique index alerts_group on alerts (log, rule, entity_kind, entity) where state <> 2;
create index alerts_last on alerts (last, id);
create index alerts_rule on alerts (rule, taken);
create table silences (
    id          text primary key not null,
    log         text,
    rule        text,
    entity      text,
    reason      text not null,
    by          text not null,
    since       integer not null,
    until       integer not null
) strict;
create table notices (
    number   integer primary key autoincrement,
    receiver text not null,
    alert    text not null,
    reason   text not null,
    key      text not null,
    body     text not null,
    made     integer not null,
    next     integer not null,
    attempts integer not null default 0,
    state    integer not null default 0,
    error    text,
    done     integer
) strict;
create unique index notices_key on notices (receiver, key);
create index notices_waiting on notices (receiver, number) where state = 0;
create index notices_alert on notices (alert);
create table receivers (
    name           text primary key not null,
    delivered      integer not null default 0,
    last_delivered integer,
    failing_since  integer,
    failed         integer not null default 0,
    next           integer not null default 0,
    error          text
) strict;
create table changes (number integer primary key autoincrement, body text not null) strict;
pragma user_version = 1;
";

pub(super) fn connect(path: &Path) -> Result<Connection, BookError> {
    let made = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    drop(made.map_err(|source| BookError::Create { path: path.to_owned(), source })?);
    let fail = |source| BookError::File { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    let settings = "pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000;";
    connection.execute_batch(settings).map_err(fail)?;
    let layout: i64 = connection.query_row("pragma user_version", [], |row| row.get(0)).map_err(fail)?;
    match layout {
        0 => connection.execute_batch(&format!("begin immediate; {CREATE} commit;")).map_err(fail)?,
        LAYOUT => {}
        found => return Err(BookError::Layout { path: path.to_owned(), found, known: LAYOUT }),
    }
    Ok(connection)
}

/// What is read of an alert, in the order of [`read_alert`].
pub(super) const ALERT: &str = "id, log, rule, title, severity, entity_kind, entity, state, owner, reason, opened, last, \
    findings, escalated, silenced, latest";

pub(super) fn read_alert(row: &Row<'_>) -> rusqlite::Result<Alert> {
    Ok(Alert {
        id: alert_id(row, 0)?,
        log: row.get(1)?,
        rule: RuleName { id: row.get(2)?, title: row.get(3)? },
        severity: from_place(row, 4, &Severity::ALL)?,
        entity: Entity { kind: row.get(5)?, id: row.get(6)? },
        state: from_place(row, 7, &AlertState::ALL)?,
        owner: row.get(8)?,
        reason: row.get(9)?,
        opened_unix_ns: row.get(10)?,
        last_unix_ns: row.get(11)?,
        findings: count(row, 12)?,
        escalated: row.get(13)?,
        silenced: row.get(14)?,
        latest: json(row, 15)?,
    })
}

pub(super) fn alert(connection: &Connection, id: &AlertId) -> rusqlite::Result<Option<Alert>> {
    let sql = format!("select {ALERT} from alerts where id = ?1");
    connection.prepare_cached(&sql)?.query_row([id.as_str()], read_alert).optional()
}

/// Writes an alert anew; it must be there.
pub(super) fn update(connection: &Connection, alert: &Alert) -> rusqlite::Result<()> {
    let sql = "update alerts set severity = ?2, state = ?3, owner = ?4, reason = ?5, last = ?6, findings = ?7, \
        escalated = ?8, silenced = ?9, latest = ?10 where id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![
        alert.id.as_str(),
        severity(alert.severity),
        state(alert.state),
        alert.owner,
        alert.reason,
        alert.last_unix_ns,
        stored(alert.findings),
        alert.escalated,
        alert.silenced,
        text(&alert.latest)?,
    ])?;
    Ok(())
}

/// Notes something that is to be recorded.
pub(super) fn note(
    connection: &Connection,
    what: ChangeKind,
    now: i64,
    alert: &Alert,
    receiver: Option<String>,
) -> rusqlite::Result<()> {
    let change = Change { number: 0, what, time_unix_ns: now, alert: alert.clone(), receiver };
    connection.prepare_cached("insert into changes (body) values (?1)")?.execute([text(&change)?])?;
    Ok(())
}

pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

pub(super) fn text<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) fn alert_id(row: &Row<'_>, column: usize) -> rusqlite::Result<AlertId> {
    let text: String = row.get(column)?;
    AlertId::parse(&text).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, 0))
}

fn from_place<T: Copy>(row: &Row<'_>, column: usize, all: &[T]) -> rusqlite::Result<T> {
    let place: i64 = row.get(column)?;
    let found = usize::try_from(place).ok().and_then(|place| all.get(place));
    found.copied().ok_or(rusqlite::Error::IntegralValueOutOfRange(column, place))
}

pub(super) fn severity(severity: Severity) -> i64 {
    severity as i64
}

pub(super) fn state(state: AlertState) -> i64 {
    state as i64
}

/// A count as the file holds it.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let count: i64 = row.get(column)?;
    u64::try_from(count).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, count))
}
