//! Instructions for a model in an encoding: long runs of base64 (RFC 4648, both alphabets, lines of any length) and hexadecimal
//! digits are decoded and read along, and so is ROT13.
//!
//! Promises: one step a byte, in any pieces; memory is one short run and the readers. Never: decodes what was decoded.

use super::phrases::{self, Dictionary, Reader};
use super::{Found, Kind};

/// A shorter run holds no pattern: the shortest has a dozen letters.
const RUN_LEAST: usize = 16;
/// Of a longer run only so much is decoded: an image holds no instructions, and costs work.
const RUN_MOST: usize = 256 * 1024;
/// A run goes on in the next line when its lines are at least so long.
const LINE_LEAST: usize = 40;

/// What is encoded in one text.
pub(super) struct Encoded {
    rot: Reader,
    /// The beginning of the run under way, until it is long enough.
    begun: [u8; RUN_LEAST],
    /// How long the run is.
    length: usize,
    /// How long its line is.
    line: usize,
    /// Whether a line has just ended within the run.
    between: bool,
    open: Option<Box<Open>>,
}

/// The run that is being decoded.
#[derive(Default)]
struct Open {
    base64: Reader,
    group: u32,
    signs: u8,
    hex: Reader,
    digit: Option<u8>,
    no_hex: bool,
    found: Found,
}

impl Default for Encoded {
    fn default() -> Self {
        let begun = [0; RUN_LEAST];
        Self { rot: Reader::default(), begun, length: 0, line: 0, between: false, open: None }
    }
}

impl Encoded {
    /// The next byte.
    pub(super) fn byte(&mut self, byte: u8, words: &Dictionary, found: &mut Found) {
        if found.has(Kind::ENCODED) {
            return;
        }
        let mut turned = Found::default();
        self.rot.byte(rot13(byte), words, &mut turned);
        if phrases::any(turned) {
            return found.add(Kind::ENCODED);
        }
        match sextet(byte) {
            Some(value) => self.sign(byte, value, words),
            None if matches!(byte, b'\n' | b'\r') && (self.between || self.line >= LINE_LEAST) => {
                (self.line, self.between) = (0, true);
            }
            None => self.end_of_run(words, found),
        }
    }

    /// The text ends here.
    pub(super) fn end(&mut self, words: &Dictionary, found: &mut Found) {
        let mut turned = Found::default();
        self.rot.end(words, &mut turned);
        if phrases::any(turned) {
            found.add(Kind::ENCODED);
        }
        self.end_of_run(words, found);
    }

    fn sign(&mut self, byte: u8, value: u8, words: &Dictionary) {
        self.between = false;
        self.line += 1;
        if let Some(slot) = self.begun.get_mut(self.length) {
            *slot = byte;
        }
        self.length += 1;
        if self.length == RUN_LEAST {
            let open = self.open.get_or_insert_default();
            for byte in self.begun {
                open.sign(byte, sextet(byte).unwrap_or(0), words);
            }
        } else if self.length > RUN_LEAST
            && self.length <= RUN_MOST
            && let Some(open) = &mut self.open
        {
            open.sign(byte, value, words);
        }
    }

    fn end_of_run(&mut self, words: &Dictionary, found: &mut Found) {
        (self.length, self.line, self.between) = (0, 0, false);
        let Some(mut open) = self.open.take() else { return };
        open.rest(words);
        if phrases::any(open.found) {
            found.add(Kind::ENCODED);
        }
    }
}

impl Open {
    fn sign(&mut self, byte: u8, value: u8, words: &Dictionary) {
        self.group = self.group << 6 | u32::from(value);
        self.signs += 1;
        if self.signs == 4 {
            let [_, one, two, three] = self.group.to_be_bytes();
            for byte in [one, two, three] {
                self.base64.byte(byte, words, &mut self.found);
            }
            (self.group, self.signs) = (0, 0);
        }
        let digit = char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (self.no_hex, digit, self.digit) {
            (true, ..) => {}
            (false, None, _) => self.no_hex = true,
            (false, Some(digit), None) => self.digit = Some(digit),
            (false, Some(digit), Some(high)) => {
                self.digit = None;
                self.hex.byte(high << 4 | digit, words, &mut self.found);
            }
        }
    }

    /// The end of the run: the last group of base64 may be short.
    fn rest(&mut self, words: &Dictionary) {
        let missing = 4_u8.saturating_sub(self.signs);
        let whole = self.signs.saturating_sub(1);
        let [_, bytes @ ..] = (self.group << (6 * u32::from(missing % 4))).to_be_bytes();
        for byte in bytes.into_iter().take(usize::from(whole)) {
            self.base64.byte(byte, words, &mut self.found);
        }
        self.base64.end(words, &mut self.found);
        if !self.no_hex {
            self.hex.end(words, &mut self.found);
        }
    }
}

/// The value of a sign of base64, of either alphabet.
fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

fn rot13(byte: u8) -> u8 {
    match byte {
        b'a'..=b'm' | b'A'..=b'M' => byte + 13,
        b'n'..=b'z' | b'N'..=b'Z' => byte - 13,
        _ if byte.is_ascii() => byte,
        // ROT13 is of the plain alphabet alone
        _ => b',',
    }
}
