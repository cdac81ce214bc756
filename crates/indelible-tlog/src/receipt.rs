//! Receipts: a log's signed promise, given with the acknowledgement, that entries stand at these places.
//!
//! A receipt is the text of a signed note under the log's own key. Its first line keeps it apart from checkpoints:
//! ```text
//! indelible.receipt/1
//! origin example.com/main
//! first 1200
//! count 500
//! root <base64 of the RFC 6962 root over the leaf hashes of these entries alone>
//! recorded 2026-11-23T10:15:30.123456789Z
//! ```
//! Promises: one spelling. Never: says that the entries are in a checkpoint yet; that is what checking it against the log shows.

use crate::checkpoint::Origin;
use crate::hash::Hash;
use crate::note::{self, KeyKind, KeyName, NoteError, VerifierKey};
use crate::text::{decimal, take_line};
use crate::tree::{LeafIndex, TREE_SIZE_MAX};

/// The first line of a receipt.
pub const HEADER: &str = "indelible.receipt/1";
/// Longest time of recording in bytes; the server's own are 30.
const RECORDED_BYTES_MAX: usize = 64;

/// What a log promises about entries that it has made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which log.
    pub origin: Origin,
    /// Where the first entry stands.
    pub first_index: LeafIndex,
    /// How many entries, at least one.
    pub count: u64,
    /// The root of a tree of these entries alone.
    pub entries_root: Hash,
    /// When they were recorded: RFC 3339, UTC, as in the entries.
    pub recorded: String,
}

/// Why a receipt could not be read or is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// A line is missing or not what it should be.
    #[error("the receipt's line `{line}` is missing or not valid")]
    Line {
        /// Which line.
        line: &'static str,
    },
    /// Something follows the last line.
    #[error("the receipt has lines after `recorded`")]
    Surplus,
    /// Signed by a key of another name, or of a kind that does not sign for a log.
    #[error("the receipt is of log `{origin}`, but the key is `{key}` and does not sign for that log")]
    OtherLog {
        /// The log that the receipt is of.
        origin: Origin,
        /// The key's name.
        key: KeyName,
    },
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Receipt {
    /// The note text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { origin, first_index, count, entries_root, recorded } = self;
        format!(
            "{HEADER}\norigin {origin}\nfirst {first_index}\ncount {count}\nroot {entries_root}\nrecorded {recorded}\n"
        )
    }

    /// Reads a note text. Nothing is verified.
    ///
    /// # Errors
    /// [`ReceiptError`]
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        let mut rest = text;
        if take_line(&mut rest) != Some(HEADER) {
            return Err(ReceiptError::Line { line: HEADER });
        }
        let mut field = |line: &'static str| {
            let value = take_line(&mut rest).and_then(|text| text.strip_prefix(line)?.strip_prefix(' '));
            value.ok_or(ReceiptError::Line { line })
        };
        let origin = Origin::new(field("origin")?).map_err(|_| ReceiptError::Line { line: "origin" })?;
        let first = decimal(field("first")?).ok_or(ReceiptError::Line { line: "first" })?;
        let count = decimal(field("count")?).ok_or(ReceiptError::Line { line: "count" })?;
        let entries_root = Hash::from_base64(field("root")?).ok_or(ReceiptError::Line { line: "root" })?;
        let recorded = field("recorded")?;
        if count == 0 || first > TREE_SIZE_MAX.0 - count {
            return Err(ReceiptError::Line { line: "count" });
        }
        let time_like = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'T' | b'Z' | b'+');
        if recorded.is_empty() || recorded.len() > RECORDED_BYTES_MAX || !recorded.bytes().all(time_like) {
            return Err(ReceiptError::Line { line: "recorded" });
        }
        let recorded = recorded.to_owned();
        if !rest.is_empty() {
            return Err(ReceiptError::Surplus);
        }
        Ok(Self { origin, first_index: LeafIndex(first), count, entries_root, recorded })
    }

    /// Opens a signed receipt with the log's key.
    ///
    /// # Errors
    /// [`ReceiptError`]
    pub fn open(note: impl AsRef<[u8]>, key: &VerifierKey) -> Result<Self, ReceiptError> {
        let opened = note::open(note, std::slice::from_ref(key))?;
        let receipt = Self::parse(&opened.text)?;
        if key.name() != receipt.origin.key_name() || key.kind() != KeyKind::Ed25519 {
            return Err(ReceiptError::OtherLog { origin: receipt.origin, key: key.name().clone() });
        }
        Ok(receipt)
    }
}
