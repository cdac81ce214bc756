//! How far a source's clock is from ours: the middle of its last delays (recorded minus stated time).
//!
//! A clock that is ahead gives negative delays. One that is behind cannot be told from delivery that takes long, unless the
//! delay is always about the same: then it is taken for the clock.

use serde::{Deserialize, Serialize};

/// Delays kept.
pub(super) const DELAYS_MAX: usize = 32;

/// The last delays of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClockEstimate {
    pub(super) delays_ns: Vec<i64>,
    /// Where the next one is put once all places are taken.
    pub(super) at: usize,
    /// Whether the clock was told to be off.
    pub(super) off: bool,
}

impl ClockEstimate {
    /// Takes one delay. The skew (source minus recorded time, in nanoseconds) when the clock has just turned out to be off.
    pub(super) fn take(&mut self, delay_ns: i64, limit_ns: i64) -> Option<i64> {
        if self.delays_ns.len() < DELAYS_MAX {
            self.delays_ns.push(delay_ns);
        } else if let Some(place) = self.delays_ns.get_mut(self.at % DELAYS_MAX) {
            *place = delay_ns;
        }
        self.at = (self.at + 1) % DELAYS_MAX;
        // a look at every eighth delay is often enough
        if self.delays_ns.len() < DELAYS_MAX || !self.at.is_multiple_of(8) {
            return None;
        }
        let (middle, spread) = self.middle_and_spread()?;
        let is_off = middle < -limit_ns || (middle > limit_ns && spread < limit_ns / 2);
        let news = is_off && !self.off;
        if is_off || middle.abs() < limit_ns / 2 {
            self.off = is_off;
        }
        news.then_some(-middle)
    }

    /// Source time minus recorded time, in nanoseconds, with the way of delivery in it.
    pub(super) fn skew_ns(&self) -> Option<i64> {
        self.middle_and_spread().map(|(middle, _)| middle.saturating_neg())
    }

    /// The median, and how far the quartiles are apart.
    fn middle_and_spread(&self) -> Option<(i64, i64)> {
        let mut sorted = self.delays_ns.clone();
        sorted.sort_unstable();
        let at = |part: usize| sorted.get(sorted.len() * part / 4).copied();
        Some((at(2)?, at(3)?.saturating_sub(at(1)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_once_and_slow_delivery_is_not_taken_for_it() {
        let mut ahead = ClockEstimate::default();
        let told: Vec<_> = (0..100).filter_map(|n| ahead.take(-300 + n % 3, 60)).collect();
        assert_eq!(told, [299]);
        let mut batches = ClockEstimate::default();
        assert_eq!((0..100).filter_map(|n| batches.take(n % 25 * 20, 60)).count(), 0);
        let mut behind = ClockEstimate::default();
        assert_eq!((0..100).filter_map(|n| behind.take(300 + n % 2, 60)).count(), 1);
    }
}
