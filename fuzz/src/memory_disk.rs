//! A disk in memory for what `indelible-store` reads. Never: a crash or a fault; those are the testkit's.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use indelible_store::disk::{Disk, DiskError, DiskFile};

type Bytes = Arc<Mutex<Vec<u8>>>;

/// Files by path.
#[derive(Debug, Default)]
pub(crate) struct MemoryDisk {
    files: Mutex<BTreeMap<PathBuf, Bytes>>,
}

#[derive(Debug)]
struct MemoryFile {
    path: PathBuf,
    bytes: Bytes,
}

fn failed(call: &'static str, path: &Path, kind: ErrorKind) -> DiskError {
    DiskError { call, path: path.to_owned(), source: Error::from(kind) }
}

fn place(offset: u64, len: usize) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    Some(start..start.checked_add(len)?)
}

impl MemoryDisk {
    fn find(&self, path: &Path) -> Result<Bytes, DiskError> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(path).cloned().ok_or_else(|| failed("open", path, ErrorKind::NotFound))
    }

    fn insert(&self, path: &Path, bytes: Bytes) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), bytes);
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let mut content = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let range = place(offset, bytes.len()).ok_or_else(|| failed("write", &self.path, ErrorKind::StorageFull))?;
        if content.len() < range.end {
            content.resize(range.end, 0);
        }
        content[range].copy_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), DiskError> {
        let content = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let found = place(offset, bytes.len()).and_then(|range| content.get(range));
        bytes.copy_from_slice(found.ok_or_else(|| failed("read", &self.path, ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn sync(&self) -> Result<(), DiskError> {
        Ok(())
    }

    fn len(&self) -> Result<u64, DiskError> {
        Ok(self.bytes.lock().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).resize(usize::try_from(len).unwrap_or(0), 0);
        Ok(())
    }

    fn extend(&self, len: u64) -> Result<(), DiskError> {
        if self.len()? < len { self.truncate(len) } else { Ok(()) }
    }

    fn settle(&self) -> Result<(), DiskError> {
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn create_dir_all(&self, _path: &Path) -> Result<(), DiskError> {
        Ok(())
    }

    fn create(&self, path: &Path, len: u64) -> Result<Arc<dyn DiskFile>, DiskError> {
        if self.find(path).is_ok() {
            return Err(failed("create", path, ErrorKind::AlreadyExists));
        }
        let bytes = Bytes::new(Mutex::new(vec![0; usize::try_from(len).unwrap_or(0)]));
        self.insert(path, Arc::clone(&bytes));
        Ok(Arc::new(MemoryFile { path: path.to_owned(), bytes }))
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn DiskFile>, DiskError> {
        Ok(Arc::new(MemoryFile { path: path.to_owned(), bytes: self.find(path)? }))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, DiskError> {
        Ok(self.find(path)?.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
        self.insert(path, Bytes::new(Mutex::new(bytes.to_vec())));
        Ok(())
    }

    fn sync_file(&self, path: &Path) -> Result<(), DiskError> {
        self.find(path).map(|_| ())
    }

    fn sync_dir(&self, _path: &Path) -> Result<(), DiskError> {
        Ok(())
    }

    fn sync_all(&self, _root: &Path) -> Result<(), DiskError> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let bytes = self.find(from)?;
        self.insert(to, bytes);
        self.remove(from)
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
        Ok(())
    }

    fn remove_folder(&self, _path: &Path) -> Result<(), DiskError> {
        Ok(())
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = files.keys().filter(|file| file.parent() == Some(path));
        Ok(inside.filter_map(|file| Some(file.file_name()?.to_str()?.to_owned())).collect())
    }

    fn free(&self, _path: &Path) -> Result<u64, DiskError> {
        Ok(1 << 40)
    }
}
