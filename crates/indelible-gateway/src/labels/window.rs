//! A scan fed in pieces: a window over the stream, with enough of its past that nothing is lost between two windows.
//!
//! Promises: each byte is looked at once, and the overlap again; what touches the window's end is judged in the next window, when
//! its end is known. Never: holds more than one window.

use std::fmt;
use std::sync::Arc;

use super::encoded::Encoded;
use super::hidden::Hidden;
use super::pass::{Pass, View};
use super::phrases::{Dictionary, Reader};
use super::unescape::Unescape;
use super::{Found, Label};

/// Bytes gathered before they are looked at. A stream that says less keeps less.
const WINDOW: usize = 8 * 1024;
/// What of a window is looked at again with the next: the longest match, and what stands before it.
const OVERLAP: usize = 2 * 1024;
/// Of the overlap, what only serves as the left context: the longest look back.
const CONTEXT: usize = 128;
/// The longest match a finder may wait for; longer ones are judged by what they show so far.
pub(super) const LONGEST: usize = OVERLAP - CONTEXT;

const _: () = assert!(WINDOW >= 2 * OVERLAP, "a window must move on by more than it repeats");

/// One text or stream being scanned: values are looked for in a window, words are read as they come.
pub struct Scan {
    pass: Arc<Pass>,
    unescape: Unescape,
    window: Vec<u8>,
    /// Where in the window the text begins that was not judged before.
    from: usize,
    words: Arc<Dictionary>,
    reader: Reader,
    encoded: Encoded,
    hidden: Hidden,
    found: Found,
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("labels", &self.found.labels()).finish_non_exhaustive()
    }
}

impl Scan {
    pub(super) fn new(pass: Arc<Pass>, words: Arc<Dictionary>) -> Self {
        Self {
            pass,
            unescape: Unescape::default(),
            window: Vec::new(),
            from: 0,
            words,
            reader: Reader::default(),
            encoded: Encoded::default(),
            hidden: Hidden::default(),
            found: Found::default(),
        }
    }

    /// The next bytes, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let before = self.window.len();
            let taken = self.unescape.take(rest, WINDOW - OVERLAP, &mut self.window);
            self.read(before);
            rest = rest.get(taken..).unwrap_or_default();
            if self.window.len() >= WINDOW {
                self.look(false);
            }
        }
    }

    /// What was found so far, without waiting for the end; a match that is still being read is not in it.
    #[must_use]
    pub fn so_far(&self) -> Vec<Label> {
        self.found.labels()
    }

    /// The end: all labels, in the list's order, each once.
    #[must_use]
    pub fn finish(mut self) -> Vec<Label> {
        self.look(true);
        self.reader.end(&self.words, &mut self.found);
        self.encoded.end(&self.words, &mut self.found);
        self.found.labels()
    }

    /// Reads the words of what was added to the window.
    fn read(&mut self, from: usize) {
        let added = self.window.get(from..).unwrap_or_default();
        for byte in added {
            self.reader.byte(*byte, &self.words, &mut self.found);
            self.encoded.byte(*byte, &self.words, &mut self.found);
        }
        // most text hides nothing, and that is seen many bytes at a time
        if !added.is_ascii() || !self.hidden.is_idle() {
            for byte in added {
                self.hidden.byte(*byte, &mut self.found);
            }
        }
    }

    fn look(&mut self, last: bool) {
        self.pass.run(View { text: &self.window, from: self.from, last }, &mut self.found);
        if last {
            return;
        }
        self.window.drain(..self.window.len().saturating_sub(OVERLAP));
        self.from = CONTEXT;
    }
}
