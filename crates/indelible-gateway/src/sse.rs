//! Server-sent events (WHATWG HTML, section 9.2) read beside the stream, in pieces as they come.
//!
//! Promises: what is held is bounded whatever comes in: field values but `data` are cut, `data` is handed on in pieces
//! ([`SseParts`]) or gathered up to a bound ([`SseEvents`]). Bytes cut anywhere give the same events. Never: changes the stream.

/// Longest field name, event name or id that is kept.
const FIELD_BYTES_MAX: usize = 256;

/// What the reader tells, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum SsePart<'a> {
    /// The next bytes of the event's data; lines are joined by a line feed.
    Data(&'a [u8]),
    /// The event is over.
    End(SseEnd<'a>),
}

/// The end of an event.
#[derive(Debug, PartialEq, Eq)]
pub struct SseEnd<'a> {
    /// The `event` field; empty when there was none.
    pub event: &'a [u8],
    /// The `id` field of this event; empty when there was none.
    pub id: &'a [u8],
    /// Whether there was a data field: without one a client is told nothing.
    pub has_data: bool,
    /// Where the event begins in the bytes of this call; 0 when it began earlier.
    pub start: usize,
    /// Where it ends in the bytes of this call.
    pub end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte of a line.
    LineStart,
    /// In a field's name.
    Name,
    /// After the colon, where one blank is skipped.
    ValueStart,
    /// In a field's value.
    Value,
    /// In a comment, or a field that means nothing here.
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Data,
    Event,
    Id,
}

/// Reads events in pieces; holds less than 1 KiB.
#[derive(Debug)]
pub struct SseParts {
    state: State,
    field: Option<Field>,
    name: Vec<u8>,
    event: Vec<u8>,
    id: Vec<u8>,
    has_data: bool,
    after_cr: bool,
    /// Whether the event under way has any line yet.
    begun: bool,
    /// Bytes of a byte order mark seen at the very beginning; 3 when that is behind us.
    mark: usize,
}

impl Default for SseParts {
    fn default() -> Self {
        Self::new()
    }
}

impl SseParts {
    /// A reader at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::LineStart,
            field: None,
            name: Vec::new(),
            event: Vec::new(),
            id: Vec::new(),
            has_data: false,
            after_cr: false,
            begun: false,
            mark: 0,
        }
    }

    /// Whether an event has begun and is not over.
    #[must_use]
    pub fn in_event(&self) -> bool {
        self.begun
    }

    /// Reads the next bytes.
    pub fn feed(&mut self, bytes: &[u8], mut tell: impl FnMut(SsePart<'_>)) {
        let mut start = 0;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.skip_mark(byte) {
                at += 1;
                continue;
            }
            if std::mem::take(&mut self.after_cr) && byte == b'\n' {
                at += 1;
                // The line feed after a carriage return belongs to the line before.
                if !self.begun {
                    start = at;
                }
                continue;
            }
            if matches!(byte, b'\n' | b'\r') {
                at += 1;
                self.after_cr = byte == b'\r';
                if self.end_line(&mut tell) {
                    tell(SsePart::End(SseEnd {
                        event: &self.event,
                        id: &self.id,
                        has_data: self.has_data,
                        start,
                        end: at,
                    }));
                    self.event.clear();
                    self.id.clear();
                    (self.has_data, self.begun) = (false, false);
                    start = at;
                }
                continue;
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let run = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            self.in_line(rest.get(..run).unwrap_or_default(), &mut tell);
            at += run.max(1);
        }
    }

    /// A byte order mark at the very beginning is no part of the first line.
    fn skip_mark(&mut self, byte: u8) -> bool {
        const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
        match MARK.get(self.mark) {
            Some(expected) if *expected == byte => {
                self.mark += 1;
                true
            }
            _ => {
                self.mark = MARK.len();
                false
            }
        }
    }

    /// Bytes of one line, not empty, without its end.
    fn in_line(&mut self, mut bytes: &[u8], tell: &mut impl FnMut(SsePart<'_>)) {
        self.begun = true;
        if self.state == State::LineStart {
            self.name.clear();
            self.state = State::Name;
        }
        if self.state == State::Name {
            let Some(colon) = memchr::memchr(b':', bytes) else {
                push_bounded(&mut self.name, bytes);
                return;
            };
            push_bounded(&mut self.name, bytes.get(..colon).unwrap_or_default());
            bytes = bytes.get(colon + 1..).unwrap_or_default();
            self.begin_value(tell);
        }
        if self.state == State::ValueStart && !bytes.is_empty() {
            bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            self.state = State::Value;
        }
        if self.state != State::Value || bytes.is_empty() {
            return;
        }
        match self.field {
            Some(Field::Data) => tell(SsePart::Data(bytes)),
            Some(Field::Event) => push_bounded(&mut self.event, bytes),
            Some(Field::Id) => push_bounded(&mut self.id, bytes),
            None => {}
        }
    }

    /// A field's name is complete.
    fn begin_value(&mut self, tell: &mut impl FnMut(SsePart<'_>)) {
        self.field = match self.name.as_slice() {
            b"data" => Some(Field::Data),
            b"event" => Some(Field::Event),
            b"id" => Some(Field::Id),
            _ => None,
        };
        self.state = if self.field.is_some() { State::ValueStart } else { State::Skip };
        match self.field {
            Some(Field::Data) if std::mem::replace(&mut self.has_data, true) => tell(SsePart::Data(b"\n")),
            Some(Field::Event) => self.event.clear(),
            Some(Field::Id) => self.id.clear(),
            Some(Field::Data) | None => {}
        }
    }

    /// Ends a line; true when it was empty and so ends an event that had begun.
    fn end_line(&mut self, tell: &mut impl FnMut(SsePart<'_>)) -> bool {
        let state = std::mem::replace(&mut self.state, State::LineStart);
        if state == State::Name {
            // A name without a colon is a field with an empty value.
            self.begin_value(tell);
            self.state = State::LineStart;
        }
        state == State::LineStart && self.begun
    }
}

fn push_bounded(text: &mut Vec<u8>, bytes: &[u8]) {
    let room = FIELD_BYTES_MAX.saturating_sub(text.len()).min(bytes.len());
    text.extend_from_slice(bytes.get(..room).unwrap_or_default());
}

/// One whole event.
#[derive(Debug, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// What else is known of it.
    pub end: SseEnd<'a>,
    /// Its data, up to the bound.
    pub data: &'a [u8],
    /// Whether the data went beyond the bound and is cut.
    pub cut: bool,
}

/// Reads whole events, each of at most a given size.
#[derive(Debug)]
pub struct SseEvents {
    parts: SseParts,
    data: Vec<u8>,
    cut: bool,
    max: usize,
}

impl SseEvents {
    /// A reader that keeps at most `max` bytes of an event's data.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { parts: SseParts::new(), data: Vec::new(), cut: false, max }
    }

    /// Whether an event has begun and is not over.
    #[must_use]
    pub fn in_event(&self) -> bool {
        self.parts.in_event()
    }

    /// Reads the next bytes. Events without data are told too.
    pub fn feed(&mut self, bytes: &[u8], mut tell: impl FnMut(SseEvent<'_>)) {
        let (data, cut, max) = (&mut self.data, &mut self.cut, self.max);
        self.parts.feed(bytes, |part| match part {
            SsePart::Data(piece) => {
                let room = max.saturating_sub(data.len()).min(piece.len());
                data.extend_from_slice(piece.get(..room).unwrap_or_default());
                *cut |= room < piece.len();
            }
            SsePart::End(end) => {
                tell(SseEvent { end, data, cut: *cut });
                data.clear();
                // A large event does not keep its room for the small ones after it.
                data.shrink_to(4096);
                *cut = false;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<(String, String, String)> {
        let mut events = SseEvents::new(1024);
        let mut read = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for piece in pieces {
            events.feed(piece, |event| {
                read.push((text(event.end.event), text(event.end.id), text(event.data)));
            });
        }
        read
    }

    fn check(stream: &str, expect: &[(&str, &str, &str)]) {
        let expect: Vec<_> =
            expect.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect();
        assert_eq!(read(&[stream.as_bytes()]), expect, "{stream:?}");
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(read(&bytes), expect, "{stream:?} byte by byte");
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        check("data: a\n\n", &[("", "", "a")]);
        check("\u{feff}event: x\r\nid:7\r\ndata:  a\r\ndata:b\r\n\r\n", &[("x", "7", " a\nb")]);
        check("data\n\ndata\ndata\n\n", &[("", "", ""), ("", "", "\n")]);
        check(": comment\n\n\n\ndata: [DONE]\n\n", &[("", "", ""), ("", "", "[DONE]")]);
        check("data: a\rdata: b\r\rdata: c\r\r", &[("", "", "a\nb"), ("", "", "c")]);
        check("retry: 10\nother: x\ndata: 1:2\n\ndata: unfinished\n", &[("", "", "1:2")]);
    }

    #[test]
    fn it_says_where_an_event_stands_in_the_bytes() {
        let mut parts = SseParts::new();
        let mut spans = Vec::new();
        let mut note = |part: SsePart<'_>| {
            if let SsePart::End(end) = part {
                spans.push((end.start, end.end));
            }
        };
        parts.feed(b"data: a\n\ndata: b\n\nda", &mut note);
        assert!(parts.in_event());
        let mut late = Vec::new();
        parts.feed(b"ta: c\n\n", |part| {
            if let SsePart::End(end) = part {
                late.push((end.start, end.end));
            }
        });
        assert_eq!((spans, late), (vec![(0, 9), (9, 18)], vec![(0, 7)]));
    }

    #[test]
    fn memory_is_bounded() {
        let mut events = SseEvents::new(10);
        let mut cut = Vec::new();
        let mut long = b"event: ".to_vec();
        long.resize(1_000_000, b'e');
        long.extend_from_slice(b"\ndata: 0123456789abc\n\n");
        events.feed(&long, |event| cut.push((event.cut, event.data.len(), event.end.event.len())));
        assert_eq!(cut, [(true, 10, FIELD_BYTES_MAX)]);
    }

    proptest! {
        #[test]
        fn cutting_the_stream_anywhere_changes_nothing(
            lines in proptest::collection::vec("(data|event|id|:x|zz)?(:)? ?[a-c ]{0,5}(\n|\r|\r\n)", 0..30),
            cuts in proptest::collection::vec(1usize..9, 1..50),
        ) {
            let stream = lines.concat().into_bytes();
            let mut pieces = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(read(&pieces), read(&[&stream]));
        }

        #[test]
        fn any_bytes_are_read(bytes in any::<Vec<u8>>()) {
            let mut parts = SseParts::new();
            let mut last = 0;
            let mut fine = true;
            parts.feed(&bytes, |part| if let SsePart::End(end) = part {
                fine &= end.start >= last && end.end > end.start && end.end <= bytes.len();
                last = end.end;
            });
            prop_assert!(fine);
        }
    }
}
