//! Times: the server's own (`RecordedTime`, UTC) and a source's (`EventTime`, offset and zone kept as given).

mod event;

use std::fmt;

pub use event::{EventTime, TimeError};
pub(crate) use event::{checked_unix_ns, stored_unix_ns};

/// When this server recorded an event: nanoseconds since 1970-01-01T00:00:00Z. Never decreases within a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordedTime(pub i64);

/// Bytes in the written form of a [`RecordedTime`]: `2026-11-23T10:15:30.123456789Z`, always this long.
pub const RECORDED_BYTES: usize = 30;

impl RecordedTime {
    /// The instant so many seconds after 1970-01-01T00:00:00Z; the last there is beyond that.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// The second it lies in, for people: `2026-11-23T10:15:30Z`.
    #[must_use]
    pub fn whole_seconds(self) -> String {
        let text = self.write();
        format!("{}Z", String::from_utf8_lossy(text.get(..19).unwrap_or(&text)))
    }

    /// The fixed-width RFC 3339 form, so that it can be written over a reserved slot in place.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "each digit is reduced below 10 first")]
    pub fn write(self) -> [u8; RECORDED_BYTES] {
        let seconds = self.0.div_euclid(1_000_000_000);
        let nanos = self.0.rem_euclid(1_000_000_000);
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let second_of_day = seconds.rem_euclid(86_400);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let mut put = |at: usize, width: usize, mut value: i64| {
            for slot in (at..at + width).rev() {
                text[slot] = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(0, 4, year.clamp(0, 9999));
        put(5, 2, month);
        put(8, 2, day);
        put(11, 2, second_of_day / 3600);
        put(14, 2, second_of_day / 60 % 60);
        put(17, 2, second_of_day % 60);
        put(20, 9, nanos);
        text
    }
}

impl fmt::Display for RecordedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.write()).unwrap_or_default())
    }
}

/// Days since 1970-01-01 to a proleptic Gregorian year, month and day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Nanoseconds since the epoch for a civil time, an offset already taken off. `None` outside an `i64`.
fn unix_ns(days: i64, seconds: i64, nanos: i64) -> Option<i64> {
    days.checked_mul(86_400)?.checked_add(seconds)?.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Proleptic Gregorian year, month and day to days since 1970-01-01.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests;
