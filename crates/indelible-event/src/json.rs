//! A strict JSON reader (RFC 8259, RFC 7493): bytes in, a tape of nodes out, strings borrowed from the input.
//!
//! Promises: one meaning per document. Refused, each with its own kind, byte and path: invalid UTF-8, a byte order mark,
//! duplicate keys (compared after unescaping), NaN and Infinity, fractions and exponents, integers beyond ±(2^53 - 1), leading
//! zeros, control characters, unknown escapes, lone surrogates, nesting over 32, bytes after the end. Memory is bounded by
//! the input: one node of 24 bytes for each value, reused from one document to the next.
//! Never: recursion deeper than the limit, an allocation per field, a guess.

mod error;
mod item;
mod reader;
mod text;
mod value;

use std::cell::RefCell;

pub use error::{JsonError, JsonErrorKind};
pub(crate) use item::Kind;
pub use item::{Document, Item, Text};
pub(crate) use text::{fingerprint, plain_run, utf16_order, write_text};
pub use value::Value;
pub(crate) use value::owned_members;

use item::Node;
use reader::{After, Reader};

use crate::limits::DOCUMENT_BYTES_MAX;

/// A key of an object that is still open, for the search for duplicates.
#[derive(Clone, Copy, Debug)]
struct OpenKey {
    fingerprint: u64,
    node: u32,
}

/// Room for one document at a time; reuse it and reading allocates nothing.
#[derive(Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    unescaped: String,
    open_keys: Vec<OpenKey>,
}

impl Tape {
    /// Reads one document that must be the whole input.
    ///
    /// # Errors
    /// [`JsonError`] for the first byte that is not as it must be.
    pub fn read<'a, 't>(&'t mut self, input: &'a [u8]) -> Result<Document<'a, 't>, JsonError> {
        let (text, after) = valid_prefix(input);
        self.read_window(text, after, Extent::Whole).map(|(document, _)| document)
    }

    /// Reads one document at the start of the input, and says how many bytes it took. `complete` is false when `text` ends where
    /// invalid UTF-8 begins.
    ///
    /// # Errors
    /// [`JsonError`] for the first byte that is not as it must be.
    pub(crate) fn read_first<'a, 't>(
        &'t mut self,
        text: &'a str,
        complete: Utf8,
    ) -> Result<(Document<'a, 't>, usize), JsonError> {
        let after = if complete == Utf8::Broken { After::InvalidUtf8 } else { After::Nothing };
        let (text, after) = windowed(text, after);
        self.read_window(text, after, Extent::First)
    }

    fn read_window<'a, 't>(
        &'t mut self,
        text: &'a str,
        after: After,
        extent: Extent,
    ) -> Result<(Document<'a, 't>, usize), JsonError> {
        self.nodes.clear();
        self.unescaped.clear();
        self.open_keys.clear();
        let end = Reader::new(text, after, self).document(extent)?;
        Ok((Document::new(text, &self.nodes, &self.unescaped), end))
    }

    /// Gives memory back after an unusually large document.
    fn trim(&mut self) {
        const KEPT_NODES: usize = 4_096;
        const KEPT_BYTES: usize = 64 * 1024;
        if self.nodes.capacity() > KEPT_NODES {
            self.nodes = Vec::new();
            self.open_keys = Vec::new();
        }
        if self.unescaped.capacity() > KEPT_BYTES {
            self.unescaped = String::new();
        }
    }
}

/// Whether the text is all there is, or stops where invalid UTF-8 begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Utf8 {
    Whole,
    Broken,
}

/// Whether a document must be the whole input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    First,
}

/// The longest valid UTF-8 at the start of `input`.
pub(crate) fn utf8_prefix(input: &[u8]) -> (&str, Utf8) {
    match std::str::from_utf8(input) {
        Ok(text) => (text, Utf8::Whole),
        Err(fault) => {
            let valid = input.get(..fault.valid_up_to()).unwrap_or_default();
            (std::str::from_utf8(valid).unwrap_or_default(), Utf8::Broken)
        }
    }
}

fn valid_prefix(input: &[u8]) -> (&str, After) {
    // Bytes beyond the limit are not even looked at; four more than the limit keep a cut character from looking invalid.
    let (text, utf8) = utf8_prefix(input.get(..DOCUMENT_BYTES_MAX + 4).unwrap_or(input));
    windowed(text, if utf8 == Utf8::Broken { After::InvalidUtf8 } else { After::Nothing })
}

fn windowed(text: &str, after: After) -> (&str, After) {
    if text.len() <= DOCUMENT_BYTES_MAX {
        return (text, after);
    }
    let window = text.floor_char_boundary(DOCUMENT_BYTES_MAX);
    (text.get(..window).unwrap_or_default(), After::Limit)
}

/// Whether these bytes are in the one canonical form (RFC 8785) of what they say.
///
/// # Errors
/// When they are not strict JSON.
pub fn is_canonical(bytes: &[u8]) -> Result<bool, JsonError> {
    with_tape(|tape| {
        let value = tape.read(bytes)?.root().to_value();
        let mut canonical = Vec::with_capacity(bytes.len());
        value.write_canonical(&mut canonical);
        Ok(canonical == bytes)
    })
}

/// Lends this thread's tape, so that single documents are read without allocating.
pub(crate) fn with_tape<T>(use_tape: impl FnOnce(&mut Tape) -> T) -> T {
    thread_local! {
        static TAPE: RefCell<Tape> = RefCell::new(Tape::default());
    }
    TAPE.with(|tape| match tape.try_borrow_mut() {
        Ok(mut tape) => {
            let result = use_tape(&mut tape);
            tape.trim();
            result
        }
        // A caller inside a caller: rare, and served with a tape of its own.
        Err(_) => use_tape(&mut Tape::default()),
    })
}

#[cfg(test)]
mod tests;
