//! Reading the book: alerts by pages, what stands behind one, how receivers do.

use rusqlite::{Connection, OptionalExtension as _, ToSql, params_from_iter};
use serde::Serialize;

use super::{Book, BookError, file, outbox};
use crate::alert::{Alert, AlertId, AlertState};
use crate::finding::{Finding, Severity};

/// Which alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// In one of these states; in any when empty.
    pub states: Vec<AlertState>,
    /// At least so bad.
    pub least: Option<Severity>,
    /// In one log.
    pub log: Option<String>,
    /// Of one rule: its id.
    pub rule: Option<String>,
    /// About one entity: its id.
    pub entity: Option<String>,
    /// Only in these logs: what the asker may see. `None` for all.
    pub visible: Option<Vec<String>>,
}

/// Some alerts, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertPage {
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// Where the next page begins, when there is one.
    pub next: Option<(i64, AlertId)>,
}

/// How far a notice has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeState {
    /// It is to be delivered.
    Waiting,
    /// It was.
    Delivered,
    /// It was not, and no longer will be.
    Dead,
}

/// A notice, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempted {
    /// Whom it is for.
    pub receiver: String,
    /// Why there is one: the word of a [`crate::notice::NoticeReason`].
    pub reason: String,
    /// How far it has come.
    pub state: NoticeState,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was made, in nanoseconds since 1970-01-01T00:00:00Z.
    pub made_unix_ns: i64,
    /// When it was delivered or given up, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_unix_ns: Option<i64>,
}

/// How a receiver does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReceiverState {
    /// How many notices it took.
    pub delivered: u64,
    /// How many wait for it.
    pub waiting: u64,
    /// How many were given up.
    pub dead: u64,
    /// When it last took one, in nanoseconds since 1970-01-01T00:00:00Z.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivered_unix_ns: Option<i64>,
    /// Since when it takes none, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since_unix_ns: Option<i64>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Book {
    /// Alerts by their newest finding, newest first; after `after` when a page before said so.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn alerts(
        &self,
        filter: &AlertFilter,
        after: Option<&(i64, AlertId)>,
        most: usize,
    ) -> Result<AlertPage, BookError> {
        let (condition, values) = conditions(filter, after);
        let more = i64::try_from(most.saturating_add(1)).unwrap_or(i64::MAX);
        let sql = format!("select {} from alerts where {condition} order by last desc, id limit {more}", file::ALERT);
        let mut alerts: Vec<Alert> = self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map(params_from_iter(values), file::read_alert)?.collect()
        })?;
        let is_more = alerts.len() > most;
        alerts.truncate(most);
        let last = alerts.last().filter(|_| is_more);
        let next = last.map(|alert| (alert.last_unix_ns, alert.id.clone()));
        Ok(AlertPage { alerts, next })
    }

    /// How many alerts there are.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn count(&self, filter: &AlertFilter) -> Result<u64, BookError> {
        let (condition, values) = conditions(filter, None);
        let sql = format!("select count(*) from alerts where {condition}");
        self.read(|connection| {
            connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| file::count(row, 0))
        })
    }

    /// How many alerts are not closed, by severity, least first.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn open_by_severity(&self) -> Result<[u64; 5], BookError> {
        self.read(|connection| {
            let mut counts = [0; 5];
            let sql = "select severity, count(*) from alerts where state <> 2 group by severity";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let place = usize::try_from(row.get::<_, i64>(0)?).unwrap_or(usize::MAX);
                if let Some(count) = counts.get_mut(place) {
                    *count = file::count(row, 1)?;
                }
            }
            Ok(counts)
        })
    }

    /// The newest findings of an alert that are kept whole, newest first.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn findings(&self, alert: &AlertId, most: u32) -> Result<Vec<Finding>, BookError> {
        self.read(|connection| {
            let sql = "select body from findings where alert = ?1 and body is not null order by time desc, id limit ?2";
            connection.prepare_cached(sql)?.query_map((alert.as_str(), most), |row| file::json(row, 0))?.collect()
        })
    }

    /// What receivers were told of an alert, oldest first.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn notices(&self, alert: &AlertId) -> Result<Vec<Attempted>, BookError> {
        self.read(|connection| {
            let sql = "select receiver, reason, state, attempts, error, made, done from notices where alert = ?1 \
                order by number limit 1000";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([alert.as_str()], |row| {
                Ok(Attempted {
                    receiver: row.get(0)?,
                    reason: row.get(1)?,
                    state: match row.get::<_, i64>(2)? {
                        outbox::WAITING => NoticeState::Waiting,
                        outbox::DELIVERED => NoticeState::Delivered,
                        _ => NoticeState::Dead,
                    },
                    attempts: row.get(3)?,
                    error: row.get(4)?,
                    made_unix_ns: row.get(5)?,
                    done_unix_ns: row.get(6)?,
                })
            })?;
            rows.collect()
        })
    }

    /// How a receiver does.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn receiver(&self, name: &str) -> Result<ReceiverState, BookError> {
        self.read(|connection| {
            let sql = "select delivered, last_delivered, failing_since, error from receivers where name = ?1";
            let known = connection.prepare_cached(sql)?.query_row([name], |row| {
                Ok(ReceiverState {
                    delivered: file::count(row, 0)?,
                    last_delivered_unix_ns: row.get(1)?,
                    failing_since_unix_ns: row.get(2)?,
                    error: row.get(3)?,
                    ..ReceiverState::default()
                })
            });
            let mut state = known.optional()?.unwrap_or_default();
            state.waiting = notices_in(connection, name, outbox::WAITING)?;
            state.dead = notices_in(connection, name, outbox::DEAD)?;
            Ok(state)
        })
    }
}

fn notices_in(connection: &Connection, receiver: &str, state: i64) -> rusqlite::Result<u64> {
    let sql = "select count(*) from notices where receiver = ?1 and state = ?2";
    connection.prepare_cached(sql)?.query_row((receiver, state), |row| file::count(row, 0))
}

fn conditions(filter: &AlertFilter, after: Option<&(i64, AlertId)>) -> (String, Vec<Box<dyn ToSql>>) {
    let mut parts = vec!["1".to_owned()];
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut list = |column: &str, wanted: Vec<Box<dyn ToSql>>| {
        let marks = vec!["?"; wanted.len()].join(", ");
        parts.push(format!("{column} in ({marks})"));
        values.extend(wanted);
    };
    if !filter.states.is_empty() {
        list("state", filter.states.iter().map(|state| Box::new(file::state(*state)) as Box<dyn ToSql>).collect());
    }
    if let Some(visible) = &filter.visible {
        list("log", visible.iter().map(|log| Box::new(log.clone()) as Box<dyn ToSql>).collect());
    }
    for (column, wanted) in [("log", &filter.log), ("rule", &filter.rule), ("entity", &filter.entity)] {
        if let Some(wanted) = wanted {
            list(column, vec![Box::new(wanted.clone())]);
        }
    }
    if let Some(least) = filter.least {
        parts.push("severity >= ?".to_owned());
        values.push(Box::new(file::severity(least)));
    }
    if let Some((last, id)) = after {
        parts.push("(last < ? or (last = ? and id > ?))".to_owned());
        values.push(Box::new(*last));
        values.push(Box::new(*last));
        values.push(Box::new(id.as_str().to_owned()));
    }
    (parts.join(" and "), values)
}
