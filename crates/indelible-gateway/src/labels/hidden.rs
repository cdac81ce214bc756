//! Text that a person does not see and a model reads: tag characters, long runs of signs without width, variants of signs by the
//! row, letters against the direction of writing.
//!
//! Promises: flags, emoji that are joined, and languages that need joiners are not taken for it. One step a character, in any
//! pieces.

use super::{Found, Kind};

/// So many tag characters in a row are text. The flags that use them have at most six, and a sign at their end.
const TAGS_LEAST: u8 = 8;
/// So many signs without width in a row are none that a language or an emoji needs.
const NO_WIDTH_LEAST: u8 = 8;
/// So many variants of signs in a row: a sign has one.
const VARIANTS_LEAST: u8 = 4;

/// Runs of what is not seen, as far as they were read.
#[derive(Default)]
pub(super) struct Hidden {
    partial: [u8; 4],
    have: u8,
    tags: u8,
    no_width: u8,
    variants: u8,
    /// A sign that turns the direction of writing stood before.
    turned: bool,
}

impl Hidden {
    /// Whether plain ASCII would show nothing and change nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.have | self.tags | self.no_width | self.variants == 0 && !self.turned
    }

    /// The next byte.
    pub(super) fn byte(&mut self, byte: u8, found: &mut Found) {
        if byte.is_ascii() {
            if self.turned && byte.is_ascii_alphabetic() {
                found.add(Kind::HIDDEN_TEXT);
            }
            if !self.is_idle() {
                *self = Self::default();
            }
            return;
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
            self.sign(sign, found);
        }
    }

    fn sign(&mut self, sign: char, found: &mut Found) {
        let grow = |run: &mut u8, is: bool| *run = if is { run.saturating_add(1) } else { 0 };
        grow(&mut self.tags, matches!(sign, '\u{e0020}'..='\u{e007e}'));
        grow(&mut self.variants, matches!(sign, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'));
        grow(
            &mut self.no_width,
            matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{180e}' | '\u{34f}'),
        );
        if self.tags >= TAGS_LEAST || self.no_width >= NO_WIDTH_LEAST || self.variants >= VARIANTS_LEAST {
            found.add(Kind::HIDDEN_TEXT);
        }
        // U+202D and U+202E say that what follows is written as if its letters had another direction
        self.turned = matches!(sign, '\u{202d}' | '\u{202e}');
    }
}
