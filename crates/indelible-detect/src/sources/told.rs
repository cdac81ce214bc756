//! How findings about sources are put together.

use crate::finding::{Entity, Evidence, Finding, FindingId, FindingKind, RuleName, Severity, bounded};

/// A check: the id that silences and alerts name, and its title.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check(&'static str, &'static str);

pub(super) const GAP: Check = Check("completeness/gap", "Events of a source are missing");
pub(super) const REPEAT: Check = Check("completeness/repeat", "A source gave a number twice");
pub(super) const RESTART: Check = Check("completeness/restart", "A source began to count anew");
pub(super) const SILENCE: Check = Check("completeness/silence", "A source is silent");
pub(super) const SKEW: Check = Check("completeness/clock-skew", "A source's clock is off");
pub(super) const LATE: Check = Check("completeness/late", "Events of a source come late");
pub(super) const COLLAPSE: Check = Check("completeness/rate-collapse", "A source sends far less than usual");
pub(super) const RETURNED: Check = Check("completeness/returned", "A silent source is back");

/// Knows the log.
#[derive(Debug)]
pub(super) struct Teller {
    log: String,
}

/// Knows the log and the source.
#[derive(Debug)]
pub(super) struct About<'a> {
    log: &'a str,
    source: &'a str,
}

impl Teller {
    pub(super) fn new(log: &str) -> Self {
        Self { log: log.to_owned() }
    }

    pub(super) fn about<'a>(&'a self, source: &'a str) -> About<'a> {
        About { log: &self.log, source }
    }
}

impl About<'_> {
    /// The source's id.
    pub(super) fn id(&self) -> &str {
        self.source
    }

    /// A finding. `occasion` follows from the events alone; `total`: how many events are behind it.
    #[allow(clippy::too_many_arguments, reason = "each is one field of the finding")]
    pub(super) fn tell(
        &self,
        Check(rule, title): Check,
        severity: Severity,
        occasion: &str,
        time_unix_ns: i64,
        summary: &str,
        evidence: Option<Evidence>,
        total: u64,
    ) -> Finding {
        let entity = Entity::new("source", self.source);
        Finding {
            id: FindingId::of(self.log, rule, &entity, occasion),
            kind: FindingKind::Completeness,
            log: self.log.to_owned(),
            rule: RuleName { id: rule.to_owned(), title: title.to_owned() },
            severity,
            entity,
            time_unix_ns,
            summary: bounded(summary),
            usual: None,
            seen: None,
            evidence: evidence.into_iter().collect(),
            evidence_total: total,
            tags: Vec::new(),
            false_positives: Vec::new(),
        }
    }
}
