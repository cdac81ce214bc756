//! Encryption of one content in chunks: AES-256-GCM under a fresh key each, so that it can be written and read as it streams.
//!
//! The nonce of a chunk is its number and whether it is the last (the STREAM construction): chunks cannot be left out, swapped or
//! cut off unnoticed. Promises: what comes out of [`open_chunk`] is what went in. Never: uses a key for two contents.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Bytes of content in one chunk.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes that encryption adds to a chunk.
pub(super) const TAG_BYTES: usize = 16;
/// What ties a ciphertext to this format.
const CONTEXT: &[u8] = b"indelible.sealed/1";

/// A content's key.
pub(super) struct ContentKey(LessSafeKey);

/// The key or the ciphertext is not the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mismatch;

impl ContentKey {
    pub(super) fn new(key: &[u8; 32]) -> Result<Self, Mismatch> {
        UnboundKey::new(&AES_256_GCM, key).map(|key| Self(LessSafeKey::new(key))).map_err(|_| Mismatch)
    }
}

fn nonce(number: u32, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[7..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(last);
    Nonce::assume_unique_for_key(bytes)
}

/// Encrypts a content piece by piece.
pub(super) struct Encryptor {
    key: ContentKey,
    number: u32,
    /// Less than a chunk, or a whole one that may turn out to be the last.
    pending: Vec<u8>,
}

impl Encryptor {
    pub(super) fn new(key: ContentKey) -> Self {
        Self { key, number: 0, pending: Vec::new() }
    }

    /// Takes content and appends what is ready to `out`.
    pub(super) fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Mismatch> {
        while !bytes.is_empty() {
            if self.pending.len() == CHUNK_BYTES {
                self.seal(false, out)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.pending.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Appends the last chunk, which may be empty.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        self.seal(true, out)
    }

    fn seal(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        let nonce = nonce(self.number, last);
        self.number = self.number.checked_add(1).ok_or(Mismatch)?;
        let from = out.len();
        out.append(&mut self.pending);
        let chunk = out.get_mut(from..).unwrap_or_default();
        let tag = self.key.0.seal_in_place_separate_tag(nonce, Aad::from(CONTEXT), chunk).map_err(|_| Mismatch)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }
}

/// How many chunks a content of `bytes` bytes has.
pub(super) fn chunks(bytes: u64) -> u64 {
    bytes.div_ceil(CHUNK_BYTES as u64).max(1)
}

/// How many bytes a content of `bytes` bytes takes encrypted.
pub(super) fn encrypted_len(bytes: u64) -> u64 {
    bytes.saturating_add(chunks(bytes).saturating_mul(TAG_BYTES as u64))
}

/// Decrypts chunk `number` (of as many as the content has) in place.
pub(super) fn open_chunk<'c>(
    key: &ContentKey,
    number: u64,
    count: u64,
    chunk: &'c mut [u8],
) -> Result<&'c [u8], Mismatch> {
    let place = u32::try_from(number).map_err(|_| Mismatch)?;
    let opened = key.0.open_in_place(nonce(place, number + 1 == count), Aad::from(CONTEXT), chunk);
    opened.map(|content| &*content).map_err(|_| Mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encrypt(content: &[u8], pieces: usize) -> Vec<u8> {
        let mut encryptor = Encryptor::new(ContentKey::new(&[7; 32]).unwrap());
        let mut out = Vec::new();
        for piece in content.chunks(pieces.max(1)) {
            encryptor.push(piece, &mut out).unwrap();
        }
        encryptor.finish(&mut out).unwrap();
        out
    }

    fn decrypt(bytes: u64, sealed: &[u8]) -> Result<Vec<u8>, Mismatch> {
        let key = ContentKey::new(&[7; 32])?;
        let mut content = Vec::new();
        for (number, chunk) in sealed.chunks(CHUNK_BYTES + TAG_BYTES).enumerate() {
            content.extend_from_slice(open_chunk(&key, number as u64, chunks(bytes), &mut chunk.to_vec())?);
        }
        Ok(content)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_content_comes_back_whatever_its_pieces_and_no_other_does(
            len in prop_oneof![0usize..100, 65_500usize..65_600, 131_000usize..131_200],
            pieces in 1usize..70_000,
            flip in any::<prop::sample::Index>(),
        ) {
            let content: Vec<u8> = (0..=250u8).cycle().take(len).collect();
            let sealed = encrypt(&content, pieces);
            prop_assert_eq!(sealed.len() as u64, encrypted_len(len as u64));
            prop_assert_eq!(decrypt(len as u64, &sealed).unwrap(), content);
            let mut altered = sealed.clone();
            let at = flip.index(altered.len());
            altered[at] ^= 1;
            prop_assert_eq!(decrypt(len as u64, &altered), Err(Mismatch));
            prop_assert_eq!(decrypt(len as u64, &sealed[..sealed.len() - 1]), Err(Mismatch));
        }
    }

    #[test]
    fn chunks_cannot_be_left_out_or_swapped() {
        let content = vec![1; 3 * CHUNK_BYTES];
        let sealed = encrypt(&content, 1_000);
        let each = CHUNK_BYTES + TAG_BYTES;
        let cut = &sealed[..2 * each];
        assert_eq!(decrypt(2 * CHUNK_BYTES as u64, cut), Err(Mismatch));
        let swapped = [&sealed[each..2 * each], &sealed[..each], &sealed[2 * each..]].concat();
        assert_eq!(decrypt(content.len() as u64, &swapped), Err(Mismatch));
    }
}
