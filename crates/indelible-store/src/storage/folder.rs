//! A log in a local folder: the very tree that a static web server could serve.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::{Disk, read_optional, replace_file};

use super::{CHECKPOINT_PATH, LogStorage, Object, StorageError};

/// Above this many unsynced files one `syncfs` is cheaper than a sync for each.
const SINGLE_SYNCS_MAX: usize = 24;

/// Keeps the log below one folder.
#[derive(Debug)]
pub struct FolderStorage {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Folders known to exist.
    folders: BTreeSet<PathBuf>,
    /// Files written since the last sync.
    files: BTreeSet<PathBuf>,
    /// Folders with new entries since the last sync.
    changed: BTreeSet<PathBuf>,
}

impl FolderStorage {
    /// Uses `root`, creating it.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn open(disk: Arc<dyn Disk>, root: PathBuf) -> Result<Self, StorageError> {
        disk.create_dir_all(&root)?;
        Ok(Self { disk, root, state: Mutex::default() })
    }

    fn ensure_folder(&self, state: &mut State, folder: &Path) -> Result<(), StorageError> {
        if folder == self.root || state.folders.contains(folder) {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.ensure_folder(state, parent)?;
            state.changed.insert(parent.to_owned());
        }
        self.disk.create_dir_all(folder)?;
        state.folders.insert(folder.to_owned());
        Ok(())
    }
}

impl LogStorage for FolderStorage {
    fn put(&self, objects: &[Object]) -> Result<(), StorageError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, bytes) in objects {
            let path = self.root.join(path);
            if let Some(folder) = path.parent() {
                self.ensure_folder(&mut state, folder)?;
                state.changed.insert(folder.to_owned());
            }
            self.disk.write(&path, bytes)?;
            state.files.insert(path);
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StorageError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.files.len() > SINGLE_SYNCS_MAX {
            self.disk.sync_all(&self.root)?;
        } else {
            for file in &state.files {
                self.disk.sync_file(file)?;
            }
            for folder in &state.changed {
                self.disk.sync_dir(folder)?;
            }
        }
        state.files.clear();
        state.changed.clear();
        Ok(())
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(read_optional(self.disk.as_ref(), &self.root.join(path))?)
    }

    fn swap_checkpoint(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<(), StorageError> {
        let found = self.get(CHECKPOINT_PATH)?;
        if found.as_deref() == Some(new) {
            return Ok(self.disk.sync_dir(&self.root)?);
        }
        if found.as_deref() != expected {
            return Err(StorageError::CheckpointMoved);
        }
        Ok(replace_file(self.disk.as_ref(), &self.root.join(CHECKPOINT_PATH), new)?)
    }

    fn renew_checkpoint(&self, standing: &[u8]) -> Result<(), StorageError> {
        if self.get(CHECKPOINT_PATH)?.as_deref() != Some(standing) {
            return Err(StorageError::CheckpointMoved);
        }
        Ok(replace_file(self.disk.as_ref(), &self.root.join(CHECKPOINT_PATH), standing)?)
    }

    fn remove(&self, paths: &[String]) -> Result<(), StorageError> {
        for path in paths {
            self.disk.remove(&self.root.join(path))?;
        }
        Ok(())
    }

    fn remove_partials(&self, full: &[String]) -> Result<(), StorageError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for path in full {
            let folder = self.root.join(format!("{path}.p"));
            for name in self.disk.list(&folder)? {
                self.disk.remove(&folder.join(name))?;
            }
            self.disk.remove_folder(&folder)?;
            state.folders.remove(&folder);
        }
        Ok(())
    }
}
