//! The known name nearest to a mistyped one, for hints. Never: work on names longer than a typing mistake could explain.

/// Longest name that is compared.
const NAME_BYTES_MAX: usize = 48;

/// The nearest of `known` by edit distance (insert, delete, replace, swap neighbours), if it is near enough to be meant.
pub(crate) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let folded = name.to_ascii_lowercase();
    known
        .map(|candidate| (distance(folded.as_bytes(), candidate.as_bytes()), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 1.max(name.len().max(candidate.len()) / 3))
        .map(|(_, candidate)| candidate)
}

/// Edit distance with swaps of neighbours, by rows.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let mut cost = (above[j] + usize::from(from != to)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *to && *from == b[j - 1] {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_find_the_name_that_was_meant() {
        let known = ["action", "actor", "user_agent", "time"];
        let near = |name| nearest(name, known.into_iter());
        assert_eq!(near("acton"), Some("action"));
        assert_eq!(near("userAgent"), Some("user_agent"));
        assert_eq!(near("tiem"), Some("time"));
        assert_eq!(near("Time"), Some("time"));
        assert_eq!(near("something_else"), None);
        assert_eq!(near(&"a".repeat(1000)), None);
    }
}
