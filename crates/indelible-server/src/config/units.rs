//! Sizes and times in configuration: `16MiB`, `500ms`. They are printed as they are read. Never: a number without a unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A length of time, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

/// The text is no size or no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a whole number and a known unit.
    #[error("`{text}` is not {what}: write a whole number and a unit ({units}), such as `{such_as}`")]
    Form {
        /// What was given.
        text: String,
        /// What it should be.
        what: &'static str,
        /// The known units.
        units: &'static str,
        /// An example.
        such_as: &'static str,
    },
    /// Beyond 64 bits.
    #[error("`{text}` is too large")]
    TooLarge {
        /// What was given.
        text: String,
    },
}

const SIZE_UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const TIME_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl ByteSize {
    /// So many times 1,048,576 bytes.
    #[must_use]
    pub const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }

    /// As a length in memory; the largest there is when it does not fit.
    #[must_use]
    pub fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Period {
    /// So many milliseconds.
    #[must_use]
    pub const fn milliseconds(count: u64) -> Self {
        Self(Duration::from_millis(count))
    }

    /// So many seconds.
    #[must_use]
    pub const fn seconds(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }

    /// As the standard library has it.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

fn split(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<Result<u64, UnitError>> {
    let (number, unit) = split(text.trim());
    let (_, factor) = units.iter().find(|(known, _)| *known == unit)?;
    if number.is_empty() {
        return None;
    }
    let value = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
    Some(value.ok_or_else(|| UnitError::TooLarge { text: text.to_owned() }))
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let form = || UnitError::Form {
            text: text.to_owned(),
            what: "a size",
            units: "B, KiB, MiB, GiB, TiB",
            such_as: "16MiB",
        };
        scaled(text, &SIZE_UNITS).unwrap_or_else(|| Err(form())).map(Self)
    }
}

impl FromStr for Period {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let form =
            || UnitError::Form { text: text.to_owned(), what: "a time", units: "ms, s, m, h, d", such_as: "500ms" };
        scaled(text, &TIME_UNITS).unwrap_or_else(|| Err(form())).map(Self::milliseconds)
    }
}

fn largest_unit(value: u64, units: &[(&'static str, u64)]) -> (u64, &'static str) {
    let fits = units.iter().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor));
    match fits {
        Some((unit, factor)) => (value / factor, unit),
        None => (value, units.last().map_or("", |(unit, _)| unit)),
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = largest_unit(self.0, &SIZE_UNITS);
        write!(f, "{number}{unit}")
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (number, unit) = largest_unit(milliseconds, &TIME_UNITS);
        write!(f, "{number}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_printed_as_they_are_read() {
        for text in ["0B", "1B", "1023B", "1KiB", "16MiB", "3GiB", "2TiB"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
        for text in ["0ms", "1ms", "500ms", "1s", "90s", "5m", "12h", "7d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!("16 MiB".parse::<ByteSize>(), Ok(ByteSize::mebibytes(16)));
        assert_eq!("60s".parse::<Period>().unwrap().to_string(), "1m");
    }

    #[test]
    fn a_unit_is_needed_and_must_be_known() {
        for wrong in ["", "16", "MiB", "16MB", "16mib", "-1B", "1.5MiB"] {
            assert!(matches!(wrong.parse::<ByteSize>(), Err(UnitError::Form { .. })), "{wrong}");
        }
        assert!(matches!("99999999TiB".parse::<ByteSize>(), Err(UnitError::TooLarge { .. })));
        let error = "5min".parse::<Period>().unwrap_err().to_string();
        assert_eq!(error, "`5min` is not a time: write a whole number and a unit (ms, s, m, h, d), such as `500ms`");
    }
}
