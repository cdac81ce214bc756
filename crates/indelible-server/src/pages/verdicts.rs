//! The two verdicts that stand on every page: is what is there unchanged (integrity), and is nothing missing (completeness). Never
//! mixed into one.

use indelible_detect::sources::{SourceReport, SourceVerdict};

use super::ask::grouped;
use super::parts::counted;
use super::zone::ago;
use crate::app::App;
use crate::guard::Integrity;
use crate::logs::LogHandle;

/// How a verdict looks: never by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing is wrong.
    Good,
    /// Not known, or somebody should look.
    Unsure,
    /// Something is wrong.
    Bad,
}

impl Tone {
    /// The class of the style.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unsure => "unsure",
            Self::Bad => "bad",
        }
    }

    /// The sign before the word.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Unsure => "?",
            Self::Bad => "✗",
        }
    }
}

/// A verdict: a word, and what it rests on.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) tone: Tone,
    pub(super) word: String,
    pub(super) detail: String,
}

/// Whether the log is unchanged, as its guard found.
pub(super) fn integrity(app: &App, log: &LogHandle) -> Verdict {
    of_integrity(&app.guarded.of(log.name()), app.trail.now().0)
}

fn of_integrity(found: &Integrity, now_unix_ns: i64) -> Verdict {
    let verdict = |tone, word: &str, detail| Verdict { tone, word: word.to_owned(), detail };
    if let Some(stopped) = &found.stopped {
        return verdict(Tone::Bad, "does not hold", format!("signing stopped: {}", stopped.reason));
    }
    if found.findings_total > 0 {
        return verdict(
            Tone::Bad,
            "does not hold",
            format!("{} of the guard", counted(found.findings_total, "finding")),
        );
    }
    if !found.guarded {
        return verdict(Tone::Unsure, "not watched", "the guard is off; run `indelible verify`".to_owned());
    }
    let Some(verified) = &found.verified else {
        return verdict(Tone::Unsure, "not checked yet", "the guard has not seen a checkpoint yet".to_owned());
    };
    let age = ago(now_unix_ns, &verified.time).unwrap_or_else(|| "?".to_owned());
    let whole = match found.sweep.completed.as_deref().and_then(|time| ago(now_unix_ns, time)) {
        Some(ago) => format!("every entry checked {ago} ago"),
        None => "first pass over every entry under way".to_owned(),
    };
    verdict(
        Tone::Good,
        "intact",
        format!("checkpoint of {} entries verified {age} ago; {whole}; cosigned by nobody", grouped(verified.size)),
    )
}

/// Whether nothing is missing, as far as sources number their events and are expected.
pub(super) fn completeness(sources: Option<&[SourceReport]>) -> Verdict {
    let verdict = |tone, word: String, detail: String| Verdict { tone, word, detail };
    let Some(sources) = sources else {
        return verdict(Tone::Unsure, "not watched".to_owned(), "sources are not watched".to_owned());
    };
    let count = |wanted: SourceVerdict| sources.iter().filter(|source| source.verdict == wanted).count();
    let (gaps, silent, complete) =
        (count(SourceVerdict::Gaps), count(SourceVerdict::Silent), count(SourceVerdict::Complete));
    if gaps + silent > 0 {
        let missing: u64 = sources.iter().map(|source| source.missing).sum();
        let word = match (gaps, silent) {
            (_, 0) => "gaps",
            (0, _) => "silence",
            _ => "gaps and silence",
        };
        let detail = format!(
            "{} missing in {}, {silent} silent, {complete} complete",
            counted(missing, "event"),
            counted(gaps, "source"),
        );
        return verdict(Tone::Bad, word.to_owned(), detail);
    }
    let unknown = sources.len() - complete;
    if complete == 0 {
        return verdict(Tone::Unsure, "unknown".to_owned(), format!("{} without numbers", counted(unknown, "source")));
    }
    verdict(
        Tone::Good,
        "complete".to_owned(),
        format!("{} complete, {unknown} unnumbered", counted(complete, "source")),
    )
}
