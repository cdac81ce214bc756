//! Keep: acknowledged means durable, and what is kept can be proven.
//!
//! Promises: when [`Log`] answers, the events are on stable storage, ordered and numbered; a crash, a full disk or a torn
//! write loses none of them and invents none; a checkpoint is signed only over what is durable, and is a prefix of every
//! later one. Never: parses an event, answers a query, or knows who asks.
//!
//! Reading order: the disk; the journal (place and durability); ids (never twice); storage and log (bundles, tiles, signed
//! checkpoint); commit (the writer); the handle that runs them on threads; beside it
//! the vault for sealed content. `docs/design/001-commit-order.md` tells the order
//! of all writes in one place.

pub mod disk;
pub mod name;

pub mod journal;

pub mod ids;

pub mod storage;

pub mod log;

pub mod commit;
pub mod read;

pub mod sealed;

mod data_folder;
mod folder_reader;
mod handle;
mod open;
mod system;

pub use data_folder::DataFolder;
pub use folder_reader::FolderReader;
pub use handle::{Log, LogState};
pub use open::{LogSettings, OpenError, Opened, OpenedParts, QueueSettings, open_parts};
pub use system::{SystemClock, SystemRandomness};
