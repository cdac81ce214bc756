//! What the server said about recorded events. Promises: an answer that acknowledges anything else than what was sent is a
//! fault, never a success.

use crate::http::Answer;

/// Events that are durable, as the server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Index of the first.
    pub first_index: u64,
    /// How many.
    pub count: u64,
}

impl Acknowledged {
    /// The index after the last.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first_index + self.count
    }
}

/// Reads the answer to `sent` new events, all of which must be acknowledged as new.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn acknowledged(answer: &Answer, sent: u64) -> Result<Acknowledged, String> {
    if answer.status != 200 {
        return Err(format!("status {}: {}", answer.status, answer.excerpt()));
    }
    let (Some(first_index), Some(count)) =
        (number(&answer.body, "\"first_index\":"), number(&answer.body, "\"count\":"))
    else {
        return Err(format!("no first_index and count in: {}", answer.excerpt()));
    };
    if count != sent || number(&answer.body, "\"duplicates\":").unwrap_or(0) != 0 {
        return Err(format!("sent {sent} new events, but: {}", answer.excerpt()));
    }
    if find(&answer.body, b"\"receipt\":\"indelible.receipt/1").is_none() {
        return Err(format!("no receipt in: {}", answer.excerpt()));
    }
    Ok(Acknowledged { first_index, count })
}

/// Acknowledged ranges must not overlap: no two events have one place. Gives the first pair that does.
#[must_use]
pub fn overlap(ranges: &mut [Acknowledged]) -> Option<(Acknowledged, Acknowledged)> {
    ranges.sort_unstable_by_key(|range| range.first_index);
    ranges.windows(2).find(|pair| pair[0].end() > pair[1].first_index).map(|pair| (pair[0], pair[1]))
}

/// The unsigned number after `key`, wherever it stands: answers are small and the server's own, no parser is needed to read one
/// field a hundred thousand times a second.
fn number(body: &[u8], key: &str) -> Option<u64> {
    let after = body.get(find(body, key.as_bytes())? + key.len()..)?;
    let digits = after.iter().skip_while(|byte| **byte == b' ').take_while(|byte| byte.is_ascii_digit());
    let mut value: Option<u64> = None;
    for digit in digits {
        value = value.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(digit - b'0'))?.into();
    }
    value
}

fn find(body: &[u8], what: &[u8]) -> Option<usize> {
    body.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, sent: u64) -> Result<Acknowledged, String> {
        acknowledged(&Answer { status: 200, body: body.as_bytes().to_vec(), keep: true }, sent)
    }

    #[test]
    fn only_an_answer_for_all_that_was_sent_is_taken() {
        let good = r#"{"log":"main","first_index":41,"count":2,"recorded":"x","duplicates":0,"receipt":"indelible.receipt/1\n"}"#;
        assert_eq!(check(good, 2), Ok(Acknowledged { first_index: 41, count: 2 }));
        assert!(check(good, 3).is_err());
        assert!(check(&good.replace("\"duplicates\":0", "\"duplicates\":1"), 2).is_err());
        assert!(check(&good.replace("indelible.receipt/1", ""), 2).is_err());
        assert!(check(r#"{"count":2}"#, 2).is_err());
    }

    #[test]
    fn an_index_given_twice_is_found() {
        let range = |first_index, count| Acknowledged { first_index, count };
        assert_eq!(overlap(&mut [range(10, 5), range(0, 10)]), None);
        assert_eq!(overlap(&mut [range(14, 2), range(10, 5)]), Some((range(10, 5), range(14, 2))));
    }
}
