//! Proof files (C2SP tlog-proof, extension `.tlog-proof`): an entry's place, its inclusion proof and the checkpoint, in one text
//! that can be checked offline.
//!
//! Promises: caps on every part; the checkpoint is carried verbatim, so that cosignatures survive. Never: trusts `extra`, which
//! nothing authenticates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::note::{NOTE_BYTES_MAX, VerifierKey};
use crate::proof::{PROOF_HASHES_MAX, ProofError, verify_inclusion};
use crate::text::{decimal, take_line};
use crate::tree::LeafIndex;

/// The first line of a proof file.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Most bytes of extra data: an entry fits.
pub const EXTRA_BYTES_MAX: usize = 65_535;
/// Longest proof file: the checkpoint, the extra data in base64, and the hashes.
pub const PROOF_FILE_BYTES_MAX: usize = NOTE_BYTES_MAX + EXTRA_BYTES_MAX * 4 / 3 + (PROOF_HASHES_MAX + 4) * 64;

/// A proof that an entry is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Anything the writer wanted to add. Not authenticated.
    pub extra: Option<Vec<u8>>,
    /// Where the entry stands.
    pub index: LeafIndex,
    /// The inclusion proof: sibling hashes from the leaf to the root.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

/// Why a proof file could not be read or does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    /// Longer than [`PROOF_FILE_BYTES_MAX`].
    #[error("the proof is {bytes} bytes long; the longest a proof may be is {PROOF_FILE_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A line is missing or not what it should be.
    #[error("line {line} of the proof is not valid: {want} should stand there")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What should stand there.
        want: &'static str,
    },
    /// The checkpoint is not to be believed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The hashes do not lead to the checkpoint's root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl TlogProof {
    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        if let Some(extra) = &self.extra {
            text.push_str(&format!("extra {}\n", STANDARD.encode(extra)));
        }
        text.push_str(&format!("index {}\n", self.index));
        for hash in &self.hashes {
            text.push_str(&hash.to_base64());
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads a file's text. Nothing is verified.
    ///
    /// # Errors
    /// [`ProofFileError`]
    pub fn parse(text: &str) -> Result<Self, ProofFileError> {
        if text.len() > PROOF_FILE_BYTES_MAX {
            return Err(ProofFileError::TooLong { bytes: text.len() });
        }
        let mut rest = text;
        let mut number = 0;
        let mut line = |want: &'static str| {
            number += 1;
            let line = take_line(&mut rest).ok_or(ProofFileError::Line { line: number, want })?;
            Ok::<_, ProofFileError>((line, ProofFileError::Line { line: number, want }))
        };
        let (header, error) = line("the header `c2sp.org/tlog-proof@v1`")?;
        if header != HEADER {
            return Err(error);
        }
        let (mut index, mut error) = line("`extra` or `index`")?;
        let mut extra = None;
        if let Some(text) = index.strip_prefix("extra ") {
            let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() <= EXTRA_BYTES_MAX);
            extra = Some(bytes.ok_or(error)?);
            (index, error) = line("`index`")?;
        }
        let index = index.strip_prefix("index ").and_then(decimal).ok_or(error)?;
        let mut hashes = Vec::new();
        loop {
            let (text, error) = line("a hash in base64, or an empty line")?;
            if text.is_empty() {
                break;
            }
            let hash = Hash::from_base64(text).filter(|_| hashes.len() < PROOF_HASHES_MAX);
            hashes.push(hash.ok_or(error)?);
        }
        Ok(Self { extra, index: LeafIndex(index), hashes, checkpoint: rest.to_owned() })
    }

    /// Checks that the log with this key has an entry with this leaf hash at [`Self::index`]. Gives the checkpoint under
    /// which it has.
    ///
    /// # Errors
    /// [`ProofFileError::Checkpoint`], [`ProofFileError::Proof`]
    pub fn verify(&self, leaf: &Hash, key: &VerifierKey) -> Result<Checkpoint, ProofFileError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        verify_inclusion(leaf, self.index, checkpoint.size, &self.hashes, &checkpoint.root)?;
        Ok(checkpoint)
    }
}
