//! The log: journalled entries become bundles, tiles and a signed checkpoint. Also how it is loaded, and its key.
//!
//! Promises: a checkpoint is signed only after everything it names is durable and its leaf hashes were recomputed from the
//! durable bytes; a signed checkpoint is a prefix of every later one. Never: signs when that cannot be shown.

pub mod key;
mod load;
mod seal;
mod tiles;

use crate::disk::DiskError;
use crate::journal::JournalError;
use crate::storage::StorageError;

pub use load::{Loaded, load};
pub use seal::{SEAL_ENTRIES_MAX, Sealed, Sealer, SignedCheckpoint};
pub use tiles::{TileReader, proof_text};

/// Why a log could not be loaded or sealed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The storage refused.
    #[error("the log's storage failed")]
    Storage(#[from] StorageError),
    /// The local disk refused.
    #[error("the local disk failed")]
    Disk(#[from] DiskError),
    /// The journal refused.
    #[error("the journal failed")]
    Journal(#[from] JournalError),
    /// What is stored contradicts what was signed, or itself. Nothing more is signed.
    #[error(
        "log `{origin}`: {what}. nothing is signed any more; keep the folders as they are and run `indelible verify` on the \
         log's folder with an older checkpoint (`--from`)"
    )]
    Diverged {
        /// Which log.
        origin: String,
        /// What was found.
        what: String,
    },
    /// The key could not sign or be used.
    #[error("the log's key cannot be used: {0}")]
    Key(String),
}

impl LogError {
    /// Whether the disk is full, which passes by itself.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_full(),
            Self::Disk(error) => error.is_full(),
            Self::Journal(JournalError::Full { .. }) => true,
            Self::Journal(JournalError::Disk(error)) => error.is_full(),
            Self::Journal(_) | Self::Diverged { .. } | Self::Key(_) => false,
        }
    }
}
