//! The bytes of a journal record: a header, framed entries, padding to whole sectors and a closing mark.
//!
//! One record is one group commit: written by one call, made durable by one sync, acknowledged or cut as a whole.
//! All integers are little-endian; the entry length inside a frame is big-endian as in an entry bundle.

use indelible_tlog::hash::Hash;

use crate::disk::SECTOR;

/// Bytes before the entry in a frame: length (u16, big-endian), id (16), leaf hash (32).
pub const FRAME_BYTES: usize = 2 + 16 + 32;
/// Bytes of a record header.
pub(super) const HEADER_BYTES: usize = 48;
/// Bytes of the closing mark at the very end of a record's last sector: never zero, so that its absence shows a tear.
const CLOSING_BYTES: usize = 8;
/// Longest payload of one record: a full request of 10,000 events and 16 MiB, framed, fits twice.
pub const PAYLOAD_BYTES_MAX: usize = 48 * 1024 * 1024;

const MAGIC: [u8; 4] = *b"INDr";
const CLOSING_MAGIC: [u8; 4] = *b"rDNI";

/// What a record header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// Index of the record's first entry.
    pub first_index: u64,
    /// How many entries it holds, at least 1.
    pub count: u32,
    /// Bytes of framed entries.
    pub payload_len: u32,
    /// CRC32C of the framed entries.
    pub payload_crc: u32,
    /// When they were recorded, nanoseconds since the epoch.
    pub recorded: i64,
}

impl RecordHeader {
    /// Bytes the whole record takes on disk: header, payload and closing mark, rounded up to sectors.
    #[must_use]
    pub fn extent(&self) -> usize {
        extent(self.payload_len as usize)
    }

    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0u8; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.payload_len.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.first_index.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.count.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.recorded.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..HEADER_BYTES - 4]);
        bytes[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` when the bytes are not one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        let crc = u32::from_le_bytes(bytes[HEADER_BYTES - 4..].try_into().ok()?);
        let reserved = &bytes[32..HEADER_BYTES - 4];
        if bytes[0..4] != MAGIC || !is_zero(reserved) || crc32c::crc32c(&bytes[..HEADER_BYTES - 4]) != crc {
            return None;
        }
        let header = Self {
            payload_len: u32::from_le_bytes(bytes[4..8].try_into().ok()?),
            first_index: u64::from_le_bytes(bytes[8..16].try_into().ok()?),
            count: u32::from_le_bytes(bytes[16..20].try_into().ok()?),
            payload_crc: u32::from_le_bytes(bytes[20..24].try_into().ok()?),
            recorded: i64::from_le_bytes(bytes[24..32].try_into().ok()?),
        };
        let sane = header.count > 0 && header.payload_len as usize <= PAYLOAD_BYTES_MAX;
        sane.then_some(header)
    }
}

/// Bytes on disk for a record with this much payload.
pub(super) fn extent(payload_len: usize) -> usize {
    (HEADER_BYTES + payload_len + CLOSING_BYTES).next_multiple_of(SECTOR)
}

/// Builds a record in one reused buffer: `begin`, `frame` for each entry, `finish`.
#[derive(Debug, Default)]
pub(super) struct RecordBuffer {
    bytes: Vec<u8>,
    count: u32,
}

impl RecordBuffer {
    /// Forgets the last record, keeps the memory.
    pub(super) fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.resize(HEADER_BYTES, 0);
        self.count = 0;
    }

    /// Appends one entry with its id and leaf hash. An entry is at most 65,535 bytes by its type.
    pub(super) fn frame(&mut self, id: &[u8; 16], leaf: &Hash, len: u16, entry: &[u8]) {
        debug_assert_eq!(usize::from(len), entry.len());
        self.bytes.extend_from_slice(&len.to_be_bytes());
        self.bytes.extend_from_slice(id);
        self.bytes.extend_from_slice(&leaf.0);
        self.bytes.extend_from_slice(entry);
        self.count += 1;
    }

    /// How many entries are framed.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of framed entries so far.
    pub(super) fn payload_len(&self) -> usize {
        self.bytes.len() - HEADER_BYTES
    }

    /// Completes the record: header, padding, closing mark. Returns the header and all bytes to write.
    pub(super) fn finish(&mut self, first_index: u64, recorded: i64) -> Option<(RecordHeader, &[u8])> {
        let payload_len = self.payload_len();
        let payload_crc = crc32c::crc32c(&self.bytes[HEADER_BYTES..]);
        let header = RecordHeader {
            first_index,
            count: self.count,
            payload_len: u32::try_from(payload_len).ok()?,
            payload_crc,
            recorded,
        };
        self.bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
        let end = extent(payload_len);
        self.bytes.resize(end, 0);
        self.bytes[end - CLOSING_BYTES..].copy_from_slice(&closing_mark(payload_crc));
        Some((header, &self.bytes))
    }
}

/// One framed entry of a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) id: [u8; 16],
    pub(super) leaf: Hash,
    pub(super) entry: &'a [u8],
}

/// Walks the frames of a payload; stops early only when the payload is not what its header says.
pub(super) struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let (head, rest) = self.rest.split_at_checked(FRAME_BYTES)?;
        let len = usize::from(u16::from_be_bytes([head[0], head[1]]));
        let (entry, rest) = rest.split_at_checked(len)?;
        self.rest = rest;
        let id = head[2..18].try_into().ok()?;
        let leaf = Hash(head[18..FRAME_BYTES].try_into().ok()?);
        Some(Frame { id, leaf, entry })
    }
}

/// What the bytes of one record's extent turn out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Whole and undamaged.
    Whole,
    /// A write that was cut short: a sector was never written, or the closing mark is not complete.
    Torn,
    /// Every sector was written and yet the content is wrong: damage, not a crash.
    Damaged,
}

/// Judges the bytes of a record against its header. A crash leaves whole sectors unwritten (they are zero, because segments
/// are preallocated and never reused) or, for a write that the kernel cut short, the beginning of a closing mark or none; a
/// flipped bit does neither. A payload that matches its checksum is whole whatever became of the closing mark, so that a bit
/// flipped in the mark cannot pass for a tear.
pub(super) fn judge(header: &RecordHeader, bytes: &[u8]) -> Extent {
    let payload_end = HEADER_BYTES + header.payload_len as usize;
    if crc32c::crc32c(&bytes[HEADER_BYTES..payload_end]) == header.payload_crc {
        return Extent::Whole;
    }
    let closing = &bytes[bytes.len() - CLOSING_BYTES..];
    if bytes.chunks(SECTOR).any(is_zero) || is_cut_short(closing, &closing_mark(header.payload_crc)) {
        return Extent::Torn;
    }
    Extent::Damaged
}

fn closing_mark(payload_crc: u32) -> [u8; CLOSING_BYTES] {
    let mut mark = [0; CLOSING_BYTES];
    mark[..4].copy_from_slice(&CLOSING_MAGIC);
    mark[4..].copy_from_slice(&payload_crc.to_le_bytes());
    mark
}

/// Whether these bytes are a beginning of the mark (maybe none of it) and zeros behind.
fn is_cut_short(closing: &[u8], mark: &[u8]) -> bool {
    closing != mark && (0..mark.len()).any(|kept| closing[..kept] == mark[..kept] && is_zero(&closing[kept..]))
}

/// Whether nothing was ever written in this sector or part of one.
pub(super) fn is_zero(part: &[u8]) -> bool {
    // compared with zeros as a whole: many times faster than byte by byte, and a start looks at all unwritten space
    const ZEROS: [u8; SECTOR] = [0; SECTOR];
    part == &ZEROS[..part.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(entries: &[Vec<u8>]) -> (RecordHeader, Vec<u8>) {
        let mut buffer = RecordBuffer::default();
        buffer.begin();
        for entry in entries {
            buffer.frame(&[7; 16], &Hash([9; 32]), u16::try_from(entry.len()).unwrap(), entry);
        }
        let (header, bytes) = buffer.finish(42, 1).unwrap();
        (header, bytes.to_vec())
    }

    proptest! {
        #[test]
        fn records_round_trip(entries in proptest::collection::vec(proptest::collection::vec(1u8.., 0..2000), 1..20)) {
            let (header, bytes) = record(&entries);
            prop_assert_eq!(bytes.len() % SECTOR, 0);
            prop_assert_eq!(RecordHeader::decode(&bytes), Some(header));
            prop_assert_eq!(judge(&header, &bytes), Extent::Whole);
            let payload = &bytes[HEADER_BYTES..HEADER_BYTES + header.payload_len as usize];
            let read: Vec<Vec<u8>> = Frames::new(payload).map(|frame| frame.entry.to_vec()).collect();
            prop_assert_eq!(read, entries);
        }

        #[test]
        fn a_flipped_bit_is_damage_and_a_short_write_is_a_tear(
            entry in proptest::collection::vec(1u8.., 1..3000), at in any::<proptest::sample::Index>(), bit in 0u8..8,
        ) {
            let (header, bytes) = record(&[entry]);
            let payload_end = HEADER_BYTES + header.payload_len as usize;
            let mut flipped = bytes.clone();
            flipped[HEADER_BYTES + at.index(payload_end - HEADER_BYTES)] ^= 1 << bit;
            prop_assert_eq!(judge(&header, &flipped), Extent::Damaged);
            let mut short = bytes.clone();
            let kept = HEADER_BYTES + at.index(short.len() - HEADER_BYTES);
            short[kept..].fill(0);
            let whole = short[..payload_end] == bytes[..payload_end];
            prop_assert_eq!(judge(&header, &short), if whole { Extent::Whole } else { Extent::Torn });
        }

        #[test]
        fn a_bit_flipped_in_the_closing_mark_never_passes_for_a_tear(
            entry in proptest::collection::vec(1u8.., 1..600), bit in 0usize..CLOSING_BYTES * 8,
        ) {
            let (header, mut bytes) = record(&[entry]);
            let at = bytes.len() - CLOSING_BYTES + bit / 8;
            bytes[at] ^= 1 << (bit % 8);
            prop_assert_eq!(judge(&header, &bytes), Extent::Whole);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let _ = RecordHeader::decode(&bytes);
            prop_assert!(Frames::new(&bytes).count() <= bytes.len());
        }
    }
}
