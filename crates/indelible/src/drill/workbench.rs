//! The copies that a drill attacks: a published log written anew from real entries, and a whole data folder.
//!
//! The copy is signed with a key made for the drill, so that attacks with a stolen key can be carried out without touching
//! the real one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_event::batch::EventBatch;
use indelible_event::doors::{EntryIndex, EntryReader};
use indelible_event::env::Randomness;
use indelible_event::id::EventId;
use indelible_store::disk::{Disk, RealDisk};
use indelible_store::name::LogName;
use indelible_store::{FolderReader, LogSettings, OpenError, OpenedParts, SystemClock, SystemRandomness, open_parts};
use indelible_tlog::bundle;
use indelible_tlog::checkpoint::{Checkpoint, Origin};
use indelible_tlog::edge::Edge;
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::note::{self, KeyKind, SigningKey};
use indelible_tlog::tile::{BundleId, TILE_WIDTH, TileId, encode_hashes};
use indelible_tlog::tree::TreeSize;

use super::DrillError;
use super::published::{check_folder, is_intact, summary};

/// Fewest entries that a drill can work on: two bundles and a partial one.
pub(crate) const ENTRIES_MIN: usize = 3;
/// The origin of the copies.
pub(crate) const DRILL_ORIGIN: &str = "drill.invalid/copy";
/// Name of the log in the copied data folder.
const LOG: &str = "main";

/// Why a copy could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkbenchError {
    /// The log could not be read.
    #[error("the log could not be read")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The folder for the copies could not be used.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The copied data folder could not be opened.
    #[error("the copied data folder could not be opened")]
    Open(#[from] OpenError),
    /// An entry is not one of ours.
    #[error("entry {index} has no id or no time of recording, so it cannot be recorded again in the copy")]
    Entry {
        /// Which.
        index: usize,
    },
    /// A key or note could not be made.
    #[error("{0}")]
    Note(String),
}

/// Copies of a log, ready to be attacked.
#[derive(Debug)]
pub(crate) struct Workbench {
    folder: tempfile_folder::Folder,
    /// The entries of the copy.
    pub(super) entries: Vec<Vec<u8>>,
    /// The key that the attacker may have stolen.
    pub(super) key: SigningKey,
    /// A checkpoint that an auditor kept when the log had two thirds of its entries.
    pub(super) kept: String,
}

impl Workbench {
    /// Reads up to `limit` entries of the published log in `log_folder` and makes the copies below `scratch`.
    ///
    /// # Errors
    /// When the log cannot be read or the copies cannot be written.
    pub(crate) fn new(log_folder: &Path, scratch: &Path, limit: usize) -> Result<Self, DrillError> {
        let reader = FolderReader::open(log_folder).map_err(|error| WorkbenchError::Source(Box::new(error)))?;
        let size = usize::try_from(reader.size()).unwrap_or(usize::MAX).min(limit);
        if size < ENTRIES_MIN {
            return Err(DrillError::TooSmall { entries: size, needed: ENTRIES_MIN });
        }
        let mut entries: Vec<Vec<u8>> = Vec::with_capacity(size);
        while entries.len() < size {
            let read = reader
                .read(EntryIndex(entries.len() as u64), size - entries.len(), 4 * 1024 * 1024)
                .map_err(|error| WorkbenchError::Source(Box::new(error)))?;
            entries.extend(read.iter().map(|(_, entry)| entry.to_vec()));
        }
        let mut seed = [0u8; 32];
        SystemRandomness.fill(&mut seed).map_err(|error| WorkbenchError::Source(Box::new(error)))?;
        let name = Origin::new(DRILL_ORIGIN).map_err(|error| WorkbenchError::Note(error.to_string()))?;
        let key = SigningKey::from_seed(name.key_name().clone(), KeyKind::Ed25519, &seed);
        let folder = tempfile_folder::Folder::new(scratch)?;
        let mut bench = Self { folder, entries, key, kept: String::new() };
        bench.write_log(&bench.published(), &bench.entries, &bench.key)?;
        bench.kept = bench.sign(&bench.entries[..size * 2 / 3], &bench.key)?;
        bench.write_data_folder()?;
        Ok(bench)
    }

    /// How many entries the copies have.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The untouched published copy.
    pub(super) fn published(&self) -> PathBuf {
        self.folder.path().join("published")
    }

    /// The untouched data folder.
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The verifier key that an auditor pinned.
    pub(super) fn vkey(&self) -> String {
        self.key.verifier().to_vkey()
    }

    /// A fresh copy of the published log to attack.
    pub(super) fn copy_published(&self, name: &str) -> Result<PathBuf, DrillError> {
        self.copy(&self.published(), name)
    }

    /// A fresh copy of the data folder to attack.
    pub(super) fn copy_data(&self, name: &str) -> Result<PathBuf, DrillError> {
        self.copy(&self.data(), name)
    }

    fn copy(&self, from: &Path, name: &str) -> Result<PathBuf, DrillError> {
        let to = self.folder.path().join("attacked").join(name);
        if to.exists() {
            fs::remove_dir_all(&to).map_err(|source| DrillError::Copy { path: to.clone(), source })?;
        }
        copy_tree(from, &to)?;
        Ok(to)
    }

    /// Checks that what is attacked was intact before.
    pub(super) fn check_untouched(&self) -> Result<(), DrillError> {
        let report = check_folder(&self.published(), Some(&self.vkey()), Some(&self.kept));
        if is_intact(&report) { Ok(()) } else { Err(DrillError::NotIntact { said: summary(&report) }) }
    }

    /// Writes a complete published log: what its operator, or somebody with its key, would publish.
    pub(super) fn write_log(&self, folder: &Path, entries: &[Vec<u8>], key: &SigningKey) -> Result<(), DrillError> {
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        for (chunk, index) in entries.chunks(usize::from(TILE_WIDTH)).zip(0u64..) {
            let id = BundleId { index, width: u16::try_from(chunk.len()).unwrap_or(TILE_WIDTH) };
            write(&folder.join(id.path()), &bundle_bytes(chunk))?;
        }
        let mut edge = Edge::empty();
        let mut tiles: Vec<(TileId, Vec<Hash>)> = Vec::new();
        edge.append(&leaves, &mut |id, hashes| tiles.push((id, hashes.to_vec())));
        tiles.extend(edge.partial_tiles());
        for (id, hashes) in tiles {
            write(&folder.join(id.path()), &encode_hashes(&hashes))?;
        }
        write(&folder.join("checkpoint"), self.sign(entries, key)?.as_bytes())?;
        write(&folder.join("log.vkey"), format!("{}\n", key.verifier().to_vkey()).as_bytes())
    }

    /// A signed checkpoint over entries.
    pub(super) fn sign(&self, entries: &[Vec<u8>], key: &SigningKey) -> Result<String, DrillError> {
        let mut edge = Edge::empty();
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        edge.append(&leaves, &mut |_, _| {});
        let failed = |error: &dyn std::fmt::Display| WorkbenchError::Note(error.to_string());
        let origin = Origin::new(DRILL_ORIGIN).map_err(|error| failed(&error))?;
        let checkpoint = Checkpoint { origin, size: TreeSize(entries.len() as u64), root: edge.root() };
        Ok(note::sign(&checkpoint.to_text(), key).map_err(|error| failed(&error))?)
    }

    /// Records the entries once more in a data folder of their own, through the store itself.
    fn write_data_folder(&self) -> Result<(), DrillError> {
        let mut parts = open_data(&self.data())?;
        for (n, chunk) in self.entries.chunks(500).enumerate() {
            let mut batch = EventBatch::new();
            for (m, entry) in chunk.iter().enumerate() {
                push_again(&mut batch, entry).ok_or(WorkbenchError::Entry { index: n * 500 + m })?;
            }
            for outcome in parts.committer.commit(vec![batch]) {
                outcome.map_err(|error| WorkbenchError::Source(Box::new(error)))?;
            }
        }
        while parts.sealer.seal().map_err(|error| WorkbenchError::Source(Box::new(error)))?.is_some() {}
        Ok(())
    }
}

/// Opens a copied data folder as the server would.
pub(super) fn open_data(root: &Path) -> Result<OpenedParts, WorkbenchError> {
    let note = |error: &dyn std::fmt::Display| WorkbenchError::Note(error.to_string());
    let name = LogName::new(LOG).map_err(|error| note(&error))?;
    let origin = Origin::new(DRILL_ORIGIN).map_err(|error| note(&error))?;
    let mut settings = LogSettings::new(name, origin);
    // small copies: no need to reserve room as a server does
    settings.journal.segment_bytes = 1024 * 1024;
    settings.journal.reserve_bytes = 0;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    Ok(open_parts(&disk, root, &settings, Arc::new(SystemClock), &SystemRandomness)?)
}

/// Puts a stored entry into a batch, its time of recording open again.
fn push_again(batch: &mut EventBatch, entry: &[u8]) -> Option<()> {
    const FIELD: &[u8] = b"\"recorded\":\"";
    let id = indelible_event::view::EventView::parse(entry).ok().and_then(|view| EventId::parse(view.id.as_bytes()))?;
    // top-level keys are sorted, and no later one may hold a key of the client's choosing: the last match is the field
    let at = entry.windows(FIELD.len()).rposition(|window| window == FIELD)? + FIELD.len();
    batch
        .push(id, |bytes| {
            let start = bytes.len();
            bytes.extend_from_slice(entry);
            start + at
        })
        .ok()
}

/// Entries in bundle form.
pub(super) fn bundle_bytes(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        // entries come from bundles, so each fits; one that does not is left out and the check will say so
        if bundle::append_entry(&mut bytes, entry).is_err() {
            continue;
        }
    }
    bytes
}

/// Writes a file of a copy, making its folders.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), DrillError> {
    let failed = |source| DrillError::Copy { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(path, bytes).map_err(failed)
}

/// Reads a file of a copy.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DrillError> {
    fs::read(path).map_err(|source| DrillError::Copy { path: path.to_owned(), source })
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), DrillError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| DrillError::Copy { path, source }
    };
    fs::create_dir_all(to).map_err(failed(to))?;
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(failed(&target))?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).map_err(failed(&target))?;
        }
    }
    Ok(())
}

/// A folder for the copies that is removed when the drill ends.
mod tempfile_folder {
    use std::path::{Path, PathBuf};

    use super::WorkbenchError;

    /// Removed on drop.
    #[derive(Debug)]
    pub(super) struct Folder(PathBuf);

    impl Folder {
        pub(super) fn new(scratch: &Path) -> Result<Self, WorkbenchError> {
            let path = scratch.join(format!("indelible-drill-{}", std::process::id()));
            std::fs::create_dir_all(&path).map_err(|source| WorkbenchError::Write { path: path.clone(), source })?;
            Ok(Self(path))
        }

        pub(super) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            if let Err(error) = std::fs::remove_dir_all(&self.0) {
                tracing::warn!(path = %self.0.display(), %error, "the drill's copies could not be removed");
            }
        }
    }
}
