//! A JSON document read as its bytes come, without keeping it: each value is told with its path, long texts in pieces.
//!
//! Promises: what is held is bounded (depth, path, the beginning of a text); bytes cut anywhere tell the same; whatever is no
//! JSON ends the reading with an error and never a panic. Never: a tree of values, numbers that are no integers.
//!
//! A path reads `choices[].delta.content`; the places of a list share one. A key that is long, or has one of the path's own signs
//! in it, stands as `?`, so that no key can pass for a path.

/// Deepest nesting: the bound that `serde_json` has too.
const DEPTH_MAX: usize = 128;
/// Longest key that is a part of a path; all that are looked for are shorter.
const KEY_BYTES_MAX: usize = 48;
/// Longest path; a deeper value is told without one.
const PATH_BYTES_MAX: usize = 192;
/// How much of a text is told at its end.
pub const TEXT_BYTES_MAX: usize = 256;
/// Longest number: what is longer is no integer of ours.
const NUMBER_BYTES_MAX: usize = 24;

/// What is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// The next bytes of a text, escapes resolved. A text may come in many pieces.
    Piece(&'a [u8]),
    /// A text is over; this is its beginning, whole characters of at most [`TEXT_BYTES_MAX`] bytes.
    Text(&'a str),
    /// A number, if it is an integer that is not negative.
    Number(Option<u64>),
    /// `true` or `false`.
    Boolean(bool),
    /// `null`.
    Null,
    /// An object or list begins.
    Open,
    /// An object or list ends.
    Close,
}

/// The bytes are no JSON, or nested too deeply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no JSON document")]
pub struct NoJson;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value is to come.
    Value,
    /// A value is to come, or the list ends.
    FirstItem,
    /// A key is to come, or the object ends.
    FirstKey,
    Key,
    Colon,
    /// A comma is to come, or the end of the container.
    After,
    Text,
    Number,
    /// In `true`, `false` or `null`, this many bytes read.
    Word(&'static [u8], usize),
    /// The document is over.
    Done,
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    Begun,
    /// In `\u`, this many digits read, with their value.
    Unicode(u8, u16),
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    object: bool,
    /// The path's length at this container.
    path: usize,
}

/// Reads one document.
#[derive(Debug)]
pub struct JsonScan {
    state: State,
    escape: Escape,
    /// A first half of a surrogate pair that waits for its second.
    high: Option<u16>,
    in_key: bool,
    frames: Vec<Frame>,
    path: String,
    /// Key, number, or the beginning of a text.
    held: Vec<u8>,
    /// How many bytes the text or key under way has.
    length: usize,
}

impl Default for JsonScan {
    fn default() -> Self {
        Self::new()
    }
}

impl JsonScan {
    /// A reader at the beginning of a document.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Value,
            escape: Escape::None,
            high: None,
            in_key: false,
            frames: Vec::new(),
            path: String::new(),
            held: Vec::new(),
            length: 0,
        }
    }

    /// Makes ready for another document, keeping what was allocated.
    pub fn restart(&mut self) {
        self.state = State::Value;
        self.escape = Escape::None;
        self.high = None;
        self.in_key = false;
        self.frames.clear();
        self.path.clear();
        self.held.clear();
    }

    /// Whether the document is over and was JSON. Call [`JsonScan::end`] first.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// No more bytes come: a number at the top ends here.
    ///
    /// # Errors
    /// [`NoJson`] when the document is not complete.
    pub fn end(&mut self, mut tell: impl FnMut(&str, Told<'_>)) -> Result<(), NoJson> {
        if self.state == State::Number && self.frames.is_empty() {
            self.end_number(&mut tell);
        }
        if self.is_done() { Ok(()) } else { Err(NoJson) }
    }

    /// Reads the next bytes.
    ///
    /// # Errors
    /// [`NoJson`], from then on.
    pub fn feed(&mut self, bytes: &[u8], mut tell: impl FnMut(&str, Told<'_>)) -> Result<(), NoJson> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.state == State::Text {
                at += self.text(bytes.get(at..).unwrap_or_default(), &mut tell);
            } else {
                // A number ends at the first byte that is none of its own; that byte is looked at again.
                at += usize::from(self.step(byte, &mut tell));
            }
            if self.state == State::Broken {
                return Err(NoJson);
            }
        }
        Ok(())
    }

    /// One byte outside of texts; false when it is to be looked at again.
    fn step(&mut self, byte: u8, tell: &mut impl FnMut(&str, Told<'_>)) -> bool {
        if let State::Number = self.state {
            if matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E') {
                self.hold(byte, NUMBER_BYTES_MAX);
                return true;
            }
            self.end_number(tell);
            return false;
        }
        if let State::Word(word, read) = self.state {
            self.word(word, read, byte, tell);
            return true;
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return true;
        }
        match (self.state, byte) {
            (State::FirstItem, b']') | (State::FirstKey, b'}') => self.close(byte == b'}', tell),
            (State::Value | State::FirstItem, _) => self.begin_value(byte, tell),
            (State::FirstKey | State::Key, b'"') => {
                self.in_key = true;
                self.begin_text();
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::After, b',') => {
                let in_object = self.frames.last().is_some_and(|frame| frame.object);
                self.state = if in_object { State::Key } else { State::Value };
            }
            (State::After, b']' | b'}') => self.close(byte == b'}', tell),
            _ => self.state = State::Broken,
        }
        true
    }

    fn begin_value(&mut self, byte: u8, tell: &mut impl FnMut(&str, Told<'_>)) {
        match byte {
            b'{' | b'[' => self.open(byte == b'{', tell),
            b'"' => {
                self.in_key = false;
                self.begin_text();
            }
            b'-' | b'0'..=b'9' => {
                self.held.clear();
                self.held.push(byte);
                self.state = State::Number;
            }
            b't' => self.state = State::Word(b"true", 1),
            b'f' => self.state = State::Word(b"false", 1),
            b'n' => self.state = State::Word(b"null", 1),
            _ => self.state = State::Broken,
        }
    }

    fn open(&mut self, object: bool, tell: &mut impl FnMut(&str, Told<'_>)) {
        if self.frames.len() == DEPTH_MAX {
            self.state = State::Broken;
            return;
        }
        tell(&self.path, Told::Open);
        if !object && self.path.len() < PATH_BYTES_MAX {
            self.path.push_str("[]");
        }
        self.frames.push(Frame { object, path: self.path.len() });
        self.state = if object { State::FirstKey } else { State::FirstItem };
    }

    fn close(&mut self, object: bool, tell: &mut impl FnMut(&str, Told<'_>)) {
        match self.frames.pop() {
            Some(frame) if frame.object == object => {
                self.path.truncate(frame.path);
                if !object && self.path.ends_with("[]") {
                    self.path.truncate(self.path.len() - 2);
                }
                tell(&self.path, Told::Close);
                self.after_value();
            }
            _ => self.state = State::Broken,
        }
    }

    /// A value is over: its key is no part of the path any more.
    fn after_value(&mut self) {
        match self.frames.last() {
            Some(frame) => {
                self.path.truncate(frame.path);
                self.state = State::After;
            }
            None => self.state = State::Done,
        }
    }

    fn word(&mut self, word: &'static [u8], read: usize, byte: u8, tell: &mut impl FnMut(&str, Told<'_>)) {
        if word.get(read) != Some(&byte) {
            self.state = State::Broken;
            return;
        }
        if read + 1 < word.len() {
            self.state = State::Word(word, read + 1);
            return;
        }
        let told = match word {
            b"null" => Told::Null,
            word => Told::Boolean(word == b"true"),
        };
        tell(&self.path, told);
        self.after_value();
    }

    fn end_number(&mut self, tell: &mut impl FnMut(&str, Told<'_>)) {
        let number = std::str::from_utf8(&self.held).ok().and_then(|text| text.parse().ok());
        tell(&self.path, Told::Number(number));
        self.after_value();
    }

    fn begin_text(&mut self) {
        self.held.clear();
        self.length = 0;
        self.high = None;
        self.escape = Escape::None;
        self.state = State::Text;
    }

    /// Bytes of a text; gives how many were read.
    fn text(&mut self, bytes: &[u8], tell: &mut impl FnMut(&str, Told<'_>)) -> usize {
        let Some(&first) = bytes.first() else { return 0 };
        if self.escape != Escape::None {
            self.escaped(first, tell);
            return 1;
        }
        let run = bytes.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')).unwrap_or(bytes.len());
        if run > 0 {
            self.lone_half(tell);
            self.piece(bytes.get(..run).unwrap_or_default(), tell);
            return run;
        }
        match first {
            b'\\' => self.escape = Escape::Begun,
            b'"' => {
                self.lone_half(tell);
                self.end_text(tell);
            }
            _ => self.state = State::Broken,
        }
        1
    }

    fn escaped(&mut self, byte: u8, tell: &mut impl FnMut(&str, Told<'_>)) {
        if let Escape::Unicode(digits, value) = self.escape {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                _ => {
                    self.state = State::Broken;
                    return;
                }
            };
            let value = (value << 4) | u16::from(digit);
            self.escape = Escape::Unicode(digits + 1, value);
            if digits == 3 {
                self.escape = Escape::None;
                self.unit(value, tell);
            }
            return;
        }
        self.escape = Escape::None;
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.escape = Escape::Unicode(0, 0);
                return;
            }
            _ => {
                self.state = State::Broken;
                return;
            }
        };
        self.lone_half(tell);
        self.piece(&[plain], tell);
    }

    /// A UTF-16 unit from a `\u` escape.
    fn unit(&mut self, unit: u16, tell: &mut impl FnMut(&str, Told<'_>)) {
        if let Some(high) = self.high.take() {
            if let Some(Ok(pair)) = char::decode_utf16([high, unit]).next() {
                self.piece(pair.encode_utf8(&mut [0; 4]).as_bytes(), tell);
                return;
            }
            self.piece("\u{fffd}".as_bytes(), tell);
        }
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return;
        }
        let one = char::from_u32(u32::from(unit)).unwrap_or('\u{fffd}');
        self.piece(one.encode_utf8(&mut [0; 4]).as_bytes(), tell);
    }

    /// A first half without a second is a character that nobody can read.
    fn lone_half(&mut self, tell: &mut impl FnMut(&str, Told<'_>)) {
        if self.high.take().is_some() {
            self.piece("\u{fffd}".as_bytes(), tell);
        }
    }

    fn piece(&mut self, piece: &[u8], tell: &mut impl FnMut(&str, Told<'_>)) {
        self.length = self.length.saturating_add(piece.len());
        let room = TEXT_BYTES_MAX.saturating_sub(self.held.len()).min(piece.len());
        self.held.extend_from_slice(piece.get(..room).unwrap_or_default());
        if !self.in_key {
            tell(&self.path, Told::Piece(piece));
        }
    }

    fn end_text(&mut self, tell: &mut impl FnMut(&str, Told<'_>)) {
        if self.in_key {
            self.push_key();
            self.state = State::Colon;
            return;
        }
        let whole = match std::str::from_utf8(&self.held) {
            Ok(text) => text,
            // Cut in a character, or no UTF-8 at all: the beginning that is.
            Err(error) => {
                std::str::from_utf8(self.held.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
            }
        };
        tell(&self.path, Told::Text(whole));
        self.after_value();
    }

    fn push_key(&mut self) {
        let key = std::str::from_utf8(&self.held).ok().filter(|key| {
            self.length <= KEY_BYTES_MAX
                && !key.is_empty()
                && !key.bytes().any(|byte| matches!(byte, b'.' | b'[' | b'?'))
        });
        if self.path.len() >= PATH_BYTES_MAX {
            return;
        }
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key.unwrap_or("?"));
    }

    fn hold(&mut self, byte: u8, max: usize) {
        // One more than the bound makes the number unreadable as an integer, which is what a longer one is.
        if self.held.len() <= max {
            self.held.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(pieces: &[&[u8]]) -> (Vec<String>, Result<(), NoJson>) {
        let mut scan = JsonScan::new();
        let mut told = Vec::new();
        let mut text = Vec::new();
        let mut note = |path: &str, one: Told<'_>| match one {
            Told::Piece(piece) => text.extend_from_slice(piece),
            Told::Text(beginning) => {
                let whole = String::from_utf8_lossy(&std::mem::take(&mut text)).into_owned();
                assert!(whole.len() > 200 || whole == beginning, "{whole} {beginning}");
                told.push(format!("{path}={whole:?}"));
            }
            one => told.push(format!("{path}={one:?}")),
        };
        let mut result = Ok(());
        for piece in pieces {
            result = result.and_then(|()| scan.feed(piece, &mut note));
        }
        let result = result.and_then(|()| scan.end(&mut note));
        (told, result)
    }

    #[test]
    fn values_are_told_with_their_paths() {
        let json = br#" {"a":{"b":[1,{"c":"x\u00e9\ud83d\ude00\n"},[]],"d":null},"e.f":true,"g":-1.5,"":0} "#;
        let (told, result) = scan(&[json]);
        assert_eq!(result, Ok(()));
        let expect = [
            "=Open",
            "a=Open",
            "a.b=Open",
            "a.b[]=Number(Some(1))",
            "a.b[]=Open",
            "a.b[].c=\"xé😀\\n\"",
            "a.b[]=Close",
            "a.b[]=Open",
            "a.b[]=Close",
            "a.b=Close",
            "a.d=Null",
            "a=Close",
            "?=Boolean(true)",
            "g=Number(None)",
            "?=Number(Some(0))",
            "=Close",
        ];
        assert_eq!(told, expect);
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for bad in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "tru",
            "\"\\x\"",
            "\"\u{1}\"",
            "1 2",
            "]",
            "{]",
            "[}",
            "nul1",
            "\"\\u12g4\"",
        ] {
            assert_eq!(scan(&[bad.as_bytes()]).1, Err(NoJson), "{bad}");
        }
        assert_eq!(scan(&["[".repeat(200).as_bytes()]).1, Err(NoJson));
        assert_eq!(scan(&[b"12"]).0, ["=Number(Some(12))"]);
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::vec(("[a-c]{1,3}", inner), 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn leaves(value: &serde_json::Value, path: &str, out: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(members) => {
                for (key, value) in members {
                    leaves(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, out);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| leaves(item, &format!("{path}[]"), out)),
            serde_json::Value::String(text) => out.push(format!("{path}={text:?}")),
            serde_json::Value::Number(number) => out.push(format!("{path}=Number({:?})", number.as_u64())),
            serde_json::Value::Bool(truth) => out.push(format!("{path}=Boolean({truth})")),
            serde_json::Value::Null => out.push(format!("{path}=Null")),
        }
    }

    proptest! {
        #[test]
        fn it_tells_what_serde_json_reads(value in any_json(), cut in 1usize..9) {
            let json = serde_json::to_vec(&value).unwrap();
            let pieces: Vec<&[u8]> = json.chunks(cut).collect();
            let (told, result) = scan(&pieces);
            prop_assert_eq!(result, Ok(()));
            let told: Vec<_> = told.into_iter().filter(|one| !one.ends_with("=Open") && !one.ends_with("=Close")).collect();
            let mut expect = Vec::new();
            leaves(&value, "", &mut expect);
            prop_assert_eq!(told, expect);
        }

        #[test]
        fn any_bytes_are_read(bytes in "[\\[\\]{}\",:\\\\ u0-9a-f.tnl]{0,60}") {
            // Whatever serde_json takes, this takes too.
            if serde_json::from_str::<serde_json::Value>(&bytes).is_ok() {
                prop_assert_eq!(scan(&[bytes.as_bytes()]).1, Ok(()));
            } else {
                drop(scan(&[bytes.as_bytes()]));
            }
        }
    }
}
