//! From durable journal entries to a published checkpoint: the one function whose order makes a checkpoint true.

use std::path::PathBuf;
use std::sync::Arc;

use indelible_tlog::bundle;
use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::edge::Edge;
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::tile::{BundleId, TILE_WIDTH, TileId};
use indelible_tlog::tree::TreeSize;

use crate::disk::{Disk, replace_file};
use crate::journal::JournalReader;
use crate::storage::{LogStorage, Object};

use super::LogError;
use super::key::LogKey;

/// Most entries that one checkpoint adds: bounds the hashes held for the comparison (32 bytes each).
pub const SEAL_ENTRIES_MAX: u64 = 262_144;
/// Bytes staged in memory before they are written out.
const STAGE_BYTES: usize = 8 * 1024 * 1024;

/// A checkpoint that this log signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// How many entries it covers.
    pub size: u64,
    /// The tree's root at that size.
    pub root: Hash,
    /// The signed note.
    pub note: Arc<str>,
}

/// What one round did.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The checkpoint that is published now.
    pub checkpoint: SignedCheckpoint,
    /// How many entries it added.
    pub added: u64,
}

/// Seals one log. Made by [`super::load()`]; used by one thread.
#[derive(Debug)]
pub struct Sealer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) storage: Arc<dyn LogStorage>,
    pub(super) journal: JournalReader,
    pub(super) key: Arc<LogKey>,
    /// Where the last signed checkpoint is kept outside the log's own storage, so that a log that was rolled back is seen.
    pub(super) memory: PathBuf,
    pub(super) edge: Edge,
    /// The entries of the unfinished bundle at the right edge.
    pub(super) partial: Vec<u8>,
    pub(super) published: Option<SignedCheckpoint>,
}

impl Sealer {
    /// How many entries the published checkpoint covers.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.edge.size().0
    }

    /// The published checkpoint, if there is one yet.
    #[must_use]
    pub fn published(&self) -> Option<&SignedCheckpoint> {
        self.published.as_ref()
    }

    /// Seals what the journal holds beyond the published checkpoint; `None` when there is nothing.
    ///
    /// # Errors
    /// When [`LogError::is_full`], nothing changed and the next round tries again. After any other error the caller must
    /// stop: what is durable or published is known only to the next start, which runs [`super::load()`].
    pub fn seal(&mut self) -> Result<Option<Sealed>, LogError> {
        let old = self.size();
        let (_, durable) = self.journal.bounds();
        let new = durable.min(old + SEAL_ENTRIES_MAX);
        if new <= old && self.published.is_some() {
            return Ok(None);
        }

        // 1. Entries from the journal into bundles and tiles. A crash leaves files that no checkpoint names; the next round
        //    writes the same bytes again.
        let staged = self.stage(old, new)?;

        // 2. All of them durable. A failed sync is fatal: after it the kernel may forget what it could not write.
        self.storage.sync()?;

        // 3. Leaf hashes once more, from the durable bytes. One flipped bit here would make the log unprovable for ever.
        self.compare(&staged)?;

        // 4. Sign, and remember what was signed before anyone sees it. A crash after this: the start finds a memory newer
        //    than the published checkpoint, checks it against the durable tiles and publishes it.
        let checkpoint = Checkpoint { origin: self.key.origin().clone(), size: TreeSize(new), root: staged.edge.root() };
        let note = self.key.sign_checkpoint(&checkpoint)?;
        replace_file(self.disk.as_ref(), &self.memory, note.as_bytes())?;

        // 5. Publish by compare-and-swap. An outcome that is not known is fatal, for the same reason.
        let expected = self.published.as_ref().map(|published| published.note.as_bytes());
        self.storage.swap_checkpoint(expected, note.as_bytes())?;

        // 6. Only now is the new tree ours. Partial tiles that it replaced go; a crash before that leaves a few files more.
        let superseded = superseded_partials(old, new);
        self.edge = staged.edge;
        self.partial = staged.partial;
        let checkpoint = SignedCheckpoint { size: new, root: checkpoint.root, note };
        self.published = Some(checkpoint.clone());
        self.storage.remove(&superseded)?;
        Ok(Some(Sealed { checkpoint, added: new - old }))
    }

    fn stage(&self, old: u64, new: u64) -> Result<Staged, LogError> {
        let mut stage = Stage { storage: self.storage.as_ref(), objects: Vec::new(), bytes: 0 };
        let mut leaves = Vec::with_capacity(usize::try_from(new - old).unwrap_or_default());
        let mut partial = self.partial.clone();
        let mut failed = None;
        self.journal.read(old, new, |entry| {
            let added = bundle::append_entry(&mut partial, entry.entry).map_err(|error| self.diverged(error.to_string()));
            leaves.push(entry.leaf);
            let step = || -> Result<(), LogError> {
                added?;
                if (entry.index + 1) % u64::from(TILE_WIDTH) == 0 {
                    let id = BundleId { index: entry.index / u64::from(TILE_WIDTH), width: TILE_WIDTH };
                    stage.add(id.path(), std::mem::take(&mut partial))?;
                }
                Ok(())
            };
            failed = step().err();
            failed.is_none()
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(id) = BundleId::at(new / u64::from(TILE_WIDTH), TreeSize(new)) {
            stage.add(id.path(), partial.clone())?;
        }
        let mut edge = self.edge.clone();
        let mut tiles: Vec<(TileId, Vec<u8>)> = Vec::new();
        edge.append(&leaves, &mut |id, hashes| tiles.push((id, tile_bytes(hashes))));
        tiles.extend(edge.partial_tiles().into_iter().map(|(id, hashes)| (id, tile_bytes(&hashes))));
        for (id, bytes) in &tiles {
            stage.add(id.path(), bytes.clone())?;
        }
        stage.flush()?;
        Ok(Staged { edge, partial, tiles })
    }

    /// Reads back what `stage` wrote and compares: tiles byte for byte, bundles by their recomputed leaf hashes.
    fn compare(&self, staged: &Staged) -> Result<(), LogError> {
        for (id, bytes) in &staged.tiles {
            let stored = self.storage.get(&id.path())?;
            if stored.as_deref() != Some(bytes) {
                return Err(self.diverged(format!("tile {} did not come back from storage as it was written", id.path())));
            }
            if id.level > 0 {
                continue;
            }
            let bundle_id = BundleId { index: id.index, width: id.width };
            let stored = self.storage.get(&bundle_id.path())?.unwrap_or_default();
            let mut expected = bytes.chunks_exact(32);
            for (entry, index) in bundle::entries(&stored).zip(bundle_id.first_entry()..) {
                let entry = entry.map_err(|error| self.diverged(format!("bundle {}: {error}", bundle_id.path())))?;
                if expected.next() != Some(leaf_hash(entry).0.as_slice()) {
                    let path = bundle_id.path();
                    return Err(self.diverged(format!("entry {index} in {path} does not have the leaf hash it was recorded with")));
                }
            }
            if expected.next().is_some() {
                return Err(self.diverged(format!("bundle {} came back shorter than it was written", bundle_id.path())));
            }
        }
        Ok(())
    }

    fn diverged(&self, what: String) -> LogError {
        LogError::Diverged { origin: self.key.origin().to_string(), what }
    }
}

/// What a round wrote.
struct Staged {
    edge: Edge,
    partial: Vec<u8>,
    tiles: Vec<(TileId, Vec<u8>)>,
}

/// Collects objects and writes them out whenever enough have come together.
struct Stage<'a> {
    storage: &'a dyn LogStorage,
    objects: Vec<Object>,
    bytes: usize,
}

impl Stage<'_> {
    fn add(&mut self, path: String, bytes: Vec<u8>) -> Result<(), LogError> {
        self.bytes += bytes.len();
        self.objects.push((path, bytes));
        if self.bytes >= STAGE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), LogError> {
        self.storage.put(&self.objects)?;
        self.objects.clear();
        self.bytes = 0;
        Ok(())
    }
}

pub(super) fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The partial tiles and bundle of size `old` that size `new` has larger ones for.
fn superseded_partials(old: u64, new: u64) -> Vec<String> {
    let mut paths = Vec::new();
    if old == new {
        return paths;
    }
    if let Some(id) = BundleId::at(old / u64::from(TILE_WIDTH), TreeSize(old)).filter(|id| !id.is_full()) {
        paths.push(id.path());
    }
    for level in 0..8 {
        if let Some(id) = TileId::partial(level, TreeSize(old))
            && TileId::at(level, id.index, TreeSize(new)) != Some(id)
        {
            paths.push(id.path());
        }
    }
    paths
}
