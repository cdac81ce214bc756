//! A log's key: made once, kept in `keys/<log>.key` (0600, in the text form of Go's `note.GenerateKey`), never shown.
//!
//! Signing is done by aws-lc-rs, the process's one crypto module. Its thief can sign a second history; only a kept checkpoint,
//! a receipt or a witness shows that (SECURITY.md).

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use indelible_tlog::checkpoint::{Checkpoint, Origin};
use indelible_tlog::note::{self, KeyId, KeyKind, KeyName, NoteSigner, SignError, SigningKey, VerifierKey};
use indelible_tlog::receipt::Receipt;

use crate::disk::{Disk, replace_file, write_private};

use super::LogError;

/// Signs a log's checkpoints and receipts.
#[derive(Debug)]
pub struct LogKey {
    origin: Origin,
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
    id: KeyId,
}

impl LogKey {
    /// The key of `origin` from 32 random bytes. It stands nowhere until [`LogKey::write`].
    ///
    /// # Errors
    /// When the bytes are no seed.
    pub fn from_seed(origin: &Origin, seed: &[u8; 32]) -> Result<Self, LogError> {
        Self::from_signing(&SigningKey::from_seed(origin.key_name().clone(), KeyKind::Ed25519, seed))
    }

    /// Writes the key made from `seed` to `path`, durably, readable by nobody else.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(disk: &dyn Disk, path: &Path, origin: &Origin, seed: &[u8; 32]) -> Result<(), LogError> {
        let signing = SigningKey::from_seed(origin.key_name().clone(), KeyKind::Ed25519, seed);
        Ok(write_private(disk, path, signing.to_secret_text().as_bytes())?)
    }

    /// Reads the key of `origin` from `path`.
    ///
    /// # Errors
    /// When the file is missing, is no key, or belongs to another origin.
    pub fn load(disk: &dyn Disk, path: &Path, origin: &Origin) -> Result<Self, LogError> {
        let text = disk.read(path)?;
        let text = std::str::from_utf8(&text).map_err(|_| LogError::Key(format!("{} is not a key", path.display())))?;
        let signing = SigningKey::parse(text.trim_end())
            .map_err(|_| LogError::Key(format!("{} is not a signing key", path.display())))?;
        if signing.key_name() != origin.key_name() {
            let (path, holder) = (path.display(), signing.key_name());
            return Err(LogError::Key(format!(
                "{path} belongs to the origin `{holder}`, but the configuration says `{origin}`; an origin never changes"
            )));
        }
        Self::from_signing(&signing)
    }

    fn from_signing(signing: &SigningKey) -> Result<Self, LogError> {
        let refused = |_| LogError::Key("its bytes are no Ed25519 seed".to_owned());
        let pair = Ed25519KeyPair::from_seed_unchecked(signing.seed()).map_err(refused)?;
        let verifier = signing.verifier();
        if pair.public_key().as_ref() != verifier.public_bytes() {
            return Err(LogError::Key("two libraries disagree about its public half".to_owned()));
        }
        let origin = Origin::new(signing.key_name().as_str()).map_err(|error| LogError::Key(error.to_string()))?;
        Ok(Self { origin, pair, id: verifier.id(), verifier })
    }

    /// The log's origin, which is the key's name.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a checkpoint.
    ///
    /// # Errors
    /// When the text cannot be a note.
    pub fn sign_checkpoint(&self, checkpoint: &Checkpoint) -> Result<Arc<str>, LogError> {
        self.sign_text(&checkpoint.to_text())
    }

    /// Signs a receipt.
    ///
    /// # Errors
    /// When the text cannot be a note.
    pub fn sign_receipt(&self, receipt: &Receipt) -> Result<Arc<str>, LogError> {
        self.sign_text(&receipt.to_text())
    }

    fn sign_text(&self, text: &str) -> Result<Arc<str>, LogError> {
        note::sign(text, self).map(Arc::from).map_err(|error| LogError::Key(error.to_string()))
    }
}

/// Writes the verifier key beside the log, for people who look at the folder. It proves nothing by itself.
///
/// # Errors
/// When it cannot be written.
pub fn write_vkey(disk: &dyn Disk, path: &Path, verifier: &VerifierKey) -> Result<(), LogError> {
    Ok(replace_file(disk, path, format!("{}\n", verifier.to_vkey()).as_bytes())?)
}

impl NoteSigner for LogKey {
    fn name(&self) -> &KeyName {
        self.origin.key_name()
    }

    fn key_id(&self) -> KeyId {
        self.id
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.pair.sign(message).as_ref().to_vec())
    }
}
