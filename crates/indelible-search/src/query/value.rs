//! Values of a query: times, whole numbers, durations, and spans of them.
//!
//! A time stands for all of the unit it is written in: `2026-11-23` is that day, `10:15` that minute. So `>2026-11-23` begins
//! with the next day and `2026-11-01..2026-11-30` holds both days whole. Never: reads a clock or a time zone database.

use jiff::civil::Date;
use jiff::tz::Offset;

use super::{QueryFault, Span};

const NS_PER_SECOND: i64 = 1_000_000_000;

/// Reads a time as a query does: every nanosecond of the year, month, day, minute, second or fraction that is written.
///
/// # Errors
/// [`QueryFault::NotTime`] when it is no time, or lies outside the years 1678 to 2261.
pub fn parse_time(text: &str) -> Result<Span, QueryFault> {
    time_span(text).ok_or_else(|| QueryFault::NotTime { value: text.to_owned() })
}

/// Reads a span: `x`, `>x`, `>=x`, `<x`, `<=x`, `a..b`, `a..`, `..b`, `*`; `one` reads one value.
///
/// # Errors
/// Those of `one`, and [`QueryFault::RangeBackwards`].
pub(super) fn parse_span(text: &str, one: impl Fn(&str) -> Result<Span, QueryFault>) -> Result<Span, QueryFault> {
    let open = Span { least: None, most: None };
    if text == "*" {
        return Ok(open);
    }
    if let Some((from, to)) = text.split_once("..") {
        let least = if matches!(from, "" | "*") { None } else { one(from)?.least };
        let most = if matches!(to, "" | "*") { None } else { one(to)?.most };
        if least.is_none() && most.is_none() {
            one("")?;
        }
        if let (Some(least), Some(most)) = (least, most)
            && least > most
        {
            return Err(QueryFault::RangeBackwards);
        }
        return Ok(Span { least, most });
    }
    if let Some(rest) = text.strip_prefix(">=") {
        return Ok(Span { least: one(rest)?.least, most: None });
    }
    if let Some(rest) = text.strip_prefix("<=") {
        return Ok(Span { least: None, most: one(rest)?.most });
    }
    if let Some(rest) = text.strip_prefix('>') {
        return Ok(Span { least: one(rest)?.most.map(|most| most.saturating_add(1)), most: None });
    }
    if let Some(rest) = text.strip_prefix('<') {
        return Ok(Span { least: None, most: one(rest)?.least.map(|least| least.saturating_sub(1)) });
    }
    one(text)
}

/// Reads a whole number.
pub(super) fn number(text: &str) -> Result<Span, QueryFault> {
    let value: i64 = text.parse().map_err(|_| QueryFault::NotNumber { value: text.to_owned() })?;
    Ok(Span { least: Some(value), most: Some(value) })
}

/// Reads a whole number of nanoseconds, or of the unit that follows it.
pub(super) fn duration(text: &str) -> Result<Span, QueryFault> {
    const UNITS: &[(&str, i64)] = &[
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", NS_PER_SECOND),
        ("m", 60 * NS_PER_SECOND),
        ("h", 3_600 * NS_PER_SECOND),
    ];
    let fault = || QueryFault::NotNumber { value: text.to_owned() };
    let unit = UNITS.iter().find_map(|(name, factor)| text.strip_suffix(name).map(|digits| (digits, *factor)));
    let (digits, factor) = unit.unwrap_or((text, 1));
    let value = digits.parse::<i64>().ok().and_then(|value| value.checked_mul(factor)).ok_or_else(fault)?;
    Ok(Span { least: Some(value), most: Some(value) })
}

/// The text of one number at the front, of exactly `width` digits, and what follows it.
fn digits(text: &[u8], width: usize) -> Option<(i16, &[u8])> {
    let (front, rest) = text.split_at_checked(width)?;
    let mut value = 0i16;
    for digit in front {
        value = value.checked_mul(10)?.checked_add(i16::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?))?;
    }
    Some((value, rest))
}

fn time_span(text: &str) -> Option<Span> {
    let (year, rest) = digits(text.as_bytes(), 4)?;
    if rest.is_empty() {
        let first = Date::new(year, 1, 1).ok()?;
        return days(first, Date::new(year.checked_add(1)?, 1, 1).ok()?);
    }
    let (month, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let month = i8::try_from(month).ok()?;
    let first = Date::new(year, month, 1).ok()?;
    if rest.is_empty() {
        return days(first, first.last_of_month().tomorrow().ok()?);
    }
    let (day, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let date = Date::new(year, month, i8::try_from(day).ok()?).ok()?;
    if rest.is_empty() {
        return days(date, date.tomorrow().ok()?);
    }
    let [b'T' | b't' | b' ', rest @ ..] = rest else { return None };
    let (clock, unit, rest) = clock(rest)?;
    let offset = offset_seconds(rest)?;
    let least = midnight(date)?.checked_add(clock)?.checked_sub(offset.checked_mul(NS_PER_SECOND)?)?;
    Some(Span { least: Some(least), most: Some(least.checked_add(unit - 1)?) })
}

/// `HH:MM[:SS[.fraction]]` as nanoseconds after midnight, the nanoseconds of its last unit, and what follows it.
fn clock(text: &[u8]) -> Option<(i64, i64, &[u8])> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(b":")?, 2)?;
    if hour > 23 || minute > 59 {
        return None;
    }
    let minutes = (i64::from(hour) * 60 + i64::from(minute)) * 60 * NS_PER_SECOND;
    let Some(rest) = rest.strip_prefix(b":") else { return Some((minutes, 60 * NS_PER_SECOND, rest)) };
    let (second, rest) = digits(rest, 2)?;
    if second > 59 {
        return None;
    }
    let seconds = minutes + i64::from(second) * NS_PER_SECOND;
    let Some(rest) = rest.strip_prefix(b".") else { return Some((seconds, NS_PER_SECOND, rest)) };
    let width = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if width == 0 || width > 9 {
        return None;
    }
    let (fraction, rest) = rest.split_at(width);
    let mut unit = NS_PER_SECOND;
    let mut value = seconds;
    for digit in fraction {
        unit /= 10;
        value += i64::from(digit - b'0') * unit;
    }
    Some((value, unit, rest))
}

/// Nothing or `Z` (UTC), or `+HH:MM`, in seconds east of Greenwich.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = digits(rest, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(b":")?, 2)?;
    (rest.is_empty() && hours < 24 && minutes < 60).then(|| sign * (i64::from(hours) * 3_600 + i64::from(minutes) * 60))
}

fn midnight(date: Date) -> Option<i64> {
    let at = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    i64::try_from(at.as_nanosecond()).ok()
}

fn days(first: Date, end: Date) -> Option<Span> {
    Some(Span { least: Some(midnight(first)?), most: Some(midnight(end)?.checked_sub(1)?) })
}
