//! A request's body: one event, an array of events, or one event a line (NDJSON). All three are read by the same strict reader.
//!
//! Promises: a fault in one event hides no fault of another; the faults that are listed are bounded, those that are found are
//! counted; events are read where they stand, not copied first. An array that is not JSON as a whole yields no events at all.

use memchr::memchr;

use crate::batch::EventBatch;
use crate::fault::{Fault, FaultList};
use crate::id::EventId;
use crate::json::{Document, JsonError, JsonErrorKind, Tape, Utf8, utf8_prefix};
use crate::prepare::{Defaults, prepare_document};

/// How events stand in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    /// One object, or an array of objects.
    Json,
    /// One object a line; blank lines and CRLF are fine.
    Ndjson,
    /// Whichever the body looks like: an array if it begins with `[`, one object if the first line does not hold a whole one,
    /// else NDJSON.
    Auto,
}

/// What a body held.
#[derive(Debug, Default)]
pub struct BodyOutcome {
    /// The events without faults, in order.
    pub batch: EventBatch,
    /// For each event of the batch, its id and whether the server assigned it.
    pub ids: Vec<(EventId, bool)>,
    /// Where each event of the batch stood in the body.
    pub lines: Lines,
    /// Faults in the order of the events, at most [`crate::limits::FAULTS_LISTED_MAX`].
    pub faults: Vec<Fault>,
    /// How many faults there were.
    pub faults_total: usize,
    /// How many events there were, with and without faults.
    pub events_total: usize,
}

/// Where the events of a batch stood in their body: the line, or the place in an array, from 1. Blank lines and events with
/// faults have no place in the batch, so the two numbers drift apart; only the drifts are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// From which position in the batch on, how far the line is ahead of it.
    drifts: Vec<(usize, u64)>,
}

impl Lines {
    /// The line of the event at this position of the batch; `None` when the body was one event.
    #[must_use]
    pub fn of(&self, position: usize) -> Option<u64> {
        let after = self.drifts.partition_point(|(from, _)| *from <= position);
        let (_, ahead) = self.drifts.get(after.checked_sub(1)?)?;
        Some(position as u64 + ahead)
    }

    fn push(&mut self, position: usize, line: u64) {
        let ahead = line.saturating_sub(position as u64);
        if self.drifts.last().is_none_or(|(_, last)| *last != ahead) {
            self.drifts.push((position, ahead));
        }
    }
}

/// Why a body was not read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// There is nothing in it.
    #[error("the body holds no event; send a JSON object, an array of them, or one object a line")]
    Empty,
    /// There are too many events in it.
    #[error("the body holds more than {max} events; send it in parts")]
    TooManyEvents {
        /// The most that one request may hold.
        max: usize,
    },
}

/// Reads all events of a body.
///
/// # Errors
/// [`BodyFault`] when the body is empty or holds more than `max_events`. Faults of single events are in the outcome.
pub fn read_body(
    body: &[u8],
    format: BodyFormat,
    max_events: usize,
    defaults: &Defaults<'_>,
    new_id: &mut dyn FnMut() -> EventId,
) -> Result<BodyOutcome, BodyFault> {
    let events = Events { outcome: BodyOutcome::default(), faults: FaultList::new(), max_events, defaults, new_id };
    let mut reading = Reading { tape: Tape::default(), events };
    match form(body, format, &mut reading.tape) {
        Form::One => reading.one(body)?,
        Form::Array => reading.array(body)?,
        Form::Lines => reading.lines(body)?,
    }
    reading.events.finish()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    One,
    Array,
    Lines,
}

fn form(body: &[u8], format: BodyFormat, tape: &mut Tape) -> Form {
    let start = after_blanks(body, 0);
    let start = body.get(start..).unwrap_or_default();
    match format {
        BodyFormat::Ndjson => Form::Lines,
        _ if start.first() == Some(&b'[') => Form::Array,
        BodyFormat::Json => Form::One,
        BodyFormat::Auto => {
            let Some(line_end) = memchr(b'\n', start) else { return Form::One };
            let (line, rest) = start.split_at(line_end);
            // An object spread over lines breaks off in its first; its second does not begin with an object.
            let broken_off = matches!(tape.read(line), Err(JsonError { kind: JsonErrorKind::UnexpectedEnd, .. }));
            let rest = rest.get(after_blanks(rest, 0)..).unwrap_or_default();
            if rest.is_empty() || (broken_off && rest.first() != Some(&b'{')) { Form::One } else { Form::Lines }
        }
    }
}

/// What has been found so far.
struct Events<'r> {
    outcome: BodyOutcome,
    faults: FaultList,
    max_events: usize,
    defaults: &'r Defaults<'r>,
    new_id: &'r mut dyn FnMut() -> EventId,
}

impl Events<'_> {
    fn finish(mut self) -> Result<BodyOutcome, BodyFault> {
        if self.outcome.events_total == 0 && self.faults.total() == 0 {
            return Err(BodyFault::Empty);
        }
        self.outcome.faults_total = self.faults.total();
        self.outcome.faults = self.faults.into_listed();
        Ok(self.outcome)
    }

    fn count(&mut self) -> Result<(), BodyFault> {
        self.outcome.events_total += 1;
        if self.outcome.events_total > self.max_events {
            return Err(BodyFault::TooManyEvents { max: self.max_events });
        }
        Ok(())
    }

    /// Takes one event as it was read, or the reason why it could not be; faults get its `line`.
    fn take<'t>(&mut self, read: Result<&'t Document<'_, 't>, JsonError>, line: Option<u64>) {
        let listed_before = self.faults.listed_len();
        match read {
            Ok(document) => {
                let batch = &mut self.outcome.batch;
                let prepared = prepare_document(document, self.defaults, self.new_id, batch, &mut self.faults);
                if let (Some(_), Some(line)) = (&prepared, line) {
                    self.outcome.lines.push(self.outcome.ids.len(), line);
                }
                self.outcome.ids.extend(prepared.map(|prepared| (prepared.id, prepared.id_assigned)));
            }
            Err(error) => self.faults.add(|| error.into()),
        }
        for fault in self.faults.listed_from(listed_before) {
            fault.line = line;
        }
    }

    /// The body is no array after all: its bytes cannot be told into events.
    fn not_an_array(&mut self, kind: JsonErrorKind, at: usize) {
        self.forget();
        self.take(Err(JsonError { kind, at, path: String::new() }), None);
    }

    fn forget(&mut self) {
        self.outcome.batch = EventBatch::new();
        self.outcome.ids.clear();
        self.outcome.lines = Lines::default();
    }
}

struct Reading<'r> {
    tape: Tape,
    events: Events<'r>,
}

impl Reading<'_> {
    fn one(&mut self, body: &[u8]) -> Result<(), BodyFault> {
        if is_blank(body) {
            return Ok(());
        }
        self.events.count()?;
        self.events.take(self.tape.read(body).as_ref().map_err(Clone::clone), None);
        Ok(())
    }

    fn lines(&mut self, body: &[u8]) -> Result<(), BodyFault> {
        let mut rest = body;
        let mut number = 0;
        while !rest.is_empty() {
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            number += 1;
            if !is_blank(line) {
                self.events.count()?;
                self.events.take(self.tape.read(line).as_ref().map_err(Clone::clone), Some(number));
            }
        }
        Ok(())
    }

    /// Reads an array, each event where it stands.
    fn array(&mut self, body: &[u8]) -> Result<(), BodyFault> {
        let (text, utf8) = utf8_prefix(body);
        let bytes = text.as_bytes();
        let mut at = after_blanks(bytes, 0) + 1;
        at = after_blanks(bytes, at);
        if bytes.get(at) == Some(&b']') {
            self.array_end(bytes, at + 1, utf8);
            return Ok(());
        }
        loop {
            self.events.count()?;
            let Some(end) = self.element(text, at, utf8) else {
                self.events.forget();
                return Ok(());
            };
            at = after_blanks(bytes, end);
            match bytes.get(at) {
                Some(b',') => at = after_blanks(bytes, at + 1),
                Some(b']') => {
                    self.array_end(bytes, at + 1, utf8);
                    return Ok(());
                }
                Some(_) => {
                    self.events.not_an_array(JsonErrorKind::UnexpectedByte, at);
                    return Ok(());
                }
                None => {
                    self.events.not_an_array(ended(utf8), at);
                    return Ok(());
                }
            }
        }
    }

    /// Reads the event that begins at `at`. Gives the byte after it; `None` when it is not known where it ends.
    fn element(&mut self, text: &str, at: usize, utf8: Utf8) -> Option<usize> {
        let line = Some(self.events.outcome.events_total as u64);
        let event = text.get(at..).unwrap_or_default();
        match self.tape.read_first(event, utf8) {
            Ok((document, length)) => {
                self.events.take(Ok(&document), line);
                Some(at + length)
            }
            Err(error) => {
                let end = if leaves_structure(error.kind) { value_end(event.as_bytes()) } else { None };
                self.events.take(Err(error), line);
                end.map(|length| at + length)
            }
        }
    }

    fn array_end(&mut self, bytes: &[u8], at: usize, utf8: Utf8) {
        let at = after_blanks(bytes, at);
        if at < bytes.len() {
            self.events.not_an_array(JsonErrorKind::TrailingBytes, at);
        } else if utf8 == Utf8::Broken {
            self.events.not_an_array(JsonErrorKind::InvalidUtf8, at);
        }
    }
}

fn ended(utf8: Utf8) -> JsonErrorKind {
    if utf8 == Utf8::Broken { JsonErrorKind::InvalidUtf8 } else { JsonErrorKind::UnexpectedEnd }
}

fn is_blank(bytes: &[u8]) -> bool {
    after_blanks(bytes, 0) == bytes.len()
}

fn after_blanks(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Whether strings and brackets can be told apart in spite of a fault of this kind, so that the next event can be found.
fn leaves_structure(kind: JsonErrorKind) -> bool {
    match kind {
        JsonErrorKind::DuplicateKey
        | JsonErrorKind::NotANumber
        | JsonErrorKind::Float
        | JsonErrorKind::IntegerOutOfRange
        | JsonErrorKind::LeadingZero
        | JsonErrorKind::ControlCharacter
        | JsonErrorKind::BadEscape
        | JsonErrorKind::LoneSurrogate
        | JsonErrorKind::TooDeep
        | JsonErrorKind::TooLong => true,
        JsonErrorKind::InvalidUtf8
        | JsonErrorKind::ByteOrderMark
        | JsonErrorKind::UnexpectedEnd
        | JsonErrorKind::UnexpectedByte
        | JsonErrorKind::TrailingBytes => false,
    }
}

/// Where a value ends that begins at the first byte, by its strings and brackets alone. `None` when it does not end.
fn value_end(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (in_string, byte) {
            (true, b'\\') => at += 1,
            (true, b'"') => in_string = false,
            (true, _) => {}
            (false, b'"') => in_string = true,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']' | b',') if depth == 0 => return Some(at),
            (false, b'}' | b']') => depth -= 1,
            (false, _) => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests;
