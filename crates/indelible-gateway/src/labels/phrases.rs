//! Reads words, and finds instructions for a model among them: classes of words in order, with few others between.
//!
//! Promises: each byte is looked at once, in any pieces; memory is a few hundred bytes, whatever is read. Work for a word is
//! bounded by the patterns that its class stands in. Never: fails; what is no text reads as breaks between words.

use super::fold::{self, Folded};
use super::words::{Classes, NOT, PATTERNS, STEPS_MAX, TURNED_BY_NOT, WORDS};
use super::{Found, Kind};

/// The longest word of the list is shorter; a longer one is none of it.
const WORD_MAX: u8 = 24;
/// Slots of the table of words: a power of two, at least twice as many as words.
const SLOTS: usize = 2_048;
/// So many words the end of a sentence counts.
const SENTENCE: u32 = 3;
/// The number of the first word: 0 is no word, and 1 is not the word before it.
const FIRST: u32 = 2;
/// Classes of words are bits of a number.
const CLASSES: usize = Classes::BITS as usize;

const _: () = assert!(PATTERNS.len() <= 64, "a set of patterns is 64 bits");

/// The words and patterns, made ready.
pub(super) struct Dictionary {
    /// Hash of a word and its classes; 0 is an empty slot.
    slots: Vec<(u64, Classes)>,
    /// For each class the patterns that name it, one bit each.
    patterns: [u64; CLASSES],
}

impl Dictionary {
    pub(super) fn new() -> Self {
        let mut slots = vec![(0_u64, 0); SLOTS];
        for (class, words) in WORDS {
            for word in words.split(' ') {
                let hash = word.bytes().fold(BEGIN, hashed);
                let mut at = slot(hash);
                while slots.get(at).is_some_and(|(known, _)| *known != 0 && *known != hash) {
                    at = (at + 1) % SLOTS;
                }
                if let Some(slot) = slots.get_mut(at) {
                    *slot = (hash, slot.1 | class);
                }
            }
        }
        let mut patterns = [0; CLASSES];
        for (class, patterns) in patterns.iter_mut().enumerate() {
            for (number, pattern) in PATTERNS.iter().enumerate() {
                if pattern.steps.iter().any(|(_, classes)| classes & (1 << class) != 0) {
                    *patterns |= 1 << number;
                }
            }
        }
        Self { slots, patterns }
    }

    fn classes(&self, hash: u64) -> Classes {
        let mut at = slot(hash);
        loop {
            match self.slots.get(at) {
                Some((known, classes)) if *known == hash => return *classes,
                Some((0, _)) | None => return 0,
                Some(_) => at = (at + 1) % SLOTS,
            }
        }
    }
}

/// FNV-1a; two words with one hash would only be read as each other.
const BEGIN: u64 = 0xcbf2_9ce4_8422_2325;

fn hashed(hash: u64, letter: u8) -> u64 {
    (hash ^ u64::from(letter)).wrapping_mul(0x0100_0000_01b3)
}

fn slot(hash: u64) -> usize {
    usize::try_from((hash ^ hash >> 29) & 0x7ff).unwrap_or(0)
}

/// Words of one text, as far as they were read.
#[derive(Clone)]
pub(super) struct Reader {
    /// The bytes of a character outside ASCII that is not whole yet.
    partial: [u8; 4],
    have: u8,
    /// The word under way.
    hash: u64,
    length: u8,
    /// Whether what was read last may end a sentence.
    stopped: bool,
    progress: Progress,
}

/// How far each pattern was followed.
#[derive(Clone)]
struct Progress {
    /// How many words were read.
    position: u32,
    /// Where a word that turns the next one into its opposite stood.
    negated_at: u32,
    /// For each pattern and step where it was reached last; 0 is never.
    reached: [[u32; STEPS_MAX]; PATTERNS.len()],
}

impl Default for Reader {
    fn default() -> Self {
        let progress = Progress { position: FIRST, negated_at: 0, reached: [[0; STEPS_MAX]; PATTERNS.len()] };
        Self { partial: [0; 4], have: 0, hash: BEGIN, length: 0, stopped: false, progress }
    }
}

impl Reader {
    /// The next byte.
    pub(super) fn byte(&mut self, byte: u8, words: &Dictionary, found: &mut Found) {
        if byte.is_ascii() {
            self.have = 0;
            return self.folded(fold::ascii(byte), byte.is_ascii_whitespace(), words, found);
        }
        if byte & 0xc0 != 0x80 {
            self.have = 0;
        }
        let Some(slot) = self.partial.get_mut(usize::from(self.have)) else { return };
        *slot = byte;
        self.have += 1;
        let text = self.partial.get(..usize::from(self.have)).unwrap_or_default();
        if let Ok(text) = std::str::from_utf8(text)
            && let Some(sign) = text.chars().next()
        {
            self.have = 0;
            self.folded(fold::wide(sign), sign.is_whitespace(), words, found);
        }
    }

    /// The text ends here.
    pub(super) fn end(&mut self, words: &Dictionary, found: &mut Found) {
        self.word(words, found);
    }

    fn folded(&mut self, folded: Folded, space: bool, words: &Dictionary, found: &mut Found) {
        match folded {
            Folded::Letter(letter) => self.letter(letter),
            Folded::Two(one, two) => {
                self.letter(one);
                self.letter(two);
            }
            Folded::Nothing => {}
            Folded::Stop | Folded::Break => {
                self.word(words, found);
                if space && self.stopped {
                    self.progress.position = self.progress.position.saturating_add(SENTENCE);
                }
                self.stopped = folded == Folded::Stop;
            }
        }
    }

    fn letter(&mut self, letter: u8) {
        self.hash = hashed(self.hash, letter);
        self.length = self.length.saturating_add(1);
        self.stopped = false;
    }

    fn word(&mut self, words: &Dictionary, found: &mut Found) {
        if self.length == 0 {
            return;
        }
        let classes = if self.length > WORD_MAX { 0 } else { words.classes(self.hash) };
        (self.hash, self.length) = (BEGIN, 0);
        self.progress.follow(classes, words, found);
    }
}

impl Progress {
    fn follow(&mut self, classes: Classes, words: &Dictionary, found: &mut Found) {
        let here = self.position;
        self.position = here.saturating_add(1);
        if classes == 0 {
            return;
        }
        let turned = self.negated_at.saturating_add(1) == here;
        let classes = if turned { classes & !TURNED_BY_NOT } else { classes };
        if classes & NOT != 0 {
            self.negated_at = here;
        }
        let mut concerned = 0;
        let mut rest = classes;
        while rest != 0 {
            concerned |= words.patterns.get(rest.trailing_zeros() as usize).copied().unwrap_or(0);
            rest &= rest - 1;
        }
        while concerned != 0 {
            let number = concerned.trailing_zeros() as usize;
            concerned &= concerned - 1;
            if let (Some(pattern), Some(reached)) = (PATTERNS.get(number), self.reached.get_mut(number))
                && step(pattern.steps, reached, classes, here)
            {
                found.add(pattern.kind);
            }
        }
    }
}

/// Goes on in one pattern, the last step first: one word is one step. Answers whether it is whole.
fn step(steps: &[(u32, Classes)], reached: &mut [u32; STEPS_MAX], classes: Classes, here: u32) -> bool {
    for (at, (between, wanted)) in steps.iter().enumerate().rev() {
        if wanted & classes == 0 {
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| reached.get(before).copied());
        let follows = match before {
            None => true,
            Some(0) => false,
            Some(before) => here.saturating_sub(before).saturating_sub(1) <= *between,
        };
        if !follows {
            continue;
        }
        if at + 1 == steps.len() {
            return true;
        }
        if let Some(reached) = reached.get_mut(at) {
            *reached = here;
        }
    }
    false
}

/// Whether any of the kinds that words show is there.
pub(super) fn any(found: Found) -> bool {
    [Kind::INSTRUCTION_OVERRIDE, Kind::ROLE_PLAY, Kind::EXFILTRATION].into_iter().any(|kind| found.has(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_and_fits_the_longest() {
        let words = Dictionary::new();
        let mut number = 0;
        for (class, list) in WORDS {
            for word in list.split(' ') {
                assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()) && !word.is_empty(), "{list}");
                assert!(word.len() <= usize::from(WORD_MAX), "{word}");
                assert!(words.classes(word.bytes().fold(BEGIN, hashed)) & class != 0, "{word}");
                number += 1;
            }
        }
        assert!(number * 2 <= SLOTS, "{number} words: a larger table is needed");
        assert_eq!(words.classes("table".bytes().fold(BEGIN, hashed)), 0);
        assert!(PATTERNS.iter().all(|pattern| (2..=STEPS_MAX).contains(&pattern.steps.len())));
    }
}
