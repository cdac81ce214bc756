//! Roots, edges and proofs against the naive tree.

use std::collections::BTreeMap;

use indelible_tlog::edge::Edge;
use indelible_tlog::hash::{Hash, node_hash};
use indelible_tlog::proof::{
    ProofError, TileError, consistency_proof, inclusion_proof, tree_root, verify_consistency, verify_inclusion,
};
use indelible_tlog::tile::{TILE_WIDTH, TileId};
use indelible_tlog::tree::{LeafIndex, Peaks, TreeSize, root_of};
use proptest::prelude::*;

use crate::naive::{self, Tiles, audit_leaves};

/// Sizes around every border that tiles have, up to three levels.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        0usize..10,
        250usize..262,
        510usize..515,
        (1usize..12, -2isize..3).prop_map(|(power, off)| (1usize << power).saturating_add_signed(off)),
        0usize..3000,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn roots_are_those_of_the_naive_tree(size in size()) {
        let leaves = audit_leaves(size);
        let want = naive::root(&leaves);
        prop_assert_eq!(root_of(&leaves), want);
        let mut peaks = Peaks::default();
        leaves.iter().for_each(|leaf| peaks.push(*leaf));
        prop_assert_eq!(peaks.root(), want);
        let mut edge = Edge::empty();
        edge.append(&leaves, &mut |_, _| ());
        prop_assert_eq!(edge.root(), want);
        let tiles = Tiles::of(&leaves);
        prop_assert_eq!(tree_root(TreeSize(size as u64), &mut |tile| tiles.fetch(tile)).unwrap(), want);
    }

    #[test]
    fn growing_in_any_steps_gives_the_same_tiles_and_edge(
        steps in proptest::collection::vec(0usize..700, 0..8), reload in any::<bool>(),
    ) {
        let leaves = audit_leaves(steps.iter().sum());
        let mut edge = Edge::empty();
        let mut tiles = BTreeMap::new();
        let mut done = 0;
        for step in steps {
            let mut order = Vec::new();
            edge.append(&leaves[done..done + step], &mut |tile, hashes| {
                order.push(tile);
                tiles.insert(tile, hashes.to_vec());
            });
            done += step;
            // Whoever writes them in this order never has a tile whose tiles below are missing.
            for (at, upper) in order.iter().enumerate() {
                for lower in &order[at..] {
                    prop_assert!(lower.level + 1 != upper.level || lower.index / 256 != upper.index);
                }
            }
            if reload {
                let partial: BTreeMap<_, _> = edge.partial_tiles().into_iter().collect();
                let loaded = Edge::load(edge.size(), |tile| partial.get(&tile).cloned().ok_or(())).unwrap();
                prop_assert_eq!(&loaded, &edge);
                edge = loaded;
            }
        }
        tiles.extend(edge.partial_tiles());
        prop_assert_eq!(&tiles, &Tiles::of(&leaves).0);
        prop_assert_eq!(edge.root(), naive::root(&leaves));
    }

    #[test]
    fn inclusion_proofs_are_the_naive_ones_and_hold_for_their_leaf_only(size in size(), place in any::<prop::sample::Index>()) {
        prop_assume!(size > 0);
        let leaves = audit_leaves(size);
        let index = place.index(size);
        let tiles = Tiles::of(&leaves);
        let (at, in_size) = (LeafIndex(index as u64), TreeSize(size as u64));
        let proof = inclusion_proof(at, in_size, &mut |tile| tiles.fetch(tile)).unwrap();
        prop_assert_eq!(&proof, &naive::inclusion(index, &leaves));
        let root = naive::root(&leaves);
        prop_assert_eq!(verify_inclusion(&leaves[index], at, in_size, &proof, &root), Ok(()));
        // Anything else than this leaf at this place with these hashes is refused.
        let other = node_hash(&root, &root);
        prop_assert!(verify_inclusion(&other, at, in_size, &proof, &root).is_err());
        let next = LeafIndex((at.0 + 1) % size as u64);
        prop_assert!(size == 1 || verify_inclusion(&leaves[index], next, in_size, &proof, &root).is_err());
        for cut in 0..proof.len() {
            let mut bent = proof.clone();
            bent[cut] = other;
            prop_assert!(verify_inclusion(&leaves[index], at, in_size, &bent, &root).is_err());
            bent.remove(cut);
            prop_assert_eq!(
                verify_inclusion(&leaves[index], at, in_size, &bent, &root),
                Err(ProofError::Length { got: proof.len() - 1 })
            );
        }
        let mut long = proof;
        long.push(other);
        prop_assert_eq!(
            verify_inclusion(&leaves[index], at, in_size, &long, &root), Err(ProofError::Length { got: long.len() })
        );
    }

    #[test]
    fn consistency_proofs_are_the_naive_ones_and_hold_for_their_trees_only(size in size(), place in any::<prop::sample::Index>()) {
        let leaves = audit_leaves(size);
        let older = place.index(size + 1);
        let tiles = Tiles::of(&leaves);
        let (old_size, new_size) = (TreeSize(older as u64), TreeSize(size as u64));
        let proof = consistency_proof(old_size, new_size, &mut |tile| tiles.fetch(tile)).unwrap();
        prop_assert_eq!(&proof, &naive::consistency(older, &leaves));
        let (old_root, new_root) = (naive::root(&leaves[..older]), naive::root(&leaves));
        prop_assert_eq!(verify_consistency(old_size, &old_root, new_size, &new_root, &proof), Ok(()));
        prop_assert_eq!(tree_root(old_size, &mut |tile| tiles.fetch(tile)).unwrap(), old_root);
        let other = node_hash(&new_root, &new_root);
        prop_assert!(verify_consistency(old_size, &other, new_size, &new_root, &proof).is_err());
        prop_assert!(older == 0 || verify_consistency(old_size, &old_root, new_size, &other, &proof).is_err());
        for cut in 0..proof.len() {
            let mut bent = proof.clone();
            bent[cut] = other;
            prop_assert!(verify_consistency(old_size, &old_root, new_size, &new_root, &bent).is_err());
            bent.remove(cut);
            prop_assert!(verify_consistency(old_size, &old_root, new_size, &new_root, &bent).is_err());
        }
        let mut long = proof;
        long.push(other);
        prop_assert!(verify_consistency(old_size, &old_root, new_size, &new_root, &long).is_err());
    }

    #[test]
    fn checks_of_hostile_proofs_never_panic(
        index in any::<u64>(), size in any::<u64>(), other in any::<u64>(), hashes in 0usize..70, seed in any::<[u8; 32]>(),
    ) {
        let hash = Hash(seed);
        let proof = vec![hash; hashes];
        prop_assert!(verify_inclusion(&hash, LeafIndex(index), TreeSize(size), &proof, &hash).is_err());
        let older = TreeSize(index.max(1));
        if older != TreeSize(other) {
            prop_assert!(verify_consistency(older, &hash, TreeSize(other), &hash, &proof).is_err());
        }
    }
}

#[test]
fn three_levels_of_tiles_agree_with_the_peaks() {
    // 65,536 + 256 + 3: the smallest size with a hash on each of levels 0, 1 and 2.
    let leaves = audit_leaves(65_536 + 256 + 3);
    let tiles = Tiles::of(&leaves);
    let size = TreeSize(leaves.len() as u64);
    let widths: Vec<_> = (0..4).map(|level| TileId::partial(level, size).map(|tile| tile.width)).collect();
    assert_eq!(widths, [Some(3), Some(1), Some(1), None]);
    let root = root_of(&leaves);
    assert_eq!(tree_root(size, &mut |tile| tiles.fetch(tile)), Ok(root));
    for index in [0, 255, 256, 65_535, 65_536, 65_791, 65_792, 65_794] {
        let mut fetched = Vec::new();
        let proof = inclusion_proof(LeafIndex(index), size, &mut |tile| {
            fetched.push(tile);
            tiles.fetch(tile)
        })
        .unwrap();
        verify_inclusion(&leaves[usize::try_from(index).unwrap()], LeafIndex(index), size, &proof, &root).unwrap();
        let before = fetched.len();
        fetched.sort();
        fetched.dedup();
        assert_eq!(fetched.len(), before, "a tile was fetched twice");
        assert!(before <= 6, "{before} tiles for one proof");
    }
}

#[test]
fn proofs_of_what_is_not_in_the_tree_are_refused() {
    let tiles = Tiles::of(&audit_leaves(300));
    let beyond = inclusion_proof(LeafIndex(300), TreeSize(300), &mut |tile| tiles.fetch(tile));
    assert_eq!(beyond, Err(TileError::Outside { what: "leaf", number: 300, size: TreeSize(300) }));
    assert!(consistency_proof(TreeSize(301), TreeSize(300), &mut |tile| tiles.fetch(tile)).is_err());
    let huge = inclusion_proof(LeafIndex(0), TreeSize(u64::MAX), &mut |tile| tiles.fetch(tile));
    assert!(matches!(huge, Err(TileError::Outside { .. })));
}

#[test]
fn a_short_tile_is_named() {
    let tile = TileId { level: 0, index: 1, width: 44 };
    let short = |asked: TileId| Ok::<_, ()>(vec![Hash::default(); usize::from(asked.width) - 1]);
    assert_eq!(Edge::load(TreeSize(300), short), Err(TileError::Short { tile, got: 43 }));
    let failing = |_| Err("disk gone");
    assert_eq!(Edge::load(TreeSize(300), failing), Err(TileError::Read { tile, source: "disk gone" }));
}

#[test]
fn an_edge_stays_small() {
    let leaves = audit_leaves(70_000);
    let mut edge = Edge::empty();
    edge.append(&leaves, &mut |tile, hashes| {
        assert_eq!((tile.width, hashes.len()), (TILE_WIDTH, usize::from(TILE_WIDTH)));
    });
    let widths: Vec<_> = edge.partial_tiles().iter().map(|(tile, _)| tile.to_string()).collect();
    assert_eq!(widths, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
}
