//! RFC 6962, section 2.1, word for word and recursively, and a store of tiles to set against it.

use std::collections::BTreeMap;
use std::convert::Infallible;

use indelible_tlog::edge::Edge;
use indelible_tlog::hash::{EMPTY_ROOT, Hash, leaf_hash, node_hash};
use indelible_tlog::tile::TileId;

/// MTH(D[n]).
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// PATH(m, D[n]).
pub(crate) fn inclusion(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if index < left.len() {
        let mut path = inclusion(index, left);
        path.push(root(right));
        path
    } else {
        let mut path = inclusion(index - left.len(), right);
        path.push(root(left));
        path
    }
}

/// PROOF(m, D[n]).
pub(crate) fn consistency(older: usize, leaves: &[Hash]) -> Vec<Hash> {
    if older == 0 { Vec::new() } else { subproof(older, leaves, true) }
}

fn subproof(older: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if older == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if older <= left.len() {
        let mut proof = subproof(older, left, whole);
        proof.push(root(right));
        proof
    } else {
        let mut proof = subproof(older - left.len(), right, false);
        proof.push(root(left));
        proof
    }
}

fn split(leaves: usize) -> usize {
    let mut split = 1;
    while split * 2 < leaves {
        split *= 2;
    }
    split
}

/// The leaf hashes of `audit-0`, `audit-1`, …
pub(crate) fn audit_leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(format!("audit-{n}").as_bytes())).collect()
}

/// All tiles that an edge gives out, and the partial ones of its last size.
pub(crate) struct Tiles(pub(crate) BTreeMap<TileId, Vec<Hash>>);

impl Tiles {
    pub(crate) fn of(leaves: &[Hash]) -> Self {
        let mut tiles = BTreeMap::new();
        let mut edge = Edge::empty();
        edge.append(leaves, &mut |tile, hashes| {
            assert_eq!(tiles.insert(tile, hashes.to_vec()), None, "{tile} given out twice");
        });
        tiles.extend(edge.partial_tiles());
        Self(tiles)
    }

    /// As a published log does: the tile asked for, or a fuller one of the same place.
    pub(crate) fn fetch(&self, tile: TileId) -> Result<Vec<Hash>, Infallible> {
        let fuller = self.0.range(tile..=tile.full()).next().expect("the tile or a fuller one");
        Ok(fuller.1.clone())
    }
}
