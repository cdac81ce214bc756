//! A strict JSON reader (RFC 8259, RFC 7493): bytes in, a tape of nodes out, strings borrowed from the input.
//!
//! Promises: one meaning per document. Refused, each with its own kind, byte and path: invalid UTF-8, a byte order mark,
//! duplicate keys (compared after unescaping), NaN and Infinity, fractions and exponents, integers beyond ±(2^53 - 1), leading
//! zeros, control characters, unknown escapes, lone surrogates, nesting over 32, bytes after the end. Memory is bounded by
//! the input: one node of 24 bytes for each value, reused from one document to the next.
//! Never: recursion deeper than the limit, an allocation per field, a guess.

mod error;
mod reader;
mod text;

use std::borrow::Cow;
use std::cell::RefCell;

pub use error::{JsonError, JsonErrorKind};
pub(crate) use text::{fingerprint, utf16_order, write_text};

use reader::{After, Reader};

use crate::limits::DOCUMENT_BYTES_MAX;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Integer,
    /// A string without escapes: its bytes are those between the quotes.
    Given,
    /// A string with escapes: its value lies in `Tape::unescaped`.
    Unescaped,
    List,
    Object,
}

/// One value of a document; a container is followed by what it holds.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Integer: the value. Unescaped string: start and length in `unescaped`. Container: items and the node after it.
    data: u64,
    /// First byte in the input.
    at: u32,
    /// The byte after the last.
    end: u32,
    kind: Kind,
}

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

/// A document that was read: the text it borrows (`'a`) and the tape that holds its shape (`'t`).
#[derive(Clone, Copy, Debug)]
pub struct Document<'a, 't> {
    text: &'a str,
    nodes: &'t [Node],
    unescaped: &'t str,
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
        Ok((Document { text, nodes: &self.nodes, unescaped: &self.unescaped }, end))
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

impl<'a, 't> Document<'a, 't> {
    /// The outermost value.
    #[must_use]
    pub fn root(&'t self) -> Item<'a, 't> {
        Item { document: self, index: 0 }
    }
}

/// One value in a document.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a, 't> {
    document: &'t Document<'a, 't>,
    index: usize,
}

/// The text of a string: as it stands in the input, or with its escapes resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a, 't> {
    /// A part of the input.
    Given(&'a str),
    /// Held by the tape.
    Unescaped(&'t str),
}

impl<'a, 't> Text<'a, 't> {
    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Text::Given(text) | Text::Unescaped(text) => text,
        }
    }

    /// The characters, owned only when they had escapes.
    #[must_use]
    pub fn into_cow(self) -> Cow<'a, str> {
        match self {
            Text::Given(text) => Cow::Borrowed(text),
            Text::Unescaped(text) => Cow::Owned(text.to_owned()),
        }
    }
}

impl<'a, 't> Item<'a, 't> {
    #[inline]
    fn node(&self) -> Node {
        self.document.nodes[self.index]
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        self.node().kind
    }

    /// Its place on the tape; only the root has place 0.
    pub(crate) fn place(&self) -> u32 {
        reader::narrow(self.index)
    }

    /// Another value of the same document.
    #[inline]
    pub(crate) fn placed(&self, place: u32) -> Item<'a, 't> {
        Item { document: self.document, index: place as usize }
    }

    /// The key of a member's value: the value stands right behind it.
    #[inline]
    pub(crate) fn key(&self) -> Item<'a, 't> {
        Item { document: self.document, index: self.index.saturating_sub(1) }
    }

    /// Its first byte in the input, from 0.
    #[must_use]
    #[inline]
    pub fn at(&self) -> usize {
        self.node().at as usize
    }

    /// The byte after its last.
    #[must_use]
    #[inline]
    pub fn end(&self) -> usize {
        self.node().end as usize
    }

    /// Its bytes as they stand in the input; a string with its quotes.
    #[inline]
    pub(crate) fn token(&self) -> &'a [u8] {
        let node = self.node();
        &self.document.text.as_bytes()[node.at as usize..node.end as usize]
    }

    /// The bytes of the input.
    pub(crate) fn input(&self) -> &'a [u8] {
        self.document.text.as_bytes()
    }

    /// What it is, in words for a person.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self.kind() {
            Kind::Null => "null",
            Kind::True | Kind::False => "a boolean",
            Kind::Integer => "an integer",
            Kind::Given | Kind::Unescaped => "a string",
            Kind::List => "a list",
            Kind::Object => "an object",
        }
    }

    /// The text, if it is a string.
    #[must_use]
    pub fn text(&self) -> Option<Text<'a, 't>> {
        let node = self.node();
        match node.kind {
            Kind::Given => Some(Text::Given(
                self.document.text.get(node.at as usize + 1..node.end as usize - 1).unwrap_or_default(),
            )),
            Kind::Unescaped => {
                let (start, length) = halves(node.data);
                Some(Text::Unescaped(self.document.unescaped.get(start..start + length).unwrap_or_default()))
            }
            _ => None,
        }
    }

    /// The bytes of the text, if it is a string.
    #[inline]
    pub(crate) fn text_bytes(&self) -> Option<&'t [u8]> {
        let node = self.node();
        match node.kind {
            Kind::Given => Some(&self.document.text.as_bytes()[node.at as usize + 1..node.end as usize - 1]),
            Kind::Unescaped => {
                let (start, length) = halves(node.data);
                Some(&self.document.unescaped.as_bytes()[start..start + length])
            }
            _ => None,
        }
    }

    /// The value, if it is an integer.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        let node = self.node();
        (node.kind == Kind::Integer).then(|| node.data.cast_signed())
    }

    /// The value, if it is a boolean.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        match self.kind() {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// How many items or members it has; none when it is no list and no object.
    #[must_use]
    pub fn count(&self) -> usize {
        let node = self.node();
        if matches!(node.kind, Kind::List | Kind::Object) { halves(node.data).0 } else { 0 }
    }

    /// The items of a list; none when it is no list.
    pub fn items(&self) -> impl Iterator<Item = Item<'a, 't>> + use<'a, 't> {
        let count = if self.kind() == Kind::List { self.count() } else { 0 };
        let document = self.document;
        let mut index = self.index + 1;
        (0..count).map(move |_| {
            let item = Item { document, index };
            index = item.after();
            item
        })
    }

    /// The members of an object, key and value, in the order of the input; none when it is no object.
    #[inline]
    pub fn members(&self) -> impl Iterator<Item = (Item<'a, 't>, Item<'a, 't>)> + use<'a, 't> {
        let count = if self.kind() == Kind::Object { self.count() } else { 0 };
        let document = self.document;
        let mut index = self.index + 1;
        (0..count).map(move |_| {
            let key = Item { document, index };
            let value = Item { document, index: index + 1 };
            index = value.after();
            (key, value)
        })
    }

    /// The node after this value and all it holds.
    #[inline]
    fn after(&self) -> usize {
        let node = self.node();
        if matches!(node.kind, Kind::List | Kind::Object) { halves(node.data).1 } else { self.index + 1 }
    }

    /// The whole value as a tree of its own, for the few places where a shape is not known.
    #[must_use]
    pub fn to_value(&self) -> Value<'a> {
        match self.kind() {
            Kind::Null => Value::Null,
            Kind::True => Value::Boolean(true),
            Kind::False => Value::Boolean(false),
            Kind::Integer => Value::Integer(self.node().data.cast_signed()),
            Kind::Given | Kind::Unescaped => Value::Text(self.cow().unwrap_or_default()),
            Kind::List => Value::List(self.items().map(|item| item.to_value()).collect()),
            Kind::Object => Value::Object(
                self.members().map(|(key, value)| (key.cow().unwrap_or_default(), value.to_value())).collect(),
            ),
        }
    }

    /// The text, borrowed from the input where it can be.
    pub(crate) fn cow(&self) -> Option<Cow<'a, str>> {
        self.text().map(Text::into_cow)
    }
}

/// Two numbers of 32 bits kept in one of 64.
fn halves(data: u64) -> (usize, usize) {
    ((data >> 32) as usize, (data & 0xffff_ffff) as usize)
}

/// A JSON value of any shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// An integer within ±(2^53 - 1).
    Integer(i64),
    /// A string, escapes resolved.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Value<'a>>),
    /// An object, in the order of the input.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Boolean(value)
    }
}

impl Value<'_> {
    /// Appends the canonical form (RFC 8785): keys sorted by UTF-16 code units, least escapes, no blanks.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Boolean(true) => out.extend_from_slice(b"true"),
            Value::Boolean(false) => out.extend_from_slice(b"false"),
            Value::Integer(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Value::Text(text) => write_text(text.as_bytes(), out),
            Value::List(items) => {
                out.push(b'[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    item.write_canonical(out);
                }
                out.push(b']');
            }
            Value::Object(members) => {
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_by(|(a, _), (b, _)| utf16_order(a.as_bytes(), b.as_bytes()));
                out.push(b'{');
                for (n, (key, value)) in sorted.into_iter().enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    write_text(key.as_bytes(), out);
                    out.push(b':');
                    value.write_canonical(out);
                }
                out.push(b'}');
            }
        }
    }
}

#[cfg(test)]
mod tests;
