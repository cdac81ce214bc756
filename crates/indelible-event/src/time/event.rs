//! A source's time: RFC 9557, that is RFC 3339 with an offset and, if the source knows it, `[Zone/Name]` behind it.
//!
//! Promises: the text is kept as it came; an offset that the zone did not have at that instant is refused. Zones come from the
//! tz database inside the binary, so two servers of one version judge alike. Never: a guess at a missing offset.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;

use super::{RECORDED_BYTES, RecordedTime, days_from_civil, days_in_month, unix_ns};

/// When something happened, by the clock of its source.
///
/// ```
/// use indelible_event::time::EventTime;
///
/// let time = EventTime::parse("2026-11-23T10:15:30.5+01:00[Europe/Berlin]").unwrap();
/// assert_eq!(time.unix_ns, 1_795_425_330_500_000_000);
/// assert!(EventTime::parse("2026-11-23T10:15:30").is_err(), "a time without an offset names no moment");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTime {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub unix_ns: i64,
    /// The time as the source wrote it.
    pub text: String,
}

impl EventTime {
    /// Reads a time with offset and optional zone, such as `2026-11-23T10:15:30.123456789+01:00[Europe/Berlin]`.
    ///
    /// # Errors
    /// [`TimeError`] says which rule of RFC 3339 or RFC 9557 is broken.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        Ok(Self { unix_ns: checked_unix_ns(text)?, text: text.to_owned() })
    }
}

impl RecordedTime {
    /// Reads the fixed-width form that [`RecordedTime::write`] gives. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let time = Self(read(text.as_bytes()).ok()?.unix_ns);
        (text.len() == RECORDED_BYTES && time.write() == text.as_bytes()).then_some(time)
    }
}

/// What is wrong with a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not the form of RFC 3339.
    #[error("the time is not of the form 2026-11-23T10:15:30.123456789+01:00[Europe/Berlin] ({part})")]
    Malformed {
        /// Which part is not as it must be.
        part: &'static str,
    },
    /// No `Z` and no `+hh:mm` behind the seconds.
    #[error("the time has no offset from UTC, so it names no instant")]
    WithoutOffset,
    /// The instant does not fit 64 bits of nanoseconds.
    #[error("the time lies outside the years 1678 to 2261")]
    OutOfRange,
    /// The tz database has no such zone.
    #[error("the time zone is not in the tz database")]
    UnknownZone,
    /// The zone had another offset at that instant.
    #[error("the offset contradicts the zone, which had {zone_offset} at that instant")]
    OffsetContradictsZone {
        /// What the zone had.
        zone_offset: String,
    },
}

/// The instant of an event's time, its zone checked against the tz database.
pub(crate) fn checked_unix_ns(text: &str) -> Result<i64, TimeError> {
    let parts = read(text.as_bytes())?;
    if parts.zone.is_empty() {
        return Ok(parts.unix_ns);
    }
    let zone = text.get(parts.zone).unwrap_or_default();
    check_zone(zone, parts.unix_ns, parts.offset)?;
    Ok(parts.unix_ns)
}

/// The instant of a time whose zone was checked when it was recorded.
pub(crate) fn stored_unix_ns(text: &str) -> Option<i64> {
    read(text.as_bytes()).ok().map(|parts| parts.unix_ns)
}

/// What a time says, its zone not looked up yet.
struct Parts {
    unix_ns: i64,
    /// Seconds east of UTC; `None` for `Z` and `-00:00`, which in front of a zone say that the offset is not known.
    offset: Option<i64>,
    /// Where the zone's name stands; empty when there is none.
    zone: std::ops::Range<usize>,
}

fn read(text: &[u8]) -> Result<Parts, TimeError> {
    const OUTLINE: TimeError = TimeError::Malformed { part: "date or time of day" };
    let Some((head, _)) = text.split_first_chunk::<19>() else { return Err(OUTLINE) };
    let marks = [head[4], head[7], head[10], head[13], head[16]];
    if marks != *b"--T::" {
        let part = if head[10] == b'T' { "date or time of day" } else { "`T` between date and time of day" };
        return Err(TimeError::Malformed { part });
    }
    let pair = |at: usize| two_digits(head[at], head[at + 1]).ok_or(OUTLINE);
    let year = pair(0)? * 100 + pair(2)?;
    let (month, day) = (pair(5)?, pair(8)?);
    let (hour, minute, second) = (pair(11)?, pair(14)?, pair(17)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return Err(TimeError::Malformed { part: "no such day" });
    }
    if hour > 23 || minute > 59 || second > 60 {
        return Err(TimeError::Malformed { part: "no such time of day" });
    }
    let (nanos, at) = fraction(text, 19)?;
    let (offset, at) = offset(text, at)?;
    let second_of_day = hour * 3600 + minute * 60 + second;
    let utc = second_of_day - offset.unwrap_or(0);
    // A leap second is the last of a day in UTC; it is counted as the first of the next, as POSIX does.
    if second == 60 && utc.rem_euclid(86_400) != 0 {
        return Err(TimeError::Malformed { part: "no such time of day" });
    }
    let unix_ns = unix_ns(days_from_civil(year, month, day), utc, nanos).ok_or(TimeError::OutOfRange)?;
    Ok(Parts { unix_ns, offset, zone: zone(text, at)? })
}

fn fraction(text: &[u8], at: usize) -> Result<(i64, usize), TimeError> {
    if text.get(at) != Some(&b'.') {
        return Ok((0, at));
    }
    let mut nanos = 0;
    let mut digits = 0;
    while let Some(digit @ b'0'..=b'9') = text.get(at + 1 + digits) {
        if digits == 9 {
            return Err(TimeError::Malformed { part: "more than nine digits of a second" });
        }
        nanos = nanos * 10 + i64::from(digit - b'0');
        digits += 1;
    }
    if digits == 0 {
        return Err(TimeError::Malformed { part: "fraction of a second" });
    }
    const SCALE: [i64; 10] = [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    Ok((nanos * SCALE[digits], at + 1 + digits))
}

fn offset(text: &[u8], at: usize) -> Result<(Option<i64>, usize), TimeError> {
    const WRONG: TimeError = TimeError::Malformed { part: "offset, which is Z or +hh:mm" };
    match text.get(at..).unwrap_or_default() {
        [] | [b'[', ..] => Err(TimeError::WithoutOffset),
        [b'Z', ..] => Ok((None, at + 1)),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, ..] => {
            let (hours, minutes) = (two_digits(*h1, *h2).ok_or(WRONG)?, two_digits(*m1, *m2).ok_or(WRONG)?);
            if hours > 23 || minutes > 59 {
                return Err(WRONG);
            }
            let seconds = hours * 3600 + minutes * 60;
            let unknown = *sign == b'-' && seconds == 0;
            let east = if *sign == b'-' { -seconds } else { seconds };
            Ok(((!unknown).then_some(east), at + 6))
        }
        _ => Err(WRONG),
    }
}

/// Where the name in `[Zone/Name]` or `[!Zone/Name]` stands. Other suffixes of RFC 9557 say nothing that is kept here.
fn zone(text: &[u8], at: usize) -> Result<std::ops::Range<usize>, TimeError> {
    match text.get(at..).unwrap_or_default() {
        [] => Ok(0..0),
        [b'[', rest @ .., b']'] if !rest.is_empty() => {
            let name = if rest[0] == b'!' { at + 2 } else { at + 1 };
            if rest.iter().any(|byte| matches!(byte, b'[' | b']' | b'=')) {
                return Err(TimeError::Malformed { part: "only one suffix, a time zone, may follow" });
            }
            if name + 1 == text.len() {
                return Err(TimeError::Malformed { part: "the zone has no name" });
            }
            Ok(name..text.len() - 1)
        }
        _ => Err(TimeError::Malformed { part: "something follows the offset that is no [Zone/Name]" }),
    }
}

fn check_zone(zone: &str, unix_ns: i64, offset: Option<i64>) -> Result<(), TimeError> {
    static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    let zone_offset = if zone.starts_with(['+', '-']) {
        let (east, end) = self::offset(zone.as_bytes(), 0).map_err(|_| TimeError::UnknownZone)?;
        if end != zone.len() {
            return Err(TimeError::UnknownZone);
        }
        east.unwrap_or(0)
    } else {
        let zone = ZONES.get(zone).map_err(|_| TimeError::UnknownZone)?;
        let instant = Timestamp::from_nanosecond(i128::from(unix_ns)).map_err(|_| TimeError::OutOfRange)?;
        i64::from(zone.to_offset(instant).seconds())
    };
    match offset {
        // Offsets of long ago had seconds; RFC 3339 writes whole minutes.
        Some(given) if (given - zone_offset).abs() > 30 => {
            Err(TimeError::OffsetContradictsZone { zone_offset: offset_text(zone_offset) })
        }
        Some(_) | None => Ok(()),
    }
}

fn offset_text(seconds: i64) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn two_digits(high: u8, low: u8) -> Option<i64> {
    let (high, low) = (high.wrapping_sub(b'0'), low.wrapping_sub(b'0'));
    (high <= 9 && low <= 9).then(|| i64::from(high) * 10 + i64::from(low))
}
