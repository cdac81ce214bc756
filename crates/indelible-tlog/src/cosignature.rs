//! Timestamped Ed25519 cosignatures of witnesses (C2SP tlog-cosignature, type 0x04).
//! Promises: the time is part of what is signed. Never: judges the time; that is the reader's policy.

use crate::note::{self, NoteError, NoteSignature, NoteSigner};

/// Bytes of the time before the signature.
const TIME_BYTES: usize = 8;
/// Latest time that may be written: 2^63 - 1 seconds.
const TIME_MAX: u64 = i64::MAX as u64;

/// What a witness signs: two lines, then the whole checkpoint text.
#[must_use]
pub(crate) fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// Takes apart what stands after the key id: the time and the bare signature.
pub(crate) fn split_blob(blob: &[u8]) -> Option<(u64, &[u8])> {
    let (time, signature) = blob.split_first_chunk::<TIME_BYTES>()?;
    let time = u64::from_be_bytes(*time);
    (time <= TIME_MAX).then_some((time, signature))
}

/// Cosigns a checkpoint text at a time in seconds since 1970. `signer` must hold a key of kind
/// [`KeyKind::Cosignature`](crate::note::KeyKind::Cosignature).
///
/// # Errors
/// [`NoteError`] when the text may not stand in a note, or the signer fails.
pub fn cosign(text: &str, time: u64, signer: &dyn NoteSigner) -> Result<NoteSignature, NoteError> {
    note::check_text(text)?;
    let bare = signer.sign(message(text, time).as_bytes())?;
    let mut signature = Vec::with_capacity(TIME_BYTES + bare.len());
    signature.extend_from_slice(&time.to_be_bytes());
    signature.extend_from_slice(&bare);
    Ok(NoteSignature { name: signer.name().clone(), id: signer.key_id(), signature })
}
