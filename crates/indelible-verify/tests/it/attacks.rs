//! Attacks on a log's files, each with the finding, the entry and the file that must be named.

use indelible_tlog::checkpoint::{Checkpoint, Origin};
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::note;
use indelible_tlog::tile::{TileId, decode_hashes, encode_hashes};
use indelible_tlog::tree::{TreeSize, root_of};
use indelible_verify::report::{Finding, FindingKind, WitnessLevel};
use indelible_verify::{Exit, Report, VerifyOptions};
use proptest::prelude::*;

use crate::builder::{Log, ORIGIN, bundle_of, event, events, files, key};

/// The first finding: kind, first and last entry, file.
fn first(report: &Report) -> (FindingKind, Option<u64>, Option<u64>, &str) {
    assert_eq!(report.exit(), Exit::Tampered, "{}", report.to_text());
    let Finding { kind, first_index, last_index, file, .. } = report.integrity.first.as_ref().unwrap();
    (*kind, *first_index, *last_index, file.as_deref().unwrap_or_default())
}

fn one(kind: FindingKind, index: u64, file: &str) -> (FindingKind, Option<u64>, Option<u64>, &str) {
    (kind, Some(index), Some(index), file)
}

#[test]
fn an_edited_byte_of_an_entry_names_the_entry_and_its_bundle() {
    let log = Log::of(events(700));
    let before = bundle_of(&log.entries[256..276]).len();
    log.flip("tile/entries/001", before + 10);
    let report = log.verify();
    assert_eq!(first(&report), one(FindingKind::EntryAltered, 256 + 20, "tile/entries/001"));
    assert_eq!(report.integrity.findings_total, 1);
    // In the partial bundle at the end too.
    let log = Log::of(events(700));
    log.flip("tile/entries/002.p/188", 10);
    assert_eq!(first(&log.verify()), one(FindingKind::EntryAltered, 512, "tile/entries/002.p/188"));
}

#[test]
fn entries_deleted_inserted_swapped_or_cut_short_name_the_first_that_moved() {
    let path = "tile/entries/000";
    let attack = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let log = Log::of(events(300));
        let mut entries = log.entries[..256].to_vec();
        change(&mut entries);
        log.put(path, &bundle_of(&entries));
        log.verify()
    };
    let deleted = attack(&|entries| drop(entries.remove(77)));
    assert_eq!(first(&deleted), one(FindingKind::EntryAltered, 77, path));
    let inserted = attack(&|entries| entries.insert(78, event(78, "pg", 1).into()));
    assert_eq!(first(&inserted), one(FindingKind::EntryAltered, 78, path));
    let swapped = attack(&|entries| entries.swap(79, 90));
    assert_eq!(first(&swapped), one(FindingKind::EntryAltered, 79, path));
    let appended = attack(&|entries| entries.push(event(80, "pg", 1).into()));
    assert_eq!(first(&appended).0, FindingKind::MalformedFile);
    let last_gone = attack(&|entries| drop(entries.pop()));
    assert_eq!(first(&last_gone), one(FindingKind::MalformedFile, 255, path));

    let log = Log::of(events(300));
    let bytes = log.get(path);
    log.put(path, &bytes[..bytes.len() - 1]);
    assert_eq!(first(&log.verify()), one(FindingKind::MalformedFile, 255, path));
}

#[test]
fn an_edited_tile_is_told_apart_from_an_edited_entry() {
    let log = Log::of(events(700));
    log.flip("tile/0/001", 32 * 7);
    let report = log.verify();
    assert_eq!(first(&report), one(FindingKind::TileAltered, 256 + 7, "tile/0/001"));
    assert!(report.integrity.first.unwrap().reason.contains("the entry is whole"));

    // A partial tile at the edge: the recomputed root is the signed one, so the entries are whole.
    let log = Log::of(events(700));
    log.flip("tile/1/000.p/2", 32);
    assert_eq!(first(&log.verify()), (FindingKind::TileAltered, Some(256), Some(511), "tile/1/000.p/2"));

    for cut in [0, 31, 8191] {
        let log = Log::of(events(700));
        log.put("tile/0/000", &log.get("tile/0/000")[..cut]);
        assert_eq!(first(&log.verify()), (FindingKind::MalformedFile, Some(0), Some(255), "tile/0/000"));
    }
}

#[test]
fn an_entry_replaced_together_with_its_tile_is_caught_by_the_tree_above() {
    let log = Log::of(events(700));
    let mut forged = log.entries.clone();
    forged[300] = event(300, "pg", 999).into();
    let forged = files(&forged);
    for path in ["tile/entries/001", "tile/0/001"] {
        log.put(path, &forged[path]);
    }
    assert_eq!(first(&log.verify()), (FindingKind::Replaced, Some(256), Some(511), "tile/entries/001"));

    // With every tile above replaced as well only the signed root is left, which cannot say where.
    for (path, bytes) in &forged {
        log.put(path, bytes);
    }
    assert_eq!(first(&log.verify()), (FindingKind::RootDiffers, Some(0), Some(699), "checkpoint"));
}

#[test]
fn a_log_rewritten_and_signed_again_needs_a_kept_checkpoint() {
    let kept = |size| Some(Log::of(events(size)).checkpoint(&key(1)));
    let mut entries = events(700);
    entries[300] = event(300, "pg", 301).replace("ana", "bob").into();
    let forged = Log::of(entries);
    assert_eq!(forged.verify().exit(), Exit::Intact);
    for size in [301, 512, 700] {
        let report = forged.verify_with(&VerifyOptions { from: kept(size), ..forged.options() });
        assert_eq!(first(&report), (FindingKind::HistoryRewritten, Some(0), Some(size - 1), "checkpoint"));
        assert_eq!(report.witness.verdict, WitnessLevel::None);
    }
    // A checkpoint from before the change cannot tell.
    let report = forged.verify_with(&VerifyOptions { from: kept(300), ..forged.options() });
    assert_eq!((report.exit(), report.witness.verdict), (Exit::Intact, WitnessLevel::KeptCheckpoint));
}

#[test]
fn a_log_cut_or_rolled_back_is_shorter_than_what_was_kept() {
    let kept = Log::of(events(700)).checkpoint(&key(1));
    let rolled_back = Log::of(events(600));
    let report = rolled_back.verify_with(&VerifyOptions { from: Some(kept), ..rolled_back.options() });
    assert_eq!(first(&report), (FindingKind::ShorterThanKept, Some(600), Some(699), "checkpoint"));

    // The tail cut from the folder, the checkpoint left.
    let cut = Log::of(events(700));
    for path in ["tile/entries/002.p/188", "tile/0/002.p/188"] {
        cut.remove(path);
    }
    assert_eq!(first(&cut.verify()), (FindingKind::MissingFile, Some(512), Some(699), "tile/entries/002.p/188"));
}

#[test]
fn another_key_is_caught_by_the_given_key_or_the_kept_checkpoint() {
    let log = Log::of(events(300));
    let kept = log.checkpoint(&key(1));
    // Signed again with another key, which is put beside the log.
    log.write(&key(2));
    assert_eq!(log.verify().exit(), Exit::Intact);
    let report = log.verify_with(&log.options());
    assert_eq!(first(&report), (FindingKind::CheckpointInvalid, None, None, "checkpoint"));
    let report = log.verify_with(&VerifyOptions { from: Some(kept), ..VerifyOptions::default() });
    assert_eq!(first(&report), (FindingKind::KeyChanged, None, None, "log.vkey"));
    // The key beside the log exchanged alone.
    log.sign(&key(1));
    assert_eq!(first(&log.verify()).0, FindingKind::CheckpointInvalid);
    let report = log.verify_with(&log.options());
    assert_eq!(report.exit(), Exit::Intact);
    assert!(report.remarks[0].contains("not the one given"), "{:?}", report.remarks);
}

#[test]
fn a_kept_checkpoint_that_is_not_of_this_log_checks_nothing() {
    let log = Log::of(events(300));
    for from in ["nonsense".to_owned(), Log::of(events(200)).checkpoint(&key(2))] {
        let report = log.verify_with(&VerifyOptions { from: Some(from), ..log.options() });
        assert_eq!(report.exit(), Exit::CouldNotCheck, "{}", report.to_text());
    }
}

#[test]
fn missing_files_are_named() {
    for (path, range) in [
        ("tile/entries/000", (0, 255)),
        ("tile/0/001", (256, 511)),
        ("tile/1/000.p/2", (0, 511)),
        ("tile/0/002.p/188", (512, 699)),
    ] {
        let log = Log::of(events(700));
        log.remove(path);
        let report = log.verify();
        assert_eq!(first(&report), (FindingKind::MissingFile, Some(range.0), Some(range.1), path));
        assert_eq!(report.integrity.findings_total, 1, "{}", report.to_text());
    }
}

#[test]
fn full_tiles_of_upper_levels_are_told_apart_too() {
    let size = 65_536 + 300;
    let log = Log::of(events(size));
    // One hash of the full level-1 tile: everything below is whole.
    log.flip("tile/1/000", 32 * 9 + 3);
    let report = log.verify();
    assert_eq!(first(&report), (FindingKind::TileAltered, Some(9 * 256), Some(9 * 256 + 255), "tile/1/000"));
    assert!(report.integrity.first.as_ref().unwrap().reason.contains("whole"));
    assert_eq!(report.integrity.findings_total, 1, "{}", report.to_text());
    log.flip("tile/1/000", 32 * 9 + 3);
    assert_eq!(log.verify().exit(), Exit::Intact);

    // An entry, its tile and the level-1 tile replaced: the level above says so.
    let mut forged = log.entries.clone();
    forged[5] = event(5, "pg", 6).replace("ana", "bob").into();
    let forged = files(&forged);
    for path in ["tile/entries/000", "tile/0/000", "tile/1/000"] {
        log.put(path, &forged[path]);
    }
    assert_eq!(first(&log.verify()), (FindingKind::Replaced, Some(0), Some(65_535), "tile/1/000"));

    // The level-1 tile gone: one finding, and the rest of the tree still holds.
    let log = Log::of(events(size));
    log.remove("tile/1/000");
    let report = log.verify();
    assert_eq!(first(&report), (FindingKind::MissingFile, Some(0), Some(65_535), "tile/1/000"));
    assert_eq!(report.integrity.findings_total, 1, "{}", report.to_text());
}

#[test]
fn many_findings_are_counted_and_the_list_is_capped() {
    let log = Log::of(events(256 * 130));
    for bundle in 0..130 {
        log.flip(&format!("tile/entries/{bundle:03}"), 10);
    }
    let report = log.verify();
    assert_eq!((report.integrity.findings_total, report.integrity.findings.len()), (130, 100));
    assert!(report.to_text().contains("and 30 more findings"));
    assert_eq!(first(&report), one(FindingKind::EntryAltered, 0, "tile/entries/000"));
}

#[test]
fn a_checkpoint_of_any_size_is_soon_found_out() {
    let log = Log::of(events(300));
    for (size, signer) in [(1 << 62, 1), (i64::MAX as u64, 2), (u64::from(u32::MAX), 1)] {
        let checkpoint =
            Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size: TreeSize(size), root: leaf_hash(b"") };
        log.put("checkpoint", note::sign(&checkpoint.to_text(), &key(signer)).unwrap().as_bytes());
        let report = log.verify_with(&log.options());
        assert_eq!(report.exit(), Exit::Tampered);
        assert!(report.integrity.findings_total < 10_100, "{}", report.integrity.findings_total);
        assert!(report.remarks[0].contains("broken off"), "{:?}", report.remarks);
    }
}

#[test]
fn a_hash_of_a_tile_and_the_tree_of_the_test_agree() {
    // Guards the builder: what it writes is what the specification says of 70,000 entries.
    let log = Log::of(events(700));
    let tile = TileId { level: 0, index: 1, width: 256 };
    let hashes: Vec<Hash> = decode_hashes(tile, &log.get(&tile.path())).unwrap();
    assert_eq!(hashes[3], leaf_hash(&log.entries[259]));
    assert_eq!(encode_hashes(&[root_of(&hashes)]), log.get("tile/1/000.p/2")[32..]);
}

#[test]
fn a_checkpoint_nobody_signed_is_named_before_the_files_that_its_size_asks_for() {
    let log = Log::of(events(260));
    let signed = String::from_utf8(log.get("checkpoint")).unwrap();
    log.put("checkpoint", signed.replacen("\n260\n", "\n261\n", 1).as_bytes());
    let report = log.verify();
    assert_eq!(report.exit(), Exit::Tampered);
    assert_eq!(report.integrity.first.unwrap().file.as_deref(), Some("checkpoint"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_bit_of_any_file_is_caught(
        size in 1u64..600, file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0u8..8, given in any::<bool>(),
    ) {
        let log = Log::of(events(size));
        let mut paths: Vec<String> = files(&log.entries).into_keys().collect();
        paths.push("checkpoint".to_owned());
        let path = &paths[file.index(paths.len())];
        let mut bytes = log.get(path);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        log.put(path, &bytes);
        let options = if given { log.options() } else { VerifyOptions::default() };
        let report = log.verify_with(&options);
        prop_assert_eq!(report.exit(), Exit::Tampered);
        // Only in a log of one bundle can a tile and the signed root not say which of two files it was.
        let named = report.integrity.first.unwrap().file.unwrap();
        prop_assert!(&named == path || size < 256 || path.contains(".p/"), "{} instead of {}", named, path);
    }

    #[test]
    fn hostile_files_never_panic(
        size in 0u64..520, file in any::<prop::sample::Index>(), junk in proptest::collection::vec(any::<u8>(), 0..9000),
    ) {
        let log = Log::of(events(size));
        let mut paths: Vec<String> = files(&log.entries).into_keys().collect();
        paths.extend(["checkpoint".to_owned(), "log.vkey".to_owned()]);
        let path = &paths[file.index(paths.len())];
        log.put(path, &junk);
        prop_assert_ne!(log.verify().exit(), Exit::Intact);
    }
}
