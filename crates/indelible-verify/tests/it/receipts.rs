//! Receipts against logs that kept their promise and logs that did not.

use indelible_tlog::checkpoint::Origin;
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::note;
use indelible_tlog::receipt::Receipt;
use indelible_tlog::tree::{LeafIndex, root_of};
use indelible_verify::{FolderSource, ReceiptReport, Verdict, verify_receipt};

use crate::builder::{Log, ORIGIN, event, events, files, key};

fn receipt(entries: &[Vec<u8>], first: u64, count: u64, signer: u8) -> String {
    let leaves: Vec<Hash> =
        entries.iter().skip(first as usize).take(count as usize).map(|entry| leaf_hash(entry)).collect();
    let receipt = Receipt {
        origin: Origin::new(ORIGIN).unwrap(),
        first_index: LeafIndex(first),
        count,
        entries_root: root_of(&leaves),
        recorded: "2026-11-23T10:15:30.123456789Z".to_owned(),
    };
    note::sign(&receipt.to_text(), &key(signer)).unwrap()
}

fn check(log: &Log, receipt: &str) -> ReceiptReport {
    verify_receipt(receipt, &FolderSource::new(log.path()), &log.options())
}

#[test]
fn a_kept_promise_is_kept_wherever_its_entries_stand() {
    let log = Log::of(events(65_536 + 700));
    for (first, count) in [(0, 1), (0, 256), (255, 2), (250, 600), (512, 188), (65_535, 2), (66_200, 36), (0, 66_236)] {
        let report = check(&log, &receipt(&log.entries, first, count, 1));
        assert_eq!(report.verdict, Verdict::Intact, "{first}+{count}: {}", report.reason);
        assert_eq!((report.first_index, report.count), (Some(first), Some(count)));
    }
}

#[test]
fn a_rewritten_log_breaks_its_receipts() {
    let mut entries = events(700);
    let given = receipt(&entries, 290, 20, 1);
    entries[300] = event(300, "pg", 301).replace("ana", "bob").into();
    let report = check(&Log::of(entries), &given);
    assert_eq!(
        (report.verdict, report.bad_index, report.file.as_deref()),
        (Verdict::Tampered, Some(290), Some("tile/entries/001"))
    );
    assert!(report.reason.contains("rewritten"), "{}", report.reason);
}

#[test]
fn a_log_rolled_back_breaks_its_receipts() {
    let report = check(&Log::of(events(600)), &receipt(&events(700), 590, 20, 1));
    assert_eq!((report.verdict, report.bad_index), (Verdict::Tampered, Some(600)));
    assert!(report.reason.contains("checkpoint covers 600"), "{}", report.reason);
}

#[test]
fn entries_changed_on_disk_do_not_pass_for_the_promised_ones() {
    let log = Log::of(events(700));
    let mut forged = log.entries.clone();
    forged[300] = event(300, "pg", 301).replace("ana", "bob").into();
    // A receipt for the forged entry, forged files below the honest checkpoint: the signed root refuses them.
    let given = receipt(&forged, 300, 1, 1);
    for (path, bytes) in files(&forged) {
        log.put(&path, &bytes);
    }
    let report = check(&log, &given);
    assert_eq!((report.verdict, report.file.as_deref()), (Verdict::Tampered, Some("tile/entries/001")));
    log.remove("tile/entries/001");
    assert_eq!(check(&log, &given).reason, "the entry bundle is missing");
}

#[test]
fn a_receipt_that_the_log_did_not_sign_is_refused() {
    let log = Log::of(events(300));
    assert_eq!(check(&log, &receipt(&log.entries, 3, 2, 2)).verdict, Verdict::Tampered);
    assert_eq!(check(&log, &receipt(&log.entries, 3, 2, 1).replace("count 2", "count 3")).verdict, Verdict::Tampered);
    // A signed checkpoint is no receipt.
    assert_eq!(check(&log, &log.checkpoint(&key(1))).verdict, Verdict::CouldNotCheck);
}
