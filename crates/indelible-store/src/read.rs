//! The way out of a log: acknowledged entries in order, from the journal while it has them, from bundles otherwise.

use std::sync::{Arc, PoisonError, RwLock};

use indelible_event::doors::{Entries, EntryIndex, EntryReader, ReadError};
use indelible_tlog::bundle;
use indelible_tlog::hash::{Hash, leaf_hashes};
use indelible_tlog::tile::{BundleId, TILE_WIDTH, TileId};
use indelible_tlog::tree::TreeSize;

use crate::journal::{JournalError, JournalReader};
use crate::log::{SignedCheckpoint, TileReader};
use crate::storage::LogStorage;

/// How often a read begins again because the log grew under it.
const READ_TRIES: u32 = 4;
/// Most bytes taken from the allocator before there is anything to put there.
const READ_ROOM_MAX: usize = 1 << 20;
/// What an entry takes as a rule; longer ones make the buffer grow.
const ENTRY_BYTES_USUAL: usize = 1_024;

/// The published checkpoint as every reader sees it.
pub type Published = Arc<RwLock<Option<SignedCheckpoint>>>;

/// Reads bundles of the published tree.
#[derive(Clone, Debug)]
pub struct BundleReader {
    storage: Arc<dyn LogStorage>,
    published: Published,
}

impl BundleReader {
    /// Reads from `storage` up to what `published` says at each call.
    #[must_use]
    pub fn new(storage: Arc<dyn LogStorage>, published: Published) -> Self {
        Self { storage, published }
    }

    fn published_size(&self) -> u64 {
        self.published.read().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |published| published.size)
    }
}

impl BundleReader {
    fn read_at(
        &self,
        size: u64,
        first: EntryIndex,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Entries, ReadError> {
        let tiles = TileReader::new(Arc::clone(&self.storage), TreeSize(size));
        let mut found = Entries::with_capacity(first, room(max_entries, max_bytes));
        while found.next_index().0 < size && found.len() < max_entries {
            let at = found.next_index();
            let Some(id) = BundleId::at(at.0 / u64::from(TILE_WIDTH), TreeSize(size)) else { break };
            let (bytes, hashes) =
                checked_bundle(&tiles, id).map_err(|reason| ReadError::Damaged { index: at, reason })?;
            let damaged = |index: u64, reason| ReadError::Damaged { index: EntryIndex(index), reason };
            let skipped = usize::try_from(at.0 - id.first_entry()).unwrap_or_default();
            let mut entries = Vec::with_capacity(hashes.len());
            for (entry, index) in bundle::entries(&bytes).zip(id.first_entry()..) {
                let entry = entry.map_err(|error| damaged(index, format!("{}: {error}", id.path())))?;
                entries.push(entry);
            }
            let wanted = entries.get(skipped..).unwrap_or_default();
            let wanted = wanted.get(..max_entries - found.len()).unwrap_or(wanted);
            for (((entry, leaf), hash), index) in
                wanted.iter().zip(leaf_hashes(wanted)).zip(hashes.iter().skip(skipped)).zip(at.0..)
            {
                if leaf != *hash {
                    let path = id.path();
                    let reason = format!("its leaf hash in {path} differs from its tile's (file damaged or altered)");
                    return Err(damaged(index, reason));
                }
                if !found.is_empty() && found.byte_len() + entry.len() > max_bytes {
                    return Ok(found);
                }
                found.push(entry);
            }
            if found.next_index() == at {
                return Err(damaged(at.0, format!("{} has too few entries", id.path())));
            }
        }
        Ok(found)
    }
}

/// Room for what a reader who asks for many entries will get, without growing step by step.
fn room(max_entries: usize, max_bytes: usize) -> usize {
    max_bytes.min(READ_ROOM_MAX).min(max_entries.saturating_mul(ENTRY_BYTES_USUAL))
}

/// A bundle with the leaf hashes that its entries must have.
fn checked_bundle(tiles: &TileReader, id: BundleId) -> Result<(Vec<u8>, Vec<Hash>), String> {
    let missing = |path: String| format!("{path} is missing or cut short");
    let bytes = tiles.bundle(id).map_err(|error| error.to_string())?.ok_or_else(|| missing(id.path()))?;
    let tile = TileId { level: 0, index: id.index, width: id.width };
    let hashes = tiles.hashes(tile).map_err(|error| error.to_string())?;
    if hashes.len() == usize::from(id.width) { Ok((bytes, hashes)) } else { Err(missing(tile.path())) }
}

impl EntryReader for BundleReader {
    fn size(&self) -> u64 {
        self.published_size()
    }

    fn read(&self, first: EntryIndex, max_entries: usize, max_bytes: usize) -> Result<Entries, ReadError> {
        let mut tries = 0;
        loop {
            let size = self.published_size();
            if first.0 > size {
                return Err(ReadError::Beyond { index: first, size });
            }
            let read = self.read_at(size, first, max_entries, max_bytes);
            tries += 1;
            // a partial bundle may have been tidied away while we looked for it: then there is a newer one
            let again = read.is_err() && tries < READ_TRIES && self.published_size() != size;
            if !again {
                return read;
            }
        }
    }
}

/// Reads everything acknowledged: the journal's entries, and older ones from bundles.
#[derive(Clone, Debug)]
pub struct LogReader {
    journal: JournalReader,
    bundles: BundleReader,
}

impl LogReader {
    /// Joins the two.
    #[must_use]
    pub fn new(journal: JournalReader, bundles: BundleReader) -> Self {
        Self { journal, bundles }
    }

    fn read_journal(&self, first: EntryIndex, max_entries: usize, max_bytes: usize) -> Result<Entries, JournalError> {
        let (_, next) = self.journal.bounds();
        let to = next.min(first.0.saturating_add(max_entries as u64));
        let mut found = Entries::with_capacity(first, room(max_entries, max_bytes));
        self.journal.read(first.0, to, |entry| {
            if !found.is_empty() && found.byte_len() + entry.entry.len() > max_bytes {
                return false;
            }
            found.push(entry.entry);
            true
        })?;
        Ok(found)
    }
}

impl EntryReader for LogReader {
    fn size(&self) -> u64 {
        self.journal.bounds().1
    }

    fn read(&self, first: EntryIndex, max_entries: usize, max_bytes: usize) -> Result<Entries, ReadError> {
        let (journal_first, size) = self.journal.bounds();
        if first.0 > size {
            return Err(ReadError::Beyond { index: first, size });
        }
        if first.0 >= journal_first {
            match self.read_journal(first, max_entries, max_bytes) {
                Ok(found) => return Ok(found),
                // trimmed since we looked: by then it is published
                Err(JournalError::NotHere { .. }) => {}
                Err(error) => return Err(ReadError::Damaged { index: first, reason: error.to_string() }),
            }
        }
        self.bundles.read(first, max_entries, max_bytes)
    }
}
