//! The door for content that is kept outside the tree: prompts, answers, tool arguments and results. The event carries a salted
//! commitment; the content lies encrypted under a key of its own, and destroying that key erases it without touching a proof.
//!
//! Promises: a commitment is `SHA-256(salt ‖ content)` with 32 random bytes of salt, so equal contents are not found by it.
//! Never: knows how or where content is kept.

use std::fmt;

use crate::doors::BoxFuture;
use crate::id::EventId;

/// How much of a content is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// The content, encrypted, and its salt.
    Sealed,
    /// Only the salt: who has the content elsewhere can show that it is the one.
    Hash,
}

/// What the vault is told about a content.
#[derive(Clone, Debug)]
pub struct ContentAbout {
    /// The event that will carry the commitment.
    pub event: EventId,
    /// Whom the content is about (an actor's id), so that all of a person's content can be erased.
    pub subject: String,
    /// How much is kept.
    pub keep: Keep,
}

/// What an event says about a content (`sealed[]`), and the content's name in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Commitment(pub [u8; 32]);

impl Commitment {
    /// Reads 64 hexadecimal digits, either case. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut commitment = [0; 32];
        for (byte, pair) in commitment.iter_mut().zip(pairs) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(commitment))
    }
}

impl fmt::Display for Commitment {
    /// Lower-case hex: the form in URLs and file names. Events carry base64.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A content that was taken in.
pub struct SealedContent {
    /// What goes into the event.
    pub commitment: Commitment,
    /// Length of the content in bytes.
    pub bytes: u64,
    /// Resolves when content, key and salt are on stable storage. The event may be recorded meanwhile; the access goes on
    /// only when both are durable.
    pub durable: BoxFuture<'static, Result<(), VaultError>>,
}

impl fmt::Debug for SealedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedContent")
            .field("commitment", &self.commitment)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Why a content could not be sealed. Then there must be no access, unless the route says otherwise.
#[derive(Clone, Debug, thiserror::Error)]
pub enum VaultError {
    /// No room on the disk.
    #[error("the disk is full; content is sealed again when there is room")]
    Full,
    /// Too much is waiting to be written.
    #[error("too much content is waiting to be sealed; try again in {retry_after_ms} ms")]
    Busy {
        /// When to come back.
        retry_after_ms: u64,
    },
    /// The vault has stopped: shutting down, or an outcome was not known (a failed fsync).
    #[error("the vault takes no content: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
}

/// Takes one content, piece by piece.
pub trait ContentWriter: Send {
    /// Takes the next bytes. Holds at most 1 MiB of a content in memory; what is longer goes to storage as it comes.
    ///
    /// # Errors
    /// [`VaultError`]; the content is then lost as a whole and nothing of it is kept.
    fn write(&mut self, bytes: &[u8]) -> Result<(), VaultError>;

    /// Ends the content. Dropping the writer instead leaves nothing behind.
    ///
    /// # Errors
    /// [`VaultError`]; nothing of it is kept.
    fn finish(self: Box<Self>) -> Result<SealedContent, VaultError>;
}

/// Where content is sealed.
pub trait Vault: Send + Sync {
    /// Begins a content.
    ///
    /// # Errors
    /// [`VaultError`] when it cannot be taken now.
    fn begin(&self, about: ContentAbout) -> Result<Box<dyn ContentWriter>, VaultError>;
}
