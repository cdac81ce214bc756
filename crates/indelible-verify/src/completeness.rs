//! Completeness: the numbers of all sources of a log, followed by the code of [`indelible_event::completeness`] and reported.
//!
//! Promises: bounded memory, and says when a bound was met. Never: judges by itself; verdict and reasons are [`judge`]'s.

use std::collections::HashMap;

use indelible_event::completeness::{Facts, GAPS_ALL_MAX, Level, SOURCES_MAX, Sequence, judge};

use crate::bundle::SourceRuns;
use crate::report::{CompletenessLevel, CompletenessReport, Gap, SourceReport};

/// Most bytes of source ids kept.
const SOURCE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most sources, and gaps of each, in the report.
const SOURCES_LISTED_MAX: usize = 100;
const GAPS_LISTED_MAX: usize = 100;

/// What is known of all sources so far.
#[derive(Debug, Default)]
pub(crate) struct Completeness {
    sources: HashMap<Box<[u8]>, Source>,
    source_bytes: usize,
    gaps: usize,
    events: u64,
    events_not_followed: u64,
}

#[derive(Debug, Default)]
struct Source {
    events: u64,
    unnumbered: u64,
    numbers: Sequence,
}

impl Completeness {
    /// Takes what one bundle says about one source. Bundles come in order.
    pub(crate) fn take(&mut self, found: SourceRuns) {
        self.events += found.events;
        if !self.sources.contains_key(&found.id) {
            let full = self.sources.len() >= SOURCES_MAX || self.source_bytes + found.id.len() > SOURCE_BYTES_MAX;
            if full {
                self.events_not_followed += found.events;
                return;
            }
            self.source_bytes += found.id.len();
        }
        let source = self.sources.entry(found.id).or_default();
        source.events += found.events;
        source.unnumbered += found.unnumbered;
        let before = source.numbers.gaps.len();
        for (first, count) in found.runs {
            let room = GAPS_ALL_MAX.saturating_sub(self.gaps + source.numbers.gaps.len().saturating_sub(before));
            source.numbers.take_run(first, count, room);
        }
        self.gaps = (self.gaps + source.numbers.gaps.len()).saturating_sub(before);
    }

    /// What all that was taken comes to, in a log of `size` entries. Entries that were altered, missing or no events were not
    /// taken; then gaps prove nothing, for the missing numbers may have stood there.
    pub(crate) fn into_report(self, size: u64) -> CompletenessReport {
        let mut sources: Vec<SourceReport> =
            self.sources.into_iter().map(|(id, source)| source.into_report(&id)).collect();
        // Those with something to tell first, then by name: the same log gives the same report.
        let weight = |source: &SourceReport| source.missing > 0 || source.repeats > 0 || source.restarts > 0;
        sources.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.id.cmp(&b.id)));
        let (level, reasons) = judge(&Facts {
            missing: sources.iter().map(|source| source.missing).fold(0, u64::saturating_add),
            unnumbered: sources.iter().map(|source| source.unnumbered).sum(),
            restarts: sources.iter().map(|source| source.restarts).sum(),
            not_counted: size.saturating_sub(self.events),
            not_followed: self.events_not_followed,
        });
        let verdict = match level {
            Level::Complete => CompletenessLevel::Complete,
            Level::Gaps => CompletenessLevel::Gaps,
            Level::Unknown => CompletenessLevel::Unknown,
        };
        let sources_total = sources.len() as u64;
        sources.truncate(SOURCES_LISTED_MAX);
        let events_not_followed = self.events_not_followed;
        CompletenessReport { verdict, reasons, sources, sources_total, events_not_followed }
    }
}

impl Source {
    fn into_report(mut self, id: &[u8]) -> SourceReport {
        let numbers = &mut self.numbers;
        let gaps_capped = numbers.gaps_capped || numbers.gaps.len() > GAPS_LISTED_MAX;
        numbers.gaps.truncate(GAPS_LISTED_MAX);
        let id = serde_json::from_slice(id).unwrap_or_else(|_| String::from_utf8_lossy(id).into_owned());
        SourceReport {
            id,
            events: self.events,
            unnumbered: self.unnumbered,
            first_seq: numbers.first_seq,
            last_seq: numbers.last_seq(),
            missing: numbers.missing,
            gaps: numbers.gaps.iter().map(|gap| Gap { first: gap.first, last: gap.last }).collect(),
            gaps_capped,
            repeats: numbers.repeats,
            restarts: numbers.restarts,
        }
    }
}

#[cfg(test)]
mod tests {
    use indelible_event::completeness::GAPS_MAX;

    use super::*;

    fn report(runs: &[(u64, u64)]) -> (CompletenessLevel, SourceReport) {
        let mut completeness = Completeness::default();
        for run in runs {
            let (id, events) = (br#""pg""#.as_slice().into(), run.1);
            completeness.take(SourceRuns { id, events, unnumbered: 0, runs: vec![*run] });
        }
        let mut report = completeness.into_report(0);
        (report.verdict, report.sources.remove(0))
    }

    #[test]
    fn a_log_with_all_numbers_is_complete_in_any_order() {
        for runs in [&[(1, 9)][..], &[(1, 3), (4, 6)], &[(2, 2), (1, 1), (7, 3), (4, 2), (6, 1)]] {
            let (verdict, source) = report(runs);
            assert_eq!(verdict, CompletenessLevel::Complete, "{runs:?}");
            assert_eq!((source.id.as_str(), source.first_seq, source.last_seq), ("pg", Some(1), Some(9)));
            assert_eq!((source.missing, source.repeats, source.gaps), (0, 0, vec![]));
        }
    }

    #[test]
    fn gaps_are_named_and_late_numbers_shrink_them() {
        let (verdict, source) = report(&[(3, 1), (10, 1), (6, 2)]);
        assert_eq!(verdict, CompletenessLevel::Gaps);
        let gaps = [Gap { first: 1, last: 2 }, Gap { first: 4, last: 5 }, Gap { first: 8, last: 9 }];
        assert_eq!((source.gaps.as_slice(), source.missing), (&gaps[..], 6));
    }

    #[test]
    fn numbers_seen_before_are_repeats_and_a_new_one_is_a_restart() {
        let (verdict, source) = report(&[(1, 5), (3, 2), (6, 1)]);
        assert_eq!((verdict, source.repeats, source.restarts), (CompletenessLevel::Complete, 2, 0));
        let (verdict, source) = report(&[(1, 5), (1, 3), (4, 1)]);
        assert_eq!((verdict, source.repeats, source.restarts), (CompletenessLevel::Unknown, 0, 1));
        // A gap from before a restart stays: the same number after it is another event.
        let (verdict, source) = report(&[(1, 2), (4, 1), (1, 4), (3, 1)]);
        assert_eq!((verdict, source.missing, source.repeats), (CompletenessLevel::Gaps, 1, 1));
        assert_eq!(source.gaps, [Gap { first: 3, last: 3 }]);
    }

    #[test]
    fn caps_are_said() {
        let runs: Vec<_> = (0..2 * GAPS_MAX as u64).map(|n| (2 * n + 2, 1)).collect();
        let (_, source) = report(&runs);
        assert_eq!(
            (source.missing, source.gaps.len(), source.gaps_capped),
            (2 * GAPS_MAX as u64, GAPS_LISTED_MAX, true)
        );

        let mut completeness = Completeness::default();
        for n in 0..SOURCES_MAX + 7 {
            let id = format!("\"{n}\"").into_bytes().into();
            completeness.take(SourceRuns { id, events: 2, unnumbered: 0, runs: vec![(1, 2)] });
        }
        let report = completeness.into_report(0);
        assert_eq!((report.sources_total, report.events_not_followed), (SOURCES_MAX as u64, 14));
        assert_eq!((report.verdict, report.sources.len()), (CompletenessLevel::Unknown, SOURCES_LISTED_MAX));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let (verdict, source) = report(&[(u64::MAX, 1), (u64::MAX - 1, 1), (1, 1)]);
        assert_eq!((verdict, source.missing), (CompletenessLevel::Gaps, u64::MAX - 3));
    }
}
