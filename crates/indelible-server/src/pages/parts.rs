//! Small things that templates share: words and classes for what has no words of its own.

use indelible_detect::sources::SourceVerdict;

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

/// How a source's verdict reads and looks.
pub(super) fn source_verdict(verdict: &SourceVerdict) -> (&'static str, Tone) {
    match verdict {
        SourceVerdict::Complete => ("complete", Tone::Good),
        SourceVerdict::Gaps => ("gaps", Tone::Bad),
        SourceVerdict::Silent => ("silent", Tone::Bad),
        SourceVerdict::Unknown => ("unknown", Tone::Unsure),
    }
}
