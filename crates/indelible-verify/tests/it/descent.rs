//! Pieces checked from the signed root down: nothing is found in what is whole, and each tampering is named.

use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::tree::TreeSize;
use indelible_verify::report::FindingKind;
use indelible_verify::{Descent, FolderSource, open_checkpoint};

use crate::builder::{Log, events, key};

/// Checks every bundle; the first thing that is wrong.
fn pass(log: &Log) -> Result<u64, (FindingKind, Option<u64>, String)> {
    let source = FolderSource::new(log.path());
    let named = |finding: indelible_verify::report::Finding| {
        (finding.kind, finding.first_index, finding.file.unwrap_or_default())
    };
    let (checkpoint, _) = open_checkpoint(&source, &key(1).verifier()).map_err(named)?;
    let mut descent = Descent::begin(&source, checkpoint).map_err(named)?;
    let mut entries = 0;
    for index in 0..descent.bundles() {
        entries += descent.check_bundle(index).map_err(named)?.entries;
    }
    Ok(entries)
}

fn checkpoint_of(log: &Log) -> Checkpoint {
    open_checkpoint(&FolderSource::new(log.path()), &key(1).verifier()).unwrap().0
}

#[test]
fn a_whole_log_of_any_shape_passes_and_every_older_size_is_a_prefix() {
    let all = events(66_000);
    for size in [0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000] {
        let log = Log::of(all[..size].to_vec());
        assert_eq!(pass(&log), Ok(size as u64), "{size}");
    }
    let log = Log::of(all.clone());
    let source = FolderSource::new(log.path());
    let mut descent = Descent::begin(&source, checkpoint_of(&log)).unwrap();
    for size in [0, 1, 2, 255, 256, 300, 65_535, 65_536, 65_900, 66_000] {
        let older = checkpoint_of(&Log::of(all[..size].to_vec()));
        descent.check_prefix(&older).unwrap_or_else(|finding| panic!("{size}: {finding:?}"));
    }
}

#[test]
fn each_tampering_is_named_with_its_file() {
    let log = Log::of(events(66_000));
    let cases = [
        ("tile/entries/000", 40, FindingKind::EntryAltered, Some(0)),
        ("tile/entries/257.p/208", 40, FindingKind::EntryAltered, Some(65_792)),
        ("tile/0/001", 32 * 7, FindingKind::TileAltered, Some(256 + 7)),
        ("tile/0/257.p/208", 32 * 3, FindingKind::TileAltered, Some(65_792 + 3)),
        ("tile/1/000", 32 * 5, FindingKind::TileAltered, Some(5 * 256)),
        ("tile/1/001.p/1", 1, FindingKind::TileAltered, Some(65_536)),
        ("tile/2/000.p/1", 1, FindingKind::TileAltered, Some(0)),
        ("checkpoint", 30, FindingKind::CheckpointInvalid, None),
    ];
    for (file, at, kind, index) in cases {
        log.flip(file, at);
        assert_eq!(pass(&log), Err((kind, index, file.to_owned())), "{file}");
        log.flip(file, at);
    }
    let gone = log.get("tile/1/000");
    log.remove("tile/1/000");
    assert_eq!(pass(&log), Err((FindingKind::MissingFile, Some(0), "tile/1/000".to_owned())));
    log.put("tile/1/000", &gone);
    assert_eq!(pass(&log), Ok(66_000));
}

#[test]
fn a_past_that_was_rewritten_and_signed_again_or_cut_is_told_from_a_kept_checkpoint() {
    let kept = checkpoint_of(&Log::of(events(700)));
    let mut rewritten = events(900);
    rewritten[3] = events(4_000)[3_999].clone();
    for (entries, kind) in [(rewritten, FindingKind::HistoryRewritten), (events(699), FindingKind::ShorterThanKept)] {
        let log = Log::of(entries);
        assert!(pass(&log).is_ok());
        let source = FolderSource::new(log.path());
        let mut descent = Descent::begin(&source, checkpoint_of(&log)).unwrap();
        assert_eq!(descent.check_prefix(&kept).unwrap_err().kind, kind);
    }
    let log = Log::of(events(700));
    let source = FolderSource::new(log.path());
    let mut descent = Descent::begin(&source, checkpoint_of(&log)).unwrap();
    let other = Checkpoint { root: Default::default(), ..kept };
    assert_eq!(descent.check_prefix(&other).unwrap_err().kind, FindingKind::HistoryRewritten);
    assert_eq!(other.size, TreeSize(700));
}
