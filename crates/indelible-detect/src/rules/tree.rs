//! The JSON of an entry as the engine's own values, borrowed from its bytes: read once for all rules that look at it, without an
//! allocation for each text.

use std::borrow::Cow;
use std::fmt;

use rsigma_eval::EventValue;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value with all below it.
#[derive(Debug)]
pub(super) struct Tree<'a>(pub(super) EventValue<'a>);

impl<'a> Tree<'a> {
    /// Reads JSON; `None` when it is none.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Tree<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values).map(Self)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = EventValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(EventValue::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(EventValue::Int(value))
    }

    #[allow(clippy::cast_precision_loss, reason = "as the engine takes numbers that no i64 holds")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(EventValue::Float(value as f64), EventValue::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(EventValue::Float(value))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(EventValue::Str(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(EventValue::Str(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(EventValue::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Tree(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(EventValue::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        // an event has some ten members, and the parts of it fewer
        let mut values = Vec::with_capacity(8);
        while let Some((Key(key), Tree(value))) = members.next_entry()? {
            values.push((key, value));
        }
        Ok(EventValue::Map(values))
    }
}

/// The name of a member.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Keys).map(Self)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}

/// The member of this name.
pub(super) fn member<'a, 'b>(value: &'b EventValue<'a>, name: &str) -> Option<&'b EventValue<'a>> {
    let EventValue::Map(members) = value else { return None };
    members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// The same value, with its texts borrowed.
pub(super) fn borrowed<'b>(value: &'b EventValue<'_>) -> EventValue<'b> {
    match value {
        EventValue::Str(text) => EventValue::Str(Cow::Borrowed(text)),
        EventValue::Int(number) => EventValue::Int(*number),
        EventValue::Float(number) => EventValue::Float(*number),
        EventValue::Bool(flag) => EventValue::Bool(*flag),
        EventValue::Null => EventValue::Null,
        EventValue::Array(items) => EventValue::Array(items.iter().map(borrowed).collect()),
        EventValue::Map(members) => {
            EventValue::Map(members.iter().map(|(key, value)| (Cow::Borrowed(&**key), borrowed(value))).collect())
        }
    }
}

/// Whether some text in it is so.
pub(super) fn any_text(value: &EventValue<'_>, is_so: &dyn Fn(&str) -> bool) -> bool {
    match value {
        EventValue::Str(text) => is_so(text),
        EventValue::Array(items) => items.iter().any(|item| any_text(item, is_so)),
        EventValue::Map(members) => members.iter().any(|(_, value)| any_text(value, is_so)),
        _ => false,
    }
}

/// Looks at every text in it.
pub(super) fn each_text(value: &EventValue<'_>, look: &mut dyn FnMut(&str)) {
    match value {
        EventValue::Str(text) => look(text),
        EventValue::Array(items) => items.iter().for_each(|item| each_text(item, look)),
        EventValue::Map(members) => members.iter().for_each(|(_, value)| each_text(value, look)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_tree_holds_what_the_json_does() {
        let document = json!({
            "a": [1, -2, 2.5, 18_446_744_073_709_551_615_u64, true, null, "plain", "with \"escapes\" ä"], "b.c": {"d": {}}
        });
        let bytes = document.to_string();
        let Tree(tree) = Tree::parse(bytes.as_bytes()).unwrap();
        let expected: Value = serde_json::from_str(&bytes).unwrap();
        assert_eq!(format!("{:?}", sorted(&tree)), format!("{:?}", sorted(&EventValue::from(&expected))));
        let mut texts = Vec::new();
        each_text(&tree, &mut |text| texts.push(text.to_owned()));
        assert_eq!(texts, ["plain", "with \"escapes\" ä"]);
        assert!(any_text(&tree, &|text| text.ends_with('ä')) && !any_text(&tree, &|text| text == "d"));
        assert!(Tree::parse(b"{\"a\":").is_none());
    }

    /// The members of maps in one order, whatever the parser's.
    fn sorted<'b>(value: &'b EventValue<'_>) -> EventValue<'b> {
        match borrowed(value) {
            EventValue::Map(mut members) => {
                members.sort_by(|a, b| a.0.cmp(&b.0));
                EventValue::Map(members)
            }
            other => other,
        }
    }
}
