//! Findings become alerts: one for each rule and entity while it is open.
//!
//! Promises: a finding counts once; who was told of an alert is not told of its further findings, unless they are worse. A rule
//! that finds something about everybody at once ([`STORM_ALERTS`] within [`STORM_WINDOW`]) goes on as one alert about the rule.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::time::nanoseconds;
use super::{Book, BookError, ChangeKind, Route, file, outbox, silence};
use crate::alert::{Alert, AlertId, AlertState};
use crate::finding::{Entity, Finding};
use crate::notice::NoticeReason;

/// After so many alerts of one rule within [`STORM_WINDOW`], further ones are gathered in one about the rule itself.
pub const STORM_ALERTS: u32 = 50;
/// How long ago alerts of a rule count towards [`STORM_ALERTS`].
pub const STORM_WINDOW: Duration = Duration::from_secs(3_600);
/// Of so many findings of an alert the whole is kept; of further ones that they were.
const BODIES_MAX: u64 = 100;

impl Book {
    /// Takes findings: durable when this returns. Gives how many alerts were opened.
    ///
    /// # Errors
    /// When the file cannot be used. None of the findings is taken then.
    pub fn take(&self, findings: &[Finding], now_unix_ns: i64, route: Route<'_>) -> Result<u64, BookError> {
        let worth: Vec<&Finding> = findings.iter().filter(|finding| finding.severity >= self.settings.least).collect();
        if worth.is_empty() {
            return Ok(0);
        }
        self.transaction(|tx| {
            let mut opened = 0;
            for finding in worth {
                opened += u64::from(self.take_one(tx, finding, now_unix_ns, route)?);
            }
            Ok(opened)
        })
    }

    /// Whether it opened an alert.
    fn take_one(&self, tx: &Connection, finding: &Finding, now: i64, route: Route<'_>) -> rusqlite::Result<bool> {
        let known = tx.prepare_cached("select 1 from findings where id = ?1")?.exists([finding.id.as_str()])?;
        if known {
            return Ok(false);
        }
        let mut entity = finding.entity.clone();
        let mut present = group(tx, finding, &entity)?;
        if present.is_none() && storms(tx, &finding.rule.id, now)? {
            entity = Entity::new("rule", &finding.rule.id);
            present = group(tx, finding, &entity)?;
        }
        let (alert, opened) = match present {
            Some(alert) => (self.join(tx, alert, finding, now, route)?, false),
            None => (self.begin(tx, finding, entity, now, route)?, true),
        };
        let body = (alert.findings <= BODIES_MAX).then(|| file::text(finding)).transpose()?;
        let sql = "insert into findings (id, alert, time, body) values (?1, ?2, ?3, ?4)";
        let row = params![finding.id.as_str(), alert.id.as_str(), finding.time_unix_ns, body];
        tx.prepare_cached(sql)?.execute(row)?;
        Ok(opened)
    }

    fn join(
        &self,
        tx: &Connection,
        mut alert: Alert,
        finding: &Finding,
        now: i64,
        route: Route<'_>,
    ) -> rusqlite::Result<Alert> {
        let worse = finding.severity > alert.severity;
        alert.findings = alert.findings.saturating_add(1);
        alert.last_unix_ns = alert.last_unix_ns.max(finding.time_unix_ns);
        alert.severity = alert.severity.max(finding.severity);
        alert.latest = finding.clone();
        file::update(tx, &alert)?;
        if worse {
            file::note(tx, ChangeKind::Raised, now, &alert, None)?;
            if !alert.silenced {
                outbox::put(tx, &self.settings, &alert, NoticeReason::Raised, &route(&alert), now)?;
            }
        }
        Ok(alert)
    }

    fn begin(
        &self,
        tx: &Connection,
        finding: &Finding,
        entity: Entity,
        now: i64,
        route: Route<'_>,
    ) -> rusqlite::Result<Alert> {
        let alert = Alert {
            id: AlertId::opened_by(&finding.id),
            log: finding.log.clone(),
            rule: finding.rule.clone(),
            severity: finding.severity,
            state: AlertState::Open,
            owner: None,
            reason: None,
            opened_unix_ns: finding.time_unix_ns,
            last_unix_ns: finding.time_unix_ns,
            findings: 1,
            escalated: false,
            silenced: silence::silences(tx, finding, &entity, now)?,
            latest: finding.clone(),
            entity,
        };
        let sql = "insert into alerts (id, log, rule, title, severity, entity_kind, entity, state, opened, last, findings, \
            silenced, latest, taken, told) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, ?11, ?12, ?13, ?14)";
        tx.prepare_cached(sql)?.execute(params![
            alert.id.as_str(),
            alert.log,
            alert.rule.id,
            alert.rule.title,
            file::severity(alert.severity),
            alert.entity.kind,
            alert.entity.id,
            file::state(alert.state),
            alert.opened_unix_ns,
            alert.last_unix_ns,
            alert.silenced,
            file::text(finding)?,
            now,
            (!alert.silenced).then_some(now),
        ])?;
        file::note(tx, ChangeKind::Opened, now, &alert, None)?;
        if !alert.silenced {
            outbox::put(tx, &self.settings, &alert, NoticeReason::Opened, &route(&alert), now)?;
        }
        Ok(alert)
    }

    /// What time alone does: alerts that nobody took are told again, those whose silence has ended are told after all. Gives how
    /// many were told.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn tick(&self, now_unix_ns: i64, route: Route<'_>) -> Result<u64, BookError> {
        self.transaction(|tx| Ok(self.end_silences(tx, now_unix_ns, route)? + self.escalate(tx, now_unix_ns, route)?))
    }

    fn escalate(&self, tx: &Connection, now: i64, route: Route<'_>) -> rusqlite::Result<u64> {
        let Some(after) = self.settings.escalate_after else { return Ok(0) };
        let sql = format!(
            "select {} from alerts where state = 0 and escalated = 0 and severity >= ?1 and told <= ?2 limit 100",
            file::ALERT
        );
        let least = file::severity(self.settings.escalate_least);
        let before = now.saturating_sub(nanoseconds(after));
        let due: Vec<Alert> =
            tx.prepare_cached(&sql)?.query_map((least, before), file::read_alert)?.collect::<Result<_, _>>()?;
        let mut told = 0;
        for mut alert in due {
            alert.escalated = true;
            file::update(tx, &alert)?;
            file::note(tx, ChangeKind::Escalated, now, &alert, None)?;
            let named = &self.settings.escalate_to;
            let receivers = if named.is_empty() { route(&alert) } else { named.clone() };
            outbox::put(tx, &self.settings, &alert, NoticeReason::Escalated, &receivers, now)?;
            told += 1;
        }
        Ok(told)
    }

    fn end_silences(&self, tx: &Connection, now: i64, route: Route<'_>) -> rusqlite::Result<u64> {
        let sql = format!("select {} from alerts where state = 0 and silenced = 1 limit 1000", file::ALERT);
        let silenced: Vec<Alert> =
            tx.prepare_cached(&sql)?.query_map([], file::read_alert)?.collect::<Result<_, _>>()?;
        let mut told = 0;
        for mut alert in silenced {
            if silence::silences(tx, &alert.latest, &alert.entity, now)? {
                continue;
            }
            alert.silenced = false;
            file::update(tx, &alert)?;
            tx.prepare_cached("update alerts set told = ?2 where id = ?1")?.execute((alert.id.as_str(), now))?;
            file::note(tx, ChangeKind::Unsilenced, now, &alert, None)?;
            outbox::put(tx, &self.settings, &alert, NoticeReason::Opened, &route(&alert), now)?;
            told += 1;
        }
        Ok(told)
    }
}

/// The alert that is not closed and gathers findings of this rule about this entity.
fn group(tx: &Connection, finding: &Finding, entity: &Entity) -> rusqlite::Result<Option<Alert>> {
    let sql = format!(
        "select {} from alerts where log = ?1 and rule = ?2 and entity_kind = ?3 and entity = ?4 and state <> 2",
        file::ALERT
    );
    let group = (&finding.log, &finding.rule.id, &entity.kind, &entity.id);
    tx.prepare_cached(&sql)?.query_row(group, file::read_alert).optional()
}

/// Whether the rule has opened so many alerts lately that further ones are one.
fn storms(tx: &Connection, rule: &str, now: i64) -> rusqlite::Result<bool> {
    let since = now.saturating_sub(nanoseconds(STORM_WINDOW));
    let sql = "select count(*) from alerts where rule = ?1 and taken > ?2";
    let opened: u32 = tx.prepare_cached(sql)?.query_row((rule, since), |row| row.get(0))?;
    Ok(opened >= STORM_ALERTS)
}
