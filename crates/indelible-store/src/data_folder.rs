//! The folder that holds everything: made once, locked while it is in use.
//! Promises: two servers never share a folder. Never: looks into what is in it.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::disk::{Disk, DiskError, RealDisk};
use crate::open::OpenError;

/// The folder that holds everything, locked for this process.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Creates the folder (0700) if need be and locks it.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another process has it.
    pub fn open(root: &Path) -> Result<Self, OpenError> {
        let disk = RealDisk;
        disk.create_dir_all(root)?;
        for folder in ["keys", "journal", "logs", "index"] {
            disk.create_dir_all(&root.join(folder))?;
        }
        // what is durable in a folder is gone all the same when the folder's own name is not
        disk.sync_dir(root)?;
        let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty());
        match disk.sync_dir(parent.unwrap_or(Path::new("."))) {
            // a folder that we may not read is not one that we made something in
            Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => {}
            other => other?,
        }
        let failed = |source| DiskError { call: "lock", path: root.to_owned(), source };
        let lock = File::options().create(true).truncate(false).write(true).open(root.join("lock")).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { root: root.to_owned(), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Locked { path: root.to_owned() }),
            Err(errno) => Err(failed(errno.into()).into()),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}
