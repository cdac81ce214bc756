//! Undoes JSON escapes on the way in, so that `\u0040` is seen as `@` and the letter of `\n` is not taken for part of a word.
//!
//! Promises: a character that JSON writes as two escapes (a surrogate pair) is one again; at most ten bytes of state between chunks; any number of backslashes counts as one escape, which covers JSON inside
//! JSON. Never: fails; what is not an escape passes as it came.

use memchr::memchr;

/// Where the last chunk ended.
#[derive(Clone, Copy, Default)]
enum State {
    /// Outside an escape.
    #[default]
    Plain,
    /// After one or more backslashes.
    Backslash,
    /// After `\u` and `seen` hexadecimal digits.
    Unicode { seen: u8, value: u32 },
}

/// The decoder between two chunks.
#[derive(Default)]
pub(super) struct Unescape {
    state: State,
    /// The first half of a surrogate pair, while its second half may follow.
    high: Option<u32>,
}

impl Unescape {
    /// Takes at most `room` bytes of `chunk` into `out`, which grows by no more than that; answers with how many were taken.
    pub(super) fn take(&mut self, chunk: &[u8], room: usize, out: &mut Vec<u8>) -> usize {
        let chunk = chunk.get(..room).unwrap_or(chunk);
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            if matches!(self.state, State::Plain) {
                let rest = chunk.get(at..).unwrap_or_default();
                let plain = memchr(b'\\', rest).unwrap_or(rest.len());
                if plain > 0 {
                    self.half(out);
                }
                out.extend_from_slice(rest.get(..plain).unwrap_or_default());
                at += plain;
                if plain < rest.len() {
                    self.state = State::Backslash;
                    at += 1;
                }
                continue;
            }
            if self.step(byte, out) {
                at += 1;
            }
        }
        chunk.len()
    }

    /// The half of a pair that stands alone is no character.
    fn half(&mut self, out: &mut Vec<u8>) {
        if self.high.take().is_some() {
            out.push(b'?');
        }
    }

    /// One byte inside an escape; `false` when the byte ends a broken one and is to be read again.
    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        match self.state {
            State::Plain => return false,
            State::Backslash => {
                if byte == b'\\' {
                    return true;
                }
                if byte == b'u' {
                    self.state = State::Unicode { seen: 0, value: 0 };
                    return true;
                }
                self.half(out);
                match byte {
                    b'n' | b'r' | b'b' | b'f' => out.push(b'\n'),
                    b't' => out.push(b'\t'),
                    b'"' | b'/' | b'\'' => out.push(byte),
                    other => out.extend_from_slice(&[b'\\', other]),
                }
            }
            State::Unicode { seen, value } => {
                let Some(digit) = char::from(byte).to_digit(16) else {
                    self.state = State::Plain;
                    self.half(out);
                    out.push(b'?');
                    return false;
                };
                let value = value << 4 | digit;
                if seen < 3 {
                    self.state = State::Unicode { seen: seen + 1, value };
                    return true;
                }
                let decoded = match (self.high.take(), value) {
                    (Some(high), 0xdc00..=0xdfff) => {
                        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (value - 0xdc00)).unwrap_or('?')
                    }
                    (before, 0xd800..=0xdbff) => {
                        if before.is_some() {
                            out.push(b'?');
                        }
                        self.high = Some(value);
                        self.state = State::Plain;
                        return true;
                    }
                    (before, _) => {
                        if before.is_some() {
                            out.push(b'?');
                        }
                        char::from_u32(value).unwrap_or('?')
                    }
                };
                out.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        self.state = State::Plain;
        true
    }
}
