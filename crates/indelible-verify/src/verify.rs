//! The pass over a whole log: bundles on several threads, judged in order against the tree above them.

use std::ops::ControlFlow;

use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::hash::{EMPTY_ROOT, Hash};
use indelible_tlog::tile::{BundleId, TILE_WIDTH};
use indelible_tlog::tree::{Peaks, root_of};

use crate::bundle::{self, Buffers, BundleOutcome, Contents, Recorded, Wanted};
use crate::climb::Climb;
use crate::completeness::Completeness;
use crate::findings::Findings;
use crate::judge::judge;
use crate::ordered::in_order;
use crate::report::{
    CompletenessLevel, CompletenessReport, Finding, FindingKind, KeySource, Report, TimeLevel, TimeReport,
    WitnessLevel, WitnessReport,
};
use crate::source::LogSource;
use crate::surplus::note_other_files;
use crate::trust::{self, Trusted};

/// After so many files that could not be read the pass ends: the disk or the network is the matter, not the log.
const UNREADABLE_MAX: u64 = 16;
/// After so many findings it ends as well: the verdict will not change, and a checkpoint may name any number of files.
const FINDINGS_MAX: u64 = 10_000;

/// What the reader brings along.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// A checkpoint kept from earlier: the whole signed note.
    pub from: Option<String>,
    /// The log's verifier key, as text. Without it the one beside the log is used, which proves less.
    pub key: Option<String>,
    /// Threads that read and hash; 0 for as many as the machine has.
    pub threads: usize,
}

/// Checks a whole log. `progress` is told how many entries are done, of how many.
pub fn verify(source: &dyn LogSource, options: &VerifyOptions, progress: &mut dyn FnMut(u64, u64)) -> Report {
    let mut findings = Findings::default();
    let mut remarks = Vec::new();
    let trusted = trust::establish(source, options, &mut findings, &mut remarks);
    let Some(trusted) = trusted else {
        return unchecked(source, options, findings, remarks);
    };
    let mut pass = Pass::new(source, &trusted, options.from.is_some(), &mut findings);
    pass.run(options.threads, &mut findings, progress);
    let done = pass.finish(&mut findings);
    if !done.complete {
        remarks.push("the pass was broken off, because too much could not be read or was wrong".to_owned());
    }
    note_other_files(source, &trusted.checkpoint, &mut remarks);
    let Trusted { key, key_source, checkpoint, .. } = trusted;
    Report {
        source: source.name(),
        origin: Some(checkpoint.origin.to_string()),
        size: Some(checkpoint.size.0),
        root: Some(checkpoint.root.to_base64()),
        key: Some(key.to_vkey()),
        key_source,
        integrity: findings.into_report(done.entries_hashed, done.tiles_checked, done.bundle_bytes),
        witness: done.witness,
        completeness: done.completeness.into_report(checkpoint.size.0),
        time: done.time,
        remarks,
    }
}

fn unchecked(source: &dyn LogSource, options: &VerifyOptions, findings: Findings, remarks: Vec<String>) -> Report {
    Report {
        source: source.name(),
        origin: None,
        size: None,
        root: None,
        key: options.key.clone(),
        key_source: KeySource::Unknown,
        integrity: findings.into_report(0, 0, 0),
        witness: WitnessReport {
            verdict: WitnessLevel::None,
            kept_size: None,
            reason: "none: the log could not be checked".to_owned(),
        },
        completeness: CompletenessReport {
            verdict: CompletenessLevel::Unknown,
            reasons: vec!["the log could not be checked".to_owned()],
            sources: Vec::new(),
            sources_total: 0,
            events_not_followed: 0,
        },
        time: TimeReport { verdict: TimeLevel::Asserted, first_recorded: None, last_recorded: None },
        remarks,
    }
}

/// The root at the size of the kept checkpoint, recomputed on the way.
struct Past {
    kept: Checkpoint,
    peaks: Peaks,
    /// Hashes that do not fill a bundle at that size.
    rest: Vec<Hash>,
    tainted: bool,
}

struct Pass<'s> {
    source: &'s dyn LogSource,
    checkpoint: Checkpoint,
    climb: Climb<'s>,
    past: Option<Past>,
    kept_given: bool,
    completeness: Completeness,
    first_recorded: Option<Recorded>,
    last_recorded: Option<Recorded>,
    last_leaves: Vec<Hash>,
    entries_done: u64,
    entries_hashed: u64,
    bundle_bytes: u64,
}

struct Done {
    entries_hashed: u64,
    tiles_checked: u64,
    bundle_bytes: u64,
    complete: bool,
    witness: WitnessReport,
    completeness: Completeness,
    time: TimeReport,
}

impl<'s> Pass<'s> {
    fn new(source: &'s dyn LogSource, trusted: &Trusted, kept_given: bool, findings: &mut Findings) -> Self {
        let checkpoint = trusted.checkpoint.clone();
        let climb = Climb::new(source, checkpoint.size, checkpoint.root, findings);
        let past =
            trusted.kept.clone().map(|kept| Past { kept, peaks: Peaks::default(), rest: Vec::new(), tainted: false });
        Self {
            source,
            checkpoint,
            climb,
            kept_given,
            past,
            completeness: Completeness::default(),
            first_recorded: None,
            last_recorded: None,
            last_leaves: Vec::new(),
            entries_done: 0,
            entries_hashed: 0,
            bundle_bytes: 0,
        }
    }

    fn run(&mut self, threads: usize, findings: &mut Findings, progress: &mut dyn FnMut(u64, u64)) {
        let width = u64::from(TILE_WIDTH);
        let (source, size) = (self.source, self.checkpoint.size);
        let kept = self.past.as_ref().map(|past| past.kept.size.0).filter(|size| size % width != 0);
        let check = |buffers: &mut Buffers, index: u64| {
            let id = BundleId::at(index, size).unwrap_or(BundleId { index, width: TILE_WIDTH });
            let leaves = !id.is_full() || kept.is_some_and(|kept| kept / width == index);
            bundle::check(source, id, Wanted { leaves, contents: true }, buffers)
        };
        let bundles = size.0.div_ceil(width);
        let worked = in_order(threads, bundles, &check, &mut |outcome: BundleOutcome| {
            self.take(outcome, findings);
            progress(self.entries_done, size.0);
            let enough = findings.unreadable() >= UNREADABLE_MAX || findings.total() >= FINDINGS_MAX;
            if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if worked.is_err() {
            findings.add(Finding {
                kind: FindingKind::Unreadable,
                first_index: Some(self.entries_done),
                last_index: None,
                file: None,
                reason: "a worker of the verifier failed; this is a fault of the verifier, please report it".to_owned(),
            });
        }
    }

    /// Judges one bundle and takes over what it says.
    fn take(&mut self, outcome: BundleOutcome, findings: &mut Findings) {
        let expected = self.climb.expected_bundle(outcome.id.index, findings);
        let sound = judge(&outcome, expected, findings);
        self.judge_contents(&outcome, findings);
        let BundleOutcome { id, leaves, entries_root, tile_root, hashed, bytes, contents, .. } = outcome;
        self.entries_done += u64::from(id.width);
        self.entries_hashed += hashed;
        self.bundle_bytes += bytes;
        // Where the signed root vouches for a hash it is the one that goes up, so that each finding stays its own.
        let (root, tainted) = match expected.authentic() {
            Some(root) => (root, false),
            None => (entries_root.or(tile_root).unwrap_or_default(), !sound),
        };
        self.remember_past(&id, root, tainted, leaves.as_deref().unwrap_or_default(), sound);
        if id.is_full() {
            self.climb.push_bundle(root, tainted, findings);
        } else {
            self.last_leaves = leaves.unwrap_or_default();
        }
        for source in contents.sources {
            self.completeness.take(source);
        }
    }

    fn remember_past(&mut self, id: &BundleId, root: Hash, tainted: bool, leaves: &[Hash], sound: bool) {
        let Some(past) = &mut self.past else { return };
        let (first, kept) = (id.first_entry(), past.kept.size.0);
        if first + u64::from(TILE_WIDTH) <= kept {
            past.peaks.push(root);
            past.tainted |= tainted;
        } else if first < kept {
            let rest = usize::try_from(kept - first).unwrap_or(usize::MAX);
            past.rest = leaves.get(..rest).unwrap_or_default().to_vec();
            past.tainted |= !sound || past.rest.is_empty();
        }
    }

    fn judge_contents(&mut self, outcome: &BundleOutcome, findings: &mut Findings) {
        let Contents { first_recorded, last_recorded, time_decreases, not_events, .. } = &outcome.contents;
        let mut add = |kind, first: u64, count: u64, reason: String| {
            let reason = if count > 1 { format!("{reason}; {count} such entries in this bundle") } else { reason };
            let file = Some(outcome.id.path());
            findings.add(Finding { kind, first_index: Some(first), last_index: Some(first), file, reason });
        };
        if let Some((index, fault, count)) = not_events {
            add(FindingKind::NotAnEvent, *index, *count, format!("the entry is no canonical event: {fault}"));
        }
        let earlier = self.last_recorded.is_some_and(|last| first_recorded.is_some_and(|first| first < last));
        let reason =
            || "the entry was recorded before the one it follows: it was backdated, or the clock went back".to_owned();
        if earlier {
            add(FindingKind::TimeDecreases, outcome.id.first_entry(), 1, reason());
        }
        if let Some((index, count)) = time_decreases {
            add(FindingKind::TimeDecreases, *index, *count, reason());
        }
        self.first_recorded = self.first_recorded.or(*first_recorded);
        self.last_recorded = self.last_recorded.max(*last_recorded);
    }

    fn finish(mut self, findings: &mut Findings) -> Done {
        let complete = self.entries_done == self.checkpoint.size.0;
        let witness = self.judge_past(complete, findings);
        let tiles_checked = if complete && self.checkpoint.size.0 > 0 {
            self.climb.finish(&self.last_leaves, self.checkpoint.root, findings)
        } else {
            self.climb.tiles_checked
        };
        let text = |time: Option<Recorded>| time.map(|time| String::from_utf8_lossy(&time).into_owned());
        Done {
            entries_hashed: self.entries_hashed,
            tiles_checked,
            bundle_bytes: self.bundle_bytes,
            complete,
            witness,
            completeness: self.completeness,
            time: TimeReport {
                verdict: TimeLevel::Asserted,
                first_recorded: text(self.first_recorded),
                last_recorded: text(self.last_recorded),
            },
        }
    }

    fn judge_past(&mut self, complete: bool, findings: &mut Findings) -> WitnessReport {
        let none =
            |reason: &str| WitnessReport { verdict: WitnessLevel::None, kept_size: None, reason: reason.to_owned() };
        let Some(past) = self.past.take() else {
            return none(if self.kept_given {
                "none: the kept checkpoint does not hold for this log, see the findings above"
            } else {
                "none: nobody but the log's key speaks for its past; keep a checkpoint elsewhere and give it"
            });
        };
        let size = past.kept.size.0;
        if past.tainted || !complete {
            return none("none: the kept checkpoint could not be compared, because of the findings above");
        }
        let root = match (size, past.rest.is_empty()) {
            (0, _) => EMPTY_ROOT,
            (_, true) => past.peaks.root(),
            (_, false) => past.peaks.root_with(root_of(&past.rest)),
        };
        if root != past.kept.root {
            findings.add(Finding {
                kind: FindingKind::HistoryRewritten,
                first_index: Some(0),
                last_index: size.checked_sub(1),
                file: Some("checkpoint".to_owned()),
                reason: format!(
                    "the first {size} entries have root {root}, the kept checkpoint has {}: the log's past was rewritten",
                    past.kept.root
                ),
            });
            return none("none: the kept checkpoint is not a prefix of this log");
        }
        WitnessReport {
            verdict: WitnessLevel::KeptCheckpoint,
            kept_size: Some(size),
            reason: format!("kept checkpoint: its {size} entries are the first {size} of this log, unchanged"),
        }
    }
}
