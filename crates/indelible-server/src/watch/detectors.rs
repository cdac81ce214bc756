//! The detectors of one log, each with the entry it is to see next: after a start they may have come to different places.
//!
//! Promises: each sees every entry from its place on, in order, once. Never: tells findings of entries that were there before
//! watching began.

use std::sync::Arc;

use indelible_detect::baseline::{BaselineSettings, Baselines};
use indelible_detect::book::ChangeKind;
use indelible_detect::finding::Finding;
use indelible_detect::rules::{RuleSet, Rules};
use indelible_detect::seen::Seen;
use indelible_detect::sources::{SourceReport, SourceSettings, Sources};
use indelible_event::OWN_SOURCE_KIND;
use indelible_event::doors::EntryIndex;

use super::state::StateFolder;

const BASELINES: &str = "baselines";
const RULES: &str = "rules";
const SOURCES: &str = "sources";

/// What the detectors of a log are made with.
pub(super) struct Made {
    pub(super) rules: Arc<RuleSet>,
    pub(super) sources: SourceSettings,
    /// `None` when nothing is to be learned.
    pub(super) baselines: Option<BaselineSettings>,
}

/// How much of what was counted is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// What is small.
    Often,
    /// All of it: what is learned may be hundreds of MiB.
    All,
}

/// The detectors of one log.
#[derive(Debug)]
pub(super) struct Detectors {
    rules: Rules,
    rules_next: EntryIndex,
    sources: Sources,
    sources_next: EntryIndex,
    baselines: Option<Baselines>,
    baselines_next: EntryIndex,
    /// Findings of entries before this are history.
    told_from: u64,
}

impl Detectors {
    /// Detectors with what they had counted. Without that, rules begin where findings are told, the others at the beginning.
    pub(super) fn restore(log: &str, made: Made, states: &StateFolder, (told_from, size): (u64, u64)) -> Self {
        let mut detectors = Self {
            rules: Rules::new(log, made.rules),
            rules_next: EntryIndex(told_from),
            sources: Sources::new(log, made.sources),
            sources_next: EntryIndex(0),
            baselines: made.baselines.map(|settings| Baselines::new(log, settings)),
            baselines_next: EntryIndex(0),
            told_from,
        };
        // a place beyond the end is that of another log
        let usable = |name: &str| states.read(name).filter(|(next, _)| next.0 <= size);
        if let Some((next, state)) = usable(RULES) {
            match detectors.rules.restore(&state) {
                Ok(()) => detectors.rules_next = next,
                Err(error) => tracing::warn!(log, %error, "rules count again"),
            }
        }
        if let Some((next, state)) = usable(SOURCES) {
            match detectors.sources.restore(&state) {
                Ok(()) => detectors.sources_next = next,
                Err(error) => tracing::warn!(log, %error, "sources are followed from the beginning again"),
            }
        }
        if let Some(baselines) = &mut detectors.baselines
            && let Some((next, state)) = usable(BASELINES)
        {
            match baselines.restore(&state) {
                Ok(()) => detectors.baselines_next = next,
                Err(error) => tracing::warn!(log, %error, "what is usual is learned anew from the log"),
            }
        }
        detectors
    }

    /// The first entry that some detector has not seen.
    pub(super) fn next(&self) -> EntryIndex {
        let next = self.rules_next.min(self.sources_next);
        if self.baselines.is_some() { next.min(self.baselines_next) } else { next }
    }

    /// Takes rules that have changed.
    pub(super) fn use_rules(&mut self, set: &Arc<RuleSet>) {
        if !Arc::ptr_eq(self.rules.set(), set) {
            self.rules.replace(Arc::clone(set));
        }
    }

    /// Shows an entry to those that have not seen it.
    pub(super) fn see(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let before = findings.len();
        let after = EntryIndex(seen.index.0.saturating_add(1));
        if seen.index >= self.sources_next {
            self.sources.see(seen, findings);
            self.sources_next = after;
        }
        let is_of_an_alert = is_of_an_alert(seen);
        if seen.index >= self.rules_next {
            if !is_of_an_alert {
                self.rules.see(seen, findings);
            }
            self.rules_next = after;
        }
        if let Some(baselines) = &mut self.baselines
            && seen.index >= self.baselines_next
        {
            if !is_of_an_alert {
                baselines.see(seen, findings);
            }
            self.baselines_next = after;
        }
        if seen.index.0 < self.told_from {
            findings.truncate(before);
        }
    }

    /// Nobody can read this entry as an event: it is passed over.
    pub(super) fn skip(&mut self, index: EntryIndex) {
        let after = EntryIndex(index.0.saturating_add(1));
        self.sources_next = self.sources_next.max(after);
        self.rules_next = self.rules_next.max(after);
        self.baselines_next = self.baselines_next.max(after);
    }

    /// What time alone shows.
    pub(super) fn tick(&mut self, now_unix_ns: i64, findings: &mut Vec<Finding>) {
        self.sources.tick(now_unix_ns, findings);
        self.rules.tick(now_unix_ns, findings);
        if let Some(baselines) = &mut self.baselines {
            baselines.tick(now_unix_ns, findings);
        }
    }

    /// What is known of sources.
    pub(super) fn sources(&self, now_unix_ns: i64) -> Vec<SourceReport> {
        self.sources.report(now_unix_ns)
    }

    /// Keeps what was counted. The findings so far must be durable.
    pub(super) fn save(&self, states: &StateFolder, keep: Keep) -> std::io::Result<()> {
        states.write(RULES, self.rules_next, &self.rules.save())?;
        states.write(SOURCES, self.sources_next, &self.sources.save())?;
        match &self.baselines {
            Some(baselines) if keep == Keep::All => states.write(BASELINES, self.baselines_next, &baselines.save()),
            _ => Ok(()),
        }
    }
}

/// Whether this entry says what became of an alert by itself: an alert about that would not end.
fn is_of_an_alert(seen: &Seen<'_>) -> bool {
    seen.view.source.kind.as_deref() == Some(OWN_SOURCE_KIND)
        && seen.view.operation.as_deref().is_some_and(ChangeKind::is_operation)
}
