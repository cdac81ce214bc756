//! The nearest known word to a misspelt one: for keys, parameters, names. Never: a guess that is far off.

/// The candidate nearest to `given`, if at most two edits or a third of its length away.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const LOOKED_AT_BYTES_MAX: usize = 128;
    if given.len() > LOOKED_AT_BYTES_MAX {
        return None;
    }
    let within = (given.chars().count() / 3).max(2);
    let scored = known.into_iter().map(|word| (strsim::damerau_levenshtein(given, word), word));
    scored.filter(|(edits, _)| *edits <= within).min_by_key(|(edits, _)| *edits).map(|(_, word)| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_named_and_a_far_one_is_not() {
        assert_eq!(nearest("lisen", ["listen", "data"]), Some("listen".to_owned()));
        assert_eq!(nearest("server.lsiten", ["server.listen", "server.data"]), Some("server.listen".to_owned()));
        assert_eq!(nearest("colour", ["listen", "data"]), None);
    }
}
