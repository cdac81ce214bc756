//! What verifying found: four verdicts that are never mixed, and the findings behind them.
//! Promises: lists are capped and say so; the exit code follows from integrity alone. Never: decides anything.

mod text;

use serde::Serialize;

/// Most findings listed; the rest is counted.
pub const FINDINGS_LISTED_MAX: usize = 100;
/// Most surplus or unknown files named.
pub const FILES_NAMED_MAX: usize = 20;

/// What a process that verified should exit with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: intact.
    Intact,
    /// 1: tampered.
    Tampered,
    /// 2: could not check.
    CouldNotCheck,
}

impl Exit {
    /// The process exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Intact => 0,
            Self::Tampered => 1,
            Self::CouldNotCheck => 2,
        }
    }
}

/// Integrity: is what is there unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every byte is what the signed checkpoint commits to.
    Intact,
    /// Something is not.
    Tampered,
    /// Not all could be read, or there was nothing to check against.
    CouldNotCheck,
}

impl Verdict {
    /// The exit code for this verdict.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Self::Intact => Exit::Intact,
            Self::Tampered => Exit::Tampered,
            Self::CouldNotCheck => Exit::CouldNotCheck,
        }
    }
}

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// An entry's bytes do not hash to the leaf that the tree commits to.
    EntryAltered,
    /// A tile is not the one that the tree commits to; the entries below it may be whole.
    TileAltered,
    /// Entries and their tiles agree with each other, but not with the tree above.
    Replaced,
    /// A file that the checkpoint needs is not there.
    MissingFile,
    /// A file has not the form or length it must have.
    MalformedFile,
    /// An entry is no canonical event.
    NotAnEvent,
    /// An entry was recorded before the one it follows.
    TimeDecreases,
    /// The checkpoint is not signed by the log's key, or is no checkpoint.
    CheckpointInvalid,
    /// All tiles and entries agree, but their root is not the signed one.
    RootDiffers,
    /// The log is shorter than a checkpoint kept from earlier.
    ShorterThanKept,
    /// The log's past is not the one that a kept checkpoint committed to.
    HistoryRewritten,
    /// The key beside the log is not the one that signed a checkpoint kept from earlier.
    KeyChanged,
    /// Not a finding about the log: something could not be read.
    Unreadable,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// The first entry that it concerns, if it concerns entries.
    pub first_index: Option<u64>,
    /// The last entry that it concerns.
    pub last_index: Option<u64>,
    /// The file, below the log's prefix.
    pub file: Option<String>,
    /// What is wrong and what follows from it.
    pub reason: String,
}

/// INTEGRITY.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IntegrityReport {
    /// The verdict.
    pub verdict: Verdict,
    /// The finding with the lowest index; the first one where none has an index.
    pub first: Option<Finding>,
    /// Findings in the order found, at most [`FINDINGS_LISTED_MAX`].
    pub findings: Vec<Finding>,
    /// How many there were.
    pub findings_total: u64,
    /// Entries whose leaf hash was recomputed.
    pub entries_checked: u64,
    /// Tiles compared with recomputed hashes.
    pub tiles_checked: u64,
    /// Bytes of entry bundles read.
    pub bundle_bytes: u64,
}

/// How the key was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeySource {
    /// The reader brought it.
    Given,
    /// It lay beside the log: whoever could replace the log could replace it too.
    BesideLog,
    /// There was none.
    Unknown,
}

/// WITNESS: who else remembers the log's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WitnessLevel {
    /// Nobody: the log could have been rewritten and signed again.
    None,
    /// A checkpoint kept from earlier is a prefix of the log.
    KeptCheckpoint,
}

/// WITNESS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WitnessReport {
    /// The level reached.
    pub verdict: WitnessLevel,
    /// Size of the kept checkpoint.
    pub kept_size: Option<u64>,
    /// What it means.
    pub reason: String,
}

/// COMPLETENESS: is nothing missing, as far as sources number their events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompletenessLevel {
    /// Every source numbers its events from 1 and none is missing.
    Complete,
    /// Numbers are missing.
    Gaps,
    /// It cannot be told.
    Unknown,
}

/// Consecutive numbers that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// First missing number.
    pub first: u64,
    /// Last missing number.
    pub last: u64,
}

/// What one source's numbers say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceReport {
    /// The source's id.
    pub id: String,
    /// Its events in the log.
    pub events: u64,
    /// Those without a number.
    pub unnumbered: u64,
    /// Lowest number seen.
    pub first_seq: Option<u64>,
    /// Last number seen (highest since the last restart).
    pub last_seq: Option<u64>,
    /// Numbers missing in all.
    pub missing: u64,
    /// The gaps, capped.
    pub gaps: Vec<Gap>,
    /// Whether there are gaps that are not listed.
    pub gaps_capped: bool,
    /// Events whose number was seen before.
    pub repeats: u64,
    /// How often the numbers began again at 1.
    pub restarts: u64,
}

/// COMPLETENESS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CompletenessReport {
    /// The verdict.
    pub verdict: CompletenessLevel,
    /// Why it is not `complete`.
    pub reasons: Vec<String>,
    /// Sources with something to tell first, capped.
    pub sources: Vec<SourceReport>,
    /// How many sources were followed.
    pub sources_total: u64,
    /// Events of sources beyond those that could be followed.
    pub events_not_followed: u64,
}

/// TIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeLevel {
    /// The log's own clock says so; nobody confirms it.
    Asserted,
}

/// TIME.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimeReport {
    /// The verdict.
    pub verdict: TimeLevel,
    /// `recorded` of the first entry.
    pub first_recorded: Option<String>,
    /// `recorded` of the last entry.
    pub last_recorded: Option<String>,
}

/// All that verifying a log found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Folder or URL.
    pub source: String,
    /// The log's origin.
    pub origin: Option<String>,
    /// The checkpoint's size.
    pub size: Option<u64>,
    /// The checkpoint's root in base64.
    pub root: Option<String>,
    /// The key, as text.
    pub key: Option<String>,
    /// How the key was known.
    pub key_source: KeySource,
    /// INTEGRITY.
    pub integrity: IntegrityReport,
    /// WITNESS.
    pub witness: WitnessReport,
    /// COMPLETENESS.
    pub completeness: CompletenessReport,
    /// TIME.
    pub time: TimeReport,
    /// Remarks that change no verdict.
    pub remarks: Vec<String>,
}

impl Report {
    /// What a process should exit with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.integrity.verdict.exit()
    }
}
