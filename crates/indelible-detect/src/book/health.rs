//! A receiver that cannot be reached is itself a finding, told by the others.

use super::{Book, BookError};
use crate::finding::{Entity, Finding, FindingId, FindingKind, RuleName, Severity, bounded};

/// After so many tries in a row without success a receiver is told of.
pub const FAILED_TRIES_TO_TELL: u32 = 3;

impl Book {
    /// A finding for each receiver that fails; the same one until it works again.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn failing_receivers(&self, log: &str) -> Result<Vec<Finding>, BookError> {
        self.read(|connection| {
            let sql = "select name, failing_since, failed, coalesce(error, '') from receivers \
                where failing_since is not null and failed >= ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([FAILED_TRIES_TO_TELL], |row| {
                Ok(finding(log, &row.get::<_, String>(0)?, row.get(1)?, &row.get::<_, String>(3)?))
            })?;
            rows.collect()
        })
    }
}

fn finding(log: &str, receiver: &str, since: i64, error: &str) -> Finding {
    let entity = Entity::new("receiver", receiver);
    let rule = RuleName { id: "health/receiver".to_owned(), title: "Receiver of alerts cannot be reached".to_owned() };
    Finding {
        id: FindingId::of(log, &rule.id, &entity, &since.to_string()),
        kind: FindingKind::Health,
        log: log.to_owned(),
        severity: Severity::High,
        entity,
        time_unix_ns: since,
        summary: bounded(&format!("the receiver `{receiver}` takes no alerts: {error}; they wait and are tried again")),
        usual: None,
        seen: None,
        evidence: Vec::new(),
        evidence_total: 0,
        tags: Vec::new(),
        false_positives: Vec::new(),
        rule,
    }
}
