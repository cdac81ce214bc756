//! SHA-256 hashes of RFC 6962, section 2.1: leaves, nodes, and the root of an empty tree.
//! Promises: a leaf can never be taken for a node (different first byte). Never: hashes anything but what it is given.

#[cfg(target_arch = "x86_64")]
mod lanes;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// A SHA-256 hash: of a leaf, a node, or a root.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; HASH_BYTES]);

/// The root of a tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// The hash of an entry: SHA-256(0x00 ‖ entry).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(entry);
    Hash(hasher.finalize().into())
}

/// The hashes of many entries, in their order; faster than one by one.
#[must_use]
pub fn leaf_hashes(entries: &[&[u8]]) -> Vec<Hash> {
    #[cfg(target_arch = "x86_64")]
    if let Some(hashes) = lanes::hashes(0, entries) {
        return hashes;
    }
    entries.iter().map(|entry| leaf_hash(entry)).collect()
}

/// The nodes above a row of hashes: each two neighbours hashed together, and the last one as it is when it has no neighbour.
pub(crate) fn row_above(hashes: &[Hash]) -> Vec<Hash> {
    let (pairs, single) = hashes.as_chunks::<2>();
    let mut above = nodes(pairs);
    above.extend_from_slice(single);
    above
}

fn nodes(pairs: &[[Hash; 2]]) -> Vec<Hash> {
    #[cfg(target_arch = "x86_64")]
    {
        let mut messages = vec![[0; 2 * HASH_BYTES]; pairs.len()];
        for (message, [left, right]) in messages.iter_mut().zip(pairs) {
            message[..HASH_BYTES].copy_from_slice(&left.0);
            message[HASH_BYTES..].copy_from_slice(&right.0);
        }
        if let Some(hashes) = lanes::hashes(1, &messages) {
            return hashes;
        }
    }
    pairs.iter().map(|[left, right]| node_hash(left, right)).collect()
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut input = [1; 1 + 2 * HASH_BYTES];
    input[1..=HASH_BYTES].copy_from_slice(&left.0);
    input[1 + HASH_BYTES..].copy_from_slice(&right.0);
    Hash(Sha256::digest(input).into())
}

impl Hash {
    /// The 44 characters of standard base64, as checkpoints and proofs write it.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Reads exactly what [`Self::to_base64`] writes; `None` for anything else, other spellings of the same bytes included.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        if text.len() != 44 {
            return None;
        }
        let bytes = STANDARD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// A hash of exactly 32 bytes; `None` for any other length.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_rfc_6962() {
        assert_eq!(EMPTY_ROOT.to_base64(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(hex(&leaf_hash(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(hex(&leaf_hash(b"audit-0")), "62efc1d728dd43256cd52f6e579a37d895bdd4835f552136b445978559adc97c");
        // RFC 6962 test tree of certificate-transparency: leaves "" and 0x00.
        let root = node_hash(&leaf_hash(b""), &leaf_hash(&[0]));
        assert_eq!(hex(&root), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    }

    #[test]
    fn many_hashes_are_those_of_one_by_one() {
        let bytes: Vec<u8> = (0..1_000u32).map(|n| (n * 31 % 251) as u8).collect();
        // Every length around the borders of blocks and padding, long beside short, so that lanes end at different times.
        let mut entries: Vec<&[u8]> = (0..400).map(|len| &bytes[len % 7..len % 7 + len]).collect();
        for _ in 0..2 {
            let expected: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
            assert_eq!(leaf_hashes(&entries), expected);
            entries.sort_by_key(|entry| entry.len() * 7 % 64);
        }
        for few in 0..4 {
            assert_eq!(leaf_hashes(&entries[..few]).len(), few);
            assert_eq!(
                leaf_hashes(&entries[..few]).last(),
                entries[..few].last().map(|entry| leaf_hash(entry)).as_ref()
            );
        }
    }

    #[test]
    fn a_row_above_is_that_of_pair_by_pair() {
        let row: Vec<Hash> = (0..9u8).map(|n| leaf_hash(&[n])).collect();
        let expected = [
            node_hash(&row[0], &row[1]),
            node_hash(&row[2], &row[3]),
            node_hash(&row[4], &row[5]),
            node_hash(&row[6], &row[7]),
            row[8],
        ];
        assert_eq!(row_above(&row), expected);
        assert_eq!(row_above(&row[..1]), &row[..1]);
        assert!(row_above(&[]).is_empty());
    }

    #[test]
    fn base64_has_one_spelling() {
        let text = EMPTY_ROOT.to_base64();
        assert_eq!(Hash::from_base64(&text), Some(EMPTY_ROOT));
        // The last character carries two unused bits: any other value of them is refused.
        assert_eq!(Hash::from_base64(&text.replace("FU=", "FV=")), None);
        assert_eq!(Hash::from_base64(text.trim_end_matches('=')), None);
        assert_eq!(Hash::from_base64(&format!("{text}\n")), None);
        assert_eq!(Hash::from_base64(""), None);
    }

    fn hex(hash: &Hash) -> String {
        hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
