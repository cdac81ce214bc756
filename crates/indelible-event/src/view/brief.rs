//! The few fields of a stored entry that a check of order and completeness needs, found without reading the rest: several times
//! quicker than the whole view.
//!
//! Promises: any bytes give a brief or an error, never a panic. Never: a judgement of the fields that are passed over; whoever
//! needs that reads the whole entry.

use std::borrow::Cow;

use crate::json::{JsonError, JsonErrorKind, Kind, plain_run, with_tape};
use crate::time::RecordedTime;

/// When an entry was recorded, and which of its source's events it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryBrief<'a> {
    /// When it was recorded; `None` when the entry does not say so in the one form there is.
    pub recorded: Option<RecordedTime>,
    /// Which source.
    pub source_id: Option<Cow<'a, str>>,
    /// What kind of source.
    pub source_kind: Option<Cow<'a, str>>,
    /// The source's own number for the event, from 1.
    pub seq: Option<u64>,
}

impl<'a> EntryBrief<'a> {
    /// Reads the brief of a stored (canonical) entry.
    ///
    /// # Errors
    /// When the bytes are not an object as the canonical form writes it, or it has `recorded` or `source` twice.
    pub fn parse(entry: &'a [u8]) -> Result<Self, JsonError> {
        let mut brief = Self::default();
        let mut seen = [false; 2];
        let mut at = expect(entry, 0, b'{')?;
        if entry.get(at) == Some(&b'}') {
            return end(entry, at + 1).map(|()| brief);
        }
        loop {
            let key = at + 1;
            at = string_end(entry, at)?;
            let name = entry.get(key..at - 1).unwrap_or_default();
            at = expect(entry, at, b':')?;
            let value = at;
            at = value_end(entry, at)?;
            let which = match name {
                b"recorded" => 0,
                b"source" => 1,
                _ => 2,
            };
            if let Some(seen) = seen.get_mut(which) {
                if std::mem::replace(seen, true) {
                    return Err(error(JsonErrorKind::DuplicateKey, key - 1));
                }
                brief.take(which, entry, value..at)?;
            }
            match entry.get(at) {
                Some(b',') => at += 1,
                _ => {
                    at = expect(entry, at, b'}')?;
                    return end(entry, at).map(|()| brief);
                }
            }
        }
    }

    fn take(&mut self, which: usize, entry: &'a [u8], value: std::ops::Range<usize>) -> Result<(), JsonError> {
        let start = value.start;
        let value = entry.get(value).unwrap_or_default();
        if which == 0 {
            let text = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
            self.recorded = std::str::from_utf8(text).ok().and_then(RecordedTime::parse);
            return Ok(());
        }
        with_tape(|tape| {
            let document = tape.read(value).map_err(|fault| JsonError { at: start + fault.at, ..fault })?;
            if document.root().kind() != Kind::Object {
                return Ok(());
            }
            for (key, value) in document.root().members() {
                match key.text_bytes().unwrap_or_default() {
                    b"id" => self.source_id = value.cow(),
                    b"kind" => self.source_kind = value.cow(),
                    b"seq" => self.seq = value.integer().and_then(|seq| u64::try_from(seq).ok()),
                    _ => {}
                }
            }
            Ok(())
        })
    }
}

fn error(kind: JsonErrorKind, at: usize) -> JsonError {
    JsonError { kind, at, path: String::new() }
}

fn unexpected(entry: &[u8], at: usize) -> JsonError {
    let kind = if at < entry.len() { JsonErrorKind::UnexpectedByte } else { JsonErrorKind::UnexpectedEnd };
    error(kind, at.min(entry.len()))
}

fn expect(entry: &[u8], at: usize, byte: u8) -> Result<usize, JsonError> {
    if entry.get(at) == Some(&byte) { Ok(at + 1) } else { Err(unexpected(entry, at)) }
}

fn end(entry: &[u8], at: usize) -> Result<(), JsonError> {
    if at == entry.len() { Ok(()) } else { Err(error(JsonErrorKind::TrailingBytes, at)) }
}

/// The byte after the string that begins at `at`.
fn string_end(entry: &[u8], at: usize) -> Result<usize, JsonError> {
    let mut at = expect(entry, at, b'"')?;
    loop {
        at = plain_run(entry, at);
        match entry.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += 2,
            Some(_) => return Err(error(JsonErrorKind::ControlCharacter, at)),
            None => return Err(unexpected(entry, at)),
        }
    }
}

/// The byte after the value that begins at `at`, by its strings and brackets alone.
fn value_end(entry: &[u8], at: usize) -> Result<usize, JsonError> {
    let start = at;
    let mut at = at;
    let mut depth = 0usize;
    loop {
        match entry.get(at) {
            Some(b'"') => at = string_end(entry, at)?,
            Some(b'{' | b'[') => {
                depth += 1;
                at += 1;
            }
            Some(b'}' | b']') if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            Some(b',') if depth > 0 => {
                at += 1;
                continue;
            }
            Some(b',' | b'}' | b']') if at > start => return Ok(at),
            Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':') => {
                at += 1;
                continue;
            }
            Some(_) | None => return Err(unexpected(entry, at)),
        }
        if depth == 0 {
            return Ok(at);
        }
    }
}
