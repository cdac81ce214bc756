//! A reader of stored entries, for hostile bytes: checks that an entry is one canonical JSON object (RFC 8785, integers only)
//! and picks out when it was recorded, by which source and under which number.
//!
//! Written for this crate alone, so that a fault in the writer's JSON cannot hide itself here. Promises: never panics, looks at
//! each byte about once, bounded depth, one spelling of each value; allocates only to order fields whose names are not plain
//! ASCII. Never: checks the event's other fields, which are their reader's business.

use indelible_event::limits::{INTEGER_MAX, JSON_DEPTH_MAX};
use indelible_event::time::RECORDED_BYTES;

/// What completeness and time need of an entry. Borrowed from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryFields<'a> {
    /// When it was recorded: `2026-11-23T10:15:30.123456789Z`. Fixed width, so that byte order is time order.
    pub recorded: &'a [u8; RECORDED_BYTES],
    /// The source's id as JSON: a string with its quotes, or a commitment object. Canonical, so equal ids are equal bytes.
    pub source: &'a [u8],
    /// The source's own number for the event.
    pub seq: Option<u64>,
}

/// Why an entry is no canonical event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} (byte {at})")]
pub struct ScanFault {
    /// Where in the entry.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Reads one entry.
///
/// # Errors
/// [`ScanFault`] at the first byte that a canonical event cannot have, or when `recorded` or `source.id` is missing.
pub fn scan(entry: &[u8]) -> Result<EntryFields<'_>, ScanFault> {
    if !entry.is_ascii()
        && let Err(error) = str::from_utf8(entry)
    {
        return Err(ScanFault { at: error.valid_up_to(), what: "the entry is not UTF-8" });
    }
    let found = walk(entry)?;
    let recorded = found.recorded.and_then(|(begin, end)| entry.get(begin..end)).and_then(time);
    let Some(recorded) = recorded else {
        let at = found.recorded.map_or(entry.len(), |(begin, _)| begin);
        return Err(ScanFault { at, what: "the field `recorded` is missing or no time in UTC" });
    };
    let Some(source) = found.source_id.and_then(|(begin, end)| entry.get(begin..end)) else {
        return Err(ScanFault { at: entry.len(), what: "the field `source.id` is missing" });
    };
    let seq = match found.source_seq {
        None => None,
        Some((begin, end)) => {
            let seq = entry.get(begin..end).and_then(number_from_1);
            Some(seq.ok_or(ScanFault { at: begin, what: "the field `source.seq` is no number from 1" })?)
        }
    };
    Ok(EntryFields { recorded, source, seq })
}

/// Begin and end of a value.
type Span = (usize, usize);

/// Where the values stand that [`scan`] is after.
#[derive(Default)]
struct Found {
    recorded: Option<Span>,
    source_id: Option<Span>,
    source_seq: Option<Span>,
}

/// Which of those values is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Recorded,
    SourceId,
    SourceSeq,
}

/// Checks the whole entry in one loop, without recursion: this is where verifying spends its time beside hashing.
fn walk(entry: &[u8]) -> Result<Found, ScanFault> {
    let mut scanner = Scanner::new(entry);
    let mut found = Found::default();
    let mut in_source = false;
    let mut wanted = (Wanted::Nothing, 0, 0);
    if scanner.peek() != b'{' {
        return Err(scanner.fault("the entry is no object"));
    }
    loop {
        // A value begins here.
        let opened = match scanner.peek() {
            b'"' => scanner.string().map(|_| false),
            b'{' => scanner.open(true),
            b'[' => scanner.open(false),
            b'-' | b'0'..=b'9' => scanner.integer().map(|()| false),
            _ => scanner.word().map(|()| false),
        }?;
        // Then containers may end; then either another value comes or the entry is over.
        let mut another = opened;
        while !another {
            if wanted.0 != Wanted::Nothing && wanted.1 == scanner.depth {
                let span = Some((wanted.2, scanner.at));
                match wanted.0 {
                    Wanted::Recorded => found.recorded = span,
                    Wanted::SourceId => found.source_id = span,
                    Wanted::SourceSeq => found.source_seq = span,
                    Wanted::Nothing => {}
                }
                wanted.0 = Wanted::Nothing;
            }
            if scanner.depth == 0 {
                return if scanner.at == entry.len() {
                    Ok(found)
                } else {
                    Err(scanner.fault("something follows the event"))
                };
            }
            another = scanner.comma_or_close()?;
        }
        if scanner.in_object() {
            let key = scanner.key()?;
            let depth = scanner.depth;
            let kind = match (depth, key) {
                (1, b"recorded") => Wanted::Recorded,
                (2, b"id") if in_source => Wanted::SourceId,
                (2, b"seq") if in_source => Wanted::SourceSeq,
                _ => Wanted::Nothing,
            };
            if depth == 1 {
                in_source = key == b"source";
            }
            if kind != Wanted::Nothing {
                wanted = (kind, depth, scanner.at);
            }
        }
    }
}

/// A place in the entry, and the objects and lists that are open there.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    marks: Marks,
    depth: usize,
    /// One bit for each open container, the innermost lowest: 1 for an object.
    objects: u64,
    /// The last key of each open object.
    keys: [Option<(u16, u16)>; JSON_DEPTH_MAX + 1],
}

impl<'a> Scanner<'a> {
    #[inline(always)]
    fn new(bytes: &'a [u8]) -> Self {
        let marks = Marks { block: usize::MAX, bits: 0 };
        Self { bytes, at: 0, marks, depth: 0, objects: 0, keys: [None; JSON_DEPTH_MAX + 1] }
    }

    #[cold]
    fn fault(&self, what: &'static str) -> ScanFault {
        ScanFault { at: self.at, what }
    }

    #[inline(always)]
    fn peek(&self) -> u8 {
        // A NUL stands for the end: no canonical JSON has one, so it matches nowhere.
        match self.bytes.get(self.at) {
            Some(byte) => *byte,
            None => 0,
        }
    }

    #[inline(always)]
    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    /// Enters an object or a list; whether there is something in it. An empty one is left again.
    #[inline(always)]
    fn open(&mut self, object: bool) -> Result<bool, ScanFault> {
        self.at += 1;
        if self.peek() == if object { b'}' } else { b']' } {
            self.at += 1;
            return Ok(false);
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u64::from(object);
        match self.keys.get_mut(self.depth) {
            Some(key) => *key = None,
            None => return Err(self.fault("the entry is nested too deeply")),
        }
        Ok(true)
    }

    /// After a value: `true` when a comma says that another one comes, `false` when the innermost container ends.
    #[inline(always)]
    fn comma_or_close(&mut self) -> Result<bool, ScanFault> {
        let byte = self.peek();
        if byte == b',' {
            self.at += 1;
            return Ok(true);
        }
        if byte != if self.in_object() { b'}' } else { b']' } {
            return Err(self.fault("a comma or the end of an object or list should stand here"));
        }
        self.at += 1;
        self.depth -= 1;
        self.objects >>= 1;
        Ok(false)
    }

    /// A key and its colon. Keys stand in ascending order, so none stands twice.
    #[inline(always)]
    fn key(&mut self) -> Result<&'a [u8], ScanFault> {
        let begin = self.at;
        if self.peek() != b'"' {
            return Err(self.fault("a field's name should stand here"));
        }
        let key = self.string()?;
        if let Some(slot) = self.keys.get_mut(self.depth) {
            let last = slot.and_then(|(from, to)| self.bytes.get(usize::from(from)..usize::from(to)));
            if last.is_some_and(|last| !ascending(last, key)) {
                return Err(ScanFault { at: begin, what: "a field stands out of order or twice" });
            }
            // An entry is at most 65,535 bytes long, so places in it fit; a longer one could not be in a bundle.
            *slot = u16::try_from(begin + 1).ok().zip(u16::try_from(begin + 1 + key.len()).ok());
        }
        if self.peek() != b':' {
            return Err(self.fault("a colon should stand here"));
        }
        self.at += 1;
        Ok(key)
    }

    /// A string in its one spelling; gives what stands between the quotes, escapes as they are.
    #[inline(always)]
    fn string(&mut self) -> Result<&'a [u8], ScanFault> {
        self.at += 1;
        let begin = self.at;
        loop {
            self.at = self.marks.next(self.bytes, self.at);
            match self.peek() {
                b'"' => {
                    let text = self.bytes.get(begin..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(text);
                }
                b'\\' => self.at = escape(self.bytes, self.at)?,
                _ => return Err(self.fault("a string has a control character or no end")),
            }
        }
    }

    /// An integer within ±(2^53 - 1), in its one spelling.
    #[inline(always)]
    fn integer(&mut self) -> Result<(), ScanFault> {
        let begin = self.at;
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let digits = self.at;
        let mut value = 0u64;
        while self.peek().is_ascii_digit() && self.at - digits < 17 {
            value = value * 10 + u64::from(self.peek() - b'0');
            self.at += 1;
        }
        let count = self.at - digits;
        let leading_zero = self.bytes.get(digits) == Some(&b'0') && (count > 1 || negative);
        let more = matches!(self.peek(), b'0'..=b'9' | b'.' | b'e' | b'E');
        if count == 0 || leading_zero || more || value > INTEGER_MAX.unsigned_abs() {
            return Err(ScanFault { at: begin, what: "a number is no integer of the canonical form" });
        }
        Ok(())
    }

    fn word(&mut self) -> Result<(), ScanFault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let word = [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word));
        self.at += word.ok_or_else(|| self.fault("a value should stand here"))?.len();
        Ok(())
    }
}

/// The escapes of RFC 8785, section 3.2.2.2: two characters where JSON has them, `\u00xx` in lower case otherwise. Gives the
/// place after it.
#[cold]
fn escape(bytes: &[u8], at: usize) -> Result<usize, ScanFault> {
    match bytes.get(at + 1..).unwrap_or_default() {
        [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(at + 2),
        [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..]
        | [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => Ok(at + 6),
        _ => Err(ScanFault { at, what: "an escape in a string is not of the canonical form" }),
    }
}

/// Where the bytes stand that end a run of plain string bytes: quotes, backslashes and control characters, one bit each, for
/// 64 bytes at a time.
#[derive(Clone, Copy)]
struct Marks {
    /// Which 64 bytes; `usize::MAX` for none yet.
    block: usize,
    bits: u64,
}

const BLOCK: usize = 64;

impl Marks {
    /// The first such byte from `at` on, or the end.
    #[inline(always)]
    fn next(&mut self, bytes: &[u8], mut at: usize) -> usize {
        loop {
            let block = at / BLOCK;
            if block != self.block {
                if at >= bytes.len() {
                    return bytes.len();
                }
                *self = Self { block, bits: block_marks(bytes, block * BLOCK) };
            }
            let ahead = self.bits >> (at % BLOCK);
            if ahead != 0 {
                return at + ahead.trailing_zeros() as usize;
            }
            at = (block + 1) * BLOCK;
        }
    }
}

#[inline]
fn block_marks(bytes: &[u8], from: usize) -> u64 {
    if let Some(block) = bytes.get(from..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        return marks(block);
    }
    // The last bytes, filled up with NULs, which are marked as control characters and so end every string.
    let mut block = [0; BLOCK];
    let rest = bytes.get(from..).unwrap_or_default();
    block[..rest.len()].copy_from_slice(rest);
    marks(&block)
}

#[inline]
fn marks(block: &[u8; BLOCK]) -> u64 {
    // Two steps, because compilers turn the first into vector instructions: a 1 for each marked byte …
    let mut flags = [0u8; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = u8::from((*byte == b'"') | (*byte == b'\\') | (*byte < 0x20));
    }
    // … then eight flags to eight bits: the factor moves flag n to bit 56 + n.
    let mut bits = 0;
    for (eight, shift) in flags.chunks_exact(8).zip([0, 8, 16, 24, 32, 40, 48, 56]) {
        let eight = eight.first_chunk::<8>().map_or(0, |eight| u64::from_le_bytes(*eight));
        bits |= (eight.wrapping_mul(0x0102_0408_1020_4080) >> 56) << shift;
    }
    bits
}

/// Whether `a` stands before `b` in the order of RFC 8785, section 3.2.3: by UTF-16 code units of the names themselves.
#[inline(always)]
fn ascending(a: &[u8], b: &[u8]) -> bool {
    if let (Some(first), Some(second)) = (a.first(), b.first()) {
        let plain = |byte: u8| byte < 0x80 && byte != b'\\';
        if first != second && plain(*first) && plain(*second) {
            return first < second;
        }
    }
    ascending_in_full(a, b)
}

fn ascending_in_full(a: &[u8], b: &[u8]) -> bool {
    let plain = |key: &[u8]| key.iter().all(|byte| *byte < 0x80 && *byte != b'\\');
    if plain(a) && plain(b) {
        return a < b;
    }
    utf16(a) < utf16(b)
}

fn utf16(key: &[u8]) -> Vec<u16> {
    let quoted = [b"\"", key, b"\""].concat();
    let text: String = serde_json::from_slice(&quoted).unwrap_or_default();
    text.encode_utf16().collect()
}

/// `"2026-11-23T10:15:30.123456789Z"` with its quotes: digits where digits stand, so that byte order is time order.
fn time(quoted: &[u8]) -> Option<&[u8; RECORDED_BYTES]> {
    const FORM: &[u8; RECORDED_BYTES] = b"0000-00-00T00:00:00.000000000Z";
    let time: &[u8; RECORDED_BYTES] = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?.try_into().ok()?;
    // Without an early way out, so that it becomes a few vector instructions.
    let wrong = time.iter().zip(FORM).fold(0, |wrong, (byte, form)| {
        let digit = (*form == b'0') & byte.is_ascii_digit();
        wrong | u8::from(!digit & (byte != form))
    });
    (wrong == 0).then_some(time)
}

/// A number that the walk has found canonical.
fn number_from_1(digits: &[u8]) -> Option<u64> {
    let number: u64 = str::from_utf8(digits).ok()?.parse().ok()?;
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests;
