//! Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, as the text of a signed note.
//!
//! Promises: one spelling; an empty tree has the empty root. Never: extension lines, which no monitor can audit and which some
//! cosignatures do not cover (they are refused when read, as witnesses do).

use std::fmt;

use crate::hash::{EMPTY_ROOT, Hash};
use crate::note::{self, KeyError, KeyKind, KeyName, NoteError, OpenedNote, VerifierKey};
use crate::receipt;
use crate::text::{decimal, take_line};
use crate::tree::TreeSize;

/// The identity of a log: first line of its checkpoints and name of its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(KeyName);

/// What a log says of itself at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// How many leaves.
    pub size: TreeSize,
    /// The root over them.
    pub root: Hash,
}

/// Why a checkpoint could not be read or is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A line is missing or not what it should be.
    #[error("the checkpoint's {line} is not valid")]
    Line {
        /// Which line.
        line: &'static str,
    },
    /// There are lines after the root.
    #[error("the checkpoint has extension lines, which nobody can audit; they are not accepted")]
    Extension,
    /// An empty tree with a root that is not the empty one.
    #[error("the checkpoint says that the tree is empty but gives a root of other content")]
    EmptyRoot,
    /// Signed by a key of another name, or of a kind that does not sign for a log.
    #[error("the checkpoint is of log `{origin}`, but the key is `{key}` and does not sign for that log")]
    OtherLog {
        /// The log that the checkpoint is of.
        origin: Origin,
        /// The key's name.
        key: KeyName,
    },
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Origin {
    /// Checks an origin: the same rules as a key's name, and not the first line of another kind of note.
    ///
    /// # Errors
    /// [`KeyError::Name`]
    pub fn new(origin: impl Into<String>) -> Result<Self, KeyError> {
        let name = KeyName::new(origin)?;
        if name.as_str() == receipt::HEADER {
            return Err(KeyError::Name { name: name.to_string() });
        }
        Ok(Self(name))
    }

    /// The origin as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name that the log's key has.
    #[must_use]
    pub fn key_name(&self) -> &KeyName {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Checkpoint {
    /// The note text: three lines.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Reads a note text. Nothing is verified.
    ///
    /// # Errors
    /// [`CheckpointError`]
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut rest = text;
        let mut line = |name| take_line(&mut rest).ok_or(CheckpointError::Line { line: name });
        let origin = line("origin")?;
        let size = line("size")?;
        let root = line("root hash")?;
        let origin = Origin::new(origin).map_err(|_| CheckpointError::Line { line: "origin" })?;
        let size = TreeSize(decimal(size).ok_or(CheckpointError::Line { line: "size" })?);
        let root = Hash::from_base64(root).ok_or(CheckpointError::Line { line: "root hash" })?;
        if !rest.is_empty() {
            return Err(CheckpointError::Extension);
        }
        if size.0 == 0 && root != EMPTY_ROOT {
            return Err(CheckpointError::EmptyRoot);
        }
        Ok(Self { origin, size, root })
    }

    /// Opens a signed checkpoint with the log's key. A cosigner's key of the same name does not count as the log's.
    ///
    /// # Errors
    /// [`CheckpointError`]
    pub fn open(note: impl AsRef<[u8]>, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let (checkpoint, _) = Self::open_cosigned(note, key, &[])?;
        Ok(checkpoint)
    }

    /// Opens a signed checkpoint with the log's key and gives the note with the signatures of those `cosigners` who signed
    /// (their places count from 1; 0 is the log).
    ///
    /// # Errors
    /// [`CheckpointError`]: a bad cosignature of a known cosigner refuses the checkpoint; an absent one does not.
    pub fn open_cosigned(
        note: impl AsRef<[u8]>,
        key: &VerifierKey,
        cosigners: &[VerifierKey],
    ) -> Result<(Self, OpenedNote), CheckpointError> {
        let mut keys = vec![key.clone()];
        keys.extend_from_slice(cosigners);
        let opened = note::open(note, &keys)?;
        if opened.signed_by.iter().all(|by| by.key != 0) {
            return Err(NoteError::NotSigned { known: 1 }.into());
        }
        let checkpoint = Self::parse(&opened.text)?;
        if key.name() != checkpoint.origin.key_name() || key.kind() != KeyKind::Ed25519 {
            return Err(CheckpointError::OtherLog { origin: checkpoint.origin, key: key.name().clone() });
        }
        Ok((checkpoint, opened))
    }
}
