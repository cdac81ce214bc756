//! Signed notes (C2SP signed-note v1.0.0): a text and who signed it.
//!
//! Promises: hostile notes cost bounded work (caps on bytes and signatures, checked first); signatures of unknown keys are
//! ignored and never carried on as if verified; one bad signature of a known key refuses the whole note. Never: gives the
//! text of a note as trusted before a known key has verified it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use crate::key::{
    KEY_BYTES, KEY_NAME_BYTES_MAX, KeyError, KeyId, KeyKind, KeyName, NoteSigner, SIGNATURE_BYTES, SignError,
    SigningKey, VerifierKey,
};

/// Longest note in bytes, signatures included: as Go's `sumdb/note`. One hundred post-quantum cosignatures fit.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// Most signatures in a note: as Go's `sumdb/note`; the specification asks for at least 16.
pub const SIGNATURES_MAX: usize = 100;

/// Bytes of the key id before the signature.
const KEY_ID_BYTES: usize = 4;
/// What each signature line begins with: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// A note as read: nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text, with its final newline.
    pub text: String,
    /// The signature lines in order.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: KeyName,
    /// The key's id.
    pub id: KeyId,
    /// The bytes after the id. What they are depends on the key.
    pub signature: Vec<u8>,
}

/// A note that at least one known key has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedNote {
    /// The text, with its final newline.
    pub text: String,
    /// Who signed it: one for each known key with a valid signature, in the order of the lines.
    pub signed_by: Vec<SignedBy>,
}

/// A verified signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// Which of the keys given to [`open`].
    pub key: usize,
    /// The signature line.
    pub signature: NoteSignature,
    /// When, in seconds since 1970, as the cosigner says; `None` for signatures without a time.
    pub time: Option<u64>,
}

/// Why a note could not be read, opened or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More bytes than [`NOTE_BYTES_MAX`].
    #[error("the note is {bytes} bytes long; the longest a note may be is {NOTE_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not UTF-8, or a control character other than newline.
    #[error("the note has a byte at {offset} that no note may have (control character or no UTF-8)")]
    Character {
        /// Where.
        offset: usize,
    },
    /// No text that ends in a newline, or no blank line and signatures after it.
    #[error("the note has not the form of a text, a blank line and signature lines")]
    Form,
    /// A line after the blank line is no signature.
    #[error("line {line} after the blank line is no signature line")]
    SignatureLine {
        /// Which, from 1.
        line: usize,
    },
    /// More lines than [`SIGNATURES_MAX`].
    #[error("the note has more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// A key that is known has a signature that is not its own.
    #[error("the signature by `{name}` (key id {id}) is not valid; the text or the signature was altered")]
    BadSignature {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: KeyId,
    },
    /// Two known keys share name and id.
    #[error("two of the known keys are named `{name}` and have id {id}; give only one of them")]
    AmbiguousKey {
        /// The name.
        name: KeyName,
        /// The id.
        id: KeyId,
    },
    /// No known key has signed.
    #[error("none of the {known} known key(s) has signed the note")]
    NotSigned {
        /// How many keys are known.
        known: usize,
    },
    /// The signer failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Note {
    /// Reads a note without verifying anything.
    ///
    /// # Errors
    /// [`NoteError`] for form and caps.
    pub fn parse(note: impl AsRef<[u8]>) -> Result<Self, NoteError> {
        let note = note.as_ref();
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: note.len() });
        }
        let note = str::from_utf8(note).map_err(|error| NoteError::Character { offset: error.valid_up_to() })?;
        check_characters(note)?;
        // The text may have blank lines of its own; the last one separates.
        let blank = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, rest) = note.split_at(blank + 1);
        let lines = rest.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n')).ok_or(NoteError::Form)?;
        let mut signatures = Vec::new();
        for (line, number) in lines.split('\n').zip(1..) {
            if number > SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            let signature = NoteSignature::parse(line).ok_or(NoteError::SignatureLine { line: number })?;
            signatures.push(signature);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The note as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut note = self.text.clone();
        note.push('\n');
        for signature in &self.signatures {
            signature.write(&mut note);
        }
        note
    }
}

impl NoteSignature {
    /// Reads one signature line without its newline; `None` when it is none.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (name, blob) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
        let name = KeyName::new(name).ok()?;
        let blob = STANDARD.decode(blob).ok()?;
        let (id, signature) = blob.split_first_chunk::<KEY_ID_BYTES>()?;
        if signature.is_empty() {
            return None;
        }
        Some(Self { name, id: KeyId(u32::from_be_bytes(*id)), signature: signature.to_vec() })
    }

    /// Appends the signature line with its newline.
    fn write(&self, note: &mut String) {
        let mut blob = Vec::with_capacity(KEY_ID_BYTES + self.signature.len());
        blob.extend_from_slice(&self.id.0.to_be_bytes());
        blob.extend_from_slice(&self.signature);
        note.push_str(SIGNATURE_PREFIX);
        note.push_str(self.name.as_str());
        note.push(' ');
        STANDARD.encode_string(blob, note);
        note.push('\n');
    }
}

impl OpenedNote {
    /// The note with nothing but the verified signatures: what may be stored and passed on.
    #[must_use]
    pub fn to_text(&self) -> String {
        let signatures = self.signed_by.iter().map(|by| by.signature.clone()).collect();
        Note { text: self.text.clone(), signatures }.to_text()
    }
}

/// Signs a text: gives the whole note.
///
/// # Errors
/// [`NoteError::Form`] or [`NoteError::Character`] when the text may not stand in a note; [`NoteError::Sign`].
pub fn sign(text: &str, signer: &dyn NoteSigner) -> Result<String, NoteError> {
    let signature = signature_over(text, signer)?;
    Ok(Note { text: text.to_owned(), signatures: vec![signature] }.to_text())
}

/// Signs a text: gives the signature alone, to be added to a note that has others.
///
/// # Errors
/// As [`sign`].
pub fn signature_over(text: &str, signer: &dyn NoteSigner) -> Result<NoteSignature, NoteError> {
    check_text(text)?;
    let signature = signer.sign(text.as_bytes())?;
    Ok(NoteSignature { name: signer.name().clone(), id: signer.key_id(), signature })
}

/// Opens a note with the keys that the reader trusts. Each key counts once, however often it has signed.
///
/// # Errors
/// [`NoteError`]: bad form; a known key's signature that does not verify; or no known key's signature at all.
pub fn open(note: impl AsRef<[u8]>, keys: &[VerifierKey]) -> Result<OpenedNote, NoteError> {
    for (at, key) in keys.iter().enumerate() {
        if keys.iter().take(at).any(|other| other.name() == key.name() && other.id() == key.id()) {
            return Err(NoteError::AmbiguousKey { name: key.name().clone(), id: key.id() });
        }
    }
    let note = Note::parse(note)?;
    let mut signed_by: Vec<SignedBy> = Vec::new();
    for signature in note.signatures {
        let known = keys.iter().position(|key| key.name() == &signature.name && key.id() == signature.id);
        let Some(at) = known else { continue };
        let Some(time) = keys.get(at).and_then(|key| key.check(&note.text, &signature.signature)) else {
            return Err(NoteError::BadSignature { name: signature.name, id: signature.id });
        };
        if signed_by.iter().all(|by| by.key != at) {
            signed_by.push(SignedBy { key: at, signature, time });
        }
    }
    if signed_by.is_empty() {
        return Err(NoteError::NotSigned { known: keys.len() });
    }
    Ok(OpenedNote { text: note.text, signed_by })
}

pub(crate) fn check_text(text: &str) -> Result<(), NoteError> {
    check_characters(text)?;
    if text.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong { bytes: text.len() });
    }
    if text.ends_with('\n') { Ok(()) } else { Err(NoteError::Form) }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    let bad = text.bytes().position(|byte| byte < 0x20 && byte != b'\n');
    bad.map_or(Ok(()), |offset| Err(NoteError::Character { offset }))
}
