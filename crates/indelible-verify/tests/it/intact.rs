//! Logs that nobody touched, and what is not integrity's business.

use std::fs;

use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::proof::inclusion_proof;
use indelible_tlog::proof_file::TlogProof;
use indelible_tlog::tile::{TileId, decode_hashes};
use indelible_tlog::tree::{LeafIndex, TreeSize};
use indelible_verify::report::{CompletenessLevel, FindingKind, Gap, KeySource, WitnessLevel};
use indelible_verify::{Exit, FolderSource, Verdict, VerifyOptions, check_proof, verify};

use crate::builder::{Log, event, events, files, key};

#[test]
fn an_intact_log_of_any_shape_is_intact() {
    for size in [0, 1, 2, 255, 256, 257, 512, 700] {
        let log = Log::of(events(size));
        let report = log.verify_with(&log.options());
        assert_eq!(report.integrity.verdict, Verdict::Intact, "{size}: {}", report.to_text());
        assert_eq!((report.integrity.entries_checked, report.size), (size, Some(size)));
        assert_eq!(report.completeness.verdict, CompletenessLevel::Complete);
        assert_eq!((report.key_source, report.exit()), (KeySource::Given, Exit::Intact));
        assert_eq!(report.witness.verdict, WitnessLevel::None);
        assert!(report.remarks.is_empty(), "{:?}", report.remarks);
    }
}

#[test]
fn three_levels_are_intact_on_any_number_of_threads_and_every_tile_is_counted() {
    let log = Log::of(events(65_536 + 256 + 3));
    let tiles = files(&log.entries).keys().filter(|path| !path.contains("entries")).count() as u64;
    let mut reports = Vec::new();
    for threads in [1, 2, 5] {
        let mut last = 0;
        let options = VerifyOptions { threads, ..log.options() };
        let report = verify(&FolderSource::new(log.path()), &options, &mut |done, total| {
            assert!(done > last && done <= total);
            last = done;
        });
        assert_eq!(report.integrity.verdict, Verdict::Intact, "{}", report.to_text());
        assert_eq!((last, report.integrity.tiles_checked), (65_795, tiles));
        reports.push(report);
    }
    assert!(reports.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_kept_checkpoint_of_any_older_size_is_found_to_be_a_prefix() {
    let log = Log::of(events(700));
    for size in [0, 1, 255, 256, 257, 300, 512, 699, 700] {
        let kept = Log::of(events(size)).checkpoint(&key(1));
        let report = log.verify_with(&VerifyOptions { from: Some(kept), ..log.options() });
        assert_eq!(report.integrity.verdict, Verdict::Intact, "{size}");
        assert_eq!((report.witness.verdict, report.witness.kept_size), (WitnessLevel::KeptCheckpoint, Some(size)));
    }
}

#[test]
fn a_key_found_beside_the_log_is_said_to_prove_less() {
    let report = Log::of(events(3)).verify();
    assert_eq!((report.key_source, report.exit()), (KeySource::BesideLog, Exit::Intact));
    assert!(report.remarks[0].contains("found beside the log"), "{:?}", report.remarks);
}

#[test]
fn partial_files_may_have_become_full_since_the_checkpoint() {
    // The checkpoint of 300 entries in the folder of a log that has 512 by now and has dropped what it outgrew.
    let log = Log::of(events(512));
    log.put("checkpoint", Log::of(events(300)).checkpoint(&key(1)).as_bytes());
    log.put("tile/1/000.p/1", &log.get("tile/1/000.p/2")[..32]);
    assert!(!log.file("tile/entries/001.p/44").exists());
    let report = log.verify_with(&log.options());
    assert_eq!(report.integrity.verdict, Verdict::Intact, "{}", report.to_text());
    assert_eq!(report.integrity.entries_checked, 300);
    // The smaller partial tile must stay until the full one is there (tlog-tiles, section Partial Tiles).
    log.remove("tile/1/000.p/1");
    let first = log.verify_with(&log.options()).integrity.first.unwrap();
    assert_eq!((first.kind, first.file.as_deref()), (FindingKind::MissingFile, Some("tile/1/000.p/1")));
}

#[test]
fn partial_bundles_may_have_become_wider_since_the_checkpoint() {
    // The checkpoint of 300 entries in the folder of a log that has 310 by now and let go of the bundle it outgrew.
    let log = Log::of(events(310));
    log.put("checkpoint", Log::of(events(300)).checkpoint(&key(1)).as_bytes());
    assert!(!log.file("tile/entries/001.p/44").exists() && log.file("tile/entries/001.p/54").exists());
    let report = log.verify_with(&log.options());
    assert_eq!(report.integrity.verdict, Verdict::Intact, "{}", report.to_text());
    assert_eq!(report.integrity.entries_checked, 300);
    // A narrower one holds less than the checkpoint needs.
    log.put("tile/entries/001.p/43", &log.get("tile/entries/001.p/54"));
    log.remove("tile/entries/001.p/54");
    let first = log.verify_with(&log.options()).integrity.first.unwrap();
    assert_eq!((first.kind, first.file.as_deref()), (FindingKind::MissingFile, Some("tile/entries/001.p/44")));
}

#[test]
fn what_lies_beyond_the_checkpoint_is_a_remark() {
    let log = Log::of(events(300));
    for (path, bytes) in files(&events(700)) {
        if !log.file(&path).exists() {
            log.put(&path, &bytes);
        }
    }
    log.put("notes.txt", b"hello");
    let report = log.verify_with(&log.options());
    assert_eq!(report.integrity.verdict, Verdict::Intact, "{}", report.to_text());
    assert_eq!(report.integrity.entries_checked, 300);
    assert!(report.remarks[0].contains("beyond the checkpoint"), "{:?}", report.remarks);
    assert_eq!(report.remarks[1], "1 file(s) do not belong to a log: notes.txt");
}

#[test]
fn missing_numbers_are_a_matter_of_completeness_not_of_integrity() {
    let mut entries: Vec<Vec<u8>> = Vec::new();
    for n in 1..=400 {
        if !(100..=120).contains(&n) {
            entries.push(event(n, "pg", n).into_bytes());
        }
        entries.push(event(n, "llm", n).into_bytes());
    }
    let report = Log::of(entries).verify();
    assert_eq!((report.integrity.verdict, report.completeness.verdict), (Verdict::Intact, CompletenessLevel::Gaps));
    let source = &report.completeness.sources[0];
    assert_eq!((source.id.as_str(), source.events, source.missing), ("pg", 379, 21));
    assert_eq!(source.gaps, [Gap { first: 100, last: 120 }]);
    assert_eq!((source.first_seq, source.last_seq), (Some(1), Some(400)));
    assert_eq!(report.exit(), Exit::Intact);
}

#[test]
fn events_without_numbers_leave_completeness_unknown() {
    let entry = r#"{"recorded":"2026-11-23T10:00:00.000000000Z","source":{"id":"x","kind":"y"}}"#;
    let report = Log::of(vec![entry.into(); 3]).verify();
    assert_eq!(report.completeness.verdict, CompletenessLevel::Unknown);
    assert_eq!(report.completeness.sources[0].unnumbered, 3);
}

#[test]
fn an_entry_that_is_no_event_and_a_time_that_goes_back_are_findings_although_signed() {
    let mut entries = events(600);
    entries[5] = br#"{"b":1,"a":2}"#.to_vec();
    entries[256] = event(3, "pg", 257).into_bytes();
    entries[400] = event(4, "pg", 401).into_bytes();
    let report = Log::of(entries).verify();
    let found: Vec<_> =
        report.integrity.findings.iter().map(|finding| (finding.kind, finding.first_index.unwrap())).collect();
    use FindingKind::{NotAnEvent, TimeDecreases};
    assert_eq!(found, [(NotAnEvent, 5), (TimeDecreases, 256), (TimeDecreases, 400)]);
    assert_eq!(report.exit(), Exit::Tampered);
}

#[test]
fn without_a_key_a_checkpoint_or_readable_files_nothing_can_be_checked() {
    let log = Log::of(events(300));
    log.remove("log.vkey");
    assert_eq!(log.verify().exit(), Exit::CouldNotCheck);
    assert_eq!(log.verify_with(&log.options()).exit(), Exit::Intact);
    let wrong = VerifyOptions { key: Some("nonsense".to_owned()), ..VerifyOptions::default() };
    assert_eq!(log.verify_with(&wrong).exit(), Exit::CouldNotCheck);

    // A folder stands where a file should: the verifier cannot read it, which says nothing about the log.
    log.remove("tile/entries/000");
    fs::create_dir(log.file("tile/entries/000")).unwrap();
    let report = log.verify_with(&log.options());
    assert_eq!(report.exit(), Exit::CouldNotCheck, "{}", report.to_text());
    assert_eq!(report.integrity.first.unwrap().kind, FindingKind::Unreadable);

    log.remove("checkpoint");
    assert_eq!(log.verify_with(&log.options()).exit(), Exit::CouldNotCheck);
}

#[test]
fn a_report_is_json_with_the_words_of_the_documentation() {
    let log = Log::of(events(3));
    log.flip("tile/entries/000.p/3", 40);
    let json = serde_json::to_value(log.verify()).unwrap();
    assert_eq!(json["integrity"]["verdict"], "tampered");
    assert_eq!(json["integrity"]["first"]["kind"], "entry-altered");
    assert_eq!((&json["witness"]["verdict"], &json["time"]["verdict"]), (&"none".into(), &"asserted".into()));
    // The altered entry's number is missing for a reason that is not its source's.
    assert_eq!(json["completeness"]["verdict"], "unknown");
}

#[test]
fn proof_files_are_checked_offline() {
    let log = Log::of(events(700));
    let mut fetch = |tile: TileId| decode_hashes(tile, &log.get(&tile.path()));
    let hashes: Vec<Hash> = inclusion_proof(LeafIndex(300), TreeSize(700), &mut fetch).unwrap();
    let checkpoint = String::from_utf8(log.get("checkpoint")).unwrap();
    let proof = TlogProof { extra: None, index: LeafIndex(300), hashes, checkpoint }.to_text();
    let vkey = key(1).verifier().to_vkey();

    let good = check_proof(&proof, &log.entries[300], &vkey);
    assert_eq!((good.verdict, good.index, good.size), (Verdict::Intact, Some(300), Some(700)));
    assert_eq!(check_proof(&proof, &log.entries[301], &vkey).verdict, Verdict::Tampered);
    assert_eq!(check_proof(&proof, &log.entries[300], &key(2).verifier().to_vkey()).verdict, Verdict::Tampered);
    assert_eq!(check_proof(&proof.replace("index", "place"), &log.entries[300], &vkey).verdict, Verdict::CouldNotCheck);
    assert_eq!(check_proof(&proof, &log.entries[300], "no key").verdict, Verdict::CouldNotCheck);
    assert_eq!(leaf_hash(&log.entries[300]), leaf_hash(events(301).last().unwrap()));
}
