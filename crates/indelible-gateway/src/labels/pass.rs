//! The one pass: each byte is looked at for three things – a digit, an `@`, and the first three bytes of a known beginning.
//!
//! Promises: no allocation a byte, no backtracking; what follows a hit is looked at for a bounded length only, so that hostile text
//! costs a bounded factor. A table of 4,096 bits stands in for an automaton: it cannot fail to build and stays in the nearest cache.

use super::prefixed::{self, PREFIXES, Prefix};
use super::window::LONGEST;
use super::{Found, Kind, email, jwt, key_block, numbers, url};

/// What a finder sees: a window of the text.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// The window's bytes.
    pub(super) text: &'a [u8],
    /// Matches that begin before this were judged with the window before.
    pub(super) from: usize,
    /// Whether the text ends where the window ends.
    pub(super) last: bool,
}

impl<'a> View<'a> {
    /// The byte at a place.
    pub(super) fn at(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// The byte before a place.
    pub(super) fn before(&self, at: usize) -> Option<u8> {
        self.at(at.checked_sub(1)?)
    }

    /// The bytes between two places, as far as there are any.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        let to = to.min(self.text.len());
        self.text.get(from.min(to)..to).unwrap_or_default()
    }

    /// Whether what ends at `end` may go on in the next window, which then judges it.
    pub(super) fn unsettled(&self, start: usize, end: usize) -> bool {
        !self.last && end >= self.text.len() && end.saturating_sub(start) < LONGEST
    }

    /// The end of the stretch of bytes that `fits`, from `start`, looking at `most` bytes.
    pub(super) fn stretch(&self, start: usize, most: usize, fits: impl Fn(u8) -> bool) -> usize {
        let seen = self.slice(start, start.saturating_add(most));
        start + seen.iter().position(|byte| !fits(*byte)).unwrap_or(seen.len())
    }

    /// The beginning of the stretch of bytes that `fits` and ends at `end`, looking back `most` bytes.
    pub(super) fn stretch_back(&self, end: usize, most: usize, fits: impl Fn(u8) -> bool) -> usize {
        let seen = self.slice(end.saturating_sub(most), end);
        end - seen.iter().rev().position(|byte| !fits(*byte)).unwrap_or(seen.len())
    }
}

/// Looks at a place where a known beginning stands; found is a kind, or nothing.
type Find = fn(&View<'_>, usize) -> Option<Kind>;

/// What to do where a known beginning stands.
#[derive(Clone, Copy)]
enum Finder {
    Prefix(&'static Prefix),
    Shape(Find),
}

/// Known beginnings of values that are more than a prefix and a tail.
const SHAPES: &[(&str, Find)] = &[
    ("eyJ", jwt::find),
    ("-----BEGIN ", key_block::armored),
    ("PuTTY-User-Key-File-", key_block::putty),
    ("://", url::with_password),
    ("assword=", url::pair),
    ("PASSWORD=", url::pair),
    ("Pwd=", url::pair),
    ("PWD=", url::pair),
    ("pwd=", url::pair),
    ("aws_secret", prefixed::aws_secret),
    ("AWS_SECRET", prefixed::aws_secret),
    ("ecretAccessKey", prefixed::aws_secret),
    ("hooks.slack.com/services/T", prefixed::slack_hook),
    (":AA", prefixed::telegram),
];

/// The rules, and the table that says where to look at them.
pub(super) struct Pass {
    /// One bit for each hash of three bytes with which something begins.
    begins: [u64; 64],
    /// What begins so, sorted by the three bytes.
    rules: Vec<([u8; 3], &'static [u8], Finder)>,
}

impl Pass {
    pub(super) fn new() -> Self {
        let mut rules: Vec<([u8; 3], &'static [u8], Finder)> = Vec::new();
        for prefix in PREFIXES {
            rules.extend(head(prefix.literal).map(|head| (head, prefix.literal, Finder::Prefix(prefix))));
        }
        for (literal, find) in SHAPES {
            let literal = literal.as_bytes();
            rules.extend(head(literal).map(|head| (head, literal, Finder::Shape(*find))));
        }
        for digit in b"0123456789abcdef" {
            rules.push(([b'S', b'K', *digit], b"SK", Finder::Shape(prefixed::twilio)));
            if digit.is_ascii_digit() {
                rules.push(([*digit, b'Q', b'~'], b"", Finder::Shape(prefixed::azure_client)));
            }
        }
        rules.sort_by_key(|(head, ..)| *head);
        let mut begins = [0_u64; 64];
        for (head, ..) in &rules {
            let (word, bit) = place(u32::from_be_bytes([0, head[0], head[1], head[2]]));
            if let Some(word) = begins.get_mut(word) {
                *word |= bit;
            }
        }
        Self { begins, rules }
    }

    /// Adds what a window shows.
    pub(super) fn run(&self, view: View<'_>, found: &mut Found) {
        let mut last_three = 0_u32;
        let mut digits_seen_to = 0;
        for (at, &byte) in view.text.iter().enumerate() {
            last_three = (last_three << 8 | u32::from(byte)) & 0x00ff_ffff;
            let (word, bit) = place(last_three);
            if self.begins.get(word).is_some_and(|word| word & bit != 0) && at >= 2 {
                self.known(&view, at - 2, last_three, found);
            }
            if byte == b'@' && !found.has(Kind::EMAIL) && email::find(&view, at) {
                found.add(Kind::EMAIL);
            }
            if byte.is_ascii_digit() && at >= digits_seen_to {
                digits_seen_to = numbers::find(&view, at, found);
            }
        }
    }

    /// The rules whose first three bytes stand at a place.
    fn known(&self, view: &View<'_>, at: usize, three: u32, found: &mut Found) {
        let [_, one, two, three] = three.to_be_bytes();
        let head = [one, two, three];
        let first = self.rules.partition_point(|(other, ..)| *other < head);
        for (_, literal, finder) in self.rules.iter().skip(first).take_while(|(other, ..)| *other == head) {
            if at < view.from || !view.slice(at, at + literal.len()).starts_with(literal) {
                continue;
            }
            let kind = match finder {
                Finder::Prefix(prefix) if found.has(prefix.kind) => None,
                Finder::Prefix(prefix) => prefix.find(view, at).then_some(prefix.kind),
                Finder::Shape(find) => find(view, at),
            };
            if let Some(kind) = kind {
                found.add(kind);
            }
        }
    }
}

fn head(literal: impl AsRef<[u8]>) -> Option<[u8; 3]> {
    literal.as_ref().first_chunk::<3>().copied()
}

/// Where the bit of three bytes stands: the upper twelve bits of a multiplicative hash.
fn place(three: u32) -> (usize, u64) {
    let hash = three.wrapping_mul(0x9e37_79b1) >> 20;
    ((hash >> 6) as usize, 1 << (hash & 63))
}
