//! The grammar: one pass over the input that fills the tape. On the first fault it stops and says where.

mod strings;

use std::cmp::Ordering;

use super::item::{Node, halves};
use super::text::{fingerprint, fingerprint_at};
use super::{Extent, JsonError, JsonErrorKind, Kind, OpenKey, Tape};
use crate::limits::{DOCUMENT_BYTES_MAX, INTEGER_MAX, JSON_DEPTH_MAX};

/// What lies behind the end of the text, which decides what running into the end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    InvalidUtf8,
    Limit,
}

/// An object with more keys than this is searched for duplicates by sorting at its end, so that no input takes quadratic time.
const SCANNED_KEYS_MAX: usize = 64;

/// A fault on its way out; the path is gathered in the reader as the levels return.
#[derive(Clone, Copy, Debug)]
struct Stop {
    kind: JsonErrorKind,
    at: usize,
}

/// One level of the path to a fault, innermost first.
#[derive(Clone, Copy, Debug)]
enum Step {
    Key(usize),
    Position(u32),
}

pub(super) struct Reader<'a, 't> {
    bytes: &'a [u8],
    after: After,
    at: usize,
    tape: &'t mut Tape,
    steps: Vec<Step>,
}

impl<'a, 't> Reader<'a, 't> {
    pub(super) fn new(text: &'a str, after: After, tape: &'t mut Tape) -> Self {
        Self { bytes: text.as_bytes(), after, at: 0, tape, steps: Vec::new() }
    }

    /// Reads one value and, for [`Extent::Whole`], the blanks behind it. Gives the byte after what it read.
    pub(super) fn document(mut self, extent: Extent) -> Result<usize, JsonError> {
        match self.whole(extent) {
            Ok(()) => Ok(self.at),
            Err(stop) => Err(JsonError { kind: stop.kind, at: stop.at, path: self.path() }),
        }
    }

    fn whole(&mut self, extent: Extent) -> Result<(), Stop> {
        if self.bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(Stop { kind: JsonErrorKind::ByteOrderMark, at: 0 });
        }
        self.blanks();
        self.value(0)?;
        if extent == Extent::First {
            return Ok(());
        }
        self.blanks();
        if self.at < self.bytes.len() {
            return Err(self.stop(JsonErrorKind::TrailingBytes));
        }
        match self.after {
            After::Nothing => Ok(()),
            After::InvalidUtf8 | After::Limit => Err(self.end()),
        }
    }

    fn stop(&self, kind: JsonErrorKind) -> Stop {
        Stop { kind, at: self.at }
    }

    /// The fault of needing a byte where the text ends.
    fn end(&self) -> Stop {
        let kind = match self.after {
            After::Nothing => JsonErrorKind::UnexpectedEnd,
            After::InvalidUtf8 => JsonErrorKind::InvalidUtf8,
            After::Limit => JsonErrorKind::TooLong,
        };
        Stop { kind, at: self.bytes.len() }
    }

    fn unexpected(&self) -> Stop {
        if self.at < self.bytes.len() { self.stop(JsonErrorKind::UnexpectedByte) } else { self.end() }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn push(&mut self, kind: Kind, at: usize, data: u64) {
        self.tape.nodes.push(Node { data, at: narrow(at), end: narrow(self.at), kind });
    }

    fn value(&mut self, depth: usize) -> Result<(), Stop> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b't') => self.word(b"true", Kind::True),
            Some(b'f') => self.word(b"false", Kind::False),
            Some(b'n') => self.word(b"null", Kind::Null),
            Some(b'N' | b'I') => Err(self.not_a_number(self.at)),
            Some(_) | None => Err(self.unexpected()),
        }
    }

    /// A value that begins like `NaN` or `Infinity`, read from `at`.
    fn not_a_number(&self, at: usize) -> Stop {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let kind = if rest.starts_with(b"NaN") || rest.starts_with(b"Infinity") {
            JsonErrorKind::NotANumber
        } else {
            JsonErrorKind::UnexpectedByte
        };
        Stop { kind, at }
    }

    fn word(&mut self, word: &'static [u8], kind: Kind) -> Result<(), Stop> {
        let start = self.at;
        for &expected in word {
            if self.peek() != Some(expected) {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        self.push(kind, start, 0);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Stop> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let first_digit = self.at;
        let mut value: i64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            // Seventeen digits fit an i64 with room to spare; more cannot be within the limit.
            if self.at - first_digit < 17 {
                value = value * 10 + i64::from(digit - b'0');
            }
            self.at += 1;
        }
        let digits = self.at - first_digit;
        if digits == 0 {
            return Err(match self.peek() {
                Some(b'I' | b'N') => Stop { at: start, ..self.not_a_number(self.at) },
                _ => self.unexpected(),
            });
        }
        let kind = if digits > 1 && self.bytes[first_digit] == b'0' {
            JsonErrorKind::LeadingZero
        } else if matches!(self.peek(), Some(b'.' | b'e' | b'E')) || (negative && value == 0) {
            JsonErrorKind::Float
        } else if digits > 16 || value > INTEGER_MAX {
            JsonErrorKind::IntegerOutOfRange
        } else {
            let value = if negative { -value } else { value };
            self.push(Kind::Integer, start, value.cast_unsigned());
            return Ok(());
        };
        Err(Stop { kind, at: start })
    }

    /// Enters a container: a node to be completed by [`Self::leave`].
    fn enter(&mut self, kind: Kind, depth: usize) -> Result<usize, Stop> {
        if depth >= JSON_DEPTH_MAX {
            return Err(self.stop(JsonErrorKind::TooDeep));
        }
        let node = self.tape.nodes.len();
        self.push(kind, self.at, 0);
        self.at += 1;
        self.blanks();
        Ok(node)
    }

    fn leave(&mut self, node: usize, count: usize) {
        self.at += 1;
        let after = self.tape.nodes.len();
        let node = &mut self.tape.nodes[node];
        node.end = narrow(self.at);
        node.data = pair(count, after);
    }

    fn list(&mut self, depth: usize) -> Result<(), Stop> {
        let node = self.enter(Kind::List, depth)?;
        let mut count = 0;
        if self.peek() == Some(b']') {
            self.leave(node, count);
            return Ok(());
        }
        loop {
            if let Err(stop) = self.value(depth + 1) {
                self.steps.push(Step::Position(narrow(count)));
                return Err(stop);
            }
            count += 1;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.leave(node, count);
                    return Ok(());
                }
                Some(_) | None => return Err(self.unexpected()),
            }
            self.blanks();
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Stop> {
        let node = self.enter(Kind::Object, depth)?;
        let first_key = self.tape.open_keys.len();
        let mut count = 0;
        let mut sorted = true;
        if self.peek() == Some(b'}') {
            self.leave(node, count);
            return Ok(());
        }
        loop {
            self.member(first_key, &mut sorted, depth)?;
            count += 1;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                Some(_) | None => return Err(self.unexpected()),
            }
            self.blanks();
        }
        if count > SCANNED_KEYS_MAX && !sorted {
            self.refuse_duplicates_by_sorting(first_key)?;
        }
        self.tape.open_keys.truncate(first_key);
        self.leave(node, count);
        Ok(())
    }

    fn member(&mut self, first_key: usize, sorted: &mut bool, depth: usize) -> Result<(), Stop> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let key = self.tape.nodes.len();
        self.string()?;
        self.refuse_duplicate(key, first_key, sorted)?;
        self.blanks();
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        self.blanks();
        if let Err(stop) = self.value(depth + 1) {
            self.steps.push(Step::Key(key));
            return Err(stop);
        }
        Ok(())
    }

    /// Notes a key that was just read, and refuses it when its object has it already. As long as keys come `sorted`, as they do in
    /// canonical entries, each needs to be compared with the one before only.
    fn refuse_duplicate(&mut self, key: usize, first_key: usize, sorted: &mut bool) -> Result<(), Stop> {
        let node = self.tape.nodes[key];
        let fingerprint = if node.kind == Kind::Given {
            fingerprint_at(self.bytes, node.at as usize + 1, (node.end - node.at) as usize - 2)
        } else {
            fingerprint(self.key_text(key))
        };
        let open = self.tape.open_keys.get(first_key..).unwrap_or_default();
        *sorted = *sorted
            && open.last().is_none_or(|last| match last.fingerprint.cmp(&fingerprint) {
                Ordering::Less => true,
                Ordering::Equal => self.key_text(last.node as usize) < self.key_text(key),
                Ordering::Greater => false,
            });
        if !*sorted && open.len() < SCANNED_KEYS_MAX {
            let same = |open: &OpenKey| {
                open.fingerprint == fingerprint && self.key_text(open.node as usize) == self.key_text(key)
            };
            if open.iter().any(same) {
                self.steps.push(Step::Key(key));
                return Err(Stop { kind: JsonErrorKind::DuplicateKey, at: node.at as usize });
            }
        }
        self.tape.open_keys.push(OpenKey { fingerprint, node: narrow(key) });
        Ok(())
    }

    fn refuse_duplicates_by_sorting(&mut self, first_key: usize) -> Result<(), Stop> {
        let mut keys: Vec<usize> =
            self.tape.open_keys.get(first_key..).unwrap_or_default().iter().map(|key| key.node as usize).collect();
        keys.sort_by(|&a, &b| self.key_text(a).cmp(self.key_text(b)).then(a.cmp(&b)));
        let repeated =
            keys.windows(2).filter(|pair| self.key_text(pair[0]) == self.key_text(pair[1])).map(|pair| pair[1]).min();
        let Some(key) = repeated else { return Ok(()) };
        self.steps.push(Step::Key(key));
        Err(Stop { kind: JsonErrorKind::DuplicateKey, at: self.tape.nodes[key].at as usize })
    }

    fn key_text(&self, key: usize) -> &[u8] {
        let node = self.tape.nodes[key];
        if node.kind == Kind::Given {
            &self.bytes[node.at as usize + 1..node.end as usize - 1]
        } else {
            let (start, length) = halves(node.data);
            &self.tape.unescaped.as_bytes()[start..start + length]
        }
    }

    /// The path to the fault, from the steps that the levels left.
    fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            match *step {
                Step::Position(position) => path.push_str(&format!("[{position}]")),
                Step::Key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&crate::fault::shortened(&String::from_utf8_lossy(self.key_text(key))));
                }
            }
        }
        path
    }
}

/// A position or count within a document.
#[allow(clippy::cast_possible_truncation, reason = "a document has at most DOCUMENT_BYTES_MAX bytes, checked below")]
pub(super) fn narrow(value: usize) -> u32 {
    const { assert!(DOCUMENT_BYTES_MAX < u32::MAX as usize) };
    value as u32
}

fn pair(high: usize, low: usize) -> u64 {
    (u64::from(narrow(high)) << 32) | u64::from(narrow(low))
}
