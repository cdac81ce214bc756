//! An alert: findings of one rule about one entity, as one thing that somebody looks after.
//!
//! Promises: its id is that of the finding that opened it, so the same log gives the same alerts again. Never: content.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finding::{Entity, Finding, FindingId, RuleName, Severity};

/// The identity of an alert: that of the finding that opened it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AlertId(String);

impl AlertId {
    /// The alert that this finding opens.
    #[must_use]
    pub fn opened_by(finding: &FindingId) -> Self {
        Self(finding.as_str().to_owned())
    }

    /// What somebody typed, if it can be an alert's id: 32 hex digits in lower case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Nobody has taken it.
    Open,
    /// Somebody looks after it.
    Acknowledged,
    /// Done, with a reason. A later finding of the same rule about the same entity opens another alert.
    Closed,
}

impl AlertState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Closed];

    /// The word in the API and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }

    /// The state with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for AlertState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An alert as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its identity.
    pub id: AlertId,
    /// In which log.
    pub log: String,
    /// Which rule found it.
    pub rule: RuleName,
    /// The highest of its findings.
    pub severity: Severity,
    /// About whom or what.
    pub entity: Entity,
    /// Where it stands.
    pub state: AlertState,
    /// Who looks after it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// Why it was closed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When its first finding was made, in nanoseconds since 1970-01-01T00:00:00Z.
    pub opened_unix_ns: i64,
    /// When its last finding was made, in nanoseconds since 1970-01-01T00:00:00Z.
    pub last_unix_ns: i64,
    /// How many findings it gathers.
    pub findings: u64,
    /// Whether it was told again because nobody took it in time.
    pub escalated: bool,
    /// Whether a silence kept it from being told.
    pub silenced: bool,
    /// The newest finding, with its evidence.
    pub latest: Finding,
}
