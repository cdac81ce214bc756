//! The part of `indelible verify` about sealed content: what became of each content that an entry commits to. Done here, because
//! the verifier knows no store. Never: shows a content, or takes an erasure for tampering.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indelible_event::doors::{EntryIndex, EntryReader as _};
use indelible_event::vault::Commitment;
use indelible_event::view::EventView;
use indelible_server::MASTER_KEY_VARIABLE;
use indelible_store::disk::RealDisk;
use indelible_store::sealed::{ContentState, MasterKeys, SealedReader, SlotReader, UnsealError};
use indelible_store::{FolderReader, SystemRandomness};
use serde::Serialize;

use crate::exit::CliError;

/// Entries and bytes read at once.
const ENTRIES_AT_ONCE: usize = 1_024;
const BYTES_AT_ONCE: usize = 8 * 1024 * 1024;
/// Most altered contents that are named.
const NAMED_MAX: usize = 16;

/// What became of the contents that entries commit to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct SealedReport {
    /// There, under a key that was not destroyed.
    present: u64,
    /// Of these: opened and found to be what the entry commits to. 0 without a master key.
    opened: u64,
    /// Their keys were destroyed. No tampering: the commitment stands, and its proof.
    erased: u64,
    /// Only the salt is kept.
    hash_only: u64,
    /// No key slot: lost before it was acknowledged, kept elsewhere, or taken away.
    missing: u64,
    /// There, and not what the entry commits to.
    altered: u64,
    /// The first of these: entry and what is wrong.
    altered_contents: Vec<String>,
    /// Why contents were not opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_opened: Option<String>,
}

impl SealedReport {
    /// Whether something is wrong.
    pub(crate) fn has_findings(&self) -> bool {
        self.altered > 0
    }

    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let opened = match &self.not_opened {
            Some(reason) => format!("not opened: {reason}"),
            None => format!("{} opened, each is what its entry commits to", self.opened),
        };
        let mut text = format!("\nSEALED CONTENT\n  present    {} ({opened})\n", self.present);
        for (name, count, words) in [
            ("erased", self.erased, "keys destroyed; entries and proofs stand"),
            ("hash only", self.hash_only, "never kept here"),
            ("missing", self.missing, "no key here: lost before it was acknowledged, kept elsewhere, or taken away"),
            ("altered", self.altered, "not what the entry commits to"),
        ] {
            if count > 0 {
                text.push_str(&format!("  {name:<10} {count} ({words})\n"));
            }
        }
        for altered in &self.altered_contents {
            text.push_str(&format!("    {altered}\n"));
        }
        text
    }
}

/// Looks at the contents beside the log in `folder`; `None` when there are none.
pub(crate) fn check(folder: &Path) -> Result<Option<SealedReport>, CliError> {
    let Some(sealed) = beside(folder) else { return Ok(None) };
    let failed = |error: &dyn std::error::Error| CliError::because("sealed content cannot be checked", error);
    let log = FolderReader::open(folder).map_err(|error| failed(&error))?;
    let mut report = SealedReport::default();
    let reader = match masters(&sealed) {
        Ok(masters) => Some(SealedReader::open(&sealed, masters).map_err(|error| failed(&error))?),
        Err(reason) => {
            report.not_opened = Some(reason);
            None
        }
    };
    let slots = match &reader {
        Some(_) => None,
        None => Some(SlotReader::open(&sealed).map_err(|error| failed(&error))?),
    };
    let mut next = 0;
    while next < log.size() {
        let entries = log.read(EntryIndex(next), ENTRIES_AT_ONCE, BYTES_AT_ONCE).map_err(|error| failed(&error))?;
        if entries.is_empty() {
            break;
        }
        for (index, entry) in entries.iter() {
            let Ok(view) = EventView::parse(entry) else { continue };
            for commitment in view.sealed.iter().filter_map(|sealed| sealed.commitment.as_deref()) {
                let Some(commitment) = STANDARD.decode(commitment).ok().and_then(|bytes| bytes.try_into().ok()) else {
                    continue;
                };
                let known = (reader.as_ref(), slots.as_ref());
                report.add(index, &Commitment(commitment), known).map_err(|error| failed(&error))?;
            }
        }
        next = entries.next_index().0;
    }
    Ok(Some(report))
}

impl SealedReport {
    fn add(
        &mut self,
        index: EntryIndex,
        commitment: &Commitment,
        (reader, slots): (Option<&SealedReader>, Option<&SlotReader>),
    ) -> Result<(), indelible_store::disk::DiskError> {
        let Some(slots) = reader.map(SealedReader::slots).or(slots) else { return Ok(()) };
        match slots.state(commitment)? {
            ContentState::Missing => self.missing += 1,
            ContentState::Erased => self.erased += 1,
            ContentState::HashOnly => self.hash_only += 1,
            ContentState::Sealed => {
                self.present += 1;
                match reader.map(|reader| reader.check(commitment)) {
                    None => {}
                    Some(Ok(_)) => self.opened += 1,
                    // Erased meanwhile, or under a key that is not at hand: no finding.
                    Some(Err(UnsealError::Erased(_) | UnsealError::Unknown(_) | UnsealError::HashOnly(_))) => {}
                    Some(Err(error @ UnsealError::OtherMaster { .. })) => self.not_opened = Some(error.to_string()),
                    Some(Err(UnsealError::Disk(error))) if !error.is_not_found() => return Err(error),
                    Some(Err(error)) => {
                        self.altered += 1;
                        if self.altered_contents.len() < NAMED_MAX {
                            self.altered_contents.push(format!("entry {index}: {error}"));
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// `sealed/` in the data folder of the log in `folder`.
fn beside(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let sealed = folder.parent()?.parent()?.join("sealed");
    sealed.join("keys").is_dir().then_some(sealed)
}

fn masters(sealed: &Path) -> Result<MasterKeys, String> {
    if let Ok(text) = std::env::var(MASTER_KEY_VARIABLE) {
        return MasterKeys::parse(&text, &format!("the variable {MASTER_KEY_VARIABLE}"))
            .map_err(|error| error.to_string());
    }
    let path = sealed.with_file_name("keys").join("sealed.master");
    if !path.is_file() {
        return Err(format!("no master key; set {MASTER_KEY_VARIABLE} to look inside"));
    }
    MasterKeys::from_file(&RealDisk, &path, false, &SystemRandomness).map_err(|error| error.to_string())
}
