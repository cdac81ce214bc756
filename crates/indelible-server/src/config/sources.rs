//! `[sources]` and `[[source]]`: from which sources events are expected, and how often; and how patient the watch is with all of them.

use std::time::Duration;

use indelible_detect::sources::{ExpectedSource, SourceSettings};

use super::Period;
use super::keys::{ItemKey, Kind, item_key};
use super::values::{put, time_within};

/// Most sources that can be expected.
pub const SOURCES_EXPECTED_MAX: usize = 1_000;
/// Longest id of a source.
const ID_BYTES_MAX: usize = 1_024;
/// Shortest and longest time that may lie between two events of an expected source.
const HEARTBEAT_MIN: Duration = Duration::from_secs(1);
const HEARTBEAT_MAX: Duration = Duration::from_secs(30 * 86_400);

/// What is expected of sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcesConfig {
    /// How long a missing number may still come before it is a gap.
    pub gap_grace: Period,
    /// How long after the time it states an event may be recorded before it is late.
    pub late: Period,
    /// How far a source's clock may be off.
    pub skew: Period,
    /// `[[source]]`
    pub expected: Vec<ExpectedConfig>,
}

impl Default for SourcesConfig {
    fn default() -> Self {
        let SourceSettings { gap_grace_seconds, late_seconds, skew_seconds, expected: _ } = SourceSettings::default();
        let period = |seconds: u32| Period::seconds(u64::from(seconds));
        Self {
            gap_grace: period(gap_grace_seconds),
            late: period(late_seconds),
            skew: period(skew_seconds),
            expected: Vec::new(),
        }
    }
}

impl SourcesConfig {
    /// The same as the watch takes it: whole seconds, what lies between them counts as the next.
    #[must_use]
    pub fn settings(&self) -> SourceSettings {
        let expected = self
            .expected
            .iter()
            .map(|expected| ExpectedSource { id: expected.id.clone(), heartbeat_seconds: seconds(expected.heartbeat) });
        SourceSettings {
            gap_grace_seconds: seconds(self.gap_grace),
            late_seconds: seconds(self.late),
            skew_seconds: seconds(self.skew),
            expected: expected.collect(),
        }
    }
}

fn seconds(period: Period) -> u32 {
    u32::try_from(period.duration().as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

/// Sources that send something at least so often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedConfig {
    /// The id of a source, or with a `*` at its end the beginning of several.
    pub id: String,
    /// The longest time between two events.
    pub heartbeat: Period,
}

impl Default for ExpectedConfig {
    fn default() -> Self {
        Self { id: String::new(), heartbeat: Period::seconds(0) }
    }
}

/// Every key of a `[[source]]`.
pub const SOURCE_KEYS: &[ItemKey<ExpectedConfig>] = &[
    item_key("id", Kind::Text, |s| s.id.clone(), |s, t| put(&mut s.id, id(t))),
    item_key(
        "heartbeat",
        Kind::Text,
        |s| s.heartbeat.to_string(),
        |s, t| put(&mut s.heartbeat, time_within(t, HEARTBEAT_MIN, HEARTBEAT_MAX)),
    ),
];

/// What each key alone cannot tell of sources. One line a fault.
pub(super) fn source_relations(sources: &[ExpectedConfig], fault: &mut dyn FnMut(&str, String)) {
    for (place, source) in sources.iter().enumerate() {
        let key = format!("source.{}", source.id);
        for (what, missing) in [("id", source.id.is_empty()), ("heartbeat", source.heartbeat.duration().is_zero())] {
            if missing {
                fault(&key, format!("`{what}` is missing"));
            }
        }
        if sources.iter().take(place).any(|other| other.id == source.id) {
            fault(&key, format!("the source `{}` is there twice", source.id));
        }
    }
}

fn id(text: &str) -> Result<String, String> {
    let stars = text.bytes().filter(|byte| *byte == b'*').count();
    if text.is_empty() || text.len() > ID_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!("`{text}` is no id of a source: 1 to {ID_BYTES_MAX} bytes, no control characters"));
    }
    if stars > 1 || (stars == 1 && !text.ends_with('*')) {
        return Err(format!("`{text}`: a `*` stands for the rest of an id, once and at its end"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_over_in_whole_seconds_and_wrong_sources_are_named() {
        assert_eq!(SourcesConfig::default().settings(), SourceSettings::default());
        let source = |id: &str, milliseconds| ExpectedConfig {
            id: id.to_owned(),
            heartbeat: Period::milliseconds(milliseconds),
        };
        let expected = vec![source("agent/*", 1_500), source("agent/*", 60_000), source("", 0)];
        let config = SourcesConfig { expected, ..SourcesConfig::default() };
        assert_eq!(config.settings().expected[0].heartbeat_seconds, 2);
        let mut faults = Vec::new();
        source_relations(&config.expected, &mut |key, reason| faults.push(format!("{key} {reason}")));
        assert_eq!(
            faults,
            [
                "source.agent/* the source `agent/*` is there twice",
                "source. `id` is missing",
                "source. `heartbeat` is missing"
            ]
        );
        for wrong in ["", "a*b", "**", "a\u{7}"] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
        assert_eq!(id("*"), Ok("*".to_owned()));
    }
}
