//! The durable file calls everything in this crate is made of, as a seam: the real disk here, a simulated and failing one in
//! the testkit. Promises: nothing is durable before a `sync_*` call returned `Ok`. Never: retries a failed sync (the kernel
//! may have dropped the pages), or hides which path failed.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate, statvfs, syncfs};

/// Bytes that a disk writes whole or not at all. Torn writes are looked for in units of this.
pub const SECTOR: usize = 512;

/// Longest file that is read as a whole: four times the longest entry bundle there can be.
pub const READ_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// An input or output error with the path and the call it belongs to.
#[derive(Debug, thiserror::Error)]
#[error("cannot {call} {}", path.display())]
pub struct DiskError {
    /// What was tried: `read`, `write`, `sync`, …
    pub call: &'static str,
    /// On which file or folder.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

impl DiskError {
    /// Whether the file or folder is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether the disk or quota is full: the one write error that passes by itself.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// A preallocated file that one writer fills and many readers read.
#[allow(clippy::len_without_is_empty, reason = "asking the disk can fail, and nobody asks for emptiness alone")]
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Writes all of `bytes` at `offset`. After an error any prefix, or any whole sectors, may have been written.
    ///
    /// # Errors
    /// As the operating system says.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;
    /// Reads exactly `bytes.len()` bytes at `offset`.
    ///
    /// # Errors
    /// As the operating system says; `UnexpectedEof` past the end.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), DiskError>;
    /// Makes all written bytes durable. An error means: unknown which are; stop.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync(&self) -> Result<(), DiskError>;
    /// The file's length in bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn len(&self) -> Result<u64, DiskError>;
    /// Cuts the file to `len` bytes. Durable after the next `sync`.
    ///
    /// # Errors
    /// As the operating system says.
    fn truncate(&self, len: u64) -> Result<(), DiskError>;
    /// Makes the file `len` bytes long with its space reserved; what is added reads as zeros. Durable after the next `sync`.
    ///
    /// # Errors
    /// `StorageFull` when there is no room for all of it.
    fn extend(&self, len: u64) -> Result<(), DiskError>;
    /// Makes durable what the operating system holds of the file and has it forget that, so that the next read shows what
    /// the disk holds. A start needs this: a process that died may have left bytes that no sync followed, and after a failed
    /// sync the kernel goes on showing bytes that it never wrote.
    ///
    /// # Errors
    /// As the operating system says.
    fn settle(&self) -> Result<(), DiskError>;
}

/// A disk. Two implementations: [`RealDisk`] and the testkit's simulated one; `tests/it/contract.rs` runs against both.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Creates the folder and its parents (mode 0700); nothing happens when it is there.
    ///
    /// # Errors
    /// As the operating system says.
    fn create_dir_all(&self, path: &Path) -> Result<(), DiskError>;
    /// Creates a new file of `len` zero bytes (mode 0600) with its space reserved.
    ///
    /// # Errors
    /// `AlreadyExists` when it is there, `StorageFull` when there is no room for all of it.
    fn create(&self, path: &Path, len: u64) -> Result<Arc<dyn DiskFile>, DiskError>;
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` when it is not there.
    fn open(&self, path: &Path) -> Result<Arc<dyn DiskFile>, DiskError>;
    /// Reads a whole file of at most [`READ_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// `NotFound` when it is not there, `FileTooLarge` when it is none of ours.
    fn read(&self, path: &Path) -> Result<Vec<u8>, DiskError>;
    /// Creates or replaces a whole file. Not durable, and not atomic.
    ///
    /// # Errors
    /// As the operating system says.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError>;
    /// Makes one file's content durable.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_file(&self, path: &Path) -> Result<(), DiskError>;
    /// Makes a folder's entries (creations, renames, removals) durable.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_dir(&self, path: &Path) -> Result<(), DiskError>;
    /// Makes everything below `root` durable, files and folders (one `syncfs`): cheaper than many single syncs.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_all(&self, root: &Path) -> Result<(), DiskError>;
    /// Renames a file within one file system, replacing what has the new name.
    ///
    /// # Errors
    /// As the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// Removes a file. Nothing happens when it is not there.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove(&self, path: &Path) -> Result<(), DiskError>;
    /// Removes an empty folder. Nothing happens when it is not there or not empty.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove_folder(&self, path: &Path) -> Result<(), DiskError>;
    /// The names in a folder, sorted; empty when the folder is not there.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self, path: &Path) -> Result<Vec<String>, DiskError>;
    /// Bytes that can still be written below `path`.
    ///
    /// # Errors
    /// As the operating system says.
    fn free(&self, path: &Path) -> Result<u64, DiskError>;
}

/// Replaces a small file so that after a crash the old or the new content is there, whole: write beside, sync, rename, sync
/// the folder.
///
/// # Errors
/// As the disk says; after an error in the last two steps it is unknown which content a crash would leave.
pub fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let beside = path.with_extension("tmp");
    disk.write(&beside, bytes)?;
    disk.sync_file(&beside)?;
    disk.rename(&beside, path)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Writes a new file that nobody else may read, not even for a moment: `create` makes it with mode 0600. After a crash it is there
/// whole, or not.
///
/// # Errors
/// As the disk says.
pub fn write_private(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let beside = path.with_extension("tmp");
    disk.remove(&beside)?;
    let file = disk.create(&beside, bytes.len() as u64)?;
    file.write_at(0, bytes)?;
    file.sync()?;
    disk.rename(&beside, path)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Makes a folder below `root` and the folders between them, and all of their names durable. `root` is durable itself.
///
/// # Errors
/// As the disk says.
pub fn make_folder(disk: &dyn Disk, root: &Path, folder: &Path) -> Result<(), DiskError> {
    disk.create_dir_all(folder)?;
    let mut at = folder;
    while at != root
        && let Some(parent) = at.parent()
    {
        disk.sync_dir(parent)?;
        at = parent;
    }
    Ok(())
}

/// Reads a file that may be absent.
///
/// # Errors
/// As the disk says, but for a file that is not there.
pub fn read_optional(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, DiskError> {
    match disk.read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The operating system's disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile {
    file: File,
    path: PathBuf,
}

fn failed<'p>(call: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> DiskError + use<'p> {
    move |source| DiskError { call, path: path.to_owned(), source }
}

impl DiskFile for RealFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_all_at(bytes, offset).map_err(failed("write", &self.path))
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), DiskError> {
        self.file.read_exact_at(bytes, offset).map_err(failed("read", &self.path))
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(failed("sync", &self.path))
    }

    fn len(&self) -> Result<u64, DiskError> {
        Ok(self.file.metadata().map_err(failed("read the length of", &self.path))?.len())
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.file.set_len(len).map_err(failed("truncate", &self.path))
    }

    fn extend(&self, len: u64) -> Result<(), DiskError> {
        reserve(&self.file, len).map_err(failed("reserve room for", &self.path))
    }

    fn settle(&self) -> Result<(), DiskError> {
        self.sync()?;
        // all of it: no length means to the end
        fadvise(&self.file, 0, None, Advice::DontNeed).map_err(|errno| failed("settle", &self.path)(errno.into()))
    }
}

/// Makes a file at least `len` bytes long. A file system that cannot reserve room gets the length only.
fn reserve(file: &File, len: u64) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::empty(), 0, len) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(len),
        other => Ok(other?),
    }
}

impl Disk for RealDisk {
    fn create_dir_all(&self, path: &Path) -> Result<(), DiskError> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("create folder", path))
    }

    fn create(&self, path: &Path, len: u64) -> Result<Arc<dyn DiskFile>, DiskError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed("create", path))?;
        if let Err(source) = reserve(&file, len) {
            self.remove(path)?;
            return Err(DiskError { call: "reserve room for", path: path.to_owned(), source });
        }
        Ok(Arc::new(RealFile { file, path: path.to_owned() }))
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn DiskFile>, DiskError> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed("open", path))?;
        Ok(Arc::new(RealFile { file, path: path.to_owned() }))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, DiskError> {
        let mut file = File::open(path).map_err(failed("read", path))?;
        let len = file.metadata().map_err(failed("read", path))?.len();
        if len > READ_BYTES_MAX {
            return Err(failed("read", path)(io::ErrorKind::FileTooLarge.into()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
        file.read_to_end(&mut bytes).map_err(failed("read", path))?;
        Ok(bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
        std::fs::write(path, bytes).map_err(failed("write", path))
    }

    fn sync_file(&self, path: &Path) -> Result<(), DiskError> {
        File::open(path).and_then(|file| file.sync_all()).map_err(failed("sync", path))
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(failed("sync folder", path))
    }

    fn sync_all(&self, root: &Path) -> Result<(), DiskError> {
        File::open(root).and_then(|folder| Ok(syncfs(&folder)?)).map_err(failed("sync", root))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        std::fs::rename(from, to).map_err(failed("rename to", to))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
            _ => Ok(()),
        }
    }

    fn remove_folder(&self, path: &Path) -> Result<(), DiskError> {
        match std::fs::remove_dir(path) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
                Err(failed("remove folder", path)(error))
            }
            _ => Ok(()),
        }
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        let folder = match std::fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed("list", path))?,
        };
        let mut names = Vec::new();
        for entry in folder {
            let name = entry.map_err(failed("list", path))?.file_name();
            if let Ok(name) = name.into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn free(&self, path: &Path) -> Result<u64, DiskError> {
        let stat = statvfs(path).map_err(|errno| failed("read the free space of", path)(errno.into()))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
