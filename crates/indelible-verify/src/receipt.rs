//! Checking a receipt against a log: did the log keep the promise that it gave with the acknowledgement.
//!
//! Promises: reads only the bundles and tiles that the receipt touches; every promised entry is hashed again, and its tile is
//! led up to the signed root. Never: takes an absent entry for a kept promise.

use indelible_tlog::bundle::{BUNDLE_BYTES_MAX, entries};
use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::proof::{inclusion_proof, verify_inclusion};
use indelible_tlog::receipt::{Receipt, ReceiptError};
use indelible_tlog::tile::{BundleId, TILE_WIDTH, TileId};
use indelible_tlog::tree::{LeafIndex, Peaks};
use serde::Serialize;

use crate::climb::{TileTrouble, read_tile};
use crate::findings::Findings;
use crate::report::{KeySource, Verdict};
use crate::source::LogSource;
use crate::trust::{self, Trusted};
use crate::verify::VerifyOptions;

/// What a receipt came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptReport {
    /// `Intact`: the promise is kept. `Tampered`: it is not, or the receipt is not the log's.
    pub verdict: Verdict,
    /// The log.
    pub origin: Option<String>,
    /// How the key was known.
    pub key_source: KeySource,
    /// First promised entry.
    pub first_index: Option<u64>,
    /// How many were promised.
    pub count: Option<u64>,
    /// When they were recorded, by the receipt.
    pub recorded: Option<String>,
    /// The checkpoint's size.
    pub size: Option<u64>,
    /// The first promised entry that is not there or not the same, where one can be named.
    pub bad_index: Option<u64>,
    /// The file it should be in.
    pub file: Option<String>,
    /// What it means.
    pub reason: String,
    /// Remarks that change no verdict.
    pub remarks: Vec<String>,
}

/// Why the promise is not kept, or could not be looked into.
struct Broken {
    verdict: Verdict,
    index: Option<u64>,
    file: Option<String>,
    reason: String,
}

/// Checks a receipt: signed by the log's key, its entries in the log, and the log's checkpoint over them.
#[must_use]
pub fn verify_receipt(receipt: &str, source: &dyn LogSource, options: &VerifyOptions) -> ReceiptReport {
    let mut report = ReceiptReport {
        verdict: Verdict::CouldNotCheck,
        origin: None,
        key_source: KeySource::Unknown,
        first_index: None,
        count: None,
        recorded: None,
        size: None,
        bad_index: None,
        file: None,
        reason: String::new(),
        remarks: Vec::new(),
    };
    let mut findings = Findings::default();
    let trusted = trust::establish(source, options, &mut findings, &mut report.remarks);
    let trouble = findings.into_report(0, 0, 0);
    let (Some(trusted), Verdict::Intact) = (&trusted, trouble.verdict) else {
        report.verdict = trouble.verdict;
        report.reason = trouble.first.map(|finding| finding.to_text()).unwrap_or_default();
        return report;
    };
    report.key_source = trusted.key_source;
    report.origin = Some(trusted.checkpoint.origin.to_string());
    report.size = Some(trusted.checkpoint.size.0);
    let receipt = match open(receipt, trusted) {
        Ok(receipt) => receipt,
        Err(broken) => return broken.into_report(report),
    };
    report.first_index = Some(receipt.first_index.0);
    report.count = Some(receipt.count);
    report.recorded = Some(receipt.recorded.clone());
    match check_entries(&receipt, &trusted.checkpoint, source) {
        Ok(()) => {
            report.verdict = Verdict::Intact;
            report.reason = "the entries stand in the log where and as the receipt promises".to_owned();
            report
        }
        Err(broken) => broken.into_report(report),
    }
}

fn open(receipt: &str, trusted: &Trusted) -> Result<Receipt, Broken> {
    let broken = |verdict, reason| Broken { verdict, index: None, file: None, reason };
    Receipt::open(receipt, &trusted.key).map_err(|error| {
        let reason = format!("the receipt does not hold under the log's key: {error}");
        match error {
            ReceiptError::Note(_) | ReceiptError::OtherLog { .. } => broken(Verdict::Tampered, reason),
            ReceiptError::Line { .. } | ReceiptError::Surplus => broken(Verdict::CouldNotCheck, reason),
        }
    })
}

fn check_entries(receipt: &Receipt, checkpoint: &Checkpoint, source: &dyn LogSource) -> Result<(), Broken> {
    let (first, end) = (receipt.first_index.0, receipt.first_index.0 + receipt.count);
    if end > checkpoint.size.0 {
        return Err(Broken {
            verdict: Verdict::Tampered,
            index: Some(first.max(checkpoint.size.0)),
            file: Some("checkpoint".to_owned()),
            reason: format!(
                "the receipt promises entries up to {}, but the checkpoint covers {}: if the receipt is older than the \
                 log's checkpoint interval, entries were removed; otherwise check again in a moment",
                end - 1,
                checkpoint.size
            ),
        });
    }
    let width = u64::from(TILE_WIDTH);
    let mut peaks = Peaks::default();
    for index in first / width..=(end - 1) / width {
        let Some(id) = BundleId::at(index, checkpoint.size) else { continue };
        let leaves = bundle_leaves(id, source)?;
        vouch(id, &leaves, first, checkpoint, source)?;
        for (at, leaf) in (id.first_entry()..).zip(&leaves) {
            if (first..end).contains(&at) {
                peaks.push(*leaf);
            }
        }
    }
    if peaks.root() == receipt.entries_root {
        return Ok(());
    }
    Err(Broken {
        verdict: Verdict::Tampered,
        index: Some(first),
        file: Some(BundleId { index: first / width, width: TILE_WIDTH }.path()),
        reason: "the log has other entries in these places than the receipt promises: its past was rewritten"
            .to_owned(),
    })
}

fn bundle_leaves(id: BundleId, source: &dyn LogSource) -> Result<Vec<Hash>, Broken> {
    let broken =
        |verdict, reason: String| Broken { verdict, index: Some(id.first_entry()), file: Some(id.path()), reason };
    let mut bytes = Vec::new();
    let read = |path: &str, bytes: &mut Vec<u8>| source.read(path, BUNDLE_BYTES_MAX, bytes);
    let unreadable = |error: crate::source::SourceError| broken(Verdict::CouldNotCheck, error.to_string());
    let found = read(&id.path(), &mut bytes).map_err(unreadable)?
        || (!id.is_full() && read(&id.full().path(), &mut bytes).map_err(unreadable)?);
    if !found {
        return Err(broken(Verdict::Tampered, "the entry bundle is missing".to_owned()));
    }
    let mut leaves = Vec::with_capacity(usize::from(id.width));
    for entry in entries(&bytes).take(usize::from(id.width)) {
        let entry = entry.map_err(|error| broken(Verdict::Tampered, error.to_string()))?;
        leaves.push(leaf_hash(entry));
    }
    if leaves.len() < usize::from(id.width) {
        let reason = format!("the entry bundle has {} entries instead of {}", leaves.len(), id.width);
        return Err(broken(Verdict::Tampered, reason));
    }
    Ok(leaves)
}

/// Leads a bundle's recomputed leaves up to the signed root. The inclusion proof of one leaf has all others of its bundle in
/// its siblings, so it binds them all.
fn vouch(
    id: BundleId,
    leaves: &[Hash],
    first: u64,
    checkpoint: &Checkpoint,
    source: &dyn LogSource,
) -> Result<(), Broken> {
    let mut buffer = Vec::new();
    let mut fetch = |tile: TileId| {
        if tile.level == 0 && tile.index == id.index {
            return Ok(leaves.to_vec());
        }
        read_tile(source, tile, &mut buffer).map_err(|trouble| (tile, trouble))
    };
    let index = LeafIndex(id.first_entry());
    let proof = inclusion_proof(index, checkpoint.size, &mut fetch).map_err(|error| tile_trouble(error, id))?;
    let leaf = leaves.first().copied().unwrap_or_default();
    verify_inclusion(&leaf, index, checkpoint.size, &proof, &checkpoint.root).map_err(|error| Broken {
        verdict: Verdict::Tampered,
        index: Some(first.max(id.first_entry())),
        file: Some(id.path()),
        reason: format!("the entries of this bundle are not those under the signed root: {error}"),
    })
}

fn tile_trouble(error: indelible_tlog::proof::TileError<(TileId, TileTrouble)>, id: BundleId) -> Broken {
    use indelible_tlog::proof::TileError;
    let (verdict, file, reason) = match error {
        TileError::Read { source: (tile, trouble), .. } => match trouble {
            TileTrouble::Missing => (Verdict::Tampered, tile.path(), "the tile is missing".to_owned()),
            TileTrouble::Malformed(reason) => (Verdict::Tampered, tile.path(), reason),
            TileTrouble::Unreadable(error) => (Verdict::CouldNotCheck, tile.path(), error.to_string()),
        },
        TileError::Short { tile, .. } => (Verdict::Tampered, tile.path(), "the tile is too short".to_owned()),
        TileError::Outside { .. } => (Verdict::Tampered, id.path(), "the entries lie outside the tree".to_owned()),
    };
    Broken { verdict, index: Some(id.first_entry()), file: Some(file), reason }
}

impl Broken {
    fn into_report(self, report: ReceiptReport) -> ReceiptReport {
        let Self { verdict, index, file, reason } = self;
        ReceiptReport { verdict, bad_index: index, file, reason, ..report }
    }
}
