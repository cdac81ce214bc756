//! The journal: gives each entry its place and makes it durable before anyone is told.
//!
//! Promises: what `append` returned is on stable storage and is found again by [`Journal::open`], in order, byte for byte; a
//! tail that a crash tore is cut at the last whole record; damage anywhere else stops the start. Never: skips a damaged
//! record, rewrites a sector that holds acknowledged bytes, or goes on after a failed sync.
//!
//! Layout: `journal/<log>/<first index, 20 digits>.journal`, each a header sector and records; `docs/formats.md` has the bytes.

mod read;
mod record;
mod recover;
mod segment;
mod write;

pub use read::{JournalEntry, JournalReader};
pub use record::{FRAME_BYTES, PAYLOAD_BYTES_MAX, RecordHeader};
pub use recover::Cut;
pub use write::{Appended, Journal, JournalSettings, Pending};

use crate::disk::DiskError;
use std::path::PathBuf;

/// Why the journal could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk refused; nothing of the group was acknowledged.
    #[error("the journal could not be written or read")]
    Disk(#[from] DiskError),
    /// There is no room for another segment and the reserve. Passes by itself.
    #[error("no room for the journal: {free} bytes are free, {needed} are needed")]
    Full {
        /// Free bytes.
        free: u64,
        /// Bytes wanted, reserve included.
        needed: u64,
    },
    /// A record that is not the torn tail is damaged.
    #[error(
        "journal {} is damaged at byte {offset}: {reason}. nothing was skipped or changed; keep the folder as it is, restore \
         this file from a copy of the disk, or, if there is none, move the journal folder away and start a new log from the \
         published one (docs/operate.md)", path.display()
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The outcome of an earlier write is not known; only a restart can tell.
    #[error("the journal has stopped: {reason}")]
    Stopped {
        /// What happened.
        reason: String,
    },
    /// Entries asked for that the journal no longer or does not yet hold.
    #[error("the journal holds entries {first} to {next} (exclusive); entry {asked} is not among them")]
    NotHere {
        /// The first entry held.
        first: u64,
        /// One past the last entry held.
        next: u64,
        /// What was asked for.
        asked: u64,
    },
}
