//! Time buckets of equal length, in UTC. Never: months, which are not of equal length.

use crate::error::FindError;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;
/// 1970-01-05 was a Monday.
const MONDAY: i64 = 4 * DAY;

/// The length of a time bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    length: i64,
    begins: i64,
}

impl Interval {
    /// Reads a number and a unit: `s`, `m`, `h`, `d` or `w`.
    ///
    /// # Errors
    /// [`FindError::Interval`].
    pub fn parse(text: &str) -> Result<Self, FindError> {
        let units = [('s', SECOND), ('m', 60 * SECOND), ('h', 3_600 * SECOND), ('d', DAY), ('w', 7 * DAY)];
        let read = || {
            let (unit, length) = units.iter().find(|(unit, _)| text.ends_with(*unit))?;
            let count: i64 = text.strip_suffix(*unit)?.parse().ok()?;
            let length = length.checked_mul(count).filter(|length| *length > 0)?;
            Some(Self { length, begins: if *unit == 'w' { MONDAY } else { 0 } })
        };
        read().ok_or_else(|| FindError::Interval { interval: text.chars().take(32).collect() })
    }

    /// When the bucket of `time` begins.
    #[must_use]
    pub fn bucket(self, time: i64) -> i64 {
        time.saturating_sub(time.saturating_sub(self.begins).rem_euclid(self.length))
    }

    /// Its length in nanoseconds.
    #[must_use]
    pub fn nanoseconds(self) -> i64 {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_begin_where_people_expect() {
        let bucket = |interval: &str, time: &str| {
            let time = crate::query::parse_time(time).unwrap().least.unwrap();
            let begins = Interval::parse(interval).unwrap().bucket(time);
            jiff::Timestamp::from_nanosecond(i128::from(begins)).unwrap().to_string()
        };
        assert_eq!(bucket("1d", "2026-11-23T10:15"), "2026-11-23T00:00:00Z");
        assert_eq!(bucket("15m", "2026-11-23T10:29:59.9"), "2026-11-23T10:15:00Z");
        assert_eq!(bucket("1w", "2026-11-29"), "2026-11-23T00:00:00Z");
        assert_eq!(bucket("1h", "1969-12-31T23:59:59"), "1969-12-31T23:00:00Z");
        for bad in ["", "1", "m", "0m", "-1h", "1M", "99999999999999w", "1.5h"] {
            assert!(Interval::parse(bad).is_err(), "{bad}");
        }
    }
}
