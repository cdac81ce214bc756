//! A finding: what a rule, a baseline or a check of completeness saw, about whom or what, with the events behind it.
//!
//! Promises: a finding's id follows from what it says ([`FindingId::of`]), so the same events seen again (after a restart, in a
//! backtest) give the same id.

use std::fmt;

use indelible_event::doors::EntryIndex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Most events that one finding names; how many there were stands in [`Finding::evidence_total`].
pub const EVIDENCE_MAX: usize = 100;
/// Longest text in a finding, in bytes; see [`bounded`].
pub const TEXT_BYTES_MAX: usize = 2_048;

/// How bad it is: the levels of Sigma rules (Sigma specification, `level`), least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a note, no alert of itself.
    Informational,
    /// Look when there is time.
    Low,
    /// Look today.
    Medium,
    /// Look now.
    High,
    /// Wake somebody.
    Critical,
}

impl Severity {
    /// All of them, least first.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The Sigma word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity with this Sigma word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingKind {
    /// A rule on one event.
    Rule,
    /// A rule on several events.
    Correlation,
    /// Something unlike what was usual.
    Baseline,
    /// A source that is silent, skips numbers, repeats them or whose clock is off.
    Completeness,
    /// The log itself: an entry, a tile or a checkpoint that does not match.
    Integrity,
    /// Our own working: a rule that does not compile, a receiver that cannot be reached.
    Health,
}

/// What a finding is about: findings of one rule about one entity belong to one alert.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entity {
    /// `actor`, `resource`, `source`, `log`, `rule`, `receiver`, or the names of a correlation's group fields joined by `,`.
    pub kind: String,
    /// Which one; several values of a group are joined by `,`.
    pub id: String,
}

impl Entity {
    /// An entity of this kind; a long id is cut to [`TEXT_BYTES_MAX`].
    #[must_use]
    pub fn new(kind: &str, id: &str) -> Self {
        Self { kind: kind.to_owned(), id: bounded(id) }
    }
}

/// One event behind a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Its place in the log.
    #[serde(with = "index")]
    pub index: EntryIndex,
    /// Its id.
    pub event: Box<str>,
    /// When it was recorded, as the entry says.
    pub time: Box<str>,
}

mod index {
    use indelible_event::doors::EntryIndex;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(index: &EntryIndex, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(index.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EntryIndex, D::Error> {
        u64::deserialize(deserializer).map(EntryIndex)
    }
}

/// Which rule, baseline or check: what alerts are grouped by, and what a silence may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleName {
    /// A Sigma rule's `id`, or a name of ours such as `baseline/new-address`, `completeness/gap`, `integrity/leaf`.
    pub id: String,
    /// The title for people.
    pub title: String,
}

/// The identity of a finding: 32 hex digits that follow from what it says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FindingId(String);

impl FindingId {
    /// The id of a finding in `log` of `rule` about `entity`; `occasion` tells apart findings of one rule about one entity and
    /// must follow from the events alone: the index of the event, the start of the window, the first number of the gap.
    #[must_use]
    pub fn of(log: &str, rule: &str, entity: &Entity, occasion: &str) -> Self {
        let mut hash = Sha256::new();
        for part in ["indelible finding 1", log, rule, &entity.kind, &entity.id, occasion] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        Self(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its identity.
    pub id: FindingId,
    /// What found it.
    pub kind: FindingKind,
    /// In which log.
    pub log: String,
    /// Which rule, baseline or check.
    pub rule: RuleName,
    /// How bad it is.
    pub severity: Severity,
    /// About whom or what.
    pub entity: Entity,
    /// When the last event behind it was recorded (or the check was made), in nanoseconds since 1970-01-01T00:00:00Z.
    pub time_unix_ns: i64,
    /// In words: who did what to what, how often. Never content.
    pub summary: String,
    /// What is usual, in words, for baselines.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usual: Option<String>,
    /// What was seen instead, in words, for baselines.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<String>,
    /// The events behind it, at most [`EVIDENCE_MAX`], oldest first.
    pub evidence: Vec<Evidence>,
    /// How many events are behind it.
    pub evidence_total: u64,
    /// The rule's tags: `attack.t1078`, `atlas.aml-t0051`, `owasp-llm.llm01`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// What else looks like this, from the rule.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub false_positives: Vec<String>,
}

/// `text`, cut at a character to [`TEXT_BYTES_MAX`] bytes; what was cut is marked by `…`.
#[must_use]
pub fn bounded(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let mut end = TEXT_BYTES_MAX - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (kept, _cut) = text.split_at(end);
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_from_what_a_finding_says_and_from_nothing_else() {
        let entity = Entity::new("actor", "ana@example.com");
        let id = FindingId::of("main", "rule-1", &entity, "17");
        assert_eq!(id, FindingId::of("main", "rule-1", &entity, "17"));
        assert_eq!(id.as_str().len(), 32);
        // parts cannot run into each other
        assert_ne!(FindingId::of("main", "rule-11", &entity, "7"), FindingId::of("main", "rule-1", &entity, "17"));
        assert_ne!(id, FindingId::of("main", "rule-1", &entity, "18"));
    }

    #[test]
    fn long_text_is_cut_at_a_character_and_marked() {
        let long = "ä".repeat(TEXT_BYTES_MAX);
        let cut = bounded(&long);
        assert!(cut.len() <= TEXT_BYTES_MAX);
        assert!(cut.ends_with("ä…"));
        assert_eq!(bounded("short"), "short");
    }
}
