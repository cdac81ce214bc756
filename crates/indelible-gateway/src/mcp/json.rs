//! JSON seen as places in a text, so that what is forwarded stays the bytes that came.
//!
//! Promises: a [`Raw`] is a valid value of bounded depth, found without recursion and without a copy. Never: a number or text made
//! anew.

use std::borrow::Cow;

use memchr::memchr2;
use serde::de::IgnoredAny;

/// Deepest nesting of a message: `serde_json` reads no deeper, and no tool needs it.
pub const DEPTH_MAX: usize = 127;

/// Why a text is no JSON that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// Not JSON.
    #[error("it is no JSON (column {column})")]
    NotJson {
        /// Where, from 1.
        column: usize,
    },
    /// Nested too deeply.
    #[error("it is nested more than 127 deep")]
    TooDeep,
}

/// A valid JSON value: its text, without blanks around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// Checks that `bytes` are one JSON value.
    ///
    /// # Errors
    /// [`JsonFault`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, JsonFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::NotUtf8)?.trim_matches(is_blank);
        if depth(text.as_bytes()) > DEPTH_MAX {
            return Err(JsonFault::TooDeep);
        }
        // A valid value is what another's parser calls one; from here on only places are looked for.
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| JsonFault::NotJson { column: error.column() })?;
        Ok(Self(text))
    }

    /// The value's text as it came.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Whether it is a list.
    #[must_use]
    pub fn is_list(self) -> bool {
        self.0.starts_with('[')
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The text of a string.
    #[must_use]
    pub fn text(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            serde_json::from_str(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    /// A truth.
    #[must_use]
    pub fn truth(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// An integer, also when it is written as `1.0` or `1e3`.
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        if let Ok(number) = self.0.parse() {
            return Some(number);
        }
        let float: f64 = self.number()?.parse().ok()?;
        // Beyond 2^53 a float names no integer of its own.
        let exact = float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0;
        exact.then(|| format!("{float:.0}").parse().ok())?
    }

    /// The text of a number.
    #[must_use]
    pub fn number(self) -> Option<&'a str> {
        self.0.starts_with(|first: char| first == '-' || first.is_ascii_digit()).then_some(self.0)
    }

    /// The members of an object in order; nothing if it is none.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        Members(Walk::into(self.0, '{'))
    }

    /// The items of a list in order; nothing if it is none.
    #[must_use]
    pub fn items(self) -> Items<'a> {
        Items(Walk::into(self.0, '['))
    }

    /// The last member of that name: what a reader that lets later ones win takes.
    #[must_use]
    pub fn member(self, name: &str) -> Option<Raw<'a>> {
        self.members().filter(|(key, _)| key == name).last().map(|(_, value)| value)
    }
}

/// The members of an object.
#[derive(Clone, Debug)]
pub struct Members<'a>(Walk<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.0.value()?;
        // A key that holds half a surrogate is no text in Rust; it must not hide the members after it.
        let key = key.text().unwrap_or(Cow::Borrowed(key.0));
        self.0.skip(':');
        let value = self.0.value()?;
        self.0.skip(',');
        Some((key, value))
    }
}

/// The items of a list.
#[derive(Clone, Debug)]
pub struct Items<'a>(Walk<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let value = self.0.value()?;
        self.0.skip(',');
        Some(value)
    }
}

/// A place within the inside of an object or list whose grammar has been checked.
#[derive(Clone, Debug)]
struct Walk<'a>(&'a str);

impl<'a> Walk<'a> {
    fn into(text: &'a str, open: char) -> Self {
        let inside = text.strip_prefix(open).and_then(|rest| rest.get(..rest.len().checked_sub(1)?));
        Self(inside.unwrap_or_default())
    }

    /// Takes the next value.
    fn value(&mut self) -> Option<Raw<'a>> {
        let rest = self.0.trim_start_matches(is_blank);
        let (value, after) = rest.split_at_checked(value_length(rest.as_bytes()))?;
        self.0 = after;
        (!value.is_empty()).then_some(Raw(value))
    }

    fn skip(&mut self, mark: char) {
        let rest = self.0.trim_start_matches(is_blank);
        self.0 = rest.strip_prefix(mark).unwrap_or(rest);
    }
}

fn is_blank(mark: char) -> bool {
    matches!(mark, ' ' | '\t' | '\n' | '\r')
}

/// How long the value at the beginning of a checked text is.
fn value_length(text: &[u8]) -> usize {
    match text.first() {
        Some(b'"') => string_length(text),
        Some(b'{' | b'[') => {
            let mut open = 0_usize;
            let mut at = 0;
            while let Some(&byte) = text.get(at) {
                match byte {
                    b'"' => {
                        at += string_length(text.get(at..).unwrap_or_default());
                        continue;
                    }
                    b'{' | b'[' => open += 1,
                    b'}' | b']' => open = open.saturating_sub(1),
                    _ => {}
                }
                at += 1;
                if open == 0 {
                    break;
                }
            }
            at
        }
        _ => text
            .iter()
            .position(|byte| matches!(byte, b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\n' | b'\r'))
            .unwrap_or(text.len()),
    }
}

/// How long the string at the beginning is, its quotes counted; to the end of the text when it does not end.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
        at += found + 1;
        if text.get(at - 1) == Some(&b'"') {
            return at;
        }
        at += 1;
    }
    text.len()
}

/// How deeply a text is nested, if it is JSON.
fn depth(text: &[u8]) -> usize {
    let (mut open, mut deepest, mut at) = (0_usize, 0, 0);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                at += string_length(text.get(at..).unwrap_or_default());
                continue;
            }
            b'{' | b'[' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn rebuilt(raw: Raw<'_>) -> Value {
        if raw.is_object() {
            return Value::Object(raw.members().map(|(key, value)| (key.into_owned(), rebuilt(value))).collect());
        }
        if raw.is_list() {
            return Value::Array(raw.items().map(rebuilt).collect());
        }
        match raw.text() {
            Some(text) => Value::String(text.into_owned()),
            None => serde_json::from_str(raw.as_str()).unwrap(),
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            "[\"\\\\{}\\[\\],: \t\n]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_places_found_are_those_of_serde(value in values(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            prop_assert_eq!(rebuilt(Raw::read(text.as_bytes()).unwrap()), value);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let ours = Raw::read(&bytes).map(rebuilt).ok();
            prop_assert_eq!(ours, serde_json::from_slice(&bytes).ok());
        }
    }

    #[test]
    fn depth_is_bounded_before_anything_is_read() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Raw::read(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(Raw::read(nested(DEPTH_MAX + 1).as_bytes()), Err(JsonFault::TooDeep));
        assert_eq!(Raw::read("[".repeat(10_000_000).as_bytes()), Err(JsonFault::TooDeep));
        assert_eq!(Raw::read(b"{\"a\":\xff}"), Err(JsonFault::NotUtf8));
        assert!(matches!(Raw::read(b"{} {}"), Err(JsonFault::NotJson { .. })));
    }

    #[test]
    fn a_key_that_is_no_text_hides_nothing() {
        let raw = Raw::read(br#"{"\ud800":1,"name":"b"}"#).unwrap();
        assert_eq!(raw.member("name").and_then(Raw::text).as_deref(), Some("b"));
    }

    #[test]
    fn numbers_are_integers_when_they_mean_one() {
        for (text, integer) in
            [("7", Some(7)), ("7.0", Some(7)), ("-1e3", Some(-1000)), ("1.5", None), ("1e300", None), ("\"1\"", None)]
        {
            assert_eq!(Raw::read(text.as_bytes()).unwrap().integer(), integer, "{text}");
        }
    }
}
