//! What is usual for one actor, role or resource, in about 250 bytes: how busy it is at each hour of the week, how much a day
//! brings, what it uses, and how often something new comes.
//!
//! Promises: fixed size, nothing allocated. What one day teaches is limited, so that who wants to be taken for usual needs weeks.

use super::hash::Key;

/// Hours in a row of the week, half a byte each.
const ROW_BYTES: usize = 12;
/// Days of the week.
pub(super) const ROWS: usize = 7;
/// What is new is counted in parts of so many.
const NEWS_UNIT: f32 = 64.0;
/// Means are kept in parts of so many.
const MEAN_UNIT: f32 = 1_024.0;
/// An hour of a warm profile is learned as at most so many times two above what it was.
const LEVEL_STEP_MAX: u8 = 2;
/// The spread that is taken for the first.
const SPREAD_AT_FIRST: f32 = 0.6;
/// A mean learns at most so many spreads (but at least a doubling) a day.
const SPREADS_MAX: f32 = 3.0;
/// Days after which what is older weighs less and less.
const MEMORY_DAYS: f32 = 60.0;

/// In which respect something can be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Dimension {
    Resource,
    Network,
    Model,
    Tool,
    Peer,
}

impl Dimension {
    pub(super) const ALL: [Self; 5] = [Self::Resource, Self::Network, Self::Model, Self::Tool, Self::Peer];

    pub(super) const fn at(self) -> usize {
        self as usize
    }

    /// Its places among the fingerprints.
    const fn places(self) -> std::ops::Range<usize> {
        match self {
            Self::Resource => 0..12,
            Self::Network => 12..16,
            Self::Model => 16..20,
            Self::Tool => 20..28,
            Self::Peer => 28..32,
        }
    }
}

/// How much there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Volume {
    Rows,
    Kibibytes,
    Tokens,
}

impl Volume {
    pub(super) const ALL: [Self; 3] = [Self::Rows, Self::Kibibytes, Self::Tokens];
}

/// Mean and spread of the base-2 logarithm of a count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) mean: u16,
    pub(super) spread: u16,
}

impl Stat {
    pub(super) fn mean(self) -> f32 {
        f32::from(self.mean) / MEAN_UNIT
    }

    pub(super) fn spread(self) -> f32 {
        f32::from(self.spread) / MEAN_UNIT
    }

    /// Learns a count with this weight; `draw` decides how what is too small to keep is rounded.
    fn learn(&mut self, count: u32, weight: f32, limited: bool, draw: Key) {
        let mut value = log2(count);
        if limited {
            value = value.min(self.mean() + (SPREADS_MAX * self.spread()).max(1.0));
        }
        if weight >= 1.0 {
            // The first of them says nothing about the spread.
            *self = Self { mean: rounded(value * MEAN_UNIT, draw), spread: rounded(SPREAD_AT_FIRST * MEAN_UNIT, draw) };
            return;
        }
        let off = value - self.mean();
        self.mean = rounded((self.mean() + weight * off) * MEAN_UNIT, draw);
        // The mean distance, times what makes a spread of it for a bell curve.
        let spread = self.spread() + weight * (1.25 * off.abs() - self.spread());
        self.spread = rounded(spread * MEAN_UNIT, draw.number(1));
    }
}

/// What is usual for one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) key: u64,
    /// Hour of its first event, since 1970.
    pub(super) first_hour: u32,
    /// Hour of its last event.
    pub(super) hour: u32,
    pub(super) events: u32,
    pub(super) hour_events: u32,
    pub(super) day_events: u32,
    /// Sums of the day so far, see [`Volume`].
    pub(super) sums: [u32; 3],
    /// Days with events that were learned.
    pub(super) days: u16,
    pub(super) hourly: Stat,
    pub(super) daily: Stat,
    pub(super) volumes: [Stat; 3],
    /// What was new today, see [`Dimension`].
    pub(super) news: [u16; 5],
    /// How much is new on a usual day.
    pub(super) usual_news: [u16; 5],
    /// How much of its resources was new on one of the last days.
    pub(super) late_news: u16,
    pub(super) prints: [u16; 32],
    /// Which sets have lost members, bit by bit: the filter knows more.
    pub(super) wide: u8,
    pub(super) today: [u8; ROW_BYTES],
    pub(super) week: [u8; ROW_BYTES * ROWS],
}

impl Profile {
    pub(super) const fn new(key: u64, hour: u32) -> Self {
        Self {
            key,
            first_hour: hour,
            hour,
            events: 0,
            hour_events: 0,
            day_events: 0,
            sums: [0; 3],
            days: 0,
            hourly: Stat { mean: 0, spread: 0 },
            daily: Stat { mean: 0, spread: 0 },
            volumes: [Stat { mean: 0, spread: 0 }; 3],
            news: [0; 5],
            usual_news: [0; 5],
            late_news: 0,
            prints: [0; 32],
            wide: 0,
            today: [0; ROW_BYTES],
            week: [0; ROW_BYTES * ROWS],
        }
    }

    /// Goes on to this hour: what came to an end is learned. `limited` when the profile is warm.
    pub(super) fn advance(&mut self, hour: u32, limited: bool) {
        if hour <= self.hour {
            return;
        }
        let draw = Key(self.key).number(u64::from(self.hour));
        if self.hour_events > 0 {
            let weight = 1.0 / (f32::from(self.days.min(60)) * 4.0 + 1.0);
            let (hour_events, at) = (self.hour_events, self.hour);
            self.hourly.learn(hour_events, weight, limited, draw);
            set_nibble(&mut self.today, at % 24, level(hour_events));
        }
        if day_of(hour) != day_of(self.hour) {
            self.learn_day(limited, draw);
        }
        self.hour_events = 0;
        self.hour = hour;
    }

    fn learn_day(&mut self, limited: bool, draw: Key) {
        let weight = 1.0 / (f32::from(self.days) + 1.0).min(MEMORY_DAYS);
        self.daily.learn(self.day_events, weight, limited, draw.number(1));
        for ((stat, sum), n) in self.volumes.iter_mut().zip(self.sums).zip(2..) {
            stat.learn(sum, weight, limited, draw.number(n));
        }
        let late = f32::from(self.late_news);
        let resources = self.news(Dimension::Resource) * MEAN_UNIT;
        self.late_news = rounded(late + (resources - late) / 5.0, draw.number(8));
        for dimension in Dimension::ALL {
            let usual = self.usual_news(dimension);
            let mut news = self.news(dimension);
            if limited {
                news = news.min(usual * 3.0 + 2.0);
            }
            let learned = rounded((usual + weight * (news - usual)) * MEAN_UNIT, draw.number(16 + dimension as u64));
            self.usual_news[dimension.at()] = learned;
        }
        let row = row_of(self.hour) * ROW_BYTES;
        for hour in 0..24 {
            let (learned, seen) = (nibble(&self.week[row..row + ROW_BYTES], hour), nibble(&self.today, hour));
            let seen = if limited { seen.min(learned.saturating_add(LEVEL_STEP_MAX)) } else { seen };
            let next = if seen > learned {
                learned + (seen - learned).div_ceil(2)
            } else if seen < learned && draw.number(32 + u64::from(hour)).one_in(4) {
                learned - 1
            } else {
                learned
            };
            set_nibble(&mut self.week[row..row + ROW_BYTES], hour, next);
        }
        self.days = self.days.saturating_add(1);
        self.day_events = 0;
        self.sums = [0; 3];
        self.news = [0; 5];
        self.today = [0; ROW_BYTES];
    }

    /// Whether it holds this; what it uses most recently stays longest.
    pub(super) fn holds(&mut self, dimension: Dimension, print: u16) -> bool {
        let set = &mut self.prints[dimension.places()];
        let Some(at) = set.iter().position(|&held| held == print) else { return false };
        if at > 0 {
            set[..=at].rotate_right(1);
        }
        true
    }

    /// Takes this in, as the newest; the one not used for longest is returned when it had to leave.
    pub(super) fn take(&mut self, dimension: Dimension, print: u16) -> Option<u16> {
        let set = &mut self.prints[dimension.places()];
        set.rotate_right(1);
        let left = std::mem::replace(set.first_mut()?, print);
        if left == 0 {
            return None;
        }
        self.wide |= 1 << dimension as u8;
        Some(left)
    }

    /// Whether its set of these has lost members.
    pub(super) fn is_wide(&self, dimension: Dimension) -> bool {
        self.wide & (1 << dimension as u8) != 0
    }

    /// How many of these it holds.
    pub(super) fn held(&self, dimension: Dimension) -> usize {
        self.prints[dimension.places()].iter().filter(|&&print| print != 0).count()
    }

    /// Counts something new, weighted.
    pub(super) fn add_news(&mut self, dimension: Dimension, weight: f32) {
        let news = &mut self.news[dimension.at()];
        *news = rounded(f32::from(*news) + weight * NEWS_UNIT, Key(0));
    }

    /// How much was new today.
    pub(super) fn news(&self, dimension: Dimension) -> f32 {
        f32::from(self.news[dimension.at()]) / NEWS_UNIT
    }

    /// How much is new on a usual day.
    pub(super) fn usual_news(&self, dimension: Dimension) -> f32 {
        f32::from(self.usual_news[dimension.at()]) / MEAN_UNIT
    }

    /// How much of its resources was new on one of the last days.
    pub(super) fn late_news(&self) -> f32 {
        f32::from(self.late_news) / MEAN_UNIT
    }

    /// How busy it usually is at this hour of the week or one beside it (base-2 logarithm of events, plus one), 0 when never.
    pub(super) fn level_near(&self, hour: u32) -> u8 {
        let row = self.row(row_of(hour));
        near(hour).into_iter().map(|hour| nibble(row, hour)).max().unwrap_or(0)
    }

    /// On how many days of the week it is active at about this hour.
    pub(super) fn rows_near(&self, hour: u32) -> usize {
        let active = |row: &[u8]| near(hour).into_iter().any(|hour| nibble(row, hour) > 0);
        self.week.chunks(ROW_BYTES).filter(|row| active(row)).count()
    }

    /// On which days of the week it is active, Monday first.
    pub(super) fn active_rows(&self) -> [bool; ROWS] {
        let mut rows = [false; ROWS];
        for (active, row) in rows.iter_mut().zip(self.week.chunks(ROW_BYTES)) {
            *active = row.iter().any(|&byte| byte != 0);
        }
        rows
    }

    /// At which hours of the day it is active on some day of the week.
    pub(super) fn active_hours(&self) -> [bool; 24] {
        let mut hours = [false; 24];
        for (active, hour) in hours.iter_mut().zip(0..) {
            *active = self.week.chunks(ROW_BYTES).any(|row| nibble(row, hour) > 0);
        }
        hours
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.week[row * ROW_BYTES..(row + 1) * ROW_BYTES]
    }
}

/// The day of an hour, both since 1970.
pub(super) const fn day_of(hour: u32) -> u32 {
    hour / 24
}

/// The day of the week of an hour, Monday 0. 1970 began on a Thursday.
pub(super) const fn row_of(hour: u32) -> usize {
    ((day_of(hour) + 3) % 7) as usize
}

/// This hour of the day and those beside it.
fn near(hour: u32) -> [u32; 3] {
    [(hour + 23) % 24, hour % 24, (hour + 1) % 24]
}

fn nibble(row: &[u8], hour: u32) -> u8 {
    let byte = row.get((hour / 2) as usize).copied().unwrap_or(0);
    if hour.is_multiple_of(2) { byte & 15 } else { byte >> 4 }
}

fn set_nibble(row: &mut [u8], hour: u32, value: u8) {
    if let Some(byte) = row.get_mut((hour / 2) as usize) {
        *byte =
            if hour.is_multiple_of(2) { (*byte & 0xf0) | value.min(15) } else { (*byte & 15) | (value.min(15) << 4) };
    }
}

/// 0 for none, 1 for one, 2 for 2 and 3, 3 for 4 to 7, … 15 for 16,384 and more.
fn level(count: u32) -> u8 {
    u8::try_from((32 - count.leading_zeros()).min(15)).unwrap_or(15)
}

/// Base-2 logarithm, 0 for none.
pub(super) fn log2(count: u32) -> f32 {
    (count.max(1) as f32).log2()
}

/// To the next whole number, up or down as often as brings the mean out right.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range first")]
fn rounded(value: f32, draw: Key) -> u16 {
    (value + draw.part()).clamp(0.0, 65_535.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_learned_hour_by_hour() {
        let mut profile = Profile::new(7, 24 * 4); // 1970-01-05, a Monday
        for week in 0..6 {
            for hour in 9..17 {
                profile.advance(24 * 4 + week * 168 + hour, false);
                profile.hour_events += 20;
                profile.day_events += 20;
            }
        }
        profile.advance(24 * 4 + 6 * 168 + 12, false);
        assert_eq!(profile.days, 6);
        assert_eq!(profile.active_rows(), [true, false, false, false, false, false, false]);
        assert_eq!(profile.active_hours().iter().filter(|active| **active).count(), 8);
        assert!(profile.level_near(12) == 0, "1970-01-01 was a Thursday");
        assert_eq!(profile.level_near(24 * 4 + 12), 5);
        assert!((profile.hourly.mean() - 20f32.log2()).abs() < 0.1);
        assert!((profile.daily.mean() - 160f32.log2()).abs() < 0.1);
        assert!(profile.daily.spread() < 0.2);
    }

    #[test]
    fn a_day_can_teach_a_warm_profile_only_so_much() {
        let mut profile = Profile::new(7, 0);
        for day in 0..30 {
            profile.advance(day * 24, day > 14);
            profile.hour_events = 10;
            profile.day_events = 10;
        }
        profile.advance(30 * 24, true);
        profile.hour_events = 1_000_000;
        profile.day_events = 1_000_000;
        profile.advance(31 * 24, true);
        assert!(profile.daily.mean() < 10f32.log2() + 0.2);
    }

    #[test]
    fn a_set_keeps_what_is_used() {
        let mut profile = Profile::new(7, 0);
        for print in 1..=4 {
            profile.take(Dimension::Network, print);
        }
        assert!(!profile.is_wide(Dimension::Network));
        assert!(profile.holds(Dimension::Network, 1));
        profile.take(Dimension::Network, 5);
        assert!(profile.is_wide(Dimension::Network));
        assert!(profile.holds(Dimension::Network, 1) && !profile.holds(Dimension::Network, 2));
        assert_eq!(profile.held(Dimension::Network), 4);
    }
}
