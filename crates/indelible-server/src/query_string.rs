//! Query parameters, read strictly: each known, each at most once, each UTF-8. Never: a parameter that is passed over.

use crate::near::nearest;
use crate::problem::{Kind, Problem, Wrong};

/// Longest query string that is read.
const QUERY_STRING_BYTES_MAX: usize = 16 * 1024;

/// The parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    /// Reads `query`; only names in `known` may occur.
    pub(crate) fn read(query: Option<&str>, known: &'static [&'static str]) -> Result<Self, Problem> {
        let Some(query) = query else { return Ok(Self::default()) };
        if query.len() > QUERY_STRING_BYTES_MAX {
            return Err(wrong(
                "",
                "too-long",
                format!("the query string is longer than {QUERY_STRING_BYTES_MAX} bytes"),
            ));
        }
        let mut read = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).ok_or_else(|| wrong("", "bad-encoding", bad_encoding()))?;
            let Some(known_name) = known.iter().find(|known_name| **known_name == name) else {
                return Err(unknown(&name, known));
            };
            let value = decode(value).ok_or_else(|| wrong(known_name, "bad-encoding", bad_encoding()))?;
            if read.get(known_name).is_some() {
                return Err(wrong(known_name, "repeated", format!("the parameter `{known_name}` is given twice")));
            }
            read.0.push((known_name, value));
        }
        Ok(read)
    }

    /// A parameter's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is `true` or `false`; `false` when it is missing.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(wrong(name, "wrong-value", format!("the parameter `{name}` is `true` or `false`"))),
        }
    }

    /// A parameter that is a number within limits.
    pub(crate) fn number(&self, name: &'static str, least: u64, most: u64) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(wrong(name, "wrong-value", format!("the parameter `{name}` is a number from {least} to {most}"))),
        }
    }
}

/// A problem with one parameter or field.
pub(crate) fn wrong(field: &str, code: &'static str, reason: String) -> Problem {
    let listed = Wrong { field: field.to_owned(), code: code.into(), reason: reason.clone(), ..Wrong::default() };
    Problem::new(Kind::InvalidRequest, reason).with_errors(vec![listed], 1)
}

fn unknown(name: &str, known: &[&str]) -> Problem {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    let list = known.join(", ");
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => "; this path takes none".to_owned(),
        None => format!("; known are {list}"),
    };
    wrong(&shown, "unknown-parameter", format!("there is no parameter `{shown}`{hint}"))
}

fn bad_encoding() -> String {
    "the query string is not percent-encoded UTF-8".to_owned()
}

/// Decodes `application/x-www-form-urlencoded`; `None` for a broken escape or what is no UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use indelible_event::percent::encode;

    use super::*;

    fn refused(query: &str) -> String {
        Parameters::read(Some(query), &["q", "limit", "order"]).unwrap_err().detail().to_owned()
    }

    #[test]
    fn parameters_are_decoded() {
        let read = Parameters::read(Some("q=actor%3Aana+%22a%20b%22&limit=5&"), &["q", "limit"]).unwrap();
        assert_eq!(read.get("q"), Some("actor:ana \"a b\""));
        assert_eq!(read.number("limit", 1, 10).unwrap(), Some(5));
        assert_eq!(read.get("cursor"), None);
    }

    #[test]
    fn what_is_encoded_is_decoded_to_the_same() {
        for text in ["", "a b&c=d", "actor:\"ana\" +x%", "größer ⊕", "../?#[]@"] {
            assert_eq!(decode(&encode(text)).as_deref(), Some(text));
            assert!(encode(text).bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        }
    }

    #[test]
    fn what_is_unknown_repeated_or_broken_is_refused() {
        assert_eq!(refused("limt=5"), "there is no parameter `limt`; did you mean `limit`?");
        assert_eq!(refused("colour=5"), "there is no parameter `colour`; known are q, limit, order");
        assert_eq!(refused("q=a&q=b"), "the parameter `q` is given twice");
        assert_eq!(refused("q=%zz"), "the query string is not percent-encoded UTF-8");
        assert_eq!(refused("q=%ff"), "the query string is not percent-encoded UTF-8");
        let limit = Parameters::read(Some("limit=0"), &["limit"]).unwrap().number("limit", 1, 10);
        assert_eq!(limit.unwrap_err().detail(), "the parameter `limit` is a number from 1 to 10");
    }
}
