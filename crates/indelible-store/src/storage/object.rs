//! A log in an object store: S3, Google Cloud Storage, Azure, or memory in tests, through the `object_store` crate.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use tokio::runtime::Handle;

use super::{CHECKPOINT_PATH, LogStorage, Object, StorageError};

/// Uploads under way at once.
const PARALLEL_PUTS: usize = 16;

/// Keeps the log below a prefix of an object store. An object store has no `sync`: a put that returned is durable.
#[derive(Debug)]
pub struct ObjectStorage {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    runtime: Handle,
}

impl ObjectStorage {
    /// Uses `store` below `prefix`. Calls must come from a thread outside `runtime`.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path, runtime: Handle) -> Self {
        Self { store, prefix, runtime }
    }

    fn path(&self, path: &str) -> Path {
        path.split('/').fold(self.prefix.clone(), |prefix, part| prefix.join(part))
    }

    async fn delete(&self, paths: Vec<Path>) -> Result<(), object_store::Error> {
        for path in paths {
            match self.store.delete(&path).await {
                Err(error) if !matches!(error, object_store::Error::NotFound { .. }) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Replaces the checkpoint that was found with this version, or makes the first.
    fn replace_checkpoint(&self, found: Option<UpdateVersion>, new: &[u8]) -> Result<(), StorageError> {
        let mode = found.map_or(PutMode::Create, PutMode::Update);
        match self.put_checkpoint(new, mode) {
            Ok(()) => Ok(()),
            Err(object_store::Error::Precondition { .. } | object_store::Error::AlreadyExists { .. }) => {
                Err(StorageError::CheckpointMoved)
            }
            // a store without conditional replacement (a mounted folder): what was read a moment ago has to do
            Err(object_store::Error::NotImplemented { .. }) => Ok(self.put_checkpoint(new, PutMode::Overwrite)?),
            Err(error) => Err(error.into()),
        }
    }

    fn put_checkpoint(&self, note: &[u8], mode: PutMode) -> Result<(), object_store::Error> {
        let path = self.path(CHECKPOINT_PATH);
        let put = self.store.put_opts(&path, Bytes::copy_from_slice(note).into(), PutOptions::from(mode));
        self.runtime.block_on(put).map(|_| ())
    }

    fn read(&self, path: &str) -> Result<Option<(Vec<u8>, UpdateVersion)>, StorageError> {
        let path = self.path(path);
        self.runtime.block_on(async {
            match self.store.get(&path).await {
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error.into()),
                Ok(found) => {
                    let version =
                        UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                    Ok(Some((found.bytes().await?.to_vec(), version)))
                }
            }
        })
    }
}

impl LogStorage for ObjectStorage {
    fn put(&self, objects: &[Object]) -> Result<(), StorageError> {
        let puts = objects.iter().map(|(path, bytes)| {
            let path = self.path(path);
            async move { self.store.put(&path, Bytes::copy_from_slice(bytes).into()).await.map(|_| ()) }
        });
        Ok(self.runtime.block_on(stream::iter(puts).buffer_unordered(PARALLEL_PUTS).try_collect::<()>())?)
    }

    fn sync(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.read(path)?.map(|(bytes, _)| bytes))
    }

    fn swap_checkpoint(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<(), StorageError> {
        let found = self.read(CHECKPOINT_PATH)?;
        let stands = found.as_ref().map(|(bytes, _)| bytes.as_slice());
        if stands == Some(new) {
            return Ok(());
        }
        if stands != expected {
            return Err(StorageError::CheckpointMoved);
        }
        self.replace_checkpoint(found.map(|(_, version)| version), new)
    }

    fn renew_checkpoint(&self, standing: &[u8]) -> Result<(), StorageError> {
        match self.read(CHECKPOINT_PATH)? {
            Some((found, version)) if found == standing => self.replace_checkpoint(Some(version), standing),
            _ => Err(StorageError::CheckpointMoved),
        }
    }

    fn remove(&self, paths: &[String]) -> Result<(), StorageError> {
        Ok(self.runtime.block_on(self.delete(paths.iter().map(|path| self.path(path)).collect()))?)
    }

    fn remove_partials(&self, full: &[String]) -> Result<(), StorageError> {
        for path in full {
            let prefix = self.path(&format!("{path}.p"));
            let found = self.store.list(Some(&prefix)).map_ok(|meta| meta.location).try_collect();
            let found = self.runtime.block_on(found)?;
            self.runtime.block_on(self.delete(found))?;
        }
        Ok(())
    }
}
