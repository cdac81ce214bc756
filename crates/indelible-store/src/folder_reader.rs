//! A log's published folder read without its server and its key, for search and export offline.
//! Promises: only reads; gives no entry whose leaf hash differs from its tile. Never: proves anything, which is `verify`'s work.

use std::path::Path;
use std::sync::{Arc, RwLock};

use indelible_event::doors::{Entries, EntryIndex, EntryReader, ReadError};
use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::note::VerifierKey;

use crate::disk::{Disk, RealDisk};
use crate::log::{LogError, SignedCheckpoint, proof_text};
use crate::read::BundleReader;
use crate::storage::{CHECKPOINT_PATH, FolderStorage, LogStorage};

/// Reads the published part of a log folder, without a server and without its key: for offline search and export.
#[derive(Debug)]
pub struct FolderReader {
    storage: Arc<dyn LogStorage>,
    bundles: BundleReader,
    /// The verifier key found beside the log. It proves nothing by itself.
    pub vkey: VerifierKey,
    /// The published checkpoint.
    pub checkpoint: SignedCheckpoint,
}

impl FolderReader {
    /// Opens `logs/<log>`. Only reads.
    ///
    /// # Errors
    /// When there is no checkpoint, or it is not signed by the key beside it.
    pub fn open(folder: &Path) -> Result<Self, LogError> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let vkey = disk.read(&folder.join("log.vkey"))?;
        let unusable = |what: &str, error: &dyn std::fmt::Display| {
            LogError::Key(format!("{what} in {} cannot be used: {error}", folder.display()))
        };
        let vkey = VerifierKey::parse(String::from_utf8_lossy(&vkey).trim_end())
            .map_err(|error| unusable("log.vkey", &error))?;
        let note = disk.read(&folder.join(CHECKPOINT_PATH))?;
        let opened = Checkpoint::open(&note, &vkey).map_err(|error| unusable("the checkpoint", &error))?;
        let note = String::from_utf8(note).map_err(|error| unusable("the checkpoint", &error))?;
        let checkpoint = SignedCheckpoint { size: opened.size.0, root: opened.root, note: note.into() };
        let storage: Arc<dyn LogStorage> =
            Arc::new(FolderStorage::open(disk, folder.to_owned()).map_err(LogError::from)?);
        let published = Arc::new(RwLock::new(Some(checkpoint.clone())));
        let bundles = BundleReader::new(Arc::clone(&storage), published);
        Ok(Self { storage, bundles, vkey, checkpoint })
    }

    /// The tlog-proof of an entry under the published checkpoint; `None` when the checkpoint does not cover it.
    ///
    /// # Errors
    /// When the folder cannot be read or its tiles do not fit the tree.
    pub fn proof(&self, index: EntryIndex) -> Result<Option<String>, LogError> {
        proof_text(&self.storage, &self.checkpoint, index.0)
    }
}

impl EntryReader for FolderReader {
    fn size(&self) -> u64 {
        self.bundles.size()
    }

    fn read(&self, first: EntryIndex, max_entries: usize, max_bytes: usize) -> Result<Entries, ReadError> {
        self.bundles.read(first, max_entries, max_bytes)
    }
}
