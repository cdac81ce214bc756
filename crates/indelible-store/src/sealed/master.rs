//! The master key: wraps the key and salt of every content. It never leaves this module; its thief, with `sealed/`, reads all
//! content that is not erased.
//!
//! Promises: a key is known by an id that tells nothing of it; what one key wrapped is opened by no other. Never: prints a key,
//! or makes a new one while content is sealed under one that is missing.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac};
use indelible_event::env::{Randomness, RandomnessError};

use super::cipher::TAG_BYTES;
use super::slot::{Slot, WRAPPED_BYTES, Wrapped};
use crate::disk::{Disk, DiskError, write_private};

/// Bytes of a master key.
pub const MASTER_KEY_BYTES: usize = 32;
/// Most master keys at once: the one in use and older ones whose contents are still to be wrapped anew.
const KEYS_MAX: usize = 8;

/// A content's key and its salt.
#[derive(Clone)]
pub(super) struct Secret {
    pub(super) key: [u8; 32],
    pub(super) salt: [u8; 32],
}

/// One key that wraps others.
pub(super) struct MasterKey {
    id: [u8; 4],
    key: LessSafeKey,
}

/// The master key in use, and older ones whose contents are wrapped anew at the next start.
pub struct MasterKeys {
    current: MasterKey,
    old: Vec<MasterKey>,
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKeys({} and {} older)", self.id_text(), self.old.len())
    }
}

/// The master key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// It is not 64 hex digits, or there are too many.
    #[error("the master key from {origin} is not {} hex digits, with older keys, if any, on lines after it", 2 * MASTER_KEY_BYTES)]
    Form {
        /// Where it was read.
        origin: String,
    },
    /// Its file cannot be read or written.
    #[error("cannot use the master key's file")]
    Disk(#[from] DiskError),
    /// There is no randomness to make one.
    #[error("cannot make a master key")]
    Randomness(#[from] RandomnessError),
    /// Its file is gone while content is sealed under it.
    #[error("the master key {} is gone, and content is sealed under it; put it back, or give it by variable or command", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
}

impl MasterKeys {
    /// The keys out of lines of 64 hex digits: the first is in use, the others are older ones. `origin` says in errors where
    /// they came from.
    ///
    /// # Errors
    /// [`MasterKeyError::Form`].
    pub fn parse(text: &str, origin: &str) -> Result<Self, MasterKeyError> {
        let form = || MasterKeyError::Form { origin: origin.to_owned() };
        let mut keys = Vec::new();
        for line in text.split_ascii_whitespace() {
            if keys.len() == KEYS_MAX {
                return Err(form());
            }
            keys.push(MasterKey::parse(line).ok_or_else(form)?);
        }
        let mut keys = keys.into_iter();
        Ok(Self { current: keys.next().ok_or_else(form)?, old: keys.collect() })
    }

    /// The keys in the file at `path`; one is made there (0600) when there is none and `may_make` says that none is missed.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn from_file(
        disk: &dyn Disk,
        path: &Path,
        may_make: bool,
        randomness: &dyn Randomness,
    ) -> Result<Self, MasterKeyError> {
        match disk.read(path) {
            Ok(bytes) => Self::parse(&String::from_utf8_lossy(&bytes), &path.display().to_string()),
            Err(error) if error.is_not_found() && may_make => {
                let mut bytes = [0; MASTER_KEY_BYTES];
                randomness.fill(&mut bytes)?;
                let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                write_private(disk, path, format!("{text}\n").as_bytes())?;
                Self::parse(&text, "the operating system")
            }
            Err(error) if error.is_not_found() => Err(MasterKeyError::Missing { path: path.to_owned() }),
            Err(error) => Err(error.into()),
        }
    }

    /// Which key is in use: the first 32 bits of a hash, in hex. Tells nothing about the key.
    #[must_use]
    pub fn id_text(&self) -> String {
        id_text(self.current.id)
    }

    pub(super) fn current(&self) -> &MasterKey {
        &self.current
    }

    pub(super) fn has_old(&self) -> bool {
        !self.old.is_empty()
    }

    /// The ids of all.
    pub(super) fn ids(&self) -> Vec<[u8; 4]> {
        std::iter::once(&self.current).chain(&self.old).map(|key| key.id).collect()
    }

    /// The key with this id.
    pub(super) fn by_id(&self, id: [u8; 4]) -> Option<&MasterKey> {
        std::iter::once(&self.current).chain(&self.old).find(|key| key.id == id)
    }
}

/// A key's id for people.
pub(super) fn id_text(id: [u8; 4]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl MasterKey {
    fn parse(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != MASTER_KEY_BYTES || !rest.is_empty() {
            return None;
        }
        let mut bytes = [0; MASTER_KEY_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let digits = std::str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'))?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        // One key, one purpose: what wraps and what names the key are derived apart.
        let derived = |purpose: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), purpose);
        let id = digest::digest(&digest::SHA256, derived(b"indelible.sealed.id/1").as_ref());
        let wrapping = derived(b"indelible.sealed.wrap/1");
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, wrapping.as_ref()).ok()?);
        Some(Self { id: *id.as_ref().first_chunk()?, key })
    }

    pub(super) fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Wraps a content's secret for its slot, whose other fields it is tied to.
    pub(super) fn wrap(&self, secret: &Secret, nonce: [u8; NONCE_LEN], slot: &Slot) -> Option<Wrapped> {
        let mut bytes = [0; WRAPPED_BYTES];
        bytes[..32].copy_from_slice(&secret.key);
        bytes[32..64].copy_from_slice(&secret.salt);
        self.seal(nonce, &bound(slot), &mut bytes)?;
        Some(Wrapped { master: self.id, nonce, bytes })
    }

    /// Encrypts all but the last 16 bytes, which become the tag.
    fn seal(&self, nonce: [u8; NONCE_LEN], bound: &[u8], bytes: &mut [u8]) -> Option<()> {
        let (clear, tag_room) = bytes.split_at_mut_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(bound), clear).ok()?;
        tag_room.copy_from_slice(tag.as_ref());
        Some(())
    }

    /// The secret of a slot; `None` when it was not wrapped by this key for this slot.
    pub(super) fn unwrap(&self, wrapped: &Wrapped, slot: &Slot) -> Option<Secret> {
        let mut bytes = wrapped.bytes;
        let nonce = Nonce::assume_unique_for_key(wrapped.nonce);
        let clear = self.key.open_in_place(nonce, Aad::from(bound(slot)), &mut bytes).ok()?;
        Some(Secret { key: *clear.first_chunk()?, salt: *clear.get(32..)?.first_chunk()? })
    }
}

/// What a wrapped secret is tied to: where the bytes lie may change, what they are may not.
fn bound(slot: &Slot) -> [u8; 56] {
    let mut bound = [0; 56];
    bound[..32].copy_from_slice(&slot.commitment.0);
    bound[32..48].copy_from_slice(&slot.event.0);
    bound[48..].copy_from_slice(&slot.bytes.to_be_bytes());
    bound
}

/// Hides whom a content is about. A random key of its own, wrapped by the master key, so that it outlives that one.
#[derive(Clone)]
pub(super) struct SubjectKey([u8; 32]);

/// Bytes of a wrapped subject key: magic, master key, nonce, key and tag, checksum.
const SUBJECT_BYTES: usize = 4 + 4 + 12 + 48 + 4;
const SUBJECT_MAGIC: &[u8; 4] = b"ISS1";

/// Why a wrapped subject key was not opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SubjectKeyFault {
    /// It needs another master key.
    Master([u8; 4]),
    /// It is none.
    Damaged,
}

impl SubjectKey {
    pub(super) fn make(randomness: &dyn Randomness) -> Result<Self, RandomnessError> {
        let mut key = [0; 32];
        randomness.fill(&mut key)?;
        Ok(Self(key))
    }

    /// A tag that is the same for the same subject.
    pub(super) fn tag(&self, subject: &str) -> [u8; 16] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), subject.as_bytes());
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }

    pub(super) fn wrap(&self, master: &MasterKey, nonce: [u8; NONCE_LEN]) -> Option<[u8; SUBJECT_BYTES]> {
        let mut out = [0; SUBJECT_BYTES];
        out[..4].copy_from_slice(SUBJECT_MAGIC);
        out[4..8].copy_from_slice(&master.id);
        out[8..20].copy_from_slice(&nonce);
        out[20..52].copy_from_slice(&self.0);
        master.seal(nonce, SUBJECT_MAGIC, out.get_mut(20..68)?)?;
        let crc = crc32c::crc32c(&out[..68]);
        out[68..].copy_from_slice(&crc.to_le_bytes());
        Some(out)
    }

    pub(super) fn unwrap(bytes: &[u8], masters: &MasterKeys) -> Result<Self, SubjectKeyFault> {
        let bytes: &[u8; SUBJECT_BYTES] = bytes.try_into().map_err(|_| SubjectKeyFault::Damaged)?;
        if bytes[..4] != *SUBJECT_MAGIC || bytes[68..] != crc32c::crc32c(&bytes[..68]).to_le_bytes() {
            return Err(SubjectKeyFault::Damaged);
        }
        let part = |from: usize| bytes.get(from..);
        let id = part(4).and_then(|part| part.first_chunk::<4>()).copied().unwrap_or_default();
        let nonce = part(8).and_then(|part| part.first_chunk::<12>()).copied().unwrap_or_default();
        let master = masters.by_id(id).ok_or(SubjectKeyFault::Master(id))?;
        let mut sealed: [u8; 48] = part(20).and_then(|part| part.first_chunk()).copied().unwrap_or([0; 48]);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let clear = master.key.open_in_place(nonce, Aad::from(SUBJECT_MAGIC), &mut sealed);
        let key = clear.ok().and_then(|clear| clear.first_chunk()).copied();
        key.map(Self).ok_or(SubjectKeyFault::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn a_key_is_64_hex_digits_and_older_ones_stand_after_it() {
        let two = ONE.replace("00", "ff");
        let keys = MasterKeys::parse(&format!("{ONE}\n{two}\n"), "a test").unwrap();
        assert_eq!(keys.old.len(), 1);
        assert_eq!(keys.id_text(), MasterKeys::parse(ONE, "a test").unwrap().id_text());
        let first = ONE.split_at(62).0;
        for wrong in
            ["", "zz", first, &format!("{first}+f"), &format!("{ONE}00"), &format!("{ONE} ").repeat(KEYS_MAX + 1)]
        {
            let error = MasterKeys::parse(wrong, "a test").unwrap_err();
            assert!(wrong.is_empty() || !error.to_string().contains(wrong.trim()), "an error repeats the key");
        }
        assert!(!format!("{keys:?}").contains("0001"));
    }

    #[test]
    fn a_subject_key_is_opened_by_its_master_key_only_and_a_flipped_bit_is_seen() {
        let keys = MasterKeys::parse(ONE, "a test").unwrap();
        let subjects = SubjectKey([9; 32]);
        let wrapped = subjects.wrap(keys.current(), [1; 12]).unwrap();
        let read = SubjectKey::unwrap(&wrapped, &keys).ok().unwrap();
        assert_eq!(read.tag("ana"), subjects.tag("ana"));
        assert_ne!(read.tag("ana"), read.tag("bob"));
        let other = MasterKeys::parse(&ONE.replace("00", "ff"), "a test").unwrap();
        assert_eq!(SubjectKey::unwrap(&wrapped, &other).err(), Some(SubjectKeyFault::Master(keys.current().id())));
        for bit in 0..wrapped.len() * 8 {
            let mut altered = wrapped;
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SubjectKey::unwrap(&altered, &keys).err(), Some(SubjectKeyFault::Damaged));
        }
    }
}
