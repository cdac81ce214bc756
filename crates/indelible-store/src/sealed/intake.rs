//! Taking one content in: hashed and encrypted as it comes, in memory while it is short, in a file of its own when it is long.
//!
//! Promises: a content that is not ended leaves nothing behind; no more than 1 MiB and a chunk of it is in memory. Never: hands
//! on a byte that is not encrypted.

use std::sync::Arc;

use aws_lc_rs::digest;
use indelible_event::vault::{Commitment, ContentAbout, ContentWriter, Keep, SealedContent, VaultError};
use tokio::sync::oneshot;

use super::cipher::{CHUNK_BYTES, ContentKey, Encryptor, Mismatch};
use super::contents::need_room;
use super::master::Secret;
use super::slot::{Group, Place, Slot};
use super::store::Shared;
use super::writer::{Job, JobContent, Message, Room};
use crate::disk::{DiskError, DiskFile};

/// Most encrypted bytes that wait to be written.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a caller is told when more would wait.
const RETRY_AFTER_MS: u64 = 200;
/// How often room is looked for while a long content comes.
const LOOK_BYTES: u64 = 8 * 1024 * 1024;

/// A content on its way in.
pub(super) struct Intake {
    shared: Arc<Shared>,
    about: ContentAbout,
    secret: Secret,
    wrap_nonce: [u8; 12],
    digest: digest::Context,
    bytes: u64,
    encryptor: Option<Encryptor>,
    out: Vec<u8>,
    large: Option<Large>,
}

/// A file of its own.
struct Large {
    shared: Arc<Shared>,
    file: Arc<dyn DiskFile>,
    number: u64,
    written: u64,
    /// Bytes for which room was found.
    room: u64,
    handed_over: bool,
}

impl Drop for Large {
    fn drop(&mut self) {
        if !self.handed_over
            && let Err(error) = self.shared.disk.remove(&self.shared.files.unfinished(self.number))
        {
            tracing::warn!(%error, "an unfinished content could not be removed; the next start does it");
        }
    }
}

fn stopped(reason: impl Into<String>) -> VaultError {
    VaultError::Stopped { reason: reason.into() }
}

fn refused(error: &DiskError) -> VaultError {
    if error.is_full() { VaultError::Full } else { stopped(format!("{error}: {}", error.source)) }
}

fn not_encrypted(_: Mismatch) -> VaultError {
    stopped("a content could not be encrypted")
}

impl Intake {
    pub(super) fn begin(shared: &Arc<Shared>, about: ContentAbout) -> Result<Self, VaultError> {
        if let Some(error) = shared.stopped.error() {
            return Err(error);
        }
        let mut random = [0; 76];
        shared.randomness.fill(&mut random).map_err(|error| stopped(error.to_string()))?;
        let (key, rest) = random.split_first_chunk().unwrap_or((&[0; 32], &[]));
        let (salt, rest) = rest.split_first_chunk().unwrap_or((&[0; 32], &[]));
        let wrap_nonce = rest.first_chunk().copied().unwrap_or_default();
        let secret = Secret { key: *key, salt: *salt };
        let mut digest = digest::Context::new(&digest::SHA256);
        digest.update(&secret.salt);
        let encryptor = match about.keep {
            Keep::Sealed => Some(Encryptor::new(ContentKey::new(&secret.key).map_err(not_encrypted)?)),
            Keep::Hash => None,
        };
        let shared = Arc::clone(shared);
        Ok(Self { shared, about, secret, wrap_nonce, digest, bytes: 0, encryptor, out: Vec::new(), large: None })
    }

    /// Moves what is encrypted to the disk once there is too much of it.
    fn spill(&mut self) -> Result<(), VaultError> {
        if self.large.is_none() {
            let mut number = [0; 8];
            self.shared.randomness.fill(&mut number).map_err(|error| stopped(error.to_string()))?;
            let number = u64::from_be_bytes(number);
            let path = self.shared.files.unfinished(number);
            let file = self.shared.disk.create(&path, 0).map_err(|error| refused(&error))?;
            let shared = Arc::clone(&self.shared);
            self.large = Some(Large { shared, file, number, written: 0, room: 0, handed_over: false });
        }
        if let Some(large) = &mut self.large {
            if large.written + self.out.len() as u64 > large.room {
                let needed = LOOK_BYTES + self.shared.settings.reserve_bytes;
                need_room(self.shared.disk.as_ref(), &self.shared.files.large, needed)
                    .map_err(|error| refused(&error))?;
                large.room = large.written + LOOK_BYTES;
            }
            large.file.write_at(large.written, &self.out).map_err(|error| refused(&error))?;
            large.written += self.out.len() as u64;
            self.out.clear();
        }
        Ok(())
    }
}

impl ContentWriter for Intake {
    fn write(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        if let Some(encryptor) = &mut self.encryptor {
            encryptor.push(bytes, &mut self.out).map_err(not_encrypted)?;
        }
        let packed_bytes_max = self.shared.settings.packed_bytes_max;
        let most = if self.large.is_some() { packed_bytes_max / 8 } else { packed_bytes_max };
        if self.out.len() > most { self.spill() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<SealedContent, VaultError> {
        if let Some(encryptor) = self.encryptor.take() {
            encryptor.finish(&mut self.out).map_err(not_encrypted)?;
        }
        if self.large.is_some() || self.out.len() > self.shared.settings.packed_bytes_max + CHUNK_BYTES {
            self.spill()?;
        }
        let hash = self.digest.clone().finish();
        let commitment = Commitment(hash.as_ref().first_chunk().copied().unwrap_or_default());
        let shared = Arc::clone(&self.shared);
        let mut slot = Slot {
            commitment,
            event: self.about.event,
            subject: shared.subjects.tag(&self.about.subject),
            bytes: self.bytes,
            keep: self.about.keep,
            place: Place::None,
            group: Group::default(),
            content_crc: 0,
            secret: None,
        };
        let wrapped = shared.masters.current().wrap(&self.secret, self.wrap_nonce, &slot);
        slot.secret = Some(wrapped.ok_or_else(|| stopped("a content's key could not be wrapped"))?);
        let content = match (&mut self.large, self.about.keep) {
            (_, Keep::Hash) => JobContent::None,
            (Some(large), Keep::Sealed) => JobContent::Large { file: Arc::clone(&large.file), number: large.number },
            (None, Keep::Sealed) => {
                slot.content_crc = crc32c::crc32c(&self.out);
                JobContent::Pack(std::mem::take(&mut self.out))
            }
        };
        let waiting = match &content {
            JobContent::Pack(bytes) => bytes.len(),
            JobContent::None | JobContent::Large { .. } => 0,
        };
        let busy = || VaultError::Busy { retry_after_ms: RETRY_AFTER_MS };
        let gone = || shared.stopped.error().unwrap_or_else(|| stopped("the vault is closed"));
        let room = Room::take(&shared.waiting, waiting + size_of::<Job>(), WAITING_BYTES_MAX).ok_or_else(busy)?;
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Job { slot, content, answer, room });
        match &mut self.large {
            Some(large) => {
                shared.send_large(job).map_err(|_| busy())?;
                large.handed_over = true;
            }
            None => shared.send(Message::Keep(job)).map_err(|()| gone())?,
        }
        let durable = async move { answered.await.unwrap_or_else(|_| Err(stopped("the vault is closed"))) };
        Ok(SealedContent { commitment, bytes: self.bytes, durable: Box::pin(durable) })
    }
}
