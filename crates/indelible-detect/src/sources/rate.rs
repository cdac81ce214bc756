//! How many events a source sends in an hour: learned for each hour of the day, working days and weekends apart (UTC).

use serde::{Deserialize, Serialize};

pub(super) const HOUR_NS: i64 = 3_600_000_000_000;
/// Hours that are learned: 24 of a working day, 24 of a weekend's.
const SLOTS: usize = 48;
/// So often an hour must have been seen before it tells anything.
const WARM: u8 = 5;
/// Usual counts below this tell nothing.
const USUAL_MIN: u64 = 60;
/// Collapsed is what is below one part in so many of what is usual.
const COLLAPSE: u64 = 10;
/// Most empty hours taken one by one; beyond them the source has long been gone.
const EMPTY_MAX: i64 = 72;

/// The learned rate of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rate {
    /// The hour being counted, from 1970-01-01T00:00Z.
    hour: Option<i64>,
    count: u64,
    /// For each slot: thousandths of events an hour, and how often it was seen.
    slots: Vec<(u64, u8)>,
    collapsed: bool,
}

/// An hour with far fewer events than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Collapse {
    /// The hour, from 1970-01-01T00:00Z.
    pub(super) hour: i64,
    pub(super) count: u64,
    pub(super) usual: u64,
}

impl Rate {
    /// Counts one event of this time; hours before it were closed by [`Rate::advance`].
    pub(super) fn count(&mut self, now_ns: i64) {
        self.hour.get_or_insert(now_ns.div_euclid(HOUR_NS));
        self.count = self.count.saturating_add(1);
    }

    /// When the hour being counted ends.
    pub(super) fn due_ns(&self) -> i64 {
        self.hour.map_or(i64::MAX, |hour| hour.saturating_add(1).saturating_mul(HOUR_NS))
    }

    /// Closes the hours that are over. An hour in which the server started tells nothing and is not learned.
    pub(super) fn advance(&mut self, now_ns: i64, started_ns: i64) -> Option<Collapse> {
        let mut hour = self.hour?;
        let now_hour = now_ns.div_euclid(HOUR_NS);
        let last = now_hour.min(hour.saturating_add(EMPTY_MAX));
        let mut told = None;
        while hour < last {
            let count = std::mem::take(&mut self.count);
            if hour.saturating_mul(HOUR_NS) > started_ns {
                told = self.close(hour, count).or(told);
            }
            hour += 1;
        }
        self.hour = Some(now_hour.max(hour));
        told
    }

    fn close(&mut self, hour: i64, count: u64) -> Option<Collapse> {
        self.slots.resize(SLOTS, (0, 0));
        let (learned, seen) = self.slots.get_mut(slot(hour))?;
        let usual = *learned / 1_000;
        let collapsed = *seen >= WARM && usual >= USUAL_MIN && count < usual / COLLAPSE;
        let told = (collapsed && !self.collapsed).then_some(Collapse { hour, count, usual });
        let thousandths = count.saturating_mul(1_000);
        *learned = if *seen == 0 { thousandths } else { *learned - *learned / 8 + thousandths / 8 };
        *seen = seen.saturating_add(1);
        if *seen > WARM || count > 0 {
            self.collapsed = collapsed;
        }
        told
    }
}

/// The slot of an hour: its hour of the day, and whether that is a weekend's (1970-01-01 was a Thursday).
fn slot(hour: i64) -> usize {
    let weekday = (hour.div_euclid(24) + 3).rem_euclid(7);
    let slot = hour.rem_euclid(24) + if weekday >= 5 { 24 } else { 0 };
    usize::try_from(slot).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_far_below_what_is_usual_at_that_hour_is_told_once() {
        let mut rate = Rate::default();
        let mut told = Vec::new();
        // 600 events an hour from 8 to 18 on working days, nothing else; on the third Monday nothing from 10 on
        for hour in 96..96 + 24 * 19 {
            told.extend(rate.advance(hour * HOUR_NS, 0));
            let works = (8..18).contains(&(hour % 24)) && slot(hour) < 24;
            let broken = hour >= 96 + 24 * 14 + 10;
            for _ in 0..if works && !broken { 600 } else { 0 } {
                rate.count(hour * HOUR_NS + 1);
            }
        }
        assert_eq!(told.len(), 5, "one for each working day: {told:?}");
        assert_eq!(told[0], Collapse { hour: 96 + 24 * 14 + 10, count: 0, usual: 600 });
    }
}
