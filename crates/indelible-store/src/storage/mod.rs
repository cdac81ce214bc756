//! Where a log's public resources are kept: tiles, entry bundles and the checkpoint, under their tlog-tiles paths.
//!
//! Two implementations: a local folder ([`FolderStorage`]) and any object store ([`ObjectStorage`]); `tests/it/contract.rs`
//! holds both to the same contract.

mod folder;
mod object;

use std::fmt;

use crate::disk::DiskError;

pub use folder::FolderStorage;
pub use object::ObjectStorage;

/// Path of the checkpoint below the log's prefix.
pub const CHECKPOINT_PATH: &str = "checkpoint";

/// Why a resource could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The local disk refused.
    #[error("the log's folder could not be read or written")]
    Disk(#[from] DiskError),
    /// The object store refused.
    #[error("the log's object storage could not be read or written")]
    Object(#[from] object_store::Error),
    /// Somebody else published another checkpoint since ours.
    #[error(
        "the published checkpoint is not the one this server published last; is a second server running on the same log? \
         stop one of them and run `indelible verify`"
    )]
    CheckpointMoved,
}

impl StorageError {
    /// Whether there is no room: passes by itself.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_full())
    }
}

/// A resource on its way into storage.
pub type Object = (String, Vec<u8>);

/// Keeps a log's resources. Calls block.
///
/// Contract: `put` may leave any part of its objects behind when it fails or when the machine stops; after `sync` returned
/// `Ok` all that was put is durable; `swap_checkpoint` is atomic and durable when it returns `Ok`, and after any other
/// outcome than `Ok` and `CheckpointMoved` it is unknown which checkpoint stands. Nobody reads an object before a signed
/// checkpoint names it, so objects beyond the newest signed one may be written again; one that it names never is, because a
/// crash in the middle would take it away.
pub trait LogStorage: Send + Sync + fmt::Debug {
    /// Writes objects.
    ///
    /// # Errors
    /// As the storage says.
    fn put(&self, objects: &[Object]) -> Result<(), StorageError>;
    /// Makes everything put so far durable.
    ///
    /// # Errors
    /// As the storage says; then it is unknown what is durable.
    fn sync(&self) -> Result<(), StorageError>;
    /// Reads an object; `None` when it is not there.
    ///
    /// # Errors
    /// As the storage says.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError>;
    /// Replaces the checkpoint if it still is `expected`; where it is `new` already, makes that durable.
    ///
    /// # Errors
    /// [`StorageError::CheckpointMoved`] when it is neither.
    fn swap_checkpoint(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<(), StorageError>;
    /// Writes the checkpoint that stands once more, so that its time of change says that somebody still answers for it.
    ///
    /// # Errors
    /// [`StorageError::CheckpointMoved`] when another one stands.
    fn renew_checkpoint(&self, standing: &[u8]) -> Result<(), StorageError>;
    /// Removes objects. Missing ones are no error.
    ///
    /// # Errors
    /// As the storage says.
    fn remove(&self, paths: &[String]) -> Result<(), StorageError>;
    /// Removes the partial versions (`<path>.p/…`) of these full tiles or bundles. Missing ones are no error.
    ///
    /// # Errors
    /// As the storage says.
    fn remove_partials(&self, full: &[String]) -> Result<(), StorageError>;
}
