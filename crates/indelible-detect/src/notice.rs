//! A notice: what one receiver is told about one alert.
//!
//! Promises: the same key at each attempt, so that a receiver can tell a repeat from news. Never: content, or a secret.

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, AlertId, AlertState};
use crate::finding::{Entity, Finding, FindingId, FindingKind, RuleName, Severity};

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeReason {
    /// A new alert.
    Opened,
    /// Its severity rose with a later finding.
    Raised,
    /// Nobody took it in time.
    Escalated,
    /// Somebody took it.
    Acknowledged,
    /// It is done.
    Closed,
    /// Somebody tries the receiver.
    Test,
}

impl NoticeReason {
    /// The word in the API and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Raised => "raised",
            Self::Escalated => "escalated",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
            Self::Test => "test",
        }
    }
}

/// What one receiver is told about one alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The same at each attempt to deliver this notice; receivers that can, drop repeats by it.
    pub key: String,
    /// Why.
    pub reason: NoticeReason,
    /// The alert as it stood when the notice was made, with its newest finding.
    pub alert: Alert,
    /// Where to look at it, when the server's public address is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link: Option<String>,
}

impl Notice {
    /// A notice by which somebody tries a receiver: it says so, in every field that people read.
    #[must_use]
    pub fn test(receiver: &str, log: &str, now_unix_ns: i64) -> Self {
        let entity = Entity::new("receiver", receiver);
        let rule = RuleName { id: "test".to_owned(), title: "Test of a receiver".to_owned() };
        let latest = Finding {
            id: FindingId::of(log, &rule.id, &entity, &now_unix_ns.to_string()),
            kind: FindingKind::Health,
            log: log.to_owned(),
            rule: rule.clone(),
            severity: Severity::Informational,
            entity: entity.clone(),
            time_unix_ns: now_unix_ns,
            summary: format!("somebody tries the receiver `{receiver}`; nothing has happened"),
            usual: None,
            seen: None,
            evidence: Vec::new(),
            evidence_total: 0,
            tags: Vec::new(),
            false_positives: Vec::new(),
        };
        let alert = Alert {
            id: AlertId::opened_by(&latest.id),
            log: log.to_owned(),
            rule,
            severity: Severity::Informational,
            entity,
            state: AlertState::Open,
            owner: None,
            reason: None,
            opened_unix_ns: now_unix_ns,
            last_unix_ns: now_unix_ns,
            findings: 1,
            escalated: false,
            silenced: false,
            latest,
        };
        Self { key: format!("{}-test", alert.id), reason: NoticeReason::Test, alert, link: None }
    }
}
