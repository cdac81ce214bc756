//! Tile and bundle paths, and their bytes.

use indelible_tlog::bundle;
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::tile::{BundleId, TileBytesError, TileId, decode_hashes, encode_hashes};
use indelible_tlog::tree::TreeSize;
use proptest::prelude::*;

#[test]
fn paths_are_those_of_the_specification() {
    let cases = [
        (TileId { level: 0, index: 1_234_067, width: 256 }, "tile/0/x001/x234/067"),
        (TileId { level: 0, index: 273, width: 112 }, "tile/0/273.p/112"),
        (TileId { level: 63, index: 999, width: 255 }, "tile/63/999.p/255"),
        (TileId { level: 1, index: 1000, width: 1 }, "tile/1/x001/000.p/1"),
        (TileId { level: 2, index: 0, width: 256 }, "tile/2/000"),
    ];
    for (tile, path) in cases {
        assert_eq!(tile.path(), path);
        assert_eq!(TileId::parse(path), Some(tile));
    }
    let bundle = BundleId { index: 1_234_067, width: 12 };
    assert_eq!(bundle.path(), "tile/entries/x001/x234/067.p/12");
    assert_eq!(BundleId::parse(&bundle.path()), Some(bundle));
    assert_eq!(bundle.first_entry(), 315_921_152);
}

#[test]
fn every_other_spelling_of_a_path_is_refused() {
    let bad = [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/xx01/002",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000 ",
        "/tile/0/000",
        "tile/0/../000",
        "tile/0/00\u{0660}",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/entries/000",
    ];
    for path in bad {
        assert_eq!(TileId::parse(path), None, "{path}");
    }
    for path in ["tile/entries/x000/001", "tile/entries/000.p/256", "tile/0/000", "tile/entries/", "tile/entries/00"] {
        assert_eq!(BundleId::parse(path), None, "{path}");
    }
}

#[test]
fn a_tree_has_the_tiles_that_the_specification_counts() {
    let size = TreeSize(70_000);
    assert_eq!(TileId::at(0, 272, size).map(|tile| tile.width), Some(256));
    assert_eq!(TileId::at(0, 273, size).map(|tile| tile.width), Some(112));
    assert_eq!(TileId::at(0, 274, size), None);
    assert_eq!(TileId::at(1, 1, size).map(|tile| tile.width), Some(17));
    assert_eq!(TileId::at(2, 0, size).map(|tile| tile.width), Some(1));
    assert_eq!(TileId::at(3, 0, size), None);
    assert_eq!(BundleId::at(273, size), Some(BundleId { index: 273, width: 112 }));
    // 256 leaves: one full tile, and one hash on the level above.
    assert_eq!(TileId::partial(0, TreeSize(256)), None);
    assert_eq!(TileId::partial(1, TreeSize(256)), Some(TileId { level: 1, index: 0, width: 1 }));
    assert_eq!(TileId::at(0, u64::MAX, size), None);
    assert_eq!(TileId::at(u8::MAX, 0, size), None);
}

#[test]
fn a_tile_of_the_wrong_length_is_named() {
    let tile = TileId { level: 0, index: 5, width: 3 };
    let hashes: Vec<Hash> = [&b"a"[..], b"b", b"c"].map(leaf_hash).to_vec();
    let bytes = encode_hashes(&hashes);
    assert_eq!(decode_hashes(tile, &bytes), Ok(hashes));
    assert_eq!(decode_hashes(tile, &bytes[1..]), Err(TileBytesError { tile, want: 96, got: 95 }));
    assert_eq!(decode_hashes(tile, &[]), Err(TileBytesError { tile, want: 96, got: 0 }));
}

proptest! {
    #[test]
    fn every_tile_has_one_path(level in 0u8..=63, index in 0u64..1_000_000_000_000_000_000, width in 1u16..=256) {
        let tile = TileId { level, index, width };
        prop_assert_eq!(TileId::parse(&tile.path()), Some(tile));
        let bundle = BundleId { index: index / 256, width };
        prop_assert_eq!(BundleId::parse(&bundle.path()), Some(bundle));
    }

    #[test]
    fn a_path_that_parses_is_the_one_that_is_written(path in "tile/(entries|[0-9]{1,2})/(x?[0-9]{3}/){0,3}x?[0-9]{2,4}(\\.p/[0-9]{1,3})?") {
        if let Some(tile) = TileId::parse(&path) {
            prop_assert_eq!(tile.path(), path.clone());
        }
        if let Some(bundle) = BundleId::parse(&path) {
            prop_assert_eq!(bundle.path(), path);
        }
    }

    #[test]
    fn bundles_round_trip(entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..20)) {
        let mut bytes = Vec::new();
        for entry in &entries {
            bundle::append_entry(&mut bytes, entry).unwrap();
        }
        let read: Result<Vec<_>, _> = bundle::entries(&bytes).map(|entry| entry.map(<[u8]>::to_vec)).collect();
        prop_assert_eq!(read, Ok(entries));
    }

    #[test]
    fn hostile_bundles_give_entries_and_then_at_most_one_error(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut used = 0;
        for entry in bundle::entries(&bytes) {
            match entry {
                Ok(entry) => used += 2 + entry.len(),
                Err(error) => prop_assert_eq!(error.offset, used),
            }
        }
        prop_assert!(used <= bytes.len());
    }
}
