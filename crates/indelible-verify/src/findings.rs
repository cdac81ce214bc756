//! Findings as they come: the first by place is kept (an invalid checkpoint before all others), the list is capped, the verdict follows. Never: forgets that there was one.

use crate::report::{FINDINGS_LISTED_MAX, Finding, FindingKind, IntegrityReport, Verdict};

/// Findings as they come, capped.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    listed: Vec<Finding>,
    first: Option<Finding>,
    total: u64,
    tampered: bool,
    unreadable: u64,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.total += 1;
        match finding.kind {
            FindingKind::Unreadable => self.unreadable += 1,
            _ => self.tampered = true,
        }
        // What a checkpoint that nobody signed says of size and root is nothing to judge files by: it is named before them.
        let place = |finding: &Finding| {
            let rank = match finding.kind {
                FindingKind::CheckpointInvalid => 0,
                FindingKind::Unreadable => 2,
                _ => 1,
            };
            (rank, finding.first_index.unwrap_or(u64::MAX))
        };
        if self.first.as_ref().is_none_or(|first| place(&finding) < place(first)) {
            self.first = Some(finding.clone());
        }
        if self.listed.len() < FINDINGS_LISTED_MAX {
            self.listed.push(finding);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// How often something could not be read.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    pub(crate) fn into_report(self, entries_checked: u64, tiles_checked: u64, bundle_bytes: u64) -> IntegrityReport {
        let verdict = match (self.tampered, self.unreadable) {
            (true, _) => Verdict::Tampered,
            (false, 0) => Verdict::Intact,
            (false, _) => Verdict::CouldNotCheck,
        };
        IntegrityReport {
            verdict,
            first: self.first,
            findings: self.listed,
            findings_total: self.total,
            entries_checked,
            tiles_checked,
            bundle_bytes,
        }
    }
}
