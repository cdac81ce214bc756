//! A full check of a published log from its bytes alone, written apart from the store: what an auditor would compute.

use indelible_tlog::bundle;
use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::edge::Edge;
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::note::VerifierKey;
use indelible_tlog::tile::{BundleId, TILE_WIDTH, TileId, encode_hashes, hashes_at};
use indelible_tlog::tree::{Peaks, TreeSize};

/// Reads a resource below the log's prefix.
pub type Fetch<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// A log that was found whole.
#[derive(Clone, Debug)]
pub struct CheckedLog {
    /// What is published.
    pub checkpoint: Checkpoint,
    /// All entries in order.
    pub entries: Vec<Vec<u8>>,
    /// Their leaf hashes.
    pub leaves: Vec<Hash>,
}

/// Checks signature, every bundle, every tile and the root.
///
/// # Errors
/// What is wrong, in words.
pub fn check_log(fetch: Fetch<'_>, key: &VerifierKey) -> Result<CheckedLog, String> {
    let note = fetch("checkpoint").ok_or("there is no checkpoint")?;
    let checkpoint = Checkpoint::open(&note, key).map_err(|error| error.to_string())?;
    let size = checkpoint.size;
    let mut entries: Vec<Vec<u8>> = Vec::new();
    let mut leaves = Vec::new();
    for index in 0..size.0.div_ceil(u64::from(TILE_WIDTH)) {
        let id = BundleId::at(index, size).ok_or("a bundle beyond the tree")?;
        let bytes = fetch(&id.path()).ok_or_else(|| format!("{} is missing", id.path()))?;
        for entry in bundle::entries(&bytes) {
            let entry = entry.map_err(|error| format!("{}: {error}", id.path()))?;
            leaves.push(leaf_hash(entry));
            entries.push(entry.to_vec());
        }
        if leaves.len() as u64 != id.first_entry() + u64::from(id.width) {
            return Err(format!("{} has another number of entries", id.path()));
        }
    }
    let mut edge = Edge::empty();
    let mut wrong = None;
    let mut check = |id: TileId, hashes: &[Hash]| {
        if fetch(&id.path()).as_deref() != Some(encode_hashes(hashes).as_slice()) {
            wrong.get_or_insert(id);
        }
    };
    edge.append(&leaves, &mut check);
    for (id, hashes) in edge.partial_tiles() {
        check(id, &hashes);
    }
    match wrong {
        Some(id) => Err(format!("{} is missing or not what the entries give", id.path())),
        None if edge.root() != checkpoint.root => Err("the entries do not give the signed root".to_owned()),
        None => Ok(CheckedLog { checkpoint, entries, leaves }),
    }
}

impl CheckedLog {
    /// Checks that checkpoints, signed at any time, are prefixes of this log.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check_prefixes(&self, earlier: &[Checkpoint]) -> Result<(), String> {
        let mut earlier: Vec<&Checkpoint> = earlier.iter().collect();
        earlier.sort_by_key(|checkpoint| checkpoint.size);
        let mut peaks = Peaks::default();
        let mut leaves = self.leaves.iter();
        for checkpoint in earlier {
            while peaks.size() < checkpoint.size {
                let leaf =
                    leaves.next().ok_or_else(|| format!("a checkpoint of size {} was signed", checkpoint.size))?;
                peaks.push(*leaf);
            }
            if peaks.root() != checkpoint.root {
                return Err(format!("the checkpoint of size {} is no prefix of this log", checkpoint.size));
            }
        }
        Ok(())
    }

    /// Checks that the partial tiles and the partial bundle of a published size are there, or the full ones in their place.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check_partial_tiles(&self, fetch: Fetch<'_>, size: TreeSize) -> Result<(), String> {
        let mut edge = Edge::empty();
        let upto = usize::try_from(size.0).map_err(|error| error.to_string())?;
        let leaves = self.leaves.get(..upto).ok_or("the log is shorter than that")?;
        edge.append(leaves, &mut |_, _| {});
        for (id, hashes) in edge.partial_tiles() {
            let expected = encode_hashes(&hashes);
            let stored = fetch(&id.path()).or_else(|| fetch(&id.full().path()));
            if stored.is_none_or(|stored| stored.get(..expected.len()) != Some(&expected[..])) {
                return Err(format!("{}, named by the checkpoint of size {size}, is gone or changed", id.path()));
            }
        }
        let Some(id) = BundleId::at(hashes_at(1, size), size) else { return Ok(()) };
        let stored = fetch(&id.path()).or_else(|| fetch(&id.full().path())).unwrap_or_default();
        let first = usize::try_from(id.first_entry()).map_err(|error| error.to_string())?;
        let expected = &self.entries[first..upto];
        let found = bundle::entries(&stored).take(usize::from(id.width)).map(|entry| entry.unwrap_or_default());
        if found.ne(expected.iter().map(Vec::as_slice)) {
            return Err(format!("{}, named by the checkpoint of size {size}, is gone or changed", id.path()));
        }
        Ok(())
    }
}
