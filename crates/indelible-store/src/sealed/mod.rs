//! Content that is kept outside the tree: encrypted, committed to by an event, erasable by destroying its key.
//!
//! Promises: what [`indelible_event::vault::SealedContent::durable`] resolved for is read back after a restart, or not at all; a
//! key that was destroyed never comes back; what is read is checked against its commitment before anybody sees it. Never: keeps
//! a key in clear on the disk, finds equal contents, or writes content into a message.
//!
//! Below `sealed/`: `packs/` has many contents a file, `large/` one a file, `keys/` their keys. Contents can be copied anywhere,
//! for ever: only `keys/` and the master key open them, so those are what a backup must be able to forget.
//!
//! Reading order: how a content is encrypted, what a key slot holds, the master key that wraps it; then the files of slots and
//! of contents, what takes a content in, the threads that write; what a start finds; how a key is destroyed or wrapped anew.

mod cipher;
mod contents;
mod erase;
mod intake;
mod large;
mod master;
mod read;
mod recover;
mod rewrap;
mod slot;
mod slots;
mod store;
mod sync;
mod writer;

#[cfg(test)]
mod tests;

pub use erase::{Erase, Erased};
pub use master::{MASTER_KEY_BYTES, MasterKeyError, MasterKeys};
pub use read::{SealedInfo, SealedReader, UnsealError};
pub use recover::{SealedDamage, SealedOpened};
pub use slot::reads_back as slot_reads_back;
pub use slots::{ContentState, SlotReader};
pub use store::{SealedOpenError, SealedSettings, SealedStore};
