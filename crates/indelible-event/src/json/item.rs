//! A document on its tape: what the nodes are and how to walk them. Never: an index that the tape did not give.

use std::borrow::Cow;

use super::Value;
use super::reader::narrow;
use super::text::{fingerprint, fingerprint_at};

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
pub(super) struct Node {
    /// Integer: the value. Unescaped string: start and length in `unescaped`. Container: items and the node after it.
    pub(super) data: u64,
    /// First byte in the input.
    pub(super) at: u32,
    /// The byte after the last.
    pub(super) end: u32,
    pub(super) kind: Kind,
}

/// A document that was read: the text it borrows (`'a`) and the tape that holds its shape (`'t`).
#[derive(Clone, Copy, Debug)]
pub struct Document<'a, 't> {
    text: &'a str,
    nodes: &'t [Node],
    unescaped: &'t str,
}

impl<'a, 't> Document<'a, 't> {
    pub(super) fn new(text: &'a str, nodes: &'t [Node], unescaped: &'t str) -> Self {
        Self { text, nodes, unescaped }
    }

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
        narrow(self.index)
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
    #[inline]
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

    /// The [`fingerprint`] of the text; 0 if it is no string.
    #[inline]
    pub(crate) fn fingerprint(&self) -> u64 {
        let node = self.node();
        match node.kind {
            Kind::Given => {
                let (start, end) = (node.at as usize + 1, node.end as usize - 1);
                fingerprint_at(self.document.text.as_bytes(), start, end - start)
            }
            _ => fingerprint(self.text_bytes().unwrap_or_default()),
        }
    }

    /// The value, if it is an integer.
    #[must_use]
    #[inline]
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
    #[inline]
    pub(crate) fn cow(&self) -> Option<Cow<'a, str>> {
        self.text().map(Text::into_cow)
    }
}

/// Two numbers of 32 bits kept in one of 64.
pub(super) fn halves(data: u64) -> (usize, usize) {
    ((data >> 32) as usize, (data & 0xffff_ffff) as usize)
}
