//! The report as lines for people. Never: says more than the report holds.

use std::fmt::Write as _;

use super::{CompletenessLevel, Finding, KeySource, Report, SourceReport, Verdict};

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Intact => "intact",
        Verdict::Tampered => "TAMPERED",
        Verdict::CouldNotCheck => "could not check",
    }
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            // Writing to a String cannot fail.
            writeln!(text, "{label:<13} {value}").unwrap_or_default();
        };
        line("log", self.origin.as_deref().unwrap_or("unknown"));
        line("read from", &self.source);
        if let (Some(size), Some(root)) = (self.size, &self.root) {
            line("checkpoint", &format!("{size} entries, root {root}"));
        }
        line("key", self.key_text());
        line("INTEGRITY", word(self.integrity.verdict));
        for text in self.integrity_lines() {
            line("", &text);
        }
        line("WITNESS", &self.witness.reason);
        for (at, text) in self.completeness_lines().into_iter().enumerate() {
            line(if at == 0 { "COMPLETENESS" } else { "" }, &text);
        }
        line("TIME", &self.time_text());
        for remark in &self.remarks {
            line("note", remark);
        }
        line("limits", "no log can prove an event that was never sent, or that an event's content is true");
        text
    }

    fn key_text(&self) -> &'static str {
        match self.key_source {
            KeySource::Given => "given by you",
            KeySource::BesideLog => "found beside the log",
            KeySource::Unknown => "none",
        }
    }

    fn integrity_lines(&self) -> Vec<String> {
        let integrity = &self.integrity;
        let mut lines = vec![format!(
            "{} entries ({} bytes) and {} tiles recomputed",
            integrity.entries_checked, integrity.bundle_bytes, integrity.tiles_checked
        )];
        if let Some(first) = &integrity.first {
            lines.push(format!("first: {}", first.to_text()));
        }
        for finding in integrity.findings.iter().filter(|finding| Some(*finding) != integrity.first.as_ref()) {
            lines.push(finding.to_text());
        }
        let unlisted = integrity.findings_total.saturating_sub(integrity.findings.len() as u64);
        if unlisted > 0 {
            lines.push(format!("and {unlisted} more findings"));
        }
        lines
    }

    fn completeness_lines(&self) -> Vec<String> {
        let completeness = &self.completeness;
        let verdict = match completeness.verdict {
            CompletenessLevel::Complete => "complete: no source's numbers have a gap",
            CompletenessLevel::Gaps => "GAPS: numbers of sources are missing",
            CompletenessLevel::Unknown => "unknown",
        };
        let mut lines = vec![verdict.to_owned()];
        lines.extend(completeness.reasons.iter().cloned());
        let telling = |source: &&SourceReport| source.missing > 0 || source.repeats > 0 || source.restarts > 0;
        for source in completeness.sources.iter().filter(telling) {
            let gaps: Vec<_> = source.gaps.iter().take(5).map(|gap| format!("{}-{}", gap.first, gap.last)).collect();
            lines.push(format!(
                "source `{}`: {} events, {} missing [{}{}], {} repeated, {} restarts",
                source.id,
                source.events,
                source.missing,
                gaps.join(", "),
                if source.gaps.len() > 5 || source.gaps_capped { ", …" } else { "" },
                source.repeats,
                source.restarts
            ));
        }
        lines
    }

    fn time_text(&self) -> String {
        match (&self.time.first_recorded, &self.time.last_recorded) {
            (Some(first), Some(last)) => format!("asserted by the log's own clock: {first} to {last}"),
            _ => "asserted by the log's own clock".to_owned(),
        }
    }
}

impl Finding {
    /// One line for people.
    #[must_use]
    pub fn to_text(&self) -> String {
        let place = match (self.first_index, self.last_index) {
            (Some(first), Some(last)) if last > first => format!("entries {first} to {last}: "),
            (Some(first), _) => format!("entry {first}: "),
            _ => String::new(),
        };
        let file = self.file.as_deref().map(|file| format!(" (`{file}`)")).unwrap_or_default();
        format!("{place}{}{file}", self.reason)
    }
}
