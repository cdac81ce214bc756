//! From durable journal entries to a published checkpoint: the one function whose order makes a checkpoint true.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use indelible_tlog::bundle;
use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::edge::Edge;
use indelible_tlog::hash::{HASH_BYTES, Hash, leaf_hashes};
use indelible_tlog::tile::{BundleId, TILE_WIDTH, TileId, encode_hashes};
use indelible_tlog::tree::TreeSize;

use crate::disk::{Disk, replace_file};
use crate::journal::JournalReader;
use crate::storage::{LogStorage, Object, StorageError};

use super::LogError;
use super::key::LogKey;

/// Most entries that one checkpoint adds: bounds the hashes held for the comparison (32 bytes each).
pub const SEAL_ENTRIES_MAX: u64 = 262_144;
/// Bytes of partial versions of one bundle above which the oldest go. 256 versions of a bundle of 600-byte entries take 20 MB;
/// of 64-KiB entries it would be 2 GB.
const VERSIONS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Versions that stay whatever they take: the published one and the one that a reader may just have looked up.
const VERSIONS_MIN: usize = 2;
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
    /// Signed over a durable tree and not published yet: the disk was full in between.
    pub(super) signed: Option<Signed>,
    /// Partial versions of the bundle at the right edge, oldest first, with their lengths.
    pub(super) versions: VecDeque<(BundleId, usize)>,
}

/// A tree on its way from signed to published.
#[derive(Debug)]
pub(super) struct Signed {
    checkpoint: SignedCheckpoint,
    staged: Staged,
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
    /// When [`LogError::is_full`], the next call goes on where this one ended. After any other error the caller must stop:
    /// what is durable or published is known only to the next start, which runs [`super::load()`].
    pub fn seal(&mut self) -> Result<Option<Sealed>, LogError> {
        let old = self.size();
        let (_, durable) = self.journal.bounds();
        let new = durable.min(old + SEAL_ENTRIES_MAX);
        let signed = match self.signed.take() {
            // what was signed is published before anything else is signed, and none of its files is written again
            Some(signed) => signed,
            None if new <= old && self.published.is_some() => return Ok(None),
            None => {
                // 1. Entries from the journal into bundles and tiles. A crash leaves files that no checkpoint names; the
                //    next round writes the same bytes again.
                let staged = self.stage(old, new)?;

                // 2. All of them durable. A failed sync is fatal: after it the kernel may forget what it could not write.
                self.storage.sync()?;

                // 3. Leaf hashes once more, from the stored bytes. One flipped bit here would make the log unprovable for
                //    ever.
                self.compare(&staged)?;

                // 4. Sign. The signature is still nobody's.
                self.sign(staged)?
            }
        };
        let Signed { checkpoint, staged } = self.signed.insert(signed);

        // 5. Remember what was signed before anyone sees it. A crash after this: the start finds a memory newer than the
        //    published checkpoint, checks it against the durable tiles and publishes it.
        replace_file(self.disk.as_ref(), &self.memory, checkpoint.note.as_bytes())?;

        // 6. Publish by compare-and-swap. An outcome that is not known is fatal: only a start can tell.
        let expected = self.published.as_ref().map(|published| published.note.as_bytes());
        self.storage.swap_checkpoint(expected, checkpoint.note.as_bytes())?;

        // 7. Only now is the new tree ours. Partial versions of tiles that became full go; a crash before that leaves a few
        //    files more.
        let checkpoint = checkpoint.clone();
        std::mem::swap(&mut self.edge, &mut staged.edge);
        std::mem::swap(&mut self.partial, &mut staged.partial);
        self.signed = None;
        self.published = Some(checkpoint.clone());
        if let Err(error) = self.tidy(old, checkpoint.size) {
            tracing::warn!(%error, "partial tiles that are of no more use could not be removed");
        }
        Ok(Some(Sealed { added: checkpoint.size - old, checkpoint }))
    }

    /// Confirms the published checkpoint while nothing is new: it still stands in the storage as it was signed, and is written
    /// once more, so that its age tells whether the log is alive. It keeps its bytes: a note carries no time, and the same tree
    /// has the same signature. `false` while there is none, or a newer one is on its way.
    ///
    /// # Errors
    /// As for [`Sealer::seal`].
    pub fn confirm(&mut self) -> Result<bool, LogError> {
        let Some(published) = self.published.as_ref().filter(|_| self.signed.is_none()) else { return Ok(false) };
        if (published.size, published.root) != (self.edge.size().0, self.edge.root()) {
            return Err(self.diverged("the tree in memory is not the one whose checkpoint was published".to_owned()));
        }
        self.storage.renew_checkpoint(published.note.as_bytes())?;
        Ok(true)
    }

    fn sign(&self, staged: Staged) -> Result<Signed, LogError> {
        let (size, root) = (staged.edge.size(), staged.edge.root());
        let note = self.key.sign_checkpoint(&Checkpoint { origin: self.key.origin().clone(), size, root })?;
        Ok(Signed { checkpoint: SignedCheckpoint { size: size.0, root, note }, staged })
    }

    /// Removes partial versions of tiles and bundles that became full; until then they stay, as tlog-tiles asks, for readers
    /// with an older checkpoint. Bundles of long entries are an exception: of them the oldest versions go when all versions
    /// together grow large, and such a reader has to fetch a newer checkpoint.
    fn tidy(&mut self, old: u64, new: u64) -> Result<(), StorageError> {
        let edge = new / u64::from(TILE_WIDTH);
        self.versions.retain(|(id, _)| id.index == edge);
        if let Some(id) = BundleId::at(edge, TreeSize(new)) {
            self.versions.push_back((id, self.partial.len()));
        }
        let mut bytes: usize = self.versions.iter().map(|(_, bytes)| bytes).sum();
        let mut oldest = Vec::new();
        while bytes > VERSIONS_BYTES_MAX
            && self.versions.len() > VERSIONS_MIN
            && let Some((id, len)) = self.versions.pop_front()
        {
            bytes -= len;
            oldest.push(id.path());
        }
        self.storage.remove(&oldest)?;
        self.storage.remove_partials(&became_full(old, new))
    }

    fn stage(&self, old: u64, new: u64) -> Result<Staged, LogError> {
        let mut stage = Stage { storage: self.storage.as_ref(), objects: Vec::new(), bytes: 0 };
        let mut leaves = Vec::with_capacity(usize::try_from(new - old).unwrap_or_default());
        let mut partial = self.partial.clone();
        let mut failed = None;
        self.journal.read(old, new, |entry| {
            let added =
                bundle::append_entry(&mut partial, entry.entry).map_err(|error| self.diverged(error.to_string()));
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
        edge.append(&leaves, &mut |id, hashes| tiles.push((id, encode_hashes(hashes))));
        // a partial tile that did not grow is one that the published checkpoint names: it is not touched
        let grown = |id: &TileId| TileId::partial(id.level, TreeSize(old)) != Some(*id);
        let partials = edge.partial_tiles().into_iter().filter(|(id, _)| grown(id));
        tiles.extend(partials.map(|(id, hashes)| (id, encode_hashes(&hashes))));
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
                return Err(
                    self.diverged(format!("tile {} did not come back from storage as it was written", id.path()))
                );
            }
            if id.level > 0 {
                continue;
            }
            let bundle_id = BundleId { index: id.index, width: id.width };
            let stored = self.storage.get(&bundle_id.path())?.unwrap_or_default();
            let entries: Vec<&[u8]> = bundle::entries(&stored)
                .collect::<Result<_, _>>()
                .map_err(|error| self.diverged(format!("bundle {}: {error}", bundle_id.path())))?;
            let (expected, _) = bytes.as_chunks::<HASH_BYTES>();
            if entries.len() != expected.len() {
                let path = bundle_id.path();
                let what = format!("bundle {path} came back with {} entries, not {}", entries.len(), expected.len());
                return Err(self.diverged(what));
            }
            let hashes = leaf_hashes(&entries);
            if let Some(place) = hashes.iter().zip(expected).position(|(hash, expected)| hash.0 != *expected) {
                let (index, path) = (bundle_id.first_entry() + place as u64, bundle_id.path());
                return Err(
                    self.diverged(format!("entry {index} in {path} does not have the leaf hash it was recorded with"))
                );
            }
        }
        Ok(())
    }

    fn diverged(&self, what: String) -> LogError {
        LogError::Diverged { origin: self.key.origin().to_string(), what }
    }
}

/// What a round wrote.
#[derive(Debug)]
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

/// The full tiles and bundles of size `new` that were partial in size `old`: their partial versions have served.
fn became_full(old: u64, new: u64) -> Vec<String> {
    let partials = (0..8).filter_map(|level| TileId::partial(level, TreeSize(old)));
    let mut full: Vec<TileId> = partials.map(|id| id.full()).collect();
    full.retain(|id| TileId::at(id.level, id.index, TreeSize(new)) == Some(*id));
    let bundles = full.iter().filter(|id| id.level == 0).map(|id| BundleId { index: id.index, width: id.width }.path());
    let mut paths: Vec<String> = bundles.collect();
    paths.extend(full.iter().map(TileId::path));
    paths
}
