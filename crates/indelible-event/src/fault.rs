//! What is wrong with an event, told so that the sender can mend it: code, field, byte, reason and a way out.
//!
//! Never: a value out of the event (it may be personal or secret); field names are shortened, and lists of faults bounded.

use std::fmt;

use crate::json::{JsonError, JsonErrorKind};
use crate::limits::FAULTS_LISTED_MAX;

/// One thing wrong with one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which event: the line of an NDJSON body or the place in an array, from 1. `None` for a single event.
    pub line: Option<u64>,
    /// Which field, such as `actor.id` or `resources[2].count`; empty for the event as a whole.
    pub field: String,
    /// The byte, from 1: in the line (NDJSON), in the event's own text (array), or in the body (`line` is `None`). For a missing
    /// field, where the object begins that lacks it.
    pub column: Option<usize>,
    /// What kind of fault.
    pub code: FaultCode,
    /// What is wrong, in words.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "event {line}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "`{}`: ", self.field)?;
        }
        f.write_str(&self.reason)?;
        if let Some(column) = self.column {
            write!(f, " (byte {column})")?;
        }
        Ok(())
    }
}

macro_rules! fault_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Every kind of fault. The text form is part of the API and never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum FaultCode { $($(#[$doc])* $name,)* }

        impl FaultCode {
            /// All of them.
            pub const ALL: &'static [FaultCode] = &[$(FaultCode::$name,)*];

            /// The text form, such as `duplicate-key`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(FaultCode::$name => $text,)* }
            }
        }
    };
}

fault_codes! {
    /// Bytes that are no UTF-8.
    InvalidUtf8 = "invalid-utf8",
    /// The text begins with a byte order mark.
    ByteOrderMark = "byte-order-mark",
    /// The JSON ends too early.
    UnexpectedEnd = "unexpected-end",
    /// The JSON has a byte that does not belong there.
    UnexpectedByte = "unexpected-byte",
    /// An object has a key twice.
    DuplicateKey = "duplicate-key",
    /// NaN or Infinity.
    NotANumber = "not-a-number",
    /// A fraction, an exponent or minus zero.
    Float = "float",
    /// An integer beyond ±(2^53 - 1).
    IntegerOutOfRange = "integer-out-of-range",
    /// A number that begins with a zero.
    LeadingZero = "leading-zero",
    /// A raw control character in a string.
    ControlCharacter = "control-character",
    /// An escape that does not exist.
    BadEscape = "bad-escape",
    /// Half of a surrogate pair.
    LoneSurrogate = "lone-surrogate",
    /// Nested too deep.
    TooDeep = "too-deep",
    /// Something after the end of the event.
    TrailingBytes = "trailing-bytes",
    /// The JSON text of the event is too long to be read.
    EventTooLong = "event-too-long",
    /// The canonical event is longer than an entry may be.
    EntryTooLong = "entry-too-long",
    /// The event is not a JSON object.
    NotAnObject = "not-an-object",
    /// A field that events do not have.
    UnknownField = "unknown-field",
    /// A field that every event needs.
    MissingField = "missing-field",
    /// A field that the server alone sets.
    SetByServer = "set-by-server",
    /// A value kept for the server's own events.
    Reserved = "reserved",
    /// A value of the wrong JSON type.
    WrongType = "wrong-type",
    /// A word outside a closed set.
    UnknownValue = "unknown-value",
    /// A schema other than the one this server knows.
    UnknownSchema = "unknown-schema",
    /// An id that is no UUID.
    BadId = "bad-id",
    /// A time without an offset from UTC.
    TimeWithoutOffset = "time-without-offset",
    /// A time that is no RFC 9557 time.
    BadTime = "bad-time",
    /// A time zone that the tz database does not have.
    UnknownTimeZone = "unknown-time-zone",
    /// An offset that the zone did not have then.
    OffsetContradictsZone = "offset-contradicts-zone",
    /// A time outside 1678 to 2261.
    TimeOutOfRange = "time-out-of-range",
    /// An IP address that is none.
    BadIp = "bad-ip",
    /// A trace or span id that is none.
    BadTraceId = "bad-trace-id",
    /// A commitment that is not base64 of 32 bytes.
    BadCommitment = "bad-commitment",
    /// An identifier without characters.
    EmptyText = "empty-text",
    /// An identifier that is too long.
    TextTooLong = "text-too-long",
    /// A list with too many items.
    ListTooLong = "list-too-long",
    /// Too many attributes.
    TooManyAttributes = "too-many-attributes",
    /// A number below the least that the field allows.
    NumberTooSmall = "number-too-small",
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<JsonErrorKind> for FaultCode {
    fn from(kind: JsonErrorKind) -> Self {
        match kind {
            JsonErrorKind::InvalidUtf8 => Self::InvalidUtf8,
            JsonErrorKind::ByteOrderMark => Self::ByteOrderMark,
            JsonErrorKind::UnexpectedEnd => Self::UnexpectedEnd,
            JsonErrorKind::UnexpectedByte => Self::UnexpectedByte,
            JsonErrorKind::DuplicateKey => Self::DuplicateKey,
            JsonErrorKind::NotANumber => Self::NotANumber,
            JsonErrorKind::Float => Self::Float,
            JsonErrorKind::IntegerOutOfRange => Self::IntegerOutOfRange,
            JsonErrorKind::LeadingZero => Self::LeadingZero,
            JsonErrorKind::ControlCharacter => Self::ControlCharacter,
            JsonErrorKind::BadEscape => Self::BadEscape,
            JsonErrorKind::LoneSurrogate => Self::LoneSurrogate,
            JsonErrorKind::TooDeep => Self::TooDeep,
            JsonErrorKind::TrailingBytes => Self::TrailingBytes,
            JsonErrorKind::TooLong => Self::EventTooLong,
        }
    }
}

impl From<JsonError> for Fault {
    fn from(error: JsonError) -> Self {
        Fault {
            line: None,
            field: error.path,
            column: Some(error.at + 1),
            code: error.kind.into(),
            reason: error.kind.reason().to_owned(),
            hint: error.kind.hint().map(str::to_owned),
        }
    }
}

/// Faults gathered up to [`FAULTS_LISTED_MAX`]; the rest is counted, not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultList {
    listed: Vec<Fault>,
    total: usize,
}

impl FaultList {
    /// No fault yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault, which is only put together when there is room for it.
    pub fn add(&mut self, fault: impl FnOnce() -> Fault) {
        self.total += 1;
        if self.listed.len() < FAULTS_LISTED_MAX {
            self.listed.push(fault());
        }
    }

    /// How many faults there were.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// The faults that are kept.
    #[must_use]
    pub fn into_listed(self) -> Vec<Fault> {
        self.listed
    }

    /// The kept faults from the `first` on, to be given a line and an order.
    pub(crate) fn listed_from(&mut self, first: usize) -> &mut [Fault] {
        self.listed.get_mut(first..).unwrap_or_default()
    }

    /// How many are kept.
    pub(crate) fn listed_len(&self) -> usize {
        self.listed.len()
    }
}

/// A place in an event, known while it is checked and put into words only for a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'p> {
    Root,
    Field(&'p Path<'p>, &'p str),
    Position(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Field(Path::Root, name) => f.write_str(&shortened(name)),
            Path::Field(parent, name) => write!(f, "{parent}.{}", shortened(name)),
            Path::Position(parent, position) => write!(f, "{parent}[{position}]"),
        }
    }
}

/// A field name fit to be shown: at most 64 bytes, control characters replaced.
pub(crate) fn shortened(name: &str) -> String {
    const SHOWN_BYTES_MAX: usize = 64;
    let end = name.floor_char_boundary(SHOWN_BYTES_MAX);
    let mut shown: String =
        name.get(..end).unwrap_or_default().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if end < name.len() {
        shown.push('…');
    }
    shown
}
