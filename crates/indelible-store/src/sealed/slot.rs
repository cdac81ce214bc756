//! A key slot: what is known of one content, and its wrapped key and salt. 256 bytes, so that one never lies across two sectors
//! and destroying it is one atomic write. `docs/formats.md` has the table.
//!
//! Promises: reading what [`Slot::encode`] wrote gives the same slot; anything else is told as empty, torn, half erased or
//! damaged. Never: holds a key in clear.

use indelible_event::id::EventId;
use indelible_event::vault::{Commitment, Keep};

/// Bytes of a slot.
pub(super) const SLOT_BYTES: usize = 256;
/// Bytes of a wrapped key and salt.
pub(super) const WRAPPED_BYTES: usize = 80;

const MAGIC: &[u8; 4] = b"ISK1";
/// The last bytes: a slot of which only a beginning was written has zeros there.
const END: &[u8; 4] = b"ISKe";
/// The part that erasing leaves as it is, and its own checksum after it.
const FIXED_END: usize = 112;
const ERASED_AT: usize = 116;
/// What stands there when the secret is destroyed: more than one flipped bit away from the zero before.
const ERASED: u8 = 0xe5;
const SECRET_AT: usize = 120;
const CRC_AT: usize = 248;

/// Where the encrypted bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: only the salt is kept.
    None,
    /// In `packs/<number>.pack` from `offset`.
    Pack { number: u64, offset: u64 },
    /// In `large/<number>.content`.
    Large { number: u64 },
}

/// A content's key and salt, under the master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrapped {
    /// Which master key.
    pub(super) master: [u8; 4],
    pub(super) nonce: [u8; 12],
    pub(super) bytes: [u8; WRAPPED_BYTES],
}

/// The slots that were written together. A start finds by it which were the last, and whether they are all there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// Place in its file of the first of them.
    pub(super) first: u64,
    /// How many they are.
    pub(super) count: u32,
}

/// What is known of one content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) commitment: Commitment,
    pub(super) event: EventId,
    /// A keyed hash of whom it is about: equal for equal subjects, and telling nothing else.
    pub(super) subject: [u8; 16],
    /// Length of the content.
    pub(super) bytes: u64,
    pub(super) keep: Keep,
    pub(super) place: Place,
    pub(super) group: Group,
    /// CRC-32C of the encrypted bytes in a pack: tells what a crash tore. What an attacker changed is told by the encryption.
    pub(super) content_crc: u32,
    /// `None` once destroyed.
    pub(super) secret: Option<Wrapped>,
}

/// What 256 bytes turn out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Never written.
    Empty,
    /// A slot.
    Slot(Box<Slot>),
    /// A slot of which only a beginning was written.
    Torn,
    /// A slot whose erasure was begun: it counts as erased, and erasing it again ends the work.
    HalfErased(Box<Slot>),
    /// Something else.
    Damaged,
}

impl Slot {
    pub(super) fn encode(&self) -> [u8; SLOT_BYTES] {
        let mut out = [0; SLOT_BYTES];
        let (kind, number, offset) = match self.place {
            Place::None => (0, 0, 0),
            Place::Pack { number, offset } => (1, number, offset),
            Place::Large { number } => (2, number, 0),
        };
        out[..4].copy_from_slice(MAGIC);
        out[4] = match self.keep {
            Keep::Sealed => 1,
            Keep::Hash => 2,
        };
        out[5] = kind;
        out[8..40].copy_from_slice(&self.commitment.0);
        out[40..56].copy_from_slice(&self.event.0);
        out[56..72].copy_from_slice(&self.subject);
        out[72..80].copy_from_slice(&self.bytes.to_le_bytes());
        out[80..88].copy_from_slice(&number.to_le_bytes());
        out[88..96].copy_from_slice(&offset.to_le_bytes());
        out[96..104].copy_from_slice(&self.group.first.to_le_bytes());
        out[104..108].copy_from_slice(&self.group.count.to_le_bytes());
        out[108..112].copy_from_slice(&self.content_crc.to_le_bytes());
        let fixed = crc32c::crc32c(&out[..FIXED_END]);
        out[FIXED_END..ERASED_AT].copy_from_slice(&fixed.to_le_bytes());
        out[ERASED_AT] = if self.secret.is_none() { ERASED } else { 0 };
        if let Some(wrapped) = &self.secret {
            out[SECRET_AT..124].copy_from_slice(&wrapped.master);
            out[124..136].copy_from_slice(&wrapped.nonce);
            out[136..216].copy_from_slice(&wrapped.bytes);
        }
        let crc = crc32c::crc32c(&out[..CRC_AT]);
        out[CRC_AT..252].copy_from_slice(&crc.to_le_bytes());
        out[252..].copy_from_slice(END);
        out
    }

    pub(super) fn read(bytes: &[u8; SLOT_BYTES]) -> Read {
        if bytes.iter().all(|byte| *byte == 0) {
            return Read::Empty;
        }
        let crc = |until: usize| crc32c::crc32c(bytes.get(..until).unwrap_or_default()).to_le_bytes();
        let fixed = bytes[..4] == *MAGIC && bytes[FIXED_END..ERASED_AT] == crc(FIXED_END);
        let whole = bytes[CRC_AT..252] == crc(CRC_AT) && bytes[252..] == *END;
        match Self::decode(bytes).filter(|_| fixed).map(Box::new) {
            Some(slot) if whole => Read::Slot(slot),
            Some(slot) if bytes[ERASED_AT] == ERASED && bytes[252..] == *END => {
                Read::HalfErased(Box::new(Self { secret: None, ..*slot }))
            }
            _ if bytes[255] == 0 => Read::Torn,
            _ => Read::Damaged,
        }
    }

    fn decode(bytes: &[u8; SLOT_BYTES]) -> Option<Self> {
        let long = |from: usize| bytes.get(from..)?.first_chunk::<8>().map(|part| u64::from_le_bytes(*part));
        let short = |from: usize| bytes.get(from..)?.first_chunk::<4>().map(|part| u32::from_le_bytes(*part));
        let (number, offset) = (long(80)?, long(88)?);
        let place = match bytes[5] {
            0 => Place::None,
            1 => Place::Pack { number, offset },
            2 => Place::Large { number },
            _ => return None,
        };
        let keep = match bytes[4] {
            1 => Keep::Sealed,
            2 => Keep::Hash,
            _ => return None,
        };
        let secret = match bytes[ERASED_AT] {
            0 => Some(Wrapped {
                master: *bytes.get(SECRET_AT..)?.first_chunk()?,
                nonce: *bytes.get(124..)?.first_chunk()?,
                bytes: *bytes.get(136..)?.first_chunk()?,
            }),
            ERASED => None,
            _ => return None,
        };
        Some(Self {
            commitment: Commitment(*bytes.get(8..)?.first_chunk()?),
            event: EventId(*bytes.get(40..)?.first_chunk()?),
            subject: *bytes.get(56..)?.first_chunk()?,
            bytes: long(72)?,
            keep,
            place,
            group: Group { first: long(96)?, count: short(104)? },
            content_crc: short(108)?,
            secret,
        })
    }
}

/// Whether any 256 bytes are read without a panic and, when they are a slot, are written as they were: for the fuzzer.
#[must_use]
pub fn reads_back(bytes: &[u8; SLOT_BYTES]) -> bool {
    match Slot::read(bytes) {
        Read::Slot(slot) => Slot::read(&slot.encode()) == Read::Slot(slot),
        Read::Empty | Read::Torn | Read::HalfErased(_) | Read::Damaged => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slot(place: Place, keep: Keep) -> Slot {
        Slot {
            commitment: Commitment([1; 32]),
            event: EventId([2; 16]),
            subject: [3; 16],
            bytes: 4,
            keep,
            place,
            group: Group { first: 5, count: 6 },
            content_crc: 7,
            secret: Some(Wrapped { master: [0xaa; 4], nonce: [0xaa; 12], bytes: [0xaa; WRAPPED_BYTES] }),
        }
    }

    proptest! {
        #[test]
        fn a_slot_comes_back_and_a_flipped_bit_is_damage(
            commitment: [u8; 32], event: [u8; 16], subject: [u8; 16], bytes: u64, number: u64, offset: u64, first: u64,
            count: u32, content_crc: u32, kind in 0u8..3, hash: bool, erased: bool, bit in 0usize..SLOT_BYTES * 8,
        ) {
            let place = match kind {
                0 => Place::None,
                1 => Place::Pack { number, offset },
                _ => Place::Large { number },
            };
            let secret = Wrapped { master: [1; 4], nonce: [2; 12], bytes: [3; WRAPPED_BYTES] };
            let slot = Slot {
                commitment: Commitment(commitment), event: EventId(event), subject, bytes,
                keep: if hash { Keep::Hash } else { Keep::Sealed },
                place, group: Group { first, count }, content_crc, secret: (!erased).then_some(secret),
            };
            let mut encoded = slot.encode();
            prop_assert_eq!(Slot::read(&encoded), Read::Slot(Box::new(slot)));
            encoded[bit / 8] ^= 1 << (bit % 8);
            match Slot::read(&encoded) {
                Read::Damaged => {}
                // erased it stays, whatever happens to the zeros where its secret was
                Read::HalfErased(_) => prop_assert!(erased),
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn any_beginning_of_a_write_is_told(cut in 0usize..=SLOT_BYTES) {
            let kept = slot(Place::Large { number: 9 }, Keep::Sealed);
            let erased = Slot { secret: None, ..kept };
            let mut new = [0; SLOT_BYTES];
            new[..cut].copy_from_slice(&kept.encode()[..cut]);
            match Slot::read(&new) {
                Read::Slot(_) => prop_assert_eq!(cut, SLOT_BYTES),
                Read::Empty => prop_assert_eq!(cut, 0),
                Read::Torn => {}
                other => prop_assert!(false, "{:?}", other),
            }
            let mut over = kept.encode();
            over[..cut].copy_from_slice(&erased.encode()[..cut]);
            match Slot::read(&over) {
                Read::Slot(read) => prop_assert!(*read == kept || *read == erased),
                Read::HalfErased(read) => prop_assert_eq!(*read, erased),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn a_destroyed_slot_holds_nothing_of_its_key() {
        let kept = slot(Place::None, Keep::Sealed);
        assert!(kept.encode().windows(96).any(|window| window == [0xaa; 96]));
        assert!(!Slot { secret: None, ..kept }.encode()[SECRET_AT..CRC_AT].iter().any(|byte| *byte != 0));
    }
}
