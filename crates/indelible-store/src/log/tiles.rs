//! Reading tiles and bundles of a published tree, partial ones cut from larger ones.

use std::sync::Arc;

use indelible_tlog::bundle;
use indelible_tlog::hash::Hash;
use indelible_tlog::proof::{TileError, inclusion_proof};
use indelible_tlog::proof_file::TlogProof;
use indelible_tlog::tile::{BundleId, TileId};
use indelible_tlog::tree::{LeafIndex, TreeSize};

use crate::storage::{LogStorage, StorageError};

use super::{LogError, SignedCheckpoint};

/// Reads a log's resources at a published size. A partial tile is a prefix of a larger one, so any width up to that of the
/// size can be served; storage keeps the partial tiles of published sizes until the full tile is published.
#[derive(Clone, Debug)]
pub struct TileReader {
    storage: Arc<dyn LogStorage>,
    size: TreeSize,
}

impl TileReader {
    /// Reads from `storage` as of `size`, a published (or, at start, a remembered) tree size.
    #[must_use]
    pub fn new(storage: Arc<dyn LogStorage>, size: TreeSize) -> Self {
        Self { storage, size }
    }

    /// A tile's bytes; `None` when the tree of this size has no such tile.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn tile(&self, id: TileId) -> Result<Option<Vec<u8>>, StorageError> {
        let Some(stored) = TileId::at(id.level, id.index, self.size).filter(|stored| stored.width >= id.width) else {
            return Ok(None);
        };
        let bytes = match self.storage.get(&stored.path())? {
            // the tree has grown since this size was looked up, and the tile is full now
            None if !stored.is_full() => self.storage.get(&stored.full().path())?,
            other => other,
        };
        let wanted = usize::from(id.width) * 32;
        Ok(bytes.and_then(|mut bytes| {
            (bytes.len() >= wanted).then(|| {
                bytes.truncate(wanted);
                bytes
            })
        }))
    }

    /// A tile's hashes, for computing proofs and roots.
    ///
    /// # Errors
    /// When the storage fails; a tile that is not there is given as empty, which the caller's length check refuses.
    pub fn hashes(&self, id: TileId) -> Result<Vec<Hash>, StorageError> {
        let bytes = self.tile(id)?.unwrap_or_default();
        Ok(bytes.chunks_exact(32).filter_map(Hash::from_slice).collect())
    }

    /// A bundle's bytes; `None` when the tree of this size has no such bundle.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn bundle(&self, id: BundleId) -> Result<Option<Vec<u8>>, StorageError> {
        let Some(stored) = BundleId::at(id.index, self.size).filter(|stored| stored.width >= id.width) else {
            return Ok(None);
        };
        let bytes = match self.storage.get(&stored.path())? {
            None if !stored.is_full() => self.storage.get(&stored.full().path())?,
            other => other,
        };
        Ok(bytes.and_then(|mut bytes| {
            let wanted: Option<usize> = bundle::entries(&bytes)
                .take(usize::from(id.width))
                .map(|entry| entry.map(|entry| entry.len() + bundle::LENGTH_BYTES).ok())
                .try_fold((0, 0u16), |(sum, count), len| Some((sum + len?, count + 1)))
                .filter(|(_, count)| *count == id.width)
                .map(|(sum, _)| sum);
            wanted.map(|wanted| {
                bytes.truncate(wanted);
                bytes
            })
        }))
    }

    /// Serves `tile/…` paths; `None` for a path that names no resource of this tree.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn resource(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError> {
        if let Some(id) = BundleId::parse(path) {
            return self.bundle(id);
        }
        match TileId::parse(path) {
            Some(id) => self.tile(id),
            None => Ok(None),
        }
    }
}

/// The C2SP tlog-proof of one entry under `checkpoint`.
///
/// # Errors
/// When the storage fails or its tiles do not fit the tree.
pub fn proof_text(
    storage: &Arc<dyn LogStorage>,
    checkpoint: &SignedCheckpoint,
    index: u64,
) -> Result<Option<String>, LogError> {
    if index >= checkpoint.size {
        return Ok(None);
    }
    let reader = TileReader::new(Arc::clone(storage), TreeSize(checkpoint.size));
    let hashes = inclusion_proof(LeafIndex(index), TreeSize(checkpoint.size), &mut |id| reader.hashes(id));
    let hashes = hashes.map_err(|error| match error {
        TileError::Read { source, .. } => LogError::Storage(source),
        other => LogError::Key(other.to_string()),
    })?;
    let proof = TlogProof { extra: None, index: LeafIndex(index), hashes, checkpoint: checkpoint.note.to_string() };
    Ok(Some(proof.to_text()))
}
