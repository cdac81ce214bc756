//! The shape of the tree of RFC 6962, section 2.1: sizes, places, and the root of a list of hashes.
//! Promises: one split rule, used by tiles, proofs and roots alike. Never: keeps anything.

use std::fmt;

use crate::hash::{EMPTY_ROOT, Hash, node_hash, row_above};

/// How many leaves a tree has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeSize(pub u64);

/// A leaf's place in the tree, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(pub u64);

/// Largest size that is read from outside: Go's readers hold it in an `int64`, and all our arithmetic stays exact below it.
pub const TREE_SIZE_MAX: TreeSize = TreeSize(i64::MAX as u64);

impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a range of `leaves` (two or more) is split: the largest power of two smaller than it.
#[must_use]
pub(crate) fn split(leaves: u64) -> u64 {
    debug_assert!(leaves > 1, "a range of one leaf has no split");
    1 << (leaves.saturating_sub(1) | 1).ilog2()
}

/// The root over a list of hashes taken as leaves (they may be roots of equal, full subtrees).
#[must_use]
pub fn root_of(hashes: &[Hash]) -> Hash {
    // Row by row: a hash without a neighbour rises until it has one, which is the split rule seen from below.
    let mut row = row_above(hashes);
    while row.len() > 1 {
        row = row_above(&row);
    }
    row.first().copied().unwrap_or(EMPTY_ROOT)
}

/// The roots of the full subtrees that make up a tree, largest first: at most one for each bit of the size. The smallest
/// thing from which a root can be computed while leaves only ever come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peaks {
    size: u64,
    roots: Vec<Hash>,
}

impl Peaks {
    /// Adds the next leaf hash: one node hash on average.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            // One peak for each low one-bit of the size, so there is always one to take.
            let Some(left) = self.roots.pop() else { break };
            hash = node_hash(&left, &hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// How many leaves were added.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        TreeSize(self.size)
    }

    /// The root of the tree so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.roots.iter().rev();
        let Some(smallest) = peaks.next() else { return EMPTY_ROOT };
        peaks.fold(*smallest, |right, left| node_hash(left, &right))
    }

    /// The root of a tree that continues to the right of these subtrees with one that is smaller than each of them, whose
    /// root is `right`: what is left over when leaves were pushed as roots of full subtrees.
    #[must_use]
    pub fn root_with(&self, right: Hash) -> Hash {
        self.roots.iter().rev().fold(right, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_is_the_largest_power_of_two_below() {
        let splits: Vec<u64> = (2..=9).map(split).collect();
        assert_eq!(splits, [1, 2, 2, 4, 4, 4, 4, 8]);
        assert_eq!(split(1 << 40), 1 << 39);
        assert_eq!(split((1 << 40) + 1), 1 << 40);
    }
}
