//! Lists of the operator, from which rules take values: `%name%` with the modifier `expand` (Sigma specification 2, appendix of
//! modifiers).
//!
//! Promises: bounded in number and length; a rule whose list is not given is left out and says which, an empty list holds
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaRule, SigmaString, SigmaValue};
use serde::Deserialize;

use super::{files, guard};

/// Longest file of lists, in bytes.
pub const LISTS_BYTES_MAX: u64 = 1024 * 1024;
/// Most lists.
pub const LISTS_MAX: usize = 256;
/// Most values of one list, and most that one field is compared with.
pub const LIST_VALUES_MAX: usize = 10_000;
/// Longest value, in bytes.
pub const LIST_VALUE_BYTES_MAX: usize = 1_024;
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Most bytes of all values of all lists.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// How deep detections are followed; the parser allows less.
const DEPTH_MAX: usize = 64;
/// Equals no text of an event: texts from outside hold no such character of the last plane beside a zero.
const NOTHING: &str = "\u{10ffff}\u{0}";

/// Values by name: `approved_models`, `departed_actors`, … In a value `*` and `?` stand for any characters and one, as in rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<String>>")]
pub struct Lists {
    values: BTreeMap<String, Vec<String>>,
    /// Where they were read, to see that they changed.
    file: Option<PathBuf>,
}

/// Why lists cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// There are too many.
    #[error("there are {number} lists, at most {LISTS_MAX} can be used; put some together")]
    TooMany {
        /// How many.
        number: usize,
    },
    /// A name that no rule could use.
    #[error("`{name}` is no name of a list: use 1 to {NAME_BYTES_MAX} letters, digits, `_` and `-`")]
    Name {
        /// Which.
        name: String,
    },
    /// A list is too long.
    #[error(
        "the list `{name}` has {number} values, at most {LIST_VALUES_MAX} can be used; use `*` for values that begin alike"
    )]
    TooLong {
        /// Which.
        name: String,
        /// How many.
        number: usize,
    },
    /// A value is empty or too long.
    #[error("a value of the list `{name}` is empty or longer than {LIST_VALUE_BYTES_MAX} bytes")]
    Value {
        /// Which.
        name: String,
    },
    /// All values together are too long.
    #[error("the values of all lists together are longer than {BYTES_MAX} bytes")]
    Bytes,
    /// The file cannot be used.
    #[error("the lists in {} cannot be used: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl TryFrom<BTreeMap<String, Vec<String>>> for Lists {
    type Error = ListError;

    fn try_from(lists: BTreeMap<String, Vec<String>>) -> Result<Self, ListError> {
        if lists.len() > LISTS_MAX {
            return Err(ListError::TooMany { number: lists.len() });
        }
        let mut bytes = 0;
        for (name, values) in &lists {
            let called = || name.chars().take(NAME_BYTES_MAX).collect::<String>();
            if !is_name(name) {
                return Err(ListError::Name { name: called() });
            }
            if values.len() > LIST_VALUES_MAX {
                return Err(ListError::TooLong { name: called(), number: values.len() });
            }
            if values.iter().any(|value| value.is_empty() || value.len() > LIST_VALUE_BYTES_MAX) {
                return Err(ListError::Value { name: called() });
            }
            bytes += values.iter().map(String::len).sum::<usize>();
        }
        if bytes > BYTES_MAX { Err(ListError::Bytes) } else { Ok(Self { values: lists, file: None }) }
    }
}

impl Lists {
    /// Reads a YAML file: `name: [value, …]` for each list. Its aliases are bounded like those of rules.
    ///
    /// # Errors
    /// [`ListError::File`], with what is wrong and, when known, the line.
    pub fn read(path: &Path) -> Result<Self, ListError> {
        let wrong = |reason: String| ListError::File { path: path.to_owned(), reason };
        let yaml = files::read_bounded(path, LISTS_BYTES_MAX).map_err(wrong)?;
        let at = |line: Option<usize>| line.map(|line| format!("line {line}: ")).unwrap_or_default();
        guard::check(&yaml).map_err(|fault| wrong(format!("{}{}", at(fault.line), fault.reason)))?;
        let lists: Option<Self> = yaml_serde::from_str(&yaml).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { file: Some(path.to_owned()), ..lists.unwrap_or_default() })
    }

    /// The file they were read from.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(fits)
}

/// Why a rule's placeholders were not filled.
#[derive(Debug)]
pub(super) enum Unfilled {
    /// These lists are not given.
    Missing(BTreeSet<String>),
    /// Something is wrong with the rule.
    Wrong(String),
}

/// Puts the values of lists in place of `%name%` wherever a field has the modifier `expand`, which is gone afterwards.
pub(super) fn fill(rule: &mut SigmaRule, lists: &Lists) -> Result<(), Unfilled> {
    let mut missing = BTreeSet::new();
    for detection in rule.detection.named.values_mut() {
        fill_detection(detection, lists, DEPTH_MAX, &mut missing).map_err(Unfilled::Wrong)?;
    }
    if missing.is_empty() { Ok(()) } else { Err(Unfilled::Missing(missing)) }
}

fn fill_detection(
    detection: &mut Detection,
    lists: &Lists,
    deep: usize,
    missing: &mut BTreeSet<String>,
) -> Result<(), String> {
    let Some(deep) = deep.checked_sub(1) else { return Ok(()) };
    match detection {
        Detection::AllOf(items) => items.iter_mut().try_for_each(|item| fill_item(item, lists, missing)),
        Detection::AnyOf(parts) | Detection::And(parts) => {
            parts.iter_mut().try_for_each(|part| fill_detection(part, lists, deep, missing))
        }
        Detection::ArrayMatch { body, .. } => fill_detection(body, lists, deep, missing),
        Detection::Conditional { named, .. } => {
            named.values_mut().try_for_each(|part| fill_detection(part, lists, deep, missing))
        }
        Detection::Keywords(_) => Ok(()),
    }
}

fn fill_item(item: &mut DetectionItem, lists: &Lists, missing: &mut BTreeSet<String>) -> Result<(), String> {
    if !item.field.modifiers.contains(&Modifier::Expand) {
        return Ok(());
    }
    item.field.modifiers.retain(|modifier| *modifier != Modifier::Expand);
    let mut filled = Vec::new();
    for value in std::mem::take(&mut item.values) {
        match &value {
            SigmaValue::String(text) => {
                fill_text(&text.original, lists, missing, &mut filled)?;
            }
            _ => filled.push(value),
        }
        if filled.len() > LIST_VALUES_MAX {
            let field = item.field.name.as_deref().unwrap_or("a keyword");
            return Err(format!("`{field}` would be compared with more than {LIST_VALUES_MAX} values of lists"));
        }
    }
    if filled.is_empty() {
        // an empty list: nothing is in it, whatever the other modifiers say
        item.field.modifiers.clear();
        filled.push(SigmaValue::String(SigmaString::from_raw(NOTHING)));
    }
    item.values = filled;
    Ok(())
}

/// One placeholder in a text: with several, how many texts there are would be their product.
fn fill_text(
    text: &str,
    lists: &Lists,
    missing: &mut BTreeSet<String>,
    filled: &mut Vec<SigmaValue>,
) -> Result<(), String> {
    let Some((before, name, after)) = placeholder(text) else {
        filled.push(SigmaValue::String(SigmaString::new(text)));
        return Ok(());
    };
    if placeholder(after).is_some() {
        return Err(format!("`{text}` names more than one list; use one for each value"));
    }
    let Some(values) = lists.values.get(name) else {
        missing.insert(name.to_owned());
        return Ok(());
    };
    filled.extend(values.iter().map(|value| SigmaValue::String(SigmaString::new(&format!("{before}{value}{after}")))));
    Ok(())
}

/// What stands before, in and after the first `%name%`.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let mut at = 0;
    loop {
        let open = at + text.get(at..)?.find('%')?;
        let close = open + 1 + text.get(open + 1..)?.find('%')?;
        let name = text.get(open + 1..close)?;
        if is_name(name) {
            return Some((text.get(..open)?, name, text.get(close + 1..)?));
        }
        at = close;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(pairs: &[(&str, &[&str])]) -> Result<Lists, ListError> {
        let all = pairs.iter().map(|(name, values)| {
            ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
        });
        Lists::try_from(all.collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn lists_are_bounded_and_named_so_that_rules_can_name_them() {
        assert!(lists(&[("approved_models", &["a", "b-*"])]).is_ok());
        assert!(lists(&[("empty", &[])]).is_ok());
        for bad in ["", "a b", "a%b", &"x".repeat(65)] {
            assert!(matches!(lists(&[(bad, &["a"])]), Err(ListError::Name { .. })), "{bad}");
        }
        assert_eq!(lists(&[("a", &[""])]), Err(ListError::Value { name: "a".to_owned() }));
        assert!(matches!(lists(&[("a", &vec!["x"; LIST_VALUES_MAX + 1])]), Err(ListError::TooLong { .. })));
        assert!(matches!(lists(&[("a", &[&"x".repeat(1_025)])]), Err(ListError::Value { .. })));
    }

    #[test]
    fn a_file_of_lists_is_read_and_a_wrong_one_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lists.yml");
        std::fs::write(&path, "approved_models: [a, 'b-*']\ndeparted_actors: []\n").unwrap();
        let read = Lists::read(&path).unwrap();
        assert_eq!(read.names().collect::<Vec<_>>(), ["approved_models", "departed_actors"]);
        std::fs::write(&path, "").unwrap();
        assert!(Lists::read(&path).unwrap().is_empty());
        for wrong in ["a: [b", "a: b", "- a", "a b: [x]"] {
            std::fs::write(&path, wrong).unwrap();
            assert!(Lists::read(&path).unwrap_err().to_string().contains("lists.yml"), "{wrong}");
        }
        assert!(Lists::read(&folder.path().join("none")).is_err());
    }

    #[test]
    fn a_placeholder_is_a_name_between_two_signs() {
        assert_eq!(placeholder("%a%"), Some(("", "a", "")));
        assert_eq!(placeholder("100% of %a%x"), Some(("100% of ", "a", "x")));
        for none in ["", "%", "%%", "% a %", "50%"] {
            assert_eq!(placeholder(none), None, "{none}");
        }
    }
}
