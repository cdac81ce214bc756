//! YAML from outside, walked once before it is built: aliases cannot multiply it, and no text in it can exhaust a parser.
//!
//! Promises: work and memory grow with the bytes of the file, whatever stands in it. Never: builds a value.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

/// Longest rule file, in bytes.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most documents in a file. Each is merged with the file's `action: global`, so that many would multiply it.
pub const DOCUMENTS_MAX: usize = 64;
/// Most values in a file, aliases written out. The largest rules in public collections have some thousands.
pub const NODES_MAX: usize = 20_000;
/// Most bytes of text in a file, aliases written out.
const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Longest condition, in bytes, and the most brackets and `not`s in it: its parser calls itself for each.
const CONDITION_BYTES_MAX: usize = 4_096;
const CONDITION_DEPTH_MAX: usize = 64;
/// Longest regular expression, in bytes, and the most in a file: each may take some megabytes once compiled.
const REGEX_BYTES_MAX: usize = 1_024;
const REGEXES_MAX: usize = 32;

/// Walks every document of a file and says what is too much.
///
/// # Errors
/// What is too much, or where the YAML is broken, with the line where the reader knows it.
pub(super) fn check(yaml: &str) -> Result<(), Fault> {
    let mut spent = Spent::default();
    for (n, document) in yaml_serde::Deserializer::from_str(yaml).enumerate() {
        if n >= DOCUMENTS_MAX {
            return Err(Fault::new(format!("the file has more than {DOCUMENTS_MAX} documents; split it")));
        }
        let walk = Walk { spent: &mut spent, key: Key::Other };
        if let Err(error) = walk.deserialize(document) {
            let line = error.location().map(|location| location.line());
            return Err(Fault { line, reason: error.to_string() });
        }
    }
    Ok(())
}

/// What is wrong with a file.
#[derive(Debug)]
pub(super) struct Fault {
    /// In which line, from 1.
    pub(super) line: Option<usize>,
    /// What it is.
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { line: None, reason: reason.into() }
    }
}

#[derive(Default)]
struct Spent {
    nodes: usize,
    bytes: usize,
    regexes: usize,
}

/// What the key above a value says about its texts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Condition,
    Regex,
    Other,
}

struct Walk<'a> {
    spent: &'a mut Spent,
    key: Key,
}

impl Walk<'_> {
    fn node<E: de::Error>(&mut self) -> Result<(), E> {
        self.spent.nodes += 1;
        if self.spent.nodes > NODES_MAX {
            return Err(E::custom(format!("the file holds more than {NODES_MAX} values, aliases written out")));
        }
        Ok(())
    }

    fn text<E: de::Error>(&mut self, text: &str) -> Result<(), E> {
        self.node()?;
        self.spent.bytes += text.len();
        if self.spent.bytes > TEXT_BYTES_MAX {
            return Err(E::custom(format!(
                "the file holds more than {TEXT_BYTES_MAX} bytes of text, aliases written out"
            )));
        }
        match self.key {
            Key::Condition => {
                let deep = text.matches(['(', '!']).count() + text.matches("not").count();
                if text.len() > CONDITION_BYTES_MAX || deep > CONDITION_DEPTH_MAX {
                    return Err(E::custom(format!(
                        "a condition is longer than {CONDITION_BYTES_MAX} bytes or has more than {CONDITION_DEPTH_MAX} brackets and negations"
                    )));
                }
            }
            Key::Regex => {
                self.spent.regexes += 1;
                if text.len() > REGEX_BYTES_MAX || self.spent.regexes > REGEXES_MAX {
                    return Err(E::custom(format!(
                        "a regular expression is longer than {REGEX_BYTES_MAX} bytes, or there are more than {REGEXES_MAX} in the file"
                    )));
                }
            }
            Key::Other => {}
        }
        Ok(())
    }
}

fn kind_of(key: &str) -> Key {
    if key == "condition" || key == "conditions" {
        return Key::Condition;
    }
    if key.split('|').skip(1).any(|modifier| modifier == "re") { Key::Regex } else { Key::Other }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Key;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Gives for a text what it says as a key.
impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML without tags")
    }

    fn visit_bool<E: de::Error>(mut self, _: bool) -> Result<Key, E> {
        self.node().map(|()| Key::Other)
    }

    fn visit_i64<E: de::Error>(mut self, _: i64) -> Result<Key, E> {
        self.node().map(|()| Key::Other)
    }

    fn visit_u64<E: de::Error>(mut self, _: u64) -> Result<Key, E> {
        self.node().map(|()| Key::Other)
    }

    fn visit_f64<E: de::Error>(mut self, _: f64) -> Result<Key, E> {
        self.node().map(|()| Key::Other)
    }

    fn visit_unit<E: de::Error>(mut self) -> Result<Key, E> {
        self.node().map(|()| Key::Other)
    }

    fn visit_none<E: de::Error>(mut self) -> Result<Key, E> {
        self.node().map(|()| Key::Other)
    }

    fn visit_some<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: de::Error>(mut self, text: &str) -> Result<Key, E> {
        self.text(text).map(|()| kind_of(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Key, A::Error> {
        self.node()?;
        let key = self.key;
        while items.next_element_seed(Walk { spent: &mut *self.spent, key })?.is_some() {}
        Ok(Key::Other)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Key, A::Error> {
        self.node()?;
        while let Some(key) = members.next_key_seed(Walk { spent: &mut *self.spent, key: Key::Other })? {
            members.next_value_seed(Walk { spent: &mut *self.spent, key })?;
        }
        Ok(Key::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_that_multiply_are_refused_after_little_work() {
        let laughs: String = (1..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
            let again = vec![format!("*a{}", n - 1); 9].join(", ");
            format!("{text}a{n}: &a{n} [{again}]\n")
        });
        check(&laughs).unwrap_err();
        let wide = format!("a: &a [{}]\nb: [{}]\n", vec!["x"; 10_000].join(","), vec!["*a"; 50_000].join(","));
        let fault = check(&wide).unwrap_err();
        assert!(fault.reason.contains("aliases written out"), "{}", fault.reason);
    }

    #[test]
    fn deep_conditions_and_many_documents_are_refused() {
        let deep = format!("detection:\n  condition: {}a{}\n", "(".repeat(2_000), ")".repeat(2_000));
        assert!(check(&deep).unwrap_err().reason.contains("condition"));
        assert!(check(&"a: 1\n---\n".repeat(100)).unwrap_err().reason.contains("documents"));
        assert!(check(&format!("a: {}", "[".repeat(10_000))).is_err());
    }
}
