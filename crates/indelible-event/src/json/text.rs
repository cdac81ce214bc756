//! Strings: finding their end eight bytes at a time, resolving escapes, writing them in canonical form, comparing keys.

use std::cmp::Ordering;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The first byte at or after `from` that ends a plain run: a quote, a backslash or a control character. The length of
/// `bytes` when there is none.
#[inline]
pub(crate) fn plain_run(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * 0x22);
        let backslash = word ^ (ONES * 0x5c);
        // A byte is zero when subtracting one borrows from its high bit; borrows only spoil bytes after the first hit.
        let hits = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hits = hits & HIGHS;
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// The first eight bytes of a key as a number, zeros behind a shorter one: two keys compare as these do, unless these are equal.
pub(crate) const fn fingerprint(key: &[u8]) -> u64 {
    let mut word = 0;
    let mut at = 0;
    while at < 8 {
        word = (word << 8) | if at < key.len() { key[at] as u64 } else { 0 };
        at += 1;
    }
    word
}

/// [`fingerprint`] of `length` bytes at `start`, by one load where eight bytes are there.
#[inline]
pub(super) fn fingerprint_at(bytes: &[u8], start: usize, length: usize) -> u64 {
    match bytes.get(start..).and_then(<[u8]>::first_chunk::<8>) {
        Some(chunk) => {
            let word = u64::from_be_bytes(*chunk);
            match length {
                0 => 0,
                1..8 => word & (u64::MAX << (64 - 8 * length)),
                _ => word,
            }
        }
        None => fingerprint(bytes.get(start..start + length).unwrap_or_default()),
    }
}

/// Appends a string with quotes and the least escapes (RFC 8785, section 3.2.2.2). `text` is UTF-8.
pub(crate) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut at = 0;
    loop {
        let end = plain_run(text, at);
        out.extend_from_slice(&text[at..end]);
        let Some(&byte) = text.get(end) else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            other => {
                let (high, low) = (DIGITS[usize::from(other >> 4)], DIGITS[usize::from(other & 15)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
        at = end + 1;
    }
    out.push(b'"');
}

/// The order of two UTF-8 strings by their UTF-16 code units (RFC 8785, section 3.2.3).
///
/// It differs from the order of bytes in one place: characters from U+10000 on are surrogates (D800 to DFFF) in UTF-16 and so
/// come before U+E000 to U+FFFF.
pub(crate) fn utf16_order(a: &[u8], b: &[u8]) -> Ordering {
    let shared = a.iter().zip(b).position(|(a, b)| a != b);
    match shared {
        None => a.len().cmp(&b.len()),
        Some(at) => utf16_weight(a[at]).cmp(&utf16_weight(b[at])),
    }
}

fn utf16_weight(byte: u8) -> u8 {
    match byte {
        // The lead bytes of U+E000 to U+FFFF go above those of longer characters (0xF0 to 0xF4).
        0xee | 0xef => byte + 0x10,
        other => other,
    }
}
