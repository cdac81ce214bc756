//! Tests of the index: written, opened again, merged, damaged, left half done by a crash.

use std::fs;

use super::*;
use crate::query::parse;
use crate::search::SearchRequest;
use crate::testing::{DAY, MemoryLog, SECOND, index, sample};

fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for day in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(day.unwrap().path()).unwrap() {
            names.push(file.unwrap().path().strip_prefix(folder).unwrap().display().to_string());
        }
    }
    names.sort();
    names
}

fn open(folder: &Path) -> Arc<Index> {
    Arc::new(Index::open(folder, "main", Settings::default()).unwrap())
}

/// The indexes that match, oldest first.
fn found(index: &Arc<Index>, q: &str) -> Vec<u64> {
    let hits = index.hits(&parse(q).unwrap(), crate::scan::Order::OldestFirst, crate::scan::Patience::endless());
    hits.collect::<Result<_, _>>().unwrap()
}

#[test]
fn an_acknowledged_event_is_found_by_the_next_query() {
    let (_folder, index) = index();
    let log = MemoryLog::default();
    for n in 0..20 {
        log.grow(1);
        assert_eq!(index.refresh(&log).unwrap(), n + 1);
        assert_eq!(found(&index, &format!("request:req-{n}")), [n]);
    }
    assert_eq!(found(&index, ""), (0..20).collect::<Vec<_>>());
}

#[test]
fn files_and_tail_give_the_same_answers_before_and_after_every_step() {
    let (folder, index) = index();
    let log = MemoryLog::default();
    let queries = ["actor:user-7", "action:infer model:claude-5", "-source:batch label:phi", "resource:customers"];
    let answers = |index: &Arc<Index>| queries.map(|q| found(index, q));
    log.grow(9_000);
    index.refresh(&log).unwrap();
    let in_memory = answers(&index);
    assert_eq!(index.flush().unwrap(), 1);
    assert_eq!(files(folder.path()), ["date=2026-11-23/00000000000000000000-00000000000000009000.parquet"]);
    assert_eq!(answers(&index), in_memory);
    let reopened = open(folder.path());
    assert_eq!(reopened.state().in_files, 9_000);
    assert_eq!(answers(&reopened), in_memory);
    assert_eq!(reopened.check(&log, &mut |_, _| {}).unwrap(), 9_000);
}

#[test]
fn a_file_never_mixes_days() {
    let (folder, index) = index();
    let log = MemoryLog::default();
    log.grow_from(10, DAY, 6 * 3_600 * SECOND);
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    assert_eq!(
        files(folder.path()),
        [
            "date=2026-11-23/00000000000000000000-00000000000000000004.parquet",
            "date=2026-11-24/00000000000000000004-00000000000000000008.parquet",
            "date=2026-11-25/00000000000000000008-00000000000000000010.parquet",
        ]
    );
    assert_eq!(found(&open(folder.path()), "").len(), 10);
}

#[test]
fn rows_that_are_old_are_written_and_others_wait() {
    let (folder, index) = index();
    let log = MemoryLog::default();
    log.grow(3);
    index.refresh(&log).unwrap();
    let age = i64::try_from(Settings::default().flush_age.as_nanos()).unwrap();
    assert_eq!(index.maintain(RecordedTime(DAY + age - 1)).unwrap(), Maintained::default());
    assert_eq!(files(folder.path()), [""; 0]);
    assert_eq!(index.maintain(RecordedTime(DAY + age)).unwrap(), Maintained { flushed: 1, merged: 0 });
    assert_eq!(index.state().in_files, 3);
    log.grow(2);
    index.refresh(&log).unwrap();
    assert_eq!(found(&index, ""), [0, 1, 2, 3, 4]);
}

#[test]
fn small_files_of_a_day_are_merged_and_answers_stay() {
    let (folder, index) = index();
    let log = MemoryLog::default();
    for _ in 0..8 {
        log.grow(100);
        index.refresh(&log).unwrap();
        index.flush().unwrap();
    }
    assert_eq!(files(folder.path()).len(), 8);
    let before = found(&index, "action:read");
    let running =
        index.hits(&parse("action:read").unwrap(), crate::scan::Order::OldestFirst, crate::scan::Patience::endless());
    assert_eq!(index.maintain(RecordedTime(DAY)).unwrap(), Maintained { flushed: 0, merged: 8 });
    assert_eq!(found(&index, "action:read"), before);
    // A query that began before the merge still reads the old files; they go with it.
    assert_eq!(files(folder.path()).len(), 9);
    assert_eq!(running.collect::<Result<Vec<_>, _>>().unwrap(), before);
    assert_eq!(files(folder.path()), ["date=2026-11-23/00000000000000000000-00000000000000000800.parquet"]);
    let reopened = open(folder.path());
    assert_eq!(found(&reopened, "action:read"), before);
    assert_eq!(reopened.check(&log, &mut |_, _| {}).unwrap(), 800);
}

#[test]
fn the_files_of_a_day_that_is_over_become_one() {
    let (folder, index) = index();
    let log = MemoryLog::default();
    for _ in 0..3 {
        log.grow(10);
        index.refresh(&log).unwrap();
        index.flush().unwrap();
    }
    log.push(sample(30, DAY + 24 * 3_600 * SECOND));
    index.refresh(&log).unwrap();
    assert_eq!(index.maintain(RecordedTime(DAY)).unwrap(), Maintained { flushed: 0, merged: 3 });
    assert_eq!(files(folder.path()), ["date=2026-11-23/00000000000000000000-00000000000000000030.parquet"]);
}

#[test]
fn full_row_groups_are_spliced_and_keep_statistics_and_bloom_filters() {
    let (folder, index) = index();
    let log = MemoryLog::default();
    let rows = GROUP_ROWS as u64;
    log.grow_from(2 * rows + 50, DAY, 1_000);
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    log.push(sample(2 * rows + 50, DAY + 24 * 3_600 * SECOND));
    index.refresh(&log).unwrap();
    assert_eq!(index.maintain(RecordedTime(DAY)).unwrap().merged, 3);
    assert_eq!(files(folder.path()).len(), 1);
    let trace = format!("trace:{:032x}", crate::testing::mix(70_000 / 3));
    let page = index.search_blocking(&SearchRequest::new(parse(&trace).unwrap())).unwrap();
    assert_eq!(page.hits.iter().map(|hit| hit.index).collect::<Vec<_>>(), [70_001, 70_000, 69_999]);
    assert_eq!((page.counts.groups_read, page.counts.groups_pruned_by_bloom), (1, 2));
    assert_eq!(index.check(&log, &mut |_, _| {}).unwrap(), 2 * rows + 50);
}

#[test]
fn what_a_crash_leaves_is_mended_by_the_next_start() {
    let (folder, index) = index();
    let log = MemoryLog::default();
    for _ in 0..2 {
        log.grow(10);
        index.refresh(&log).unwrap();
        index.flush().unwrap();
    }
    let names = files(folder.path());
    let kept = folder.path().join("kept");
    for (place, name) in names.iter().enumerate() {
        fs::copy(folder.path().join(name), kept.with_extension(place.to_string())).unwrap();
    }
    log.push(sample(20, DAY + 24 * 3_600 * SECOND));
    index.refresh(&log).unwrap();
    index.maintain(RecordedTime(DAY)).unwrap();
    // A merge that was named, but whose sources were not removed; and a file that was not finished.
    for (place, name) in names.iter().enumerate() {
        fs::rename(kept.with_extension(place.to_string()), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("date=2026-11-23/00000000000000000020-00000000000000000021.parquet.tmp"), b"PAR1")
        .unwrap();
    assert_eq!(files(folder.path()).len(), 4);
    let before =
        Index::open(folder.path(), "main", Settings { access: Access::ReadOnly, ..Settings::default() }).unwrap();
    assert_eq!((before.state().in_files, files(folder.path()).len()), (20, 4));
    let mended = open(folder.path());
    assert_eq!(files(folder.path()), ["date=2026-11-23/00000000000000000000-00000000000000000020.parquet"]);
    mended.refresh(&log).unwrap();
    assert_eq!(found(&mended, "").len(), 21);
}

#[test]
fn an_index_of_another_log_or_a_later_state_is_refused() {
    let (folder, index) = index();
    let log = MemoryLog::default();
    log.grow(10);
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    let shorter = MemoryLog::default();
    shorter.grow(9);
    let fault = open(folder.path()).refresh(&shorter).unwrap_err();
    assert!(fault.to_string().contains("has 10 entries and the log 9"), "{fault}");
    assert!(fault.to_string().ends_with("run `indelible index rebuild`"), "{fault}");
}

#[test]
fn damage_and_tampering_are_named_and_rebuilding_mends_them() {
    let (folder, index) = index();
    let log = MemoryLog::default();
    log.grow(50);
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    let path = folder.path().join(&files(folder.path())[0]);
    // Another log's rows under the right name.
    let (other_folder, other) = crate::testing::index();
    let forged = MemoryLog::default();
    forged.grow(41);
    forged.push(
        String::from_utf8(log.entry(41)).unwrap().replace("\"actor\":{\"id\":\"user-", "\"actor\":{\"id\":\"mallory-"),
    );
    forged.grow(8);
    other.refresh(&forged).unwrap();
    other.flush().unwrap();
    fs::copy(other_folder.path().join(&files(other_folder.path())[0]), &path).unwrap();
    let fault = open(folder.path()).check(&log, &mut |_, _| {}).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "the index of log `main` differs from the log at entry 41, column `actor_id`; run `indelible index rebuild`"
    );
    // A file cut short.
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let cut = open(folder.path());
    let query = crate::search::filter("actor:user-7", None, None).unwrap();
    let fault = cut.search_blocking(&SearchRequest::new(query)).unwrap_err();
    assert_eq!(fault.kind(), crate::ErrorKind::Corrupt, "{fault}");
    let mut steps = Vec::new();
    let rebuilt = Arc::new(
        Index::rebuild(folder.path(), "main", Settings::default(), &log, &mut |done, of| steps.push((done, of)))
            .unwrap(),
    );
    assert_eq!(steps, [(50, 50)]);
    assert_eq!(found(&rebuilt, "").len(), 50);
    assert_eq!(rebuilt.check(&log, &mut |_, _| {}).unwrap(), 50);
}

#[test]
fn an_entry_that_cannot_be_read_keeps_its_place() {
    let (_folder, index) = index();
    let log = MemoryLog::default();
    log.grow(2);
    log.push("not json");
    log.push("{}");
    log.grow(1);
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    assert_eq!(index.state().unreadable, 1);
    assert_eq!(found(&index, ""), [0, 1, 2, 3, 4]);
    assert_eq!(found(&index, "-action:*"), [2, 3]);
    assert_eq!(found(&index, "request:req-4"), [4]);
}

#[test]
fn an_entry_that_cannot_be_read_has_the_time_of_its_neighbour_also_after_a_restart() {
    let (folder, index) = index();
    let log = MemoryLog::default();
    log.push("not json");
    log.grow(2);
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    drop(index);
    log.push("not json either");
    log.push("nor this");
    let index = Arc::new(Index::open(folder.path(), "main", Settings::default()).unwrap());
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    assert_eq!(found(&index, "recorded:>2026-11-01"), [0, 1, 2, 3, 4]);
    assert_eq!(index.check(&log, &mut |_, _| {}).unwrap(), 5);
}

#[test]
fn the_tail_is_flushed_before_it_outgrows_its_memory() {
    let (_folder, index) = index();
    let log = MemoryLog::default();
    log.grow_from(3 * GROUP_ROWS as u64, DAY, 1_000);
    index.refresh(&log).unwrap();
    let state = index.state();
    assert!(state.tail_bytes < TAIL_BYTES_MAX + (8 << 20), "{state:?}");
    assert!(state.in_files > 0, "{state:?}");
    assert_eq!(state.indexed, 3 * GROUP_ROWS as u64);
}
