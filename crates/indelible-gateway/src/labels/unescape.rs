//! Undoes JSON escapes on the way in, so that `\u0040` is seen as `@` and the letter of `\n` is not taken for part of a word.
//!
//! Promises: at most six bytes of state between chunks; any number of backslashes counts as one escape, which covers JSON inside
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

    /// One byte inside an escape; `false` when the byte ends a broken one and is to be read again.
    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        match self.state {
            State::Plain => return false,
            State::Backslash => match byte {
                b'\\' => return true,
                b'n' | b'r' | b'b' | b'f' => out.push(b'\n'),
                b't' => out.push(b'\t'),
                b'u' => {
                    self.state = State::Unicode { seen: 0, value: 0 };
                    return true;
                }
                b'"' | b'/' | b'\'' => out.push(byte),
                other => out.extend_from_slice(&[b'\\', other]),
            },
            State::Unicode { seen, value } => {
                let Some(digit) = char::from(byte).to_digit(16) else {
                    self.state = State::Plain;
                    out.push(b'?');
                    return false;
                };
                let value = value << 4 | digit;
                if seen < 3 {
                    self.state = State::Unicode { seen: seen + 1, value };
                    return true;
                }
                let decoded = char::from_u32(value).unwrap_or('?');
                out.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        self.state = State::Plain;
        true
    }
}
