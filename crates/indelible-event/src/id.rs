//! Event ids: UUIDs (RFC 9562), held as their 128 bits and written in lower case with hyphens.

use std::fmt;

/// The id of an event: any UUID when the client chooses it, version 7 when the server does. It is the idempotency key.
///
/// ```
/// use indelible_event::id::EventId;
///
/// let id = EventId::parse(b"01A208DD-232B-77CC-BAF2-1C2EE4D4B7A9").unwrap();
/// assert_eq!(id.to_string(), "01a208dd-232b-77cc-baf2-1c2ee4d4b7a9");
/// assert_eq!(EventId::parse(b"01a208dd232b77ccbaf21c2ee4d4b7a9"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// A version 7 UUID (RFC 9562, section 5.7) from milliseconds since the epoch and ten random bytes.
    #[must_use]
    pub fn version_7(unix_ms: u64, random: [u8; 10]) -> Self {
        let mut bytes = [0u8; 16];
        bytes[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(bytes)
    }

    /// Reads the canonical 36-character form, either case. `None` for anything else.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        let mut bytes = [0u8; 16];
        let mut at = 0;
        for (slot, byte) in bytes.iter_mut().enumerate() {
            if matches!(slot, 4 | 6 | 8 | 10) {
                if text[at] != b'-' {
                    return None;
                }
                at += 1;
            }
            *byte = (hex(text[at])? << 4) | hex(text[at + 1])?;
            at += 2;
        }
        Some(Self(bytes))
    }

    /// The 36 characters, lower case, without an allocation.
    #[must_use]
    pub fn write(&self) -> [u8; 36] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (slot, byte) in self.0.iter().enumerate() {
            if matches!(slot, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at] = DIGITS[usize::from(byte >> 4)];
            text[at + 1] = DIGITS[usize::from(byte & 15)];
            at += 2;
        }
        text
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.write()).unwrap_or_default())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_fold_case() {
        let id = EventId::version_7(0x0199_1234_5678, [0xff; 10]);
        let text = id.to_string();
        assert_eq!(text, "01991234-5678-7fff-bfff-ffffffffffff");
        assert_eq!(EventId::parse(text.to_uppercase().as_bytes()), Some(id));
        assert_eq!(EventId::parse(b"01991234-5678-7fff-bfff-fffffffffff"), None);
        assert_eq!(EventId::parse(b"01991234+5678-7fff-bfff-ffffffffffff"), None);
    }
}
