//! Strings: most have no escapes and are left where they stand; the others are unescaped into the tape.

use super::{Reader, Stop, pair};
use crate::json::text::plain_run;
use crate::json::{JsonErrorKind, Kind};

impl Reader<'_, '_> {
    pub(super) fn string(&mut self) -> Result<(), Stop> {
        let open = self.at;
        let end = plain_run(self.bytes, open + 1);
        match self.bytes.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                self.push(Kind::Given, open, 0);
                Ok(())
            }
            Some(b'\\') => self.string_with_escapes(open, end),
            Some(_) => Err(Stop { kind: JsonErrorKind::ControlCharacter, at: end }),
            None => Err(self.end()),
        }
    }

    fn string_with_escapes(&mut self, open: usize, first_escape: usize) -> Result<(), Stop> {
        let start = self.tape.unescaped.len();
        let mut run = open + 1;
        let mut end = first_escape;
        loop {
            self.keep(run, end);
            match self.bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at = end;
                    let character = self.escape()?;
                    self.tape.unescaped.push(character);
                    run = self.at;
                }
                Some(_) => return Err(Stop { kind: JsonErrorKind::ControlCharacter, at: end }),
                None => return Err(self.end()),
            }
            end = plain_run(self.bytes, run);
        }
        self.at = end + 1;
        let length = self.tape.unescaped.len() - start;
        self.push(Kind::Unescaped, open, pair(start, length));
        Ok(())
    }

    /// Copies a run without escapes. Its ends are next to ASCII bytes, so it is whole characters.
    fn keep(&mut self, start: usize, end: usize) {
        if let Some(run) = self.bytes.get(start..end).and_then(|run| std::str::from_utf8(run).ok()) {
            self.tape.unescaped.push_str(run);
        }
    }

    /// Reads one escape, from its backslash on.
    fn escape(&mut self) -> Result<char, Stop> {
        let start = self.at;
        self.at += 1;
        let Some(letter) = self.peek() else { return Err(self.end()) };
        self.at += 1;
        let character = match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(start),
            _ => return Err(Stop { kind: JsonErrorKind::BadEscape, at: start }),
        };
        Ok(character)
    }

    fn unicode_escape(&mut self, start: usize) -> Result<char, Stop> {
        let lone = Stop { kind: JsonErrorKind::LoneSurrogate, at: start };
        let first = self.four_digits(start)?;
        if !(0xd800..=0xdfff).contains(&first) {
            return char::from_u32(first).ok_or(lone);
        }
        if first >= 0xdc00 || self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
            return Err(lone);
        }
        self.at += 2;
        let second = self.four_digits(start)?;
        if !(0xdc00..=0xdfff).contains(&second) {
            return Err(lone);
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(lone)
    }

    fn four_digits(&mut self, start: usize) -> Result<u32, Stop> {
        let mut value = 0;
        for _ in 0..4 {
            let Some(byte) = self.peek() else { return Err(self.end()) };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(Stop { kind: JsonErrorKind::BadEscape, at: start });
            };
            value = value * 16 + digit;
            self.at += 1;
        }
        Ok(value)
    }
}
