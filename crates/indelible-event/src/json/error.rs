//! What is wrong with a JSON document: a closed list of kinds, the byte and the path. Never: a part of the document's content
//! other than its keys.

/// What the reader met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonErrorKind {
    /// Bytes that are no UTF-8.
    InvalidUtf8,
    /// The input starts with U+FEFF.
    ByteOrderMark,
    /// The input ends inside a value.
    UnexpectedEnd,
    /// A byte that no grammar rule allows here.
    UnexpectedByte,
    /// A key that its object already has.
    DuplicateKey,
    /// `NaN`, `Infinity` or `-Infinity`.
    NotANumber,
    /// A number with a fraction or an exponent, or minus zero.
    Float,
    /// An integer beyond ±(2^53 - 1).
    IntegerOutOfRange,
    /// A number such as `007`.
    LeadingZero,
    /// A raw control character in a string.
    ControlCharacter,
    /// A backslash followed by something that is no escape.
    BadEscape,
    /// Half of a surrogate pair.
    LoneSurrogate,
    /// More than 32 levels of objects and lists.
    TooDeep,
    /// Something after the end of the document.
    TrailingBytes,
    /// The document is longer than any event can be.
    TooLong,
}

impl JsonErrorKind {
    /// What is wrong, in words.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::InvalidUtf8 => "the bytes are not valid UTF-8",
            Self::ByteOrderMark => "the text begins with a byte order mark",
            Self::UnexpectedEnd => "the JSON ends before it is complete",
            Self::UnexpectedByte => "this byte does not belong here in JSON",
            Self::DuplicateKey => "the object has this key twice",
            Self::NotANumber => "NaN and Infinity are not JSON",
            Self::Float => "numbers are integers: no fraction, no exponent, no minus zero",
            Self::IntegerOutOfRange => "the integer lies beyond -9007199254740991 to 9007199254740991",
            Self::LeadingZero => "a number must not begin with a zero",
            Self::ControlCharacter => "a string holds a raw control character",
            Self::BadEscape => "this escape does not exist in JSON",
            Self::LoneSurrogate => "a \\u escape is half of a surrogate pair",
            Self::TooDeep => "objects and lists are nested more than 32 deep",
            Self::TrailingBytes => "something follows the end of the JSON value",
            Self::TooLong => "the JSON text is longer than 524,288 bytes",
        }
    }

    /// What to do about it, where that is not plain.
    #[must_use]
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Self::InvalidUtf8 => Some("encode the request body as UTF-8"),
            Self::ByteOrderMark => Some("leave out the first three bytes (EF BB BF)"),
            Self::DuplicateKey => Some("send each key once: readers differ on which value counts"),
            Self::Float | Self::IntegerOutOfRange => {
                Some("send the number as a string, or in a smaller unit as an integer")
            }
            Self::NotANumber => Some("leave the field out"),
            Self::ControlCharacter => Some("write it as an escape, such as \\n or \\u0001"),
            Self::LoneSurrogate => Some("write the character as UTF-8, or both halves of the pair"),
            Self::TrailingBytes => Some("send one event a line (NDJSON), or a JSON array"),
            Self::UnexpectedEnd
            | Self::UnexpectedByte
            | Self::LeadingZero
            | Self::BadEscape
            | Self::TooDeep
            | Self::TooLong => None,
        }
    }
}

/// Why a document was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} (byte {}{})", .kind.reason(), .at + 1, in_path(.path))]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// The byte in the input, from 0.
    pub at: usize,
    /// Where in the document, such as `resources[2].count`; empty at the top.
    pub path: String,
}

fn in_path(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(", in `{path}`") }
}
