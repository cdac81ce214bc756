//! Completeness: do the numbers that a source gives its own events (`source.seq`) have gaps.
//!
//! A source counts from 1. A number that comes late fills its gap; a 1 that fills none is a restart of the source, after which
//! nobody can say what the last number before it should have been. Promises: bounded memory, and says when a bound was met; the
//! same numbers in the same order give the same answer, for who verifies a log and for who watches it. Never: calls a log
//! complete because nothing speaks against it; where numbers are missing altogether it is unknown.

/// The operation of an event that only says that its source lives.
pub const HEARTBEAT: &str = "source.heartbeat";

/// Most sources followed at once; a follower counts the events of further ones.
pub const SOURCES_MAX: usize = 10_000;
/// Most gaps kept for one source.
pub const GAPS_MAX: usize = 1_000;
/// Most gaps kept for all sources together.
pub const GAPS_ALL_MAX: usize = 100_000;

/// Consecutive numbers that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First missing number.
    pub first: u64,
    /// Last missing number.
    pub last: u64,
}

impl Gap {
    /// How many numbers it spans; at most `u64::MAX`.
    #[must_use]
    pub fn count(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// What is known of one source's numbers. The fields are open so that a follower can keep them over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Lowest number seen.
    pub first_seq: Option<u64>,
    /// The number after the highest since the last restart; 0 while there is none.
    pub next: u64,
    /// Numbers missing, capped at [`GAPS_MAX`].
    pub gaps: Vec<Gap>,
    /// Gaps before this place in `gaps` belong to the time before the last restart and can no longer be filled.
    pub open_from: usize,
    /// Whether there were gaps that are not in `gaps`.
    pub gaps_capped: bool,
    /// Numbers missing in all.
    pub missing: u64,
    /// Events whose number was seen before.
    pub repeats: u64,
    /// How often the numbers began again at 1.
    pub restarts: u64,
}

/// What taking numbers showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Numbers before them that have not come (yet).
    pub gap: Option<Gap>,
    /// Whether the source began again.
    pub restarted: bool,
    /// How many of them filled gaps.
    pub filled: u64,
    /// How many of them were seen before.
    pub repeated: u64,
}

impl Sequence {
    /// Last number seen: the highest since the last restart.
    #[must_use]
    pub fn last_seq(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    /// Takes the numbers `first..first + count`; `room`: how many more gaps may be kept.
    pub fn take_run(&mut self, first: u64, count: u64, room: usize) -> Taken {
        let end = first.saturating_add(count);
        self.first_seq = Some(self.first_seq.map_or(first, |seen| seen.min(first)));
        let next = self.next.max(1);
        if first >= next {
            let gap = (first > next).then(|| Gap { first: next, last: first - 1 });
            if let Some(gap) = gap {
                self.add_gap(gap, room);
            }
            self.next = end;
            return Taken { gap, ..Taken::default() };
        }
        let first_is_missing = self.gaps.iter().skip(self.open_from).any(|gap| gap.first == 1);
        if first == 1 && !first_is_missing {
            self.restarts = self.restarts.saturating_add(1);
            self.open_from = self.gaps.len();
            self.next = end;
            return Taken { restarted: true, ..Taken::default() };
        }
        let late = Gap { first, last: end.min(next).saturating_sub(1) };
        let filled = self.fill(late);
        let repeated = late.count().saturating_sub(filled);
        self.repeats = self.repeats.saturating_add(repeated);
        self.next = end.max(next);
        Taken { filled, repeated, ..Taken::default() }
    }

    /// What of `range` is still missing since the last restart, lowest first.
    pub fn missing_in(&self, range: Gap) -> impl Iterator<Item = Gap> {
        let cut = move |gap: &Gap| Gap { first: gap.first.max(range.first), last: gap.last.min(range.last) };
        self.gaps.iter().skip(self.open_from).map(cut).filter(|gap| gap.first <= gap.last)
    }

    fn add_gap(&mut self, gap: Gap, room: usize) {
        self.missing = self.missing.saturating_add(gap.count());
        if self.gaps.len() < GAPS_MAX && room > 0 {
            self.gaps.push(gap);
        } else {
            self.gaps_capped = true;
        }
    }

    /// Takes late numbers out of the gaps; how many of them were missing.
    fn fill(&mut self, late: Gap) -> u64 {
        let mut filled: u64 = 0;
        let open_from = self.open_from.min(self.gaps.len());
        for gap in self.gaps.split_off(open_from) {
            let (from, to) = (gap.first.max(late.first), gap.last.min(late.last));
            if from > to {
                self.gaps.push(gap);
                continue;
            }
            filled = filled.saturating_add(to - from + 1);
            if gap.first < from {
                self.gaps.push(Gap { first: gap.first, last: from - 1 });
            }
            if to < gap.last {
                self.gaps.push(Gap { first: to + 1, last: gap.last });
            }
        }
        // Filling the middle of a gap makes two of one.
        self.gaps_capped |= self.gaps.len() > GAPS_MAX;
        self.gaps.truncate(GAPS_MAX);
        self.missing = self.missing.saturating_sub(filled);
        filled
    }
}

/// How complete: is nothing missing, as far as sources number their events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Every source numbers its events from 1 and none is missing.
    Complete,
    /// Numbers are missing.
    Gaps,
    /// It cannot be told.
    Unknown,
}

/// What a verdict rests on: sums over one source or over all of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Numbers missing.
    pub missing: u64,
    /// Events without a number.
    pub unnumbered: u64,
    /// How often numbers began again.
    pub restarts: u64,
    /// Entries that could not be counted because they are altered, missing or no events. Then gaps prove nothing, for the
    /// missing numbers may have stood there.
    pub not_counted: u64,
    /// Events of sources beyond those that are followed.
    pub not_followed: u64,
}

/// The verdict on these facts, and in words why it is not [`Level::Complete`].
#[must_use]
pub fn judge(facts: &Facts) -> (Level, Vec<String>) {
    let mut reasons = Vec::new();
    let mut reason = |count: u64, text: &str| {
        if count > 0 {
            reasons.push(format!("{count} {text}"));
        }
        count > 0
    };
    let gaps = reason(facts.missing, "event(s) are missing by the numbers of their sources");
    let lost = reason(
        facts.not_counted,
        "entry(ies) could not be counted (see INTEGRITY), and the missing numbers may have stood there",
    );
    let unknown = [
        lost,
        reason(
            facts.unnumbered,
            "event(s) carry no number of their source, so nobody can tell whether others are missing",
        ),
        reason(facts.restarts, "restart(s) of a source's numbers: events lost just before them would not show"),
        reason(facts.not_followed, "event(s) come from more sources than are followed"),
    ];
    let level = match (gaps, unknown.contains(&true)) {
        (true, _) if !lost => Level::Gaps,
        (_, true) => Level::Unknown,
        (_, false) => Level::Complete,
    };
    (level, reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_told_and_what_is_still_missing_can_be_asked() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.take_run(1, 3, 9), Taken::default());
        let gap = Gap { first: 4, last: 9 };
        assert_eq!(sequence.take_run(10, 1, 9), Taken { gap: Some(gap), ..Taken::default() });
        assert_eq!(sequence.take_run(5, 2, 9), Taken { filled: 2, ..Taken::default() });
        assert_eq!(sequence.take_run(5, 1, 9), Taken { repeated: 1, ..Taken::default() });
        let missing: Vec<_> = sequence.missing_in(gap).collect();
        assert_eq!(missing, [Gap { first: 4, last: 4 }, Gap { first: 7, last: 9 }]);
        assert_eq!(sequence.take_run(1, 1, 9), Taken { restarted: true, ..Taken::default() });
        // what was lost before a restart is missing for good, but no number after it can be meant
        assert_eq!((sequence.missing, sequence.missing_in(gap).count()), (4, 0));
    }

    #[test]
    fn a_state_read_from_a_damaged_file_does_no_harm() {
        let mut sequence = Sequence { next: 9, open_from: 70, ..Sequence::default() };
        assert_eq!(sequence.take_run(3, u64::MAX, 9), Taken { repeated: 6, ..Taken::default() });
    }
}
