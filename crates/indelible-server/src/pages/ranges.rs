//! The stretches of time up to now that a page can be asked for.

use indelible_event::time::RecordedTime;

use crate::problem::Problem;
use crate::query_string::{Parameters, wrong};

/// A stretch of time up to now.
#[derive(Debug)]
pub(super) struct Range {
    /// In links.
    pub(super) word: &'static str,
    /// For people.
    pub(super) words: &'static str,
    /// How long it is; `None` for all there is.
    pub(super) seconds: Option<i64>,
}

const fn last(word: &'static str, words: &'static str, seconds: i64) -> Range {
    Range { word, words, seconds: Some(seconds) }
}

/// Those with an end.
pub(super) static BOUNDED: [Range; 4] = [
    last("1h", "last hour", 3_600),
    last("24h", "last 24 hours", 86_400),
    last("7d", "last 7 days", 604_800),
    last("30d", "last 30 days", 2_592_000),
];
/// All there is.
pub(super) static ALL_TIME: Range = Range { word: "all", words: "all time", seconds: None };

/// Reads `range`: a day when it is missing.
pub(super) fn read(parameters: &Parameters, ranges: &[&'static Range]) -> Result<&'static Range, Problem> {
    let word = parameters.get("range").unwrap_or("24h");
    ranges.iter().find(|range| range.word == word).copied().ok_or_else(|| {
        let words: Vec<String> = ranges.iter().map(|range| format!("`{}`", range.word)).collect();
        let (last, others) = words.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
        wrong("range", "wrong-value", format!("the range is {} or {last}", others.join(", ")))
    })
}

impl Range {
    /// When it begins and ends, in nanoseconds since 1970-01-01T00:00:00Z.
    pub(super) fn span(&self, now: RecordedTime) -> Option<(i64, i64)> {
        self.seconds.map(|seconds| (now.0 - seconds * 1_000_000_000, now.0))
    }

    /// When it begins, as a query takes it.
    pub(super) fn from(&self, now: RecordedTime) -> Option<String> {
        self.span(now).map(|(begin, _)| RecordedTime(begin).whole_seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_of_those_there_are() {
        let some: Vec<&'static Range> = BOUNDED.iter().collect();
        let read = |query| read(&Parameters::read(query, &["range"]).unwrap(), &some);
        assert_eq!(read(Some("range=7d")).unwrap().seconds, Some(604_800));
        assert_eq!(read(None).unwrap().word, "24h");
        assert_eq!(read(Some("range=all")).unwrap_err().detail(), "the range is `1h`, `24h`, `7d` or `30d`");
    }
}
