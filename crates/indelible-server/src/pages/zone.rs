//! Which zone times are shown in: the source's own, UTC, or the reader's. Every time that is shown says its zone.
//!
//! Never: a time without its zone, or one moved without a sign of it.

use std::borrow::Borrow;

use indelible_event::time::RecordedTime;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Longest name of a zone that is looked up: the longest there is has 32.
const NAME_BYTES_MAX: usize = 64;
/// How a time is shown: to the millisecond, with the offset.
const SHOWN: &str = "%Y-%m-%d %H:%M:%S%.3f %:z";

/// A zone to show times in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// As each source said.
    Source,
    /// UTC.
    Utc,
    /// A zone of the IANA database, which the browser named.
    Named(TimeZone, String),
}

impl Zone {
    /// Reads `source`, `utc` or the name of a zone.
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "source" => Some(Self::Source),
            "utc" => Some(Self::Utc),
            name if name.len() <= NAME_BYTES_MAX => Some(Self::Named(TimeZone::get(name).ok()?, name.to_owned())),
            _ => None,
        }
    }

    /// The word that [`Zone::parse`] reads.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Source => "source",
            Self::Utc => "utc",
            Self::Named(_, name) => name,
        }
    }

    /// An event's time. `as_said` is what the source wrote; what cannot be read as a time is shown as it is.
    pub(super) fn event(&self, as_said: &str, unix_ns: Option<i64>) -> String {
        match (self, unix_ns) {
            (Self::Source, _) | (_, None) => said(as_said),
            (_, Some(unix_ns)) => self.instant(unix_ns),
        }
    }

    /// A time of the server's own: UTC unless the reader has a zone.
    pub(super) fn instant(&self, unix_ns: impl Borrow<i64>) -> String {
        let unix_ns = *unix_ns.borrow();
        let Ok(instant) = Timestamp::from_nanosecond(i128::from(unix_ns)) else {
            return RecordedTime(unix_ns).to_string();
        };
        match self {
            Self::Source | Self::Utc => instant.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string(),
            Self::Named(zone, _) => instant.to_zoned_datetime(zone.clone()).strftime(SHOWN).to_string(),
        }
    }

    /// A time of the server's own that was written as RFC 3339.
    pub(super) fn written(&self, text: &str) -> String {
        text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), |instant| self.instant(nanoseconds(instant)))
    }
}

/// `2026-11-23T10:15:30.123456789+01:00[Europe/Berlin]` → `2026-11-23 10:15:30.123 +01:00`.
fn said(text: &str) -> String {
    let Some((day, rest)) = text.split_once('T') else { return text.to_owned() };
    let Some(offset_at) = rest.find(['Z', 'z', '+', '-']) else { return text.to_owned() };
    let (clock, offset) = rest.split_at(offset_at);
    let offset = offset.split('[').next().unwrap_or_default();
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let milliseconds: String = fraction.chars().chain("000".chars()).take(3).collect();
    let zone = if offset.eq_ignore_ascii_case("z") { "UTC" } else { offset };
    format!("{day} {seconds}.{milliseconds} {zone}")
}

fn nanoseconds(instant: Timestamp) -> i64 {
    i64::try_from(instant.as_nanosecond()).unwrap_or(i64::MAX)
}

/// How long ago something was, in words: `12 s`, `4 min`, `3 h`, `2 d`.
pub(super) fn ago(now_unix_ns: i64, text: &str) -> Option<String> {
    let then = nanoseconds(text.parse::<Timestamp>().ok()?);
    let seconds = (now_unix_ns.saturating_sub(then) / 1_000_000_000).max(0);
    Some(match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "2026-11-23T10:15:30.123456789+01:00[Europe/Berlin]";
    const INSTANT: i64 = 1_795_425_330_123_456_789;

    #[test]
    fn a_time_is_shown_in_the_zone_asked_for_and_says_which() {
        let shown = |word: &str| Zone::parse(word).unwrap().event(SAID, Some(INSTANT));
        assert_eq!(shown("source"), "2026-11-23 10:15:30.123 +01:00");
        assert_eq!(shown("utc"), "2026-11-23 09:15:30.123 UTC");
        assert_eq!(shown("America/New_York"), "2026-11-23 04:15:30.123 -05:00");
        assert_eq!(Zone::Source.event("2026-11-23T10:15:30Z", None), "2026-11-23 10:15:30.000 UTC");
        assert_eq!(Zone::Source.event("2026-11-23T10:15:30.5-03:30", None), "2026-11-23 10:15:30.500 -03:30");
        assert_eq!(Zone::Source.event("yesterday", None), "yesterday");
        assert_eq!(Zone::Utc.written("2026-11-23T10:15:30+01:00"), "2026-11-23 09:15:30.000 UTC");
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        assert!(Zone::parse("Mars/Olympus").is_none() && Zone::parse(&"a".repeat(65)).is_none());
        assert!(Zone::parse("../../etc/passwd").is_none());
    }

    #[test]
    fn how_long_ago_is_told_in_one_unit() {
        let ago_of = |seconds: i64| ago(INSTANT + seconds * 1_000_000_000, "2026-11-23T09:15:30.123456789Z").unwrap();
        assert_eq!([ago_of(3), ago_of(130), ago_of(7_300), ago_of(200_000)], ["3 s", "2 min", "2 h", "2 d"]);
        assert_eq!(ago_of(-5), "0 s");
    }
}
