//! Words of letters and digits: bank account numbers, and the national numbers that have letters.
//!
//! Never: looks at a word inside a longer one; the caller cuts at what is neither a letter, a digit nor `_`.

use super::pass::View;
use super::{Found, Kind, iban, national};

/// Judges the word between two places; answers with where what was found ends, or the word.
pub(super) fn judge(view: &View<'_>, start: usize, end: usize, found: &mut Found) -> usize {
    let joined =
        |byte: Option<u8>| byte.is_some_and(|byte| matches!(byte, b'-' | b'/' | b'+' | b'=' | b'_' | b'#' | b'%'));
    let word = view.slice(start, end);
    if joined(view.before(start)) && view.before(start) != Some(b'=') {
        return end;
    }
    if let [first, second, b'0'..=b'9', b'0'..=b'9', ..] = word
        && first.is_ascii_alphabetic()
        && second.is_ascii_alphabetic()
    {
        let written = view.slice(start, start + iban::WRITTEN_MOST + 1);
        let length = if view.unsettled(start, start + written.len()) { None } else { iban::begins(written) };
        if let Some(length) = length {
            found.add(Kind::IBAN);
            return start + length;
        }
    }
    let ends = !view.unsettled(start, end) && !joined(view.at(end));
    if ends && !found.has(Kind::NATIONAL) && national::with_letters(word) {
        found.add(Kind::NATIONAL);
    }
    end
}
