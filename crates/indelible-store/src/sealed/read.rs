//! Contents read back: found by their commitment, decrypted as they are read, compared with it at the end.
//!
//! Promises: a piece is given only as it was sealed; that the whole has its commitment is known after [`SealedReader::check`].
//! Never: changes anything, so that it may read beside a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use indelible_event::id::EventId;
use indelible_event::vault::{Commitment, Keep};

use super::cipher::{CHUNK_BYTES, ContentKey, TAG_BYTES, chunks, encrypted_len, open_chunk};
use super::contents::ContentFiles;
use super::master::{MasterKeys, Secret, id_text};
use super::slot::{Place, Slot};
use super::slots::SlotReader;
use crate::disk::{Disk, DiskError, RealDisk};

/// What is known of a content without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedInfo {
    /// The event that carries its commitment.
    pub event: EventId,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A content cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// Nothing is known under this commitment.
    #[error(
        "no content with the commitment {0} is kept here; one that was never acknowledged may have been lost in a crash"
    )]
    Unknown(Commitment),
    /// Its key was destroyed.
    #[error("the content {0} was erased: its key was destroyed")]
    Erased(Commitment),
    /// Only its hash was kept.
    #[error("of the content {0} only the commitment was kept")]
    HashOnly(Commitment),
    /// It was sealed under another master key.
    #[error("the content {commitment} is sealed under the master key {needed}; the one in use is {ours}")]
    OtherMaster {
        /// Which content.
        commitment: Commitment,
        /// Id of the key it needs.
        needed: String,
        /// Id of the key in use.
        ours: String,
    },
    /// What is stored is not what was sealed.
    #[error("the content {commitment} is damaged or altered: {reason} in {}", path.display())]
    Damaged {
        /// Which content.
        commitment: Commitment,
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The disk refused.
    #[error("a sealed content could not be read")]
    Disk(#[from] DiskError),
}

/// Reads contents. Blocks on the disk.
#[derive(Debug)]
pub struct SealedReader {
    disk: Arc<dyn Disk>,
    files: ContentFiles,
    masters: Arc<MasterKeys>,
    slots: Arc<SlotReader>,
}

impl SealedReader {
    /// Opens the folder `sealed/` for reading, changing nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(sealed: &Path, masters: MasterKeys) -> Result<Self, DiskError> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let slots = Arc::new(SlotReader::on(Arc::clone(&disk), sealed)?);
        Ok(Self::of(disk, ContentFiles::below(sealed), Arc::new(masters), slots))
    }

    pub(super) fn of(
        disk: Arc<dyn Disk>,
        files: ContentFiles,
        masters: Arc<MasterKeys>,
        slots: Arc<SlotReader>,
    ) -> Self {
        Self { disk, files, masters, slots }
    }

    /// The states of contents.
    #[must_use]
    pub fn slots(&self) -> &SlotReader {
        &self.slots
    }

    /// What is known of a content that can be read.
    ///
    /// # Errors
    /// [`UnsealError`]: why it cannot.
    pub fn info(&self, commitment: &Commitment) -> Result<SealedInfo, UnsealError> {
        let slot = self.slot(commitment)?;
        self.key(&slot).map(|_| SealedInfo { event: slot.event, bytes: slot.bytes })
    }

    /// Reads a content from end to end and compares it with its commitment, showing it to nobody. Blocks on the disk.
    ///
    /// # Errors
    /// [`UnsealError`].
    pub fn check(&self, commitment: &Commitment) -> Result<SealedInfo, UnsealError> {
        self.read(commitment, &mut |_| true)
    }

    /// Gives a content piece by piece until `each` says `false`. Each piece is as it was sealed; that the whole has this
    /// commitment is certain only at the end, so call [`SealedReader::check`] before anybody sees a piece. Blocks on the disk.
    ///
    /// # Errors
    /// [`UnsealError`].
    pub fn read(
        &self,
        commitment: &Commitment,
        each: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<SealedInfo, UnsealError> {
        let slot = self.slot(commitment)?;
        let secret = self.key(&slot)?;
        let (path, mut at) = match slot.place {
            Place::None => return Err(UnsealError::HashOnly(*commitment)),
            Place::Pack { number, offset } => (self.files.pack(number), offset),
            Place::Large { number } => (self.files.large(number), 0),
        };
        let damaged = |reason| UnsealError::Damaged { commitment: *commitment, path: path.clone(), reason };
        let file = self.disk.open(&path)?;
        let end = at.checked_add(encrypted_len(slot.bytes)).filter(|end| file.len().is_ok_and(|len| *end <= len));
        let end = end.ok_or_else(|| damaged("the file is too short"))?;
        let key = ContentKey::new(&secret.key).map_err(|_| damaged("the key is none"))?;
        let mut digest = digest::Context::new(&digest::SHA256);
        digest.update(&secret.salt);
        let mut chunk = Vec::new();
        for number in 0..chunks(slot.bytes) {
            let len = (end - at).min((CHUNK_BYTES + TAG_BYTES) as u64);
            chunk.resize(usize::try_from(len).unwrap_or(0), 0);
            file.read_at(at, &mut chunk)?;
            at += len;
            let content = open_chunk(&key, number, chunks(slot.bytes), &mut chunk)
                .map_err(|_| damaged("a chunk is not what was encrypted"))?;
            digest.update(content);
            if !each(content) {
                return Ok(SealedInfo { event: slot.event, bytes: slot.bytes });
            }
        }
        if digest.finish().as_ref() != commitment.0 {
            return Err(damaged("the content does not have its commitment"));
        }
        Ok(SealedInfo { event: slot.event, bytes: slot.bytes })
    }

    fn slot(&self, commitment: &Commitment) -> Result<Slot, UnsealError> {
        let found = self.slots.find(commitment)?;
        found.map(|(_, slot)| slot).ok_or(UnsealError::Unknown(*commitment))
    }

    fn key(&self, slot: &Slot) -> Result<Secret, UnsealError> {
        let commitment = slot.commitment;
        let Some(wrapped) = &slot.secret else { return Err(UnsealError::Erased(commitment)) };
        if slot.keep == Keep::Hash {
            return Err(UnsealError::HashOnly(commitment));
        }
        let Some(master) = self.masters.by_id(wrapped.master) else {
            let (needed, ours) = (id_text(wrapped.master), self.masters.id_text());
            return Err(UnsealError::OtherMaster { commitment, needed, ours });
        };
        let damaged = || UnsealError::Damaged {
            commitment,
            path: self.files.packs.with_file_name("keys"),
            reason: "the wrapped key is not one of this master key",
        };
        master.unwrap(wrapped, slot).ok_or_else(damaged)
    }
}
