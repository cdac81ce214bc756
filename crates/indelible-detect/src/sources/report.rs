//! What is told about a source when somebody asks.

use indelible_event::completeness::{Facts, Level, judge};
use indelible_event::time::RecordedTime;
use serde::{Deserialize, Serialize};

use super::one::Source;

/// Most gaps listed for one source.
const GAPS_LISTED_MAX: usize = 100;

/// The verdict on one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceVerdict {
    /// It numbers its events from 1 and none is missing.
    Complete,
    /// Numbers are missing.
    Gaps,
    /// It is expected to send and does not.
    Silent,
    /// It cannot be told: it gives no numbers, or began anew.
    Unknown,
}

/// Consecutive numbers that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapRange {
    /// First missing number.
    pub first: u64,
    /// Last missing number.
    pub last: u64,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Its id.
    pub id: String,
    /// The verdict.
    pub verdict: SourceVerdict,
    /// Why it is not complete.
    pub reasons: Vec<String>,
    /// Its events.
    pub events: u64,
    /// Those without a number.
    pub unnumbered: u64,
    /// When its first event was recorded (RFC 3339).
    pub first_seen: Option<String>,
    /// When its last event was recorded (RFC 3339).
    pub last_seen: Option<String>,
    /// The newest time that its events state (RFC 3339).
    pub last_source_time: Option<String>,
    /// Last number: the highest since it began.
    pub last_seq: Option<u64>,
    /// Numbers missing in all.
    pub missing: u64,
    /// The gaps, at most 100.
    pub gaps: Vec<GapRange>,
    /// Whether there are gaps that are not listed.
    pub gaps_capped: bool,
    /// Events whose number was there before.
    pub repeats: u64,
    /// How often it began to count anew.
    pub restarts: u64,
    /// Source time minus recorded time in milliseconds, the middle of the last events: negative when delivery takes long.
    pub skew_ms: Option<i64>,
    /// Events that came late.
    pub late: u64,
}

impl SourceReport {
    /// A source that is expected and never came.
    pub(super) fn never_seen(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            verdict: SourceVerdict::Silent,
            reasons: vec!["it is expected and was never seen".to_owned()],
            events: 0,
            unnumbered: 0,
            first_seen: None,
            last_seen: None,
            last_source_time: None,
            last_seq: None,
            missing: 0,
            gaps: Vec::new(),
            gaps_capped: false,
            repeats: 0,
            restarts: 0,
            skew_ms: None,
            late: 0,
        }
    }
}

pub(super) fn of(id: &str, source: &Source, silent: bool) -> SourceReport {
    let numbers = &source.numbers;
    let (level, mut reasons) = judge(&Facts {
        missing: numbers.missing,
        unnumbered: source.unnumbered,
        restarts: numbers.restarts,
        ..Facts::default()
    });
    let verdict = match level {
        Level::Gaps => SourceVerdict::Gaps,
        _ if silent => SourceVerdict::Silent,
        Level::Complete => SourceVerdict::Complete,
        Level::Unknown => SourceVerdict::Unknown,
    };
    if silent {
        reasons.push("it is expected to send and is silent".to_owned());
    }
    let listed = numbers.gaps.iter().take(GAPS_LISTED_MAX);
    let text = |ns: i64| RecordedTime(ns).to_string();
    SourceReport {
        id: id.to_owned(),
        verdict,
        reasons,
        events: source.events,
        unnumbered: source.unnumbered,
        first_seen: Some(text(source.first_recorded_ns)),
        last_seen: Some(text(source.last_recorded_ns)),
        last_source_time: source.last_time_ns.map(text),
        last_seq: numbers.last_seq(),
        missing: numbers.missing,
        gaps: listed.map(|gap| GapRange { first: gap.first, last: gap.last }).collect(),
        gaps_capped: numbers.gaps_capped || numbers.gaps.len() > GAPS_LISTED_MAX,
        repeats: numbers.repeats,
        restarts: numbers.restarts,
        skew_ms: source.clock.skew_ns().map(|ns| ns / 1_000_000),
        late: source.late,
    }
}
