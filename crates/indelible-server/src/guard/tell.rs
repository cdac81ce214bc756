//! What the verifier found, as a finding of the watch: which rule, how bad, in words.

use indelible_detect::finding::{Entity, Finding, FindingId, FindingKind, RuleName, Severity, bounded};
use indelible_verify::report::{Finding as Wrong, FindingKind as Kind};

/// An entry or its bundle.
const LEAF: (&str, &str) = ("integrity/leaf", "An entry of the log was altered or is missing");
/// A tile.
const TILE: (&str, &str) = ("integrity/tile", "A tile of the log was altered or is missing");
/// The checkpoint itself.
const CHECKPOINT: (&str, &str) = ("integrity/checkpoint", "The log's checkpoint does not hold");
/// The past.
const ROLLBACK: (&str, &str) = ("integrity/rollback", "The log was cut, rolled back or rewritten");
/// The disk.
const UNREADABLE: (&str, &str) = ("integrity/unreadable", "A file of the log cannot be read");

/// Whether the log is in doubt: everything but a file that cannot be read.
pub(super) fn is_tampering(wrong: &Wrong) -> bool {
    wrong.kind != Kind::Unreadable
}

/// Whether nothing below the checkpoint can be judged any more.
pub(super) fn ends_passes(wrong: &Wrong) -> bool {
    matches!(rule(wrong), ROLLBACK | CHECKPOINT)
}

/// The rule that found it.
pub(super) fn rule(wrong: &Wrong) -> (&'static str, &'static str) {
    let bundle = wrong.file.as_deref().is_some_and(|file| file.starts_with("tile/entries/"));
    match wrong.kind {
        Kind::Unreadable => UNREADABLE,
        Kind::ShorterThanKept | Kind::HistoryRewritten => ROLLBACK,
        Kind::CheckpointInvalid | Kind::RootDiffers | Kind::KeyChanged => CHECKPOINT,
        Kind::MissingFile | Kind::MalformedFile | Kind::Replaced if bundle => LEAF,
        Kind::MissingFile | Kind::MalformedFile | Kind::Replaced if wrong.file.as_deref() == Some("checkpoint") => {
            CHECKPOINT
        }
        Kind::EntryAltered | Kind::NotAnEvent | Kind::TimeDecreases => LEAF,
        Kind::TileAltered | Kind::MissingFile | Kind::MalformedFile | Kind::Replaced => TILE,
    }
}

/// File, first entry and what is wrong, in one line.
pub(super) fn words(wrong: &Wrong) -> String {
    let file = wrong.file.as_deref().unwrap_or("the log");
    match wrong.first_index {
        Some(first) => format!("{file}, from entry {first}: {}", wrong.reason),
        None => format!("{file}: {}", wrong.reason),
    }
}

/// The finding for whoever watches.
pub(super) fn finding(log: &str, wrong: &Wrong, time_unix_ns: i64) -> Finding {
    let (id, title) = rule(wrong);
    let entity = Entity::new("log", log);
    let occasion = format!("{} {:?}", wrong.file.as_deref().unwrap_or_default(), wrong.first_index);
    let (severity, then) = if is_tampering(wrong) {
        (Severity::Critical, "no further checkpoint is signed until a person has looked")
    } else {
        (Severity::High, "the log is not in doubt; look at the disk")
    };
    Finding {
        id: FindingId::of(log, id, &entity, &occasion),
        kind: FindingKind::Integrity,
        log: log.to_owned(),
        rule: RuleName { id: id.to_owned(), title: title.to_owned() },
        severity,
        entity,
        time_unix_ns,
        summary: bounded(&format!("{}; {then}", words(wrong))),
        usual: None,
        seen: None,
        evidence: Vec::new(),
        evidence_total: 0,
        tags: Vec::new(),
        false_positives: Vec::new(),
    }
}
