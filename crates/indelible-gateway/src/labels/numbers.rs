//! Runs of digits, cut into the spans that could be one number: cards, telephone numbers, national numbers.
//!
//! Promises: a span ends where a space or another sign ends it, never inside `a-1-b`; groups and digits are counted and bounded.
//! Never: judges; that is for the rooms beside it.

use super::pass::View;
use super::{Found, Kind, card, mixed, national, phone};

/// More groups than this are a table of numbers.
const GROUPS_MOST: usize = 12;
/// More digits than this in one group are no one's number.
const GROUP_MOST: usize = 24;
/// More digits than this in one span are no one's number.
const DIGITS_MOST: usize = 19;
/// What of the text before a span may name it.
const CONTEXT: usize = 40;

/// One group of digits and what separates it from the one before.
#[derive(Clone, Copy, Default)]
struct Group {
    start: usize,
    end: usize,
    separator: u8,
}

/// Digits that could be one number.
pub(super) struct Span<'a> {
    /// The digits' values, 0 to 9.
    pub(super) digits: &'a [u8],
    /// How many digits each group has.
    pub(super) shape: &'a [u8],
    /// What stands between the groups; one less than groups. `)` stands for any sign that closes a bracket.
    pub(super) separators: &'a [u8],
    /// Whether a plus sign stands before.
    pub(super) plus: bool,
    /// Whether a bracket stands before the first group.
    pub(super) bracket: bool,
    /// Whether no other group stands beside it.
    pub(super) alone: bool,
    /// The text before, at most 40 bytes.
    pub(super) before: &'a [u8],
    /// The text after, at most 4 bytes.
    pub(super) after: &'a [u8],
}

impl Span<'_> {
    /// Whether all separators are the same one.
    pub(super) fn uniform(&self) -> bool {
        self.separators.windows(2).all(|pair| pair.first() == pair.last())
    }

    /// The digits from one place to another as one number.
    pub(super) fn number(&self, from: usize, to: usize) -> u64 {
        self.digits.get(from..to).unwrap_or_default().iter().fold(0, |sum, digit| sum * 10 + u64::from(*digit))
    }

    /// Whether the text before ends in one of these names, at most followed by signs and by words like "number" and "is".
    pub(super) fn named(&self, names: &[&str]) -> bool {
        let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80;
        let mut text = self.before;
        for _ in 0..=FILL_MOST {
            let Some(end) = text.iter().rposition(letter) else { return false };
            let (written, signs) = text.split_at(end + 1);
            if signs.iter().any(u8::is_ascii_digit) {
                return false;
            }
            if names.iter().any(|name| ends_in(written, name)) {
                return true;
            }
            let begin = written.iter().rposition(|byte| !letter(byte)).map_or(0, |sign| sign + 1);
            let (rest, word) = written.split_at(begin);
            if !FILL.iter().any(|fill| word.eq_ignore_ascii_case(fill.as_bytes())) {
                return false;
            }
            text = rest;
        }
        false
    }
}

/// Words that may stand between a name and its number, and how many of them.
const FILL: &[&str] = &[
    "number", "numbers", "no", "nr", "num", "is", "at", "on", "me", "us", "my", "the", "value", "code", "id", "of",
    "ist", "est", "es", "to", "text", "string", "new", "his", "her", "under", "security",
];
const FILL_MOST: usize = 4;

/// Whether a text ends in a name that begins where a word begins, upper or lower case.
fn ends_in(text: &[u8], name: &str) -> bool {
    let Some(at) = text.len().checked_sub(name.len()) else { return false };
    let (before, end) = text.split_at(at);
    end.eq_ignore_ascii_case(name.as_bytes()) && !before.last().is_some_and(u8::is_ascii_alphabetic)
}

/// Looks at the run of digits that begins at a place; answers with where the next look may begin.
pub(super) fn find(view: &View<'_>, at: usize, found: &mut Found) -> usize {
    let alnum = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let word_start = view.stretch_back(at, GROUP_MOST * 2, alnum);
    let word_end = view.stretch(at, GROUP_MOST * 2, alnum);
    if word_start < at || view.slice(at, word_end).iter().any(|byte| !byte.is_ascii_digit()) {
        let end = if word_start >= view.from { mixed::judge(view, word_start, word_end, found) } else { word_end };
        return end.max(at + 1);
    }
    let mut groups = [Group::default(); GROUPS_MOST];
    let count = gather(view, at, &mut groups);
    let groups = groups.get(..count).unwrap_or_default();
    let Some(end) = groups.last().map(|group| group.end) else { return word_end.max(at + 1) };
    if at >= view.from && !view.unsettled(at, end) {
        spans(view, groups, found);
    }
    end
}

/// The groups from a place on; the last one ends before a word that also has letters.
fn gather(view: &View<'_>, at: usize, groups: &mut [Group; GROUPS_MOST]) -> usize {
    let digit = |byte: u8| byte.is_ascii_digit();
    let (mut start, mut separator, mut count) = (at, b' ', 0);
    for place in groups.iter_mut() {
        let end = view.stretch(start, GROUP_MOST + 1, digit);
        if view.at(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            break;
        }
        *place = Group { start, end, separator };
        count += 1;
        let Some((next, sign)) = separated(view, end) else { break };
        (start, separator) = (next, sign);
    }
    count
}

/// Where the next group begins, and by what it is separated.
fn separated(view: &View<'_>, end: usize) -> Option<(usize, u8)> {
    let signs = view.slice(end, end + 3);
    let length = signs.iter().position(u8::is_ascii_digit)?;
    let sign = match signs.get(..length)? {
        [sign @ (b' ' | b'-' | b'.' | b'/')] => *sign,
        b"\xc2\xa0" => b' ',
        b") " | b")" | b")-" | b" (" | b"(" => b')',
        _ => return None,
    };
    Some((end + length, sign))
}

/// Judges each span that a space, a bracket or nothing borders, longest first.
fn spans(view: &View<'_>, groups: &[Group], found: &mut Found) {
    let glued = |sign: u8| matches!(sign, b'-' | b'.' | b'/');
    let mut first = 0;
    while let Some(head) = groups.get(first) {
        let begins = (first == 0 && starts_free(view, head.start)) || (first > 0 && !glued(head.separator));
        let last = begins.then(|| {
            (first..groups.len()).rev().find(|last| {
                let ends = match groups.get(last + 1) {
                    Some(next) => !glued(next.separator),
                    None => ends_free(view, groups.last().map_or(0, |group| group.end)),
                };
                ends && groups.get(first..=*last).is_some_and(|span| judge(view, span, groups, found))
            })
        });
        first = last.flatten().unwrap_or(first) + 1;
    }
}

/// Whether nothing before a place makes it part of a longer word (`ORD-1234`, `/orders/1234`, `#1234`).
fn starts_free(view: &View<'_>, at: usize) -> bool {
    match view.before(at) {
        Some(b'-' | b'.' | b'/' | b'+' | b'=') => {
            let sign = view.before(at);
            let earlier = view.before(at.saturating_sub(1));
            sign == Some(b'=') || !earlier.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }
        Some(b'#' | b'$' | b'_') => false,
        _ => true,
    }
}

/// Whether nothing after a place makes it part of a longer word.
fn ends_free(view: &View<'_>, end: usize) -> bool {
    match view.at(end) {
        Some(b'-' | b'/' | b'_' | b'=') => !view.at(end + 1).is_some_and(|byte| byte.is_ascii_alphanumeric()),
        Some(b'%') => false,
        _ => true,
    }
}

/// Whether groups that stand together are a number that a label is for.
fn judge(view: &View<'_>, span: &[Group], all: &[Group], found: &mut Found) -> bool {
    let (mut digits, mut shape, mut separators) = ([0; DIGITS_MOST], [0; GROUPS_MOST], [0; GROUPS_MOST]);
    let mut count = 0;
    for (at, group) in span.iter().enumerate() {
        for byte in view.slice(group.start, group.end) {
            let Some(place) = digits.get_mut(count) else { return false };
            *place = byte.wrapping_sub(b'0');
            count += 1;
        }
        let (Some(shape), Some(sign)) = (shape.get_mut(at), separators.get_mut(at)) else { return false };
        *shape = u8::try_from(group.end - group.start).unwrap_or(u8::MAX);
        *sign = group.separator;
    }
    let (Some(first), Some(last)) = (span.first(), span.last()) else { return false };
    let spaces = span.iter().skip(1).any(|group| group.separator == b' ');
    let mut start = first.start;
    let bracket = view.before(start) == Some(b'(') || (first.separator == b')' && span.len() < all.len());
    start -= usize::from(view.before(start) == Some(b'('));
    let plus = view.before(start) == Some(b'+');
    start -= usize::from(plus);
    let judged = Span {
        digits: digits.get(..count).unwrap_or_default(),
        shape: shape.get(..span.len()).unwrap_or_default(),
        separators: separators.get(1..span.len()).unwrap_or_default(),
        plus,
        bracket,
        alone: !spaces || span.len() == all.len(),
        before: view.slice(start.saturating_sub(CONTEXT), start),
        after: view.slice(last.end, last.end + 4),
    };
    let kind = if card::is(&judged) {
        Kind::CARD
    } else if national::is(&judged) {
        Kind::NATIONAL
    } else if phone::is(&judged) {
        Kind::PHONE
    } else {
        return false;
    };
    found.add(kind);
    true
}
