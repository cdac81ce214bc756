//! Inclusion and consistency proofs: made from tiles, checked without them.
//!
//! Making: RFC 6962, sections 2.1.1 and 2.1.2. Checking: the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2.
//! Promises: a proof fetches each tile once, at most two a level; a check accepts exactly the proofs of the right length. Never:
//! trusts a hash it was handed; a wrong tile makes a proof that does not check.

use crate::hash::{EMPTY_ROOT, Hash, node_hash};
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, TileId};
use crate::tree::{LeafIndex, TREE_SIZE_MAX, TreeSize, root_of, split};

/// Most hashes in an inclusion or consistency proof: one for each level of a 63-bit tree, and one more.
pub const PROOF_HASHES_MAX: usize = 64;

/// The hashes of one tile.
pub(crate) type Fetched = Vec<Hash>;

/// Why a tile could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError<E> {
    /// The caller's reader failed.
    #[error("tile `{tile}` could not be read")]
    Read {
        /// Which tile.
        tile: TileId,
        /// What the reader said.
        source: E,
    },
    /// The tile has fewer hashes than the tree needs.
    #[error("tile `{tile}` has {got} hashes, which is too few")]
    Short {
        /// Which tile, with the width that was needed.
        tile: TileId,
        /// Hashes it has.
        got: usize,
    },
    /// What was asked for does not lie in the tree.
    #[error("{what} {number} lies outside a tree of {size} leaves")]
    Outside {
        /// What: a leaf, or an older size.
        what: &'static str,
        /// Its number.
        number: u64,
        /// The tree.
        size: TreeSize,
    },
}

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf lies beyond the tree.
    #[error("leaf {index} lies outside a tree of {size} leaves")]
    OutsideTree {
        /// The leaf.
        index: LeafIndex,
        /// The tree.
        size: TreeSize,
    },
    /// The older tree is larger than the newer one.
    #[error("a tree of {older} leaves cannot be a prefix of a tree of {newer}")]
    Shrunk {
        /// Size of the older tree.
        older: TreeSize,
        /// Size of the newer tree.
        newer: TreeSize,
    },
    /// Too few or too many hashes.
    #[error("the proof has {got} hashes, which is not the right number for this place")]
    Length {
        /// Hashes in the proof.
        got: usize,
    },
    /// The hashes lead to another root.
    #[error("the proof leads to root {got}, not to {want}")]
    Root {
        /// The root that the proof leads to.
        got: Hash,
        /// The root that was to be shown.
        want: Hash,
    },
}

/// The inclusion proof of a leaf in the tree of `size`: sibling hashes from the leaf to the root.
///
/// # Errors
/// [`TileError`]
pub fn inclusion_proof<E>(
    index: LeafIndex,
    size: TreeSize,
    fetch: &mut dyn FnMut(TileId) -> Result<Vec<Hash>, E>,
) -> Result<Vec<Hash>, TileError<E>> {
    if index.0 >= size.0 || size > TREE_SIZE_MAX {
        return Err(TileError::Outside { what: "leaf", number: index.0, size });
    }
    let mut tree = Tree { size, fetch, tiles: Vec::new() };
    let mut proof = Vec::new();
    let (mut low, mut high) = (0, size.0);
    // From the root down; turned round at the end.
    while high - low > 1 {
        let middle = low + split(high - low);
        if index.0 < middle {
            proof.push(tree.range(middle, high)?);
            high = middle;
        } else {
            proof.push(tree.range(low, middle)?);
            low = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `older` leaves is a prefix of the tree of `newer` leaves.
///
/// # Errors
/// [`TileError`]
pub fn consistency_proof<E>(
    older: TreeSize,
    newer: TreeSize,
    fetch: &mut dyn FnMut(TileId) -> Result<Vec<Hash>, E>,
) -> Result<Vec<Hash>, TileError<E>> {
    if older > newer || newer > TREE_SIZE_MAX {
        return Err(TileError::Outside { what: "an older size of", number: older.0, size: newer });
    }
    if older.0 == 0 || older == newer {
        return Ok(Vec::new());
    }
    let mut tree = Tree { size: newer, fetch, tiles: Vec::new() };
    let mut proof = Vec::new();
    let (mut low, mut high) = (0, newer.0);
    // SUBPROOF of RFC 6962: go down towards the older tree's right edge; `low > 0` is its flag b = false.
    while older.0 < high {
        let middle = low + split(high - low);
        if older.0 <= middle {
            proof.push(tree.range(middle, high)?);
            high = middle;
        } else {
            proof.push(tree.range(low, middle)?);
            low = middle;
        }
    }
    if low > 0 {
        proof.push(tree.range(low, high)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root of the tree of `size`, from its right-edge tiles.
///
/// # Errors
/// [`TileError`]
pub fn tree_root<E>(
    size: TreeSize,
    fetch: &mut dyn FnMut(TileId) -> Result<Vec<Hash>, E>,
) -> Result<Hash, TileError<E>> {
    if size > TREE_SIZE_MAX {
        return Err(TileError::Outside { what: "a size of", number: size.0, size: TREE_SIZE_MAX });
    }
    if size.0 == 0 {
        return Ok(EMPTY_ROOT);
    }
    Tree { size, fetch, tiles: Vec::new() }.range(0, size.0)
}

/// The root that an inclusion proof leads to.
///
/// # Errors
/// [`ProofError::OutsideTree`], [`ProofError::Length`]
pub fn root_from_inclusion(leaf: &Hash, index: LeafIndex, size: TreeSize, proof: &[Hash]) -> Result<Hash, ProofError> {
    if index.0 >= size.0 {
        return Err(ProofError::OutsideTree { index, size });
    }
    let wrong_length = ProofError::Length { got: proof.len() };
    let (mut node, mut last) = (index.0, size.0 - 1);
    let mut root = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(wrong_length);
        }
        if node % 2 == 1 || node == last {
            root = node_hash(sibling, &root);
            // Above the right edge a node without a right sibling stands for itself.
            while node % 2 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(root) } else { Err(wrong_length) }
}

/// Checks that a leaf stands at `index` in the tree with this size and root.
///
/// ```
/// use indelible_tlog::hash::{leaf_hash, node_hash};
/// use indelible_tlog::proof::verify_inclusion;
/// use indelible_tlog::tree::{LeafIndex, TreeSize};
///
/// let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
/// let root = node_hash(&a, &b);
/// assert!(verify_inclusion(&b, LeafIndex(1), TreeSize(2), &[a], &root).is_ok());
/// assert!(verify_inclusion(&b, LeafIndex(0), TreeSize(2), &[a], &root).is_err());
/// ```
///
/// # Errors
/// [`ProofError`]
pub fn verify_inclusion(
    leaf: &Hash,
    index: LeafIndex,
    size: TreeSize,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let got = root_from_inclusion(leaf, index, size, proof)?;
    same_root(got, *root)
}

/// Checks that the older tree is a prefix of the newer one.
///
/// # Errors
/// [`ProofError`]
pub fn verify_consistency(
    older: TreeSize,
    older_root: &Hash,
    newer: TreeSize,
    newer_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if older > newer {
        return Err(ProofError::Shrunk { older, newer });
    }
    let wrong_length = ProofError::Length { got: proof.len() };
    if older == newer || older.0 == 0 {
        let want = if older == newer { *newer_root } else { EMPTY_ROOT };
        return if proof.is_empty() { same_root(*older_root, want) } else { Err(wrong_length) };
    }
    // A full older tree is its own first node and is not repeated in the proof.
    let (first, rest) = if older.0.is_power_of_two() {
        (*older_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(wrong_length)?;
        (*first, rest)
    };
    let shift = (older.0 - 1).trailing_ones();
    let (mut node, mut last) = ((older.0 - 1) >> shift, (newer.0 - 1) >> shift);
    let (mut old, mut new) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(wrong_length);
        }
        if node % 2 == 1 || node == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while node % 2 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong_length);
    }
    same_root(old, *older_root)?;
    same_root(new, *newer_root)
}

fn same_root(got: Hash, want: Hash) -> Result<(), ProofError> {
    if got == want { Ok(()) } else { Err(ProofError::Root { got, want }) }
}

/// One tile through the caller's reader, cut to the width that was asked for.
pub(crate) fn fetch_tile<E>(
    tile: TileId,
    fetch: &mut dyn FnMut(TileId) -> Result<Vec<Hash>, E>,
) -> Result<Fetched, TileError<E>> {
    let mut hashes = fetch(tile).map_err(|source| TileError::Read { tile, source })?;
    if hashes.len() < usize::from(tile.width) {
        return Err(TileError::Short { tile, got: hashes.len() });
    }
    hashes.truncate(usize::from(tile.width));
    Ok(hashes)
}

/// A tree seen through its tiles, each fetched once.
struct Tree<'a, E> {
    size: TreeSize,
    fetch: &'a mut dyn FnMut(TileId) -> Result<Vec<Hash>, E>,
    tiles: Vec<(TileId, Fetched)>,
}

impl<E> Tree<'_, E> {
    /// The root over the leaves `low..high`, a range that the split rule makes. Depth: one call for each bit of the length.
    fn range(&mut self, low: u64, high: u64) -> Result<Hash, TileError<E>> {
        let leaves = high - low;
        if leaves.is_power_of_two() {
            return self.full_subtree(leaves.ilog2(), low);
        }
        let middle = low + split(leaves);
        let left = self.full_subtree((middle - low).ilog2(), low)?;
        let right = self.range(middle, high)?;
        Ok(node_hash(&left, &right))
    }

    /// The root of the full subtree of this height that begins at leaf `low`.
    fn full_subtree(&mut self, height: u32, low: u64) -> Result<Hash, TileError<E>> {
        let outside = TileError::Outside { what: "leaf", number: low, size: self.size };
        let Ok(level) = u8::try_from(height / TILE_HEIGHT) else { return Err(outside) };
        let first = low >> (TILE_HEIGHT * u32::from(level));
        let count = 1usize << (height % TILE_HEIGHT);
        let Some(tile) = TileId::at(level, first / u64::from(TILE_WIDTH), self.size) else { return Err(outside) };
        let Ok(start) = usize::try_from(first % u64::from(TILE_WIDTH)) else { return Err(outside) };
        let hashes = self.tile(tile)?;
        match hashes.get(start..start + count) {
            Some(row) => Ok(root_of(row)),
            None => Err(TileError::Short { tile, got: hashes.len() }),
        }
    }

    fn tile(&mut self, tile: TileId) -> Result<&[Hash], TileError<E>> {
        let known = self.tiles.iter().position(|(id, _)| *id == tile);
        let at = match known {
            Some(at) => at,
            None => {
                let hashes = fetch_tile(tile, self.fetch)?;
                self.tiles.push((tile, hashes));
                self.tiles.len() - 1
            }
        };
        Ok(&self.tiles[at].1)
    }
}
