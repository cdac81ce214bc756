//! Tests of both times: the rules of RFC 3339 and RFC 9557 by example, and `jiff` as an oracle.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;

use super::*;

fn instant(text: &str) -> Result<i64, TimeError> {
    EventTime::parse(text).map(|time| time.unix_ns)
}

#[test]
fn offset_and_zone_name_an_instant() {
    assert_eq!(instant("1970-01-01T00:00:00Z"), Ok(0));
    assert_eq!(instant("1970-01-01T00:00:00.000000001Z"), Ok(1));
    assert_eq!(instant("1969-12-31T23:59:59.9Z"), Ok(-100_000_000));
    assert_eq!(instant("1970-01-01T01:00:00+01:00"), Ok(0));
    assert_eq!(instant("1969-12-31T18:30:00-05:30"), Ok(0));
    assert_eq!(instant("2026-11-23T10:15:30.123456789+01:00[Europe/Berlin]"), Ok(1_795_425_330_123_456_789));
    assert_eq!(instant("2026-11-23T09:15:30.123456789Z[!Europe/Berlin]"), Ok(1_795_425_330_123_456_789));
    assert_eq!(instant("2026-11-23T10:15:30+01:00[+01:00]"), Ok(1_795_425_330_000_000_000));
    let text = "2026-11-23T10:15:30+01:00[Europe/Berlin]";
    assert_eq!(EventTime::parse(text).unwrap().text, text);
}

#[test]
fn the_offset_tells_the_two_hours_of_autumn_apart() {
    let summer = instant("2026-10-25T02:30:00+02:00[Europe/Berlin]").unwrap();
    let winter = instant("2026-10-25T02:30:00+01:00[Europe/Berlin]").unwrap();
    assert_eq!(winter - summer, 3_600_000_000_000);
    assert!(matches!(
        instant("2026-10-25T02:30:00+00:00[Europe/Berlin]"),
        Err(TimeError::OffsetContradictsZone { zone_offset }) if zone_offset == "+01:00"
    ));
}

#[test]
fn offsets_of_long_ago_are_compared_by_whole_minutes() {
    // Monrovia was 44 min 30 s behind until 1972.
    for (offset, fine) in [("-00:44", true), ("-00:45", true), ("-00:43", false), ("-00:46", false), ("+00:44", false)]
    {
        let text = format!("1960-01-01T12:00:00{offset}[Africa/Monrovia]");
        assert_eq!(instant(&text).is_ok(), fine, "{text}");
    }
}

#[test]
fn a_leap_second_is_taken_only_where_one_can_be() {
    assert_eq!(instant("2016-12-31T23:59:60Z"), instant("2017-01-01T00:00:00Z"));
    assert_eq!(instant("2017-01-01T00:59:60+01:00"), instant("2017-01-01T00:00:00Z"));
    assert!(instant("2016-12-31T23:58:60Z").is_err());
    assert!(instant("2016-12-31T23:59:60+01:00").is_err());
}

#[test]
fn what_is_no_time_is_refused() {
    let without_offset = ["2026-11-23T10:15:30", "2026-11-23T10:15:30.5", "2026-11-23T10:15:30[Europe/Berlin]"];
    for text in without_offset {
        assert_eq!(instant(text), Err(TimeError::WithoutOffset), "{text}");
    }
    let malformed = [
        "",
        "2026-11-23",
        "2026-11-23 10:15:30Z",
        "2026-11-23t10:15:30z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:60:00Z",
        "2026-11-23T10:15:61Z",
        "2026-11-23T10:15:30.Z",
        "2026-11-23T10:15:30.1234567890Z",
        "2026-11-23T10:15:30,5Z",
        "2026-11-23T10:15:30+0100",
        "2026-11-23T10:15:30+24:00",
        "2026-11-23T10:15:30+01:60",
        "2026-11-23T10:15:30Z ",
        "2026-11-23T10:15:30Z[]",
        "2026-11-23T10:15:30Z[!]",
        "2026-11-23T10:15:30Z[Europe/Berlin",
        "2026-11-23T10:15:30Z[Europe/Berlin][u-ca=gregory]",
        "2026-11-23T10:15:30Z[u-ca=gregory]",
        "+02026-11-23T10:15:30Z",
        "２026-11-23T10:15:30Z",
    ];
    for text in malformed {
        assert!(matches!(instant(text), Err(TimeError::Malformed { .. })), "{text}: {:?}", instant(text));
    }
    for text in ["2026-11-23T10:15:30Z[Mars/Olympus]", "2026-11-23T10:15:30Z[+1]"] {
        assert_eq!(instant(text), Err(TimeError::UnknownZone), "{text}");
    }
    for text in ["1677-09-21T00:12:43Z", "2262-04-11T23:47:17Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        assert_eq!(instant(text), Err(TimeError::OutOfRange), "{text}");
    }
}

#[test]
fn the_recorded_form_is_read_only_as_it_is_written() {
    let text = "2026-11-23T10:15:30.123456789Z";
    assert_eq!(
        RecordedTime::parse(text).map(RecordedTime::write).as_ref().map(<[u8; 30]>::as_slice),
        Some(text.as_bytes())
    );
    for other in ["2026-11-23T10:15:30Z", "2026-11-23T10:15:30.12345678+00:00", "2026-11-23T10:15:60.000000000Z", ""] {
        assert_eq!(RecordedTime::parse(other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn recorded_times_round_trip_and_agree_with_jiff(ns: i64) {
        let text = String::from_utf8(RecordedTime(ns).write().to_vec()).unwrap();
        prop_assert_eq!(RecordedTime::parse(&text), Some(RecordedTime(ns)));
        let theirs: Timestamp = text.parse().unwrap();
        prop_assert_eq!(theirs.as_nanosecond(), i128::from(ns));
    }

    #[test]
    fn times_with_zones_agree_with_jiff(
        ns: i64,
        zone in prop::sample::select(vec![
            "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Monrovia",
            "America/St_Johns", "UTC", "Etc/GMT+12",
        ]),
        digits in prop::option::of(0u8..=9),
    ) {
        let database = TimeZoneDatabase::bundled();
        let zoned = Timestamp::from_nanosecond(i128::from(ns)).unwrap().to_zoned_datetime(database.get(zone).unwrap());
        // Offsets of long ago had seconds, which the text cannot say: it names another instant then.
        if zoned.offset().seconds() % 60 != 0 {
            return Ok(());
        }
        let text = match digits {
            Some(digits) => jiff::fmt::temporal::DateTimePrinter::new().precision(Some(digits)).zoned_datetime_to_string(&zoned),
            None => zoned.to_string(),
        };
        let parser = DateTimeParser::new();
        let theirs = parser.parse_zoned_datetime_with(&database, &text).unwrap().timestamp().as_nanosecond();
        prop_assert_eq!(instant(&text).map(i128::from), Ok(theirs), "{}", text);
    }

    #[test]
    fn damaged_times_are_taken_only_where_jiff_takes_them(
        place in 0usize..50, byte in prop::sample::select(&b"0123456789:-+TZ.[]! /abB"[..]), remove: bool,
    ) {
        let mut text = b"2026-11-23T10:15:30.123456789+01:00[Europe/Berlin]".to_vec();
        if remove { text.remove(place); } else { text[place] = byte; }
        let text = String::from_utf8(text).unwrap();
        if let Ok(ours) = instant(&text) {
            let parser = DateTimeParser::new();
            let theirs = match parser.parse_zoned_datetime_with(&TimeZoneDatabase::bundled(), &text) {
                Ok(zoned) => zoned.timestamp(),
                Err(_) => parser.parse_timestamp(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?,
            };
            prop_assert_eq!(i128::from(ours), theirs.as_nanosecond(), "{}", text);
        }
    }
}
