//! Keys of signed notes (C2SP signed-note, section Signatures): names, ids, verifier keys and signing keys in text form.
//!
//! Promises: a key's id is always recomputed, never believed; weak Ed25519 keys are refused; a signing key is never shown by
//! `Debug`. Never: makes a key from thin air: the caller brings the 32 random bytes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::cosignature;

/// Longest key name in bytes: what a cosigner's message can carry (tlog-cosignature, `opaque log_origin<1..2^8-1>`).
pub const KEY_NAME_BYTES_MAX: usize = 255;
/// Bytes of an Ed25519 public key, and of the seed of a private one.
pub const KEY_BYTES: usize = 32;
/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

/// The name of a key: a log's origin or a cosigner's name. Not empty, no spaces, no `+`, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The first four bytes of the hash over name, type and public key: tells keys apart, proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

/// What a key signs, and how (C2SP signed-note, section Signature types).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// 0x01: Ed25519 over the note's text. A log signs so.
    Ed25519,
    /// 0x04: timestamped Ed25519 cosignature. A witness signs so.
    Cosignature,
}

/// Why a key could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text has not the parts of a key.
    #[error("the key has not the form `{form}`")]
    Form {
        /// The form it should have.
        form: &'static str,
    },
    /// The name is empty, too long, or has a space, a plus or a control character.
    #[error("`{name}` is no key name: 1 to {KEY_NAME_BYTES_MAX} bytes without spaces, `+` or control characters")]
    Name {
        /// The name, control characters escaped and cut to a readable length.
        name: String,
    },
    /// A type of key that this code does not know.
    #[error("key type {kind:#04x} is not supported; supported are 0x01 (Ed25519) and 0x04 (Ed25519 cosignature)")]
    Kind {
        /// The type byte.
        kind: u8,
    },
    /// The id in the text is not the one that follows from name and key.
    #[error("the key's id is {said} but its name and bytes give {computed}; part of the key was altered")]
    Id {
        /// The id in the text.
        said: KeyId,
        /// The id that follows.
        computed: KeyId,
    },
    /// The bytes are no Ed25519 public key, or one under which forgeries are easy.
    #[error("the key's bytes are no usable Ed25519 public key")]
    Bytes,
}

/// Why signing failed. The reason carries no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signing with key `{name}` failed: {reason}")]
pub struct SignError {
    /// The key's name.
    pub name: KeyName,
    /// What the signer said.
    pub reason: String,
}

/// Whoever can sign notes: a key file through this crate's [`SigningKey`], or the server's own crypto module.
///
/// Contract: `sign` gives the bytes that stand after the key id in the signature line, for exactly the message given; `name`
/// and `key_id` never change.
pub trait NoteSigner {
    /// The name in the signature line.
    fn name(&self) -> &KeyName;

    /// The id in the signature line.
    fn key_id(&self) -> KeyId;

    /// Signs the message: for Ed25519, 64 bytes.
    ///
    /// # Errors
    /// [`SignError`] when the key cannot be used.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

impl KeyName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`KeyError::Name`]
    pub fn new(name: impl Into<String>) -> Result<Self, KeyError> {
        let name = name.into();
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.len() > KEY_NAME_BYTES_MAX || name.contains(forbidden) {
            let name = name.chars().take(80).flat_map(char::escape_debug).collect();
            return Err(KeyError::Name { name });
        }
        Ok(Self(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyId {
    /// The id of a key: first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key).
    #[must_use]
    pub fn compute(name: &KeyName, kind: KeyKind, public: &[u8; KEY_BYTES]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(name.0.as_bytes());
        hasher.update([b'\n', kind.byte()]);
        hasher.update(public);
        let [a, b, c, d, ..]: [u8; 32] = hasher.finalize().into();
        Self(u32::from_be_bytes([a, b, c, d]))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Cosignature => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, KeyError> {
        match byte {
            0x01 => Ok(Self::Ed25519),
            0x04 => Ok(Self::Cosignature),
            kind => Err(KeyError::Kind { kind }),
        }
    }
}

/// A key that checks signatures, in text form `<name>+<id>+<base64>` (a "vkey").
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    kind: KeyKind,
    public: VerifyingKey,
}

impl VerifierKey {
    /// A key from its parts.
    ///
    /// # Errors
    /// [`KeyError::Bytes`]
    pub fn new(name: KeyName, kind: KeyKind, public: &[u8; KEY_BYTES]) -> Result<Self, KeyError> {
        let id = KeyId::compute(&name, kind, public);
        let public = VerifyingKey::from_bytes(public).map_err(|_| KeyError::Bytes)?;
        if public.is_weak() {
            return Err(KeyError::Bytes);
        }
        Ok(Self { name, id, kind, public })
    }

    /// Reads the text form. One newline at the end is allowed, as files have it.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let (name, said, kind, bytes) = parse_key(text, "<name>+<id>+<base64 of type and public key>")?;
        let key = Self::new(name, kind, &bytes)?;
        if key.id == said { Ok(key) } else { Err(KeyError::Id { said, computed: key.id }) }
    }

    /// The text form, without a newline.
    #[must_use]
    pub fn to_vkey(&self) -> String {
        format_key(&self.name, self.id, self.kind, self.public.as_bytes())
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What the key signs.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The bare Ed25519 public key.
    #[must_use]
    pub fn public_bytes(&self) -> &[u8; KEY_BYTES] {
        self.public.as_bytes()
    }

    /// Checks the bytes after the key id in a signature line. `None`: no valid signature. `Some`: valid; a cosignature's
    /// time in seconds since 1970 is inside.
    pub(crate) fn check(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        match self.kind {
            KeyKind::Ed25519 => self.check_ed25519(text.as_bytes(), signature).then_some(None),
            KeyKind::Cosignature => {
                let (time, signature) = cosignature::split_blob(signature)?;
                let message = cosignature::message(text, time);
                self.check_ed25519(message.as_bytes(), signature).then_some(Some(time))
            }
        }
    }

    fn check_ed25519(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        self.public.verify_strict(message, &signature).is_ok()
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({})", self.to_vkey())
    }
}

/// A key that signs, in the text form of Go's `note.GenerateKey`: `PRIVATE+KEY+<name>+<id>+<base64 of type and seed>`.
#[derive(Clone)]
pub struct SigningKey {
    name: KeyName,
    id: KeyId,
    kind: KeyKind,
    secret: ed25519_dalek::SigningKey,
}

const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";

impl SigningKey {
    /// A key from 32 random bytes, for signing as `kind`.
    #[must_use]
    pub fn from_seed(name: KeyName, kind: KeyKind, seed: &[u8; KEY_BYTES]) -> Self {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let id = KeyId::compute(&name, kind, secret.verifying_key().as_bytes());
        Self { name, id, kind, secret }
    }

    /// Reads the text form. One newline at the end is allowed, as files have it.
    ///
    /// # Errors
    /// [`KeyError`], which never shows the text.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        const FORM: &str = "PRIVATE+KEY+<name>+<id>+<base64 of type and seed>";
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_prefix(PRIVATE_PREFIX).ok_or(KeyError::Form { form: FORM })?;
        let (name, said, kind, seed) = parse_key(text, FORM)?;
        let key = Self::from_seed(name, kind, &seed);
        if key.id == said { Ok(key) } else { Err(KeyError::Id { said, computed: key.id }) }
    }

    /// The text form, without a newline: a secret.
    #[must_use]
    pub fn to_secret_text(&self) -> String {
        format!("{PRIVATE_PREFIX}{}", format_key(&self.name, self.id, self.kind, self.secret.as_bytes()))
    }

    /// The 32 secret bytes, for a crypto module that signs in our place.
    #[must_use]
    pub fn seed(&self) -> &[u8; KEY_BYTES] {
        self.secret.as_bytes()
    }

    /// The key's name.
    #[must_use]
    pub fn key_name(&self) -> &KeyName {
        &self.name
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), id: self.id, kind: self.kind, public: self.secret.verifying_key() }
    }
}

impl NoteSigner for SigningKey {
    fn name(&self) -> &KeyName {
        &self.name
    }

    fn key_id(&self) -> KeyId {
        self.id
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.secret.sign(message).to_bytes().to_vec())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}+{}+***)", self.name, self.id)
    }
}

fn format_key(name: &KeyName, id: KeyId, kind: KeyKind, bytes: &[u8; KEY_BYTES]) -> String {
    let mut typed = Vec::with_capacity(1 + KEY_BYTES);
    typed.push(kind.byte());
    typed.extend_from_slice(bytes);
    format!("{name}+{id}+{}", STANDARD.encode(typed))
}

fn parse_key(text: &str, form: &'static str) -> Result<(KeyName, KeyId, KeyKind, [u8; KEY_BYTES]), KeyError> {
    let malformed = KeyError::Form { form };
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(bytes)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed);
    };
    let name = KeyName::new(name)?;
    if id.len() != 8 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) || bytes.len() > 4096 {
        return Err(malformed);
    }
    let id = u32::from_str_radix(id, 16).map_err(|_| malformed.clone())?;
    let bytes = STANDARD.decode(bytes).map_err(|_| malformed.clone())?;
    let (kind, bytes) = bytes.split_first().ok_or(malformed)?;
    let kind = KeyKind::from_byte(*kind)?;
    let bytes = bytes.try_into().map_err(|_| KeyError::Bytes)?;
    Ok((name, KeyId(id), kind, bytes))
}
