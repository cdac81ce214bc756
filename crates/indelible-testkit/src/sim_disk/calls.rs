//! The simulated disk behind the seam: each call is one operation.

use std::io;
use std::path::Path;
use std::sync::Arc;

use indelible_store::disk::{Disk, DiskError, DiskFile};

use super::fault::Kind;
use super::tree::NodeId;
use super::{CAPACITY, SimDisk, State};

/// An open file of the simulated disk.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    node: NodeId,
    start: u32,
    path: Arc<Path>,
}

impl SimFile {
    fn operate<T>(
        &self,
        kind: Kind,
        call: &'static str,
        run: impl FnOnce(&mut State, &dyn Fn(usize) -> usize) -> io::Result<T>,
    ) -> Result<T, DiskError> {
        self.disk.operate((kind, call, &self.path), |state, part| {
            if state.start != self.start {
                return Err(io::Error::other("the file was opened by a process that is gone"));
            }
            run(state, part)
        })
    }
}

impl DiskFile for SimFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.operate(Kind::Write, "write", |state, part| {
            let held = state.tree.content(self.node)?.len();
            let end = usize::try_from(offset).map_err(io::Error::other)? + bytes.len();
            state.grow(end.saturating_sub(held))?;
            state.tree.write_at(self.node, offset, &bytes[..part(bytes.len())])
        })
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), DiskError> {
        self.operate(Kind::Read, "read", |state, _| {
            let content = state.tree.content(self.node)?;
            let begin = usize::try_from(offset).map_err(io::Error::other)?;
            let found = content.get(begin..begin.saturating_add(bytes.len()));
            bytes.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
            state.flip(bytes);
            Ok(())
        })
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.operate(Kind::Sync, "sync", |state, _| {
            state.sync(&[self.node]);
            Ok(())
        })
    }

    fn len(&self) -> Result<u64, DiskError> {
        self.operate(Kind::Ask, "read the length of", |state, _| Ok(state.tree.content(self.node)?.len() as u64))
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.operate(Kind::Change, "truncate", |state, _| state.tree.set_len(self.node, len))
    }

    fn extend(&self, len: u64) -> Result<(), DiskError> {
        self.operate(Kind::Change, "reserve room for", |state, _| {
            let held = state.tree.content(self.node)?.len();
            let more = usize::try_from(len).map_err(io::Error::other)?.saturating_sub(held);
            state.grow(more)?;
            if more > 0 { state.tree.set_len(self.node, len) } else { Ok(()) }
        })
    }

    fn settle(&self) -> Result<(), DiskError> {
        self.operate(Kind::Sync, "settle", |state, _| {
            state.sync(&[self.node]);
            if state.failing_sync().is_none() { state.tree.settle(self.node) } else { Ok(()) }
        })
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, path: &Path) -> Result<(), DiskError> {
        self.operate((Kind::Change, "create folder", path), |state, _| state.tree.create_dir_all(path))
    }

    fn create(&self, path: &Path, len: u64) -> Result<Arc<dyn DiskFile>, DiskError> {
        let opened = self.operate((Kind::Change, "create", path), |state, _| {
            let len = usize::try_from(len).map_err(io::Error::other)?;
            state.grow(len)?;
            Ok((state.tree.create(path, len)?, state.start))
        })?;
        Ok(self.handle(path, opened))
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn DiskFile>, DiskError> {
        let opened = self.operate((Kind::Ask, "open", path), |state, _| {
            let node = state.tree.find(path)?;
            state.tree.content(node)?;
            Ok((node, state.start))
        })?;
        Ok(self.handle(path, opened))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, DiskError> {
        self.operate((Kind::Read, "read", path), |state, _| {
            let node = state.tree.find(path)?;
            let mut bytes = state.tree.content(node)?.to_vec();
            state.flip(&mut bytes);
            Ok(bytes)
        })
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
        self.operate((Kind::Write, "write", path), |state, part| {
            state.grow(bytes.len())?;
            if state.watched.is_some_and(|suffix| path.to_string_lossy().ends_with(suffix)) {
                state.notes.push(Arc::from(bytes));
            }
            state.tree.write(path, &bytes[..part(bytes.len())])
        })
    }

    fn sync_file(&self, path: &Path) -> Result<(), DiskError> {
        self.operate((Kind::Sync, "sync", path), |state, _| {
            let node = state.tree.find(path)?;
            state.tree.content(node)?;
            state.sync(&[node]);
            Ok(())
        })
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.operate((Kind::Sync, "sync folder", path), |state, _| {
            let node = state.tree.find(path)?;
            state.sync(&[node]);
            Ok(())
        })
    }

    fn sync_all(&self, root: &Path) -> Result<(), DiskError> {
        self.operate((Kind::Sync, "sync", root), |state, _| {
            let nodes = state.tree.below(state.tree.find(root)?);
            state.sync(&nodes);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.operate((Kind::Change, "rename to", to), |state, _| state.tree.rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.operate((Kind::Change, "remove", path), |state, _| match state.tree.find(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            found => found.and_then(|_| state.tree.remove(path)),
        })
    }

    fn remove_folder(&self, path: &Path) -> Result<(), DiskError> {
        self.operate((Kind::Change, "remove folder", path), |state, _| match state.tree.find(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            found => found.and_then(|_| state.tree.remove_folder(path)),
        })
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        self.operate((Kind::Ask, "list", path), |state, _| state.tree.list(path))
    }

    fn free(&self, path: &Path) -> Result<u64, DiskError> {
        self.operate((Kind::Ask, "read the free space of", path), |state, _| {
            let used = if state.capacity == CAPACITY { 0 } else { state.tree.used() };
            Ok(state.capacity.saturating_sub(used))
        })
    }
}

impl SimDisk {
    fn handle(&self, path: &Path, (node, start): (NodeId, u32)) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), node, start, path: Arc::from(path) })
    }
}
