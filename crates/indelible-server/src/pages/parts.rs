//! Small things that templates share: words and classes for what has no words of its own.

use indelible_detect::sources::SourceVerdict;

use super::ask::grouped;
use super::verdicts::Tone;

/// How an outcome looks: the sign before its word, and its class.
pub(super) fn outcome_look(result: &str) -> (&'static str, &'static str) {
    match result {
        "allowed" => ("■", "allowed"),
        "denied" => ("▲", "denied"),
        "failed" => ("●", "failed"),
        _ => ("", ""),
    }
}

/// So many of something, in words: "1 gap", "2,000 gaps".
pub(super) fn counted(number: impl Copy + TryInto<u64>, one: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// How a source's verdict reads and looks.
pub(super) fn source_verdict(verdict: &SourceVerdict) -> (&'static str, Tone) {
    match verdict {
        SourceVerdict::Complete => ("complete", Tone::Good),
        SourceVerdict::Gaps => ("gaps", Tone::Bad),
        SourceVerdict::Silent => ("silent", Tone::Bad),
        SourceVerdict::Unknown => ("unknown", Tone::Unsure),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_one_and_others_are_more() {
        assert_eq!([0_u64, 1, 2_000].map(|number| counted(number, "gap")), ["0 gaps", "1 gap", "2,000 gaps"]);
    }
}
