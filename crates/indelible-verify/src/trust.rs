//! What the pass is measured against: the log's key, its checkpoint, and a checkpoint kept from earlier.
//! Promises: says where the key came from. Never: lets a key found beside the log overrule one that the reader brought.

use indelible_tlog::checkpoint::{Checkpoint, CheckpointError};
use indelible_tlog::note::{NOTE_BYTES_MAX, Note, NoteError, VerifierKey};

use crate::findings::Findings;
use crate::report::{Finding, FindingKind, KeySource};
use crate::source::LogSource;
use crate::verify::VerifyOptions;

/// Longest verifier key file: a name, an id and a key fit many times.
const VKEY_BYTES_MAX: usize = 4096;

/// What is to be believed, and how far.
pub(crate) struct Trusted {
    pub(crate) key: VerifierKey,
    pub(crate) key_source: KeySource,
    /// The log's checkpoint; its signature is valid unless a finding says otherwise.
    pub(crate) checkpoint: Checkpoint,
    /// The checkpoint kept from earlier, verified.
    pub(crate) kept: Option<Checkpoint>,
}

/// Finds the key, opens the checkpoint and the kept one. `None` when there is nothing to check against; a finding says why.
pub(crate) fn establish(
    source: &dyn LogSource,
    options: &VerifyOptions,
    findings: &mut Findings,
    remarks: &mut Vec<String>,
) -> Option<Trusted> {
    let (key, key_source) = match find_key(source, options, remarks) {
        Ok(key) => key,
        Err(reason) => {
            findings.add(unreadable("log.vkey", reason));
            return None;
        }
    };
    let mut note = Vec::new();
    match source.read("checkpoint", NOTE_BYTES_MAX, &mut note) {
        Ok(true) => {}
        Ok(false) => {
            let reason = "there is no checkpoint here; give the folder or address that holds `checkpoint` and `tile`";
            findings.add(unreadable("checkpoint", reason.to_owned()));
            return None;
        }
        Err(error) => {
            findings.add(unreadable("checkpoint", error.to_string()));
            return None;
        }
    }
    let checkpoint = match Checkpoint::open(&note, &key) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            findings.add(Finding {
                kind: FindingKind::CheckpointInvalid,
                first_index: None,
                last_index: None,
                file: Some("checkpoint".to_owned()),
                reason: format!("the checkpoint does not hold under key `{}`: {error}", key.to_vkey()),
            });
            // Not believed, but the rest may still show what was done.
            Checkpoint::parse(&Note::parse(&note).ok()?.text).ok()?
        }
    };
    let kept = kept_checkpoint(options, &key, key_source, &checkpoint, findings);
    Some(Trusted { key, key_source, checkpoint, kept })
}

fn find_key(
    source: &dyn LogSource,
    options: &VerifyOptions,
    remarks: &mut Vec<String>,
) -> Result<(VerifierKey, KeySource), String> {
    let mut text = Vec::new();
    let beside = match source.read("log.vkey", VKEY_BYTES_MAX, &mut text) {
        Ok(true) => String::from_utf8_lossy(&text).into_owned(),
        Ok(false) => String::new(),
        Err(error) if options.key.is_none() => return Err(error.to_string()),
        Err(_) => String::new(),
    };
    if let Some(given) = &options.key {
        let key = VerifierKey::parse(given.trim()).map_err(|error| format!("the key given is not usable: {error}"))?;
        if !beside.is_empty() && beside.trim() != key.to_vkey() {
            remarks.push("the key beside the log (`log.vkey`) is not the one given; the one given was used".to_owned());
        }
        return Ok((key, KeySource::Given));
    }
    if beside.is_empty() {
        return Err("there is no key beside the log; give the log's verifier key".to_owned());
    }
    let key =
        VerifierKey::parse(beside.trim()).map_err(|error| format!("the key beside the log is not usable: {error}"))?;
    remarks.push(
        "the key was found beside the log: whoever can replace the log can replace it too; give a key kept elsewhere"
            .to_owned(),
    );
    Ok((key, KeySource::BesideLog))
}

fn kept_checkpoint(
    options: &VerifyOptions,
    key: &VerifierKey,
    key_source: KeySource,
    checkpoint: &Checkpoint,
    findings: &mut Findings,
) -> Option<Checkpoint> {
    let kept = match Checkpoint::open(options.from.as_ref()?, key) {
        Ok(kept) => kept,
        // The reader's own memory of the log was signed by another key than the one that now lies beside it.
        Err(CheckpointError::Note(NoteError::NotSigned { .. } | NoteError::BadSignature { .. }))
            if key_source == KeySource::BesideLog =>
        {
            findings.add(Finding {
                kind: FindingKind::KeyChanged,
                first_index: None,
                last_index: None,
                file: Some("log.vkey".to_owned()),
                reason:
                    "the kept checkpoint is not signed by the key beside the log: the key was exchanged, or the kept \
                         checkpoint is of another log"
                        .to_owned(),
            });
            return None;
        }
        Err(error) => {
            findings.add(unreadable("kept checkpoint", format!("the kept checkpoint does not hold: {error}")));
            return None;
        }
    };
    if kept.origin != checkpoint.origin {
        let reason = format!("the kept checkpoint is of log `{}`, this is `{}`", kept.origin, checkpoint.origin);
        findings.add(unreadable("kept checkpoint", reason));
        return None;
    }
    if kept.size > checkpoint.size {
        findings.add(Finding {
            kind: FindingKind::ShorterThanKept,
            first_index: Some(checkpoint.size.0),
            last_index: Some(kept.size.0 - 1),
            file: Some("checkpoint".to_owned()),
            reason: format!(
                "the kept checkpoint has {} entries, the log has {}: it was cut or rolled back",
                kept.size, checkpoint.size
            ),
        });
        return None;
    }
    Some(kept)
}

fn unreadable(file: &str, reason: String) -> Finding {
    Finding { kind: FindingKind::Unreadable, first_index: None, last_index: None, file: Some(file.to_owned()), reason }
}
