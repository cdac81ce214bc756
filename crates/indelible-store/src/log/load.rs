//! Starting on a log that is there (or not yet): what was signed, what is published and what is stored must agree.
//!
//! Recovery is the normal path: it loads, compares, publishes a remembered checkpoint if a crash came before that, and leaves
//! all further work to the next seal. It refuses to go on wherever it would have to guess.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_tlog::bundle;
use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::edge::Edge;
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::proof::{TileError, consistency_proof, verify_consistency};
use indelible_tlog::tile::{BundleId, TILE_WIDTH};
use indelible_tlog::tree::TreeSize;

use crate::disk::{Disk, read_optional};
use crate::storage::{CHECKPOINT_PATH, LogStorage, StorageError};

use super::LogError;
use super::key::LogKey;
use super::seal::SignedCheckpoint;
use super::tiles::TileReader;

/// The right edge of a stored log, checked against what was signed.
#[derive(Debug)]
pub struct Loaded {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) storage: Arc<dyn LogStorage>,
    pub(super) key: Arc<LogKey>,
    pub(super) memory: PathBuf,
    pub(super) edge: Edge,
    pub(super) partial: Vec<u8>,
    pub(super) published: Option<SignedCheckpoint>,
}

impl Loaded {
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

    /// Ready to seal what `journal` holds beyond it.
    #[must_use]
    pub fn into_sealer(self, journal: crate::journal::JournalReader) -> super::Sealer {
        let Self { disk, storage, key, memory, edge, partial, published } = self;
        super::Sealer {
            disk,
            storage,
            journal,
            key,
            memory,
            edge,
            partial,
            published,
            signed: None,
            versions: VecDeque::new(),
        }
    }
}

/// Loads a log. `memory` is the file that holds the last signed checkpoint.
///
/// # Errors
/// [`LogError::Diverged`] when published, remembered and stored state contradict each other; nothing is changed then.
pub fn load(
    disk: Arc<dyn Disk>,
    storage: Arc<dyn LogStorage>,
    key: Arc<LogKey>,
    memory: &Path,
) -> Result<Loaded, LogError> {
    let origin = key.origin().to_string();
    let diverged = |what: String| LogError::Diverged { origin: origin.clone(), what };
    let open = |note: Option<Vec<u8>>, which: &str| match note {
        None => Ok(None),
        Some(note) => open_own(&key, &note).map(Some).map_err(|error| diverged(format!("{which} {error}"))),
    };
    // a process that died may have renamed it and not lived to sync the folder: what we go by must not go away again
    disk.sync_dir(memory.parent().unwrap_or(Path::new(".")))?;
    let remembered = open(read_optional(disk.as_ref(), memory)?, "the remembered checkpoint")?;
    let published = match (&remembered, storage.get(CHECKPOINT_PATH)?) {
        (Some(remembered), Some(note)) if note == remembered.note.as_bytes() => Some(remembered.clone()),
        (_, note) => open(note, "the published checkpoint")?,
    };

    let newest = match (&remembered, &published) {
        (None, None) => None,
        (None, Some(published)) => {
            return Err(diverged(format!(
                "a checkpoint of size {} is published, but {} remembers none: the journal folder is not the one that \
                 belongs to this log",
                published.size,
                memory.display()
            )));
        }
        (Some(remembered), Some(published)) if published.size > remembered.size => {
            return Err(diverged(format!(
                "the published checkpoint (size {}) is newer than the last one signed here (size {}): another server signed \
                 it, or the journal folder was put back to an older state",
                published.size, remembered.size
            )));
        }
        (Some(remembered), Some(published))
            if published.size == remembered.size && published.root != remembered.root =>
        {
            return Err(diverged(format!(
                "two checkpoints of size {} with different roots were signed",
                published.size
            )));
        }
        (Some(remembered), _) => Some(remembered.clone()),
    };
    let Some(newest) = newest else {
        let memory = memory.to_owned();
        return Ok(Loaded { disk, storage, key, memory, edge: Edge::empty(), partial: Vec::new(), published: None });
    };

    let size = TreeSize(newest.size);
    let tiles = TileReader::new(Arc::clone(&storage), size);
    let edge = Edge::load(size, |id| tiles.hashes(id)).map_err(|error| tile_failed(error, &diverged))?;
    if edge.root() != newest.root {
        return Err(diverged(format!("the stored tiles do not give the root that was signed for size {size}")));
    }
    let partial = last_bundle(&tiles, size, &edge, &diverged)?;

    let older = published.as_ref();
    if let Some(older) = older {
        prove_prefix(&tiles, older, &newest, &diverged)?;
    }
    if older != Some(&newest) {
        // a crash came between signing and publishing: publish now, by the same call
        storage.swap_checkpoint(older.map(|older| older.note.as_bytes()), newest.note.as_bytes())?;
    }
    Ok(Loaded { disk, storage, key, memory: memory.to_owned(), edge, partial, published: Some(newest) })
}

fn open_own(key: &LogKey, note: &[u8]) -> Result<SignedCheckpoint, String> {
    let checkpoint =
        Checkpoint::open(note, key.verifier()).map_err(|error| format!("is not signed by this log: {error}"))?;
    let note = std::str::from_utf8(note).map_err(|_| "is not UTF-8".to_owned())?;
    Ok(SignedCheckpoint { size: checkpoint.size.0, root: checkpoint.root, note: Arc::from(note) })
}

fn tile_failed(error: TileError<StorageError>, diverged: &impl Fn(String) -> LogError) -> LogError {
    match error {
        TileError::Read { source, .. } => LogError::Storage(source),
        other => diverged(other.to_string()),
    }
}

/// The unfinished bundle, its entries checked against the level-0 tile; a full last bundle is checked and let go.
fn last_bundle(
    tiles: &TileReader,
    size: TreeSize,
    edge: &Edge,
    diverged: &impl Fn(String) -> LogError,
) -> Result<Vec<u8>, LogError> {
    let Some(last) = size.0.checked_sub(1) else { return Ok(Vec::new()) };
    let Some(id) = BundleId::at(last / u64::from(TILE_WIDTH), size) else { return Ok(Vec::new()) };
    let bytes = tiles.bundle(id)?.ok_or_else(|| diverged(format!("bundle {} is missing or cut short", id.path())))?;
    let level_0 = indelible_tlog::tile::TileId { level: 0, index: id.index, width: id.width };
    let expected: Vec<Hash> = if id.is_full() {
        tiles.hashes(level_0)?
    } else {
        edge.partial_tiles().into_iter().find(|(tile, _)| tile.level == 0).map(|(_, hashes)| hashes).unwrap_or_default()
    };
    let stored: Vec<Hash> = bundle::entries(&bytes).filter_map(Result::ok).map(leaf_hash).collect();
    if stored != expected {
        return Err(diverged(format!("bundle {} does not match tile {}", id.path(), level_0.path())));
    }
    Ok(if id.is_full() { Vec::new() } else { bytes })
}

/// Shows by a consistency proof over the stored tiles that the published tree is a prefix of the newest one.
fn prove_prefix(
    tiles: &TileReader,
    older: &SignedCheckpoint,
    newer: &SignedCheckpoint,
    diverged: &impl Fn(String) -> LogError,
) -> Result<(), LogError> {
    let (from, to) = (TreeSize(older.size), TreeSize(newer.size));
    let proof =
        consistency_proof(from, to, &mut |id| tiles.hashes(id)).map_err(|error| tile_failed(error, diverged))?;
    verify_consistency(from, &older.root, to, &newer.root, &proof).map_err(|error| {
        diverged(format!("the published checkpoint (size {from}) is no prefix of the newest one (size {to}): {error}"))
    })
}
