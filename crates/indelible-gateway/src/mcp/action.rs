//! Which action a tool call is: the configuration's table first, then what the server says of the tool, then `execute`.
//!
//! What a server says of its tools is a hint of a party that is not trusted: it decides a word in the record, never a permission.

use indelible_event::words::Action;

/// Longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 256;

/// A name with `*` for any characters, also none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// A pattern; none when it is empty or too long.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= PATTERN_BYTES_MAX).then(|| Self(text.into()))
    }

    /// Whether a name is meant. Takes time proportional to pattern times name at worst.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where to go on when the text after the last `*` does not fit here.
        let mut again: Option<(usize, usize)> = None;
        while let Some(&byte) = name.get(n) {
            match pattern.get(p) {
                Some(b'*') => {
                    again = Some((p + 1, n));
                    p += 1;
                }
                Some(&wanted) if wanted == byte => (p, n) = (p + 1, n + 1),
                _ => match again {
                    Some((after, from)) => {
                        again = Some((after, from + 1));
                        (p, n) = (after, from + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern.get(p..).unwrap_or_default().iter().all(|&byte| byte == b'*')
    }
}

/// What a server says of a tool; what it does not say is unknown, whatever the protocol takes for granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// `readOnlyHint`.
    pub read_only: Option<bool>,
    /// `destructiveHint`.
    pub destructive: Option<bool>,
}

/// The action of a call to the tool `name`. The first pattern that matches wins.
#[must_use]
pub fn tool_action(overrides: &[(Pattern, Action)], name: &str, hints: Hints) -> Action {
    if let Some((_, action)) = overrides.iter().find(|(pattern, _)| pattern.matches(name)) {
        return *action;
    }
    match (hints.read_only, hints.destructive) {
        (Some(true), _) => Action::Read,
        (_, Some(true)) if removes(name) => Action::Delete,
        (_, Some(true)) => Action::Modify,
        _ => Action::Execute,
    }
}

/// Whether a destructive tool is one that removes, going by a word of its name (`delete_file`, `dropTable`, `rm`).
fn removes(name: &str) -> bool {
    const WORDS: [&str; 11] =
        ["delete", "remove", "drop", "destroy", "purge", "erase", "truncate", "unlink", "wipe", "rm", "del"];
    words(name).any(|word| WORDS.contains(&word.as_str()))
}

/// The words of a name in snake, kebab or camel case, in lower case.
fn words(name: &str) -> impl Iterator<Item = String> + '_ {
    name.split(|mark: char| !mark.is_alphanumeric()).flat_map(|part| {
        let mut words = vec![String::new()];
        let mut small_before = false;
        for mark in part.chars() {
            if mark.is_uppercase() && small_before {
                words.push(String::new());
            }
            small_before = mark.is_lowercase() || mark.is_numeric();
            if let Some(word) = words.last_mut() {
                word.extend(mark.to_lowercase());
            }
        }
        words
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(name)
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("get_*", "get_user", true),
            ("get_*", "forget_user", false),
            ("*_user", "get_user", true),
            ("*e*e*", "delete", true),
            ("a*b*c", "a1b2b3", false),
            ("a**c", "ac", true),
            ("add", "add", true),
            ("add", "adder", false),
            ("ä*", "äpfel", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        assert_eq!(Pattern::new(""), None);
    }

    #[test]
    fn the_table_wins_over_hints_and_hints_over_nothing() {
        let table = [(Pattern::new("send_*").unwrap(), Action::Share), (Pattern::new("*").unwrap(), Action::Export)];
        let hints = |read_only, destructive| Hints { read_only, destructive };
        assert_eq!(tool_action(&table, "send_mail", hints(Some(true), None)), Action::Share);
        assert_eq!(tool_action(&table, "x", hints(Some(true), None)), Action::Export);
        for (name, hints, action) in [
            ("x", hints(None, None), Action::Execute),
            ("x", hints(Some(false), Some(false)), Action::Execute),
            ("delete_all", hints(Some(true), Some(true)), Action::Read),
            ("delete_all", hints(None, Some(true)), Action::Delete),
            ("tableDrop", hints(None, Some(true)), Action::Delete),
            ("model_update", hints(None, Some(true)), Action::Modify),
            ("delete_all", hints(None, None), Action::Execute),
        ] {
            assert_eq!(tool_action(&[], name, hints), action, "{name} {hints:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_with_any_part_starred(a in "[a-c]{0,6}", b in "[a-c]{0,6}", c in "[a-c]{0,6}") {
            let pattern = format!("{a}*{c}");
            let matched = matches(&pattern, &format!("{a}{b}{c}"));
            prop_assert!(matched);
        }

        #[test]
        fn matching_agrees_with_the_definition(pattern in "[ab*]{1,7}", name in "[ab]{0,7}") {
            fn plain(pattern: &[u8], name: &[u8]) -> bool {
                match (pattern.split_first(), name.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), _) if plain(rest, name) => true,
                    (Some((b'*', _)), Some((_, after))) => plain(pattern, after),
                    (Some((p, rest)), Some((n, after))) => p == n && plain(rest, after),
                    _ => false,
                }
            }
            prop_assert_eq!(matches(&pattern, &name), plain(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
