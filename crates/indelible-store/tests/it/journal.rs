//! The journal as a start finds it: torn tails are cut, damage stops the start, missing parts are told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_store::disk::{Disk, SECTOR};
use indelible_store::journal::{Cut, Journal, JournalError, JournalSettings};
use indelible_testkit::sim_disk::SimDisk;
use indelible_tlog::hash::leaf_hash;

const FOLDER: &str = "/journal";
const SEGMENT: u64 = 8192;

fn disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new(FOLDER)).unwrap();
    disk
}

fn open_from(disk: &SimDisk, needed: u64) -> Result<(Journal, Option<Cut>), JournalError> {
    let settings = JournalSettings { segment_bytes: SEGMENT, reserve_bytes: 0 };
    disk.restart();
    Journal::open(Arc::new(disk.clone()), PathBuf::from(FOLDER), settings, needed, needed)
}

fn open(disk: &SimDisk) -> Result<(Journal, Option<Cut>), JournalError> {
    open_from(disk, 0)
}

/// Entry `n`: long enough that a group of three takes several sectors.
fn entry(n: u64) -> Vec<u8> {
    format!("entry {n} {}", "x".repeat(400)).into_bytes()
}

fn append(journal: &mut Journal, count: u64) -> Result<u64, JournalError> {
    journal.begin();
    for n in 0..count {
        let bytes = entry(journal.next_index() + n);
        assert!(journal.frame(&[7; 16], &leaf_hash(&bytes), &bytes));
    }
    Ok(journal.commit(5)?.first_index)
}

fn assert_holds(journal: &Journal, first: u64, next: u64) {
    assert_eq!(journal.next_index(), next);
    let mut expected = first;
    let read = journal.reader().read(first, next, |found| {
        assert_eq!((found.index, found.entry), (expected, &entry(expected)[..]));
        expected += 1;
        true
    });
    assert_eq!(read.unwrap(), next);
}

fn segment(first: u64) -> PathBuf {
    Path::new(FOLDER).join(format!("{first:020}.journal"))
}

/// Three groups of three in the first segment. Gives where each begins, and where the last ends.
fn three_groups(disk: &SimDisk) -> [usize; 4] {
    let (mut journal, cut) = open(disk).unwrap();
    assert_eq!(cut, None);
    for n in 0..3 {
        assert_eq!(append(&mut journal, 3).unwrap(), n * 3);
    }
    let extent = (content() + 8).next_multiple_of(SECTOR);
    [0, 1, 2, 3].map(|n| SECTOR + n * extent)
}

/// Bytes of header and payload of a group of three.
fn content() -> usize {
    48 + 3 * (50 + entry(0).len())
}

fn assert_damaged(disk: &SimDisk, at: &Path, offset: usize) {
    let before = disk.files(Path::new(FOLDER));
    match open(disk) {
        Err(JournalError::Damaged { path, offset: found, .. }) => {
            assert_eq!((path.as_path(), found), (at, offset as u64));
        }
        other => panic!("damage at {} byte {offset} was taken for {other:?}", at.display()),
    }
    assert_eq!(disk.files(Path::new(FOLDER)), before, "a refused start changed something");
}

#[test]
fn a_torn_tail_is_cut_at_the_last_whole_record_and_told() {
    let whole = disk();
    let [_, _, last, end] = three_groups(&whole);
    let sectors = (last..end).step_by(SECTOR).map(|at| at..at + SECTOR);
    let short = (last..last + content()).step_by(37).map(|at| at..end);
    for lost in sectors.chain(short) {
        let disk = whole.copy();
        disk.damage(&segment(0), |bytes| bytes[lost.clone()].fill(0));
        let (mut journal, cut) = open(&disk).unwrap();
        let (bytes, path) = (SEGMENT - last as u64, segment(0));
        if lost == (last..end) {
            assert_eq!(cut, None, "nothing was there");
        } else {
            assert_eq!(cut, Some(Cut { path, offset: last as u64, bytes, next_index: 6 }), "{lost:?}");
        }
        assert_holds(&journal, 0, 6);
        append(&mut journal, 2).unwrap();
        append(&mut journal, 5).unwrap();
        assert_holds(&journal, 0, 13);
        let (journal, cut) = open(&disk).unwrap();
        assert_eq!(cut, None);
        assert_holds(&journal, 0, 13);
    }
}

#[test]
fn a_tear_in_the_first_record_of_a_segment_leaves_a_segment_that_is_used_again() {
    let disk = disk();
    let (mut journal, _) = open(&disk).unwrap();
    append(&mut journal, 3).unwrap();
    disk.damage(&segment(0), |bytes| bytes[SECTOR * 2..SECTOR * 3].fill(0));
    let (mut journal, cut) = open(&disk).unwrap();
    assert_eq!(cut.map(|cut| (cut.offset, cut.next_index)), Some((SECTOR as u64, 0)));
    for _ in 0..4 {
        append(&mut journal, 3).unwrap();
    }
    assert_holds(&journal, 0, 12);
    let (journal, _) = open(&disk).unwrap();
    assert_holds(&journal, 0, 12);
}

#[test]
fn damage_stops_the_start_with_file_and_offset_and_changes_nothing() {
    let whole = disk();
    let [first, second, last, end] = three_groups(&whole);
    // a flipped bit, in any record: the last one too, for it may have been acknowledged
    for at in (first..end).step_by(61) {
        let disk = whole.copy();
        disk.damage(&segment(0), |bytes| bytes[at] ^= 4);
        let record = if at < second {
            first
        } else if at < last {
            second
        } else {
            last
        };
        if at - record >= content() {
            // padding: the record is whole
            assert_holds(&open(&disk).unwrap().0, 0, 9);
        } else {
            assert_damaged(&disk, &segment(0), record);
        }
    }
    // a lost sector is a tear at the end only
    for at in (first..last).step_by(SECTOR) {
        let disk = whole.copy();
        disk.damage(&segment(0), |bytes| bytes[at..at + SECTOR].fill(0));
        assert_damaged(&disk, &segment(0), if at < second { first } else { second });
    }
    // a file that ends inside a record: room is durable before it is used
    let disk = whole.copy();
    disk.damage(&segment(0), |bytes| bytes.truncate(end - SECTOR));
    assert_damaged(&disk, &segment(0), last);
}

#[test]
fn a_damaged_or_missing_segment_stops_the_start() {
    let whole = disk();
    three_groups(&whole);
    let (mut journal, _) = open(&whole).unwrap();
    for _ in 0..9 {
        append(&mut journal, 3).unwrap();
    }
    let files = whole.files(Path::new(FOLDER));
    let names: Vec<&Path> = files.iter().map(|(path, _)| path.as_path()).collect();
    assert_eq!(names, [segment(0), segment(15), segment(30)]);

    for first in [0, 15, 30] {
        let disk = whole.copy();
        disk.damage(&segment(first), |bytes| bytes[8] ^= 1);
        assert_damaged(&disk, &segment(first), 0);
        let disk = whole.copy();
        disk.damage(&segment(first), |bytes| bytes[..SECTOR].fill(0));
        assert_damaged(&disk, &segment(first), 0);
    }
    let disk = whole.copy();
    disk.remove(&segment(15)).unwrap();
    assert_damaged(&disk, &segment(30), 0);
    let disk = whole.copy();
    disk.remove(&segment(0)).unwrap();
    assert_damaged(&disk, Path::new(FOLDER), 0);
    // what everybody else has by now need not be there
    assert_holds(&open_from(&disk, 15).unwrap().0, 15, 36);
    assert!(matches!(open_from(&disk, 14), Err(JournalError::Damaged { .. })));
    // an older segment that was to be trimmed goes
    let disk = whole.copy();
    assert_holds(&open_from(&disk, 16).unwrap().0, 15, 36);
    assert_eq!(disk.peek(&segment(0)), None);
    assert!(disk.peek(&segment(15)).is_some());
}

#[test]
fn a_last_segment_that_never_got_its_header_is_removed() {
    for header in [0, 1, 8, 20, 510] {
        let disk = disk();
        three_groups(&disk);
        let (mut journal, _) = open(&disk).unwrap();
        append(&mut journal, 1).unwrap();
        let whole = disk.peek(&segment(0)).unwrap();
        let mut begun = vec![0; 4096];
        begun[..header].copy_from_slice(&whole[..header]);
        let file = disk.create(&segment(10), 4096).unwrap();
        file.write_at(0, &begun).unwrap();
        let (mut journal, cut) = open(&disk).unwrap();
        assert_eq!(cut, None);
        append(&mut journal, 12).unwrap();
        assert_holds(&open(&disk).unwrap().0, 0, 22);
    }
}

#[test]
fn nothing_but_a_torn_write_is_ever_skipped_whatever_the_bytes() {
    use proptest::prelude::*;
    let whole = disk();
    three_groups(&whole);
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(at in 0usize..4096, junk in proptest::collection::vec(any::<u8>(), 1..700))| {
        let disk = whole.copy();
        disk.damage(&segment(0), |bytes| {
            let end = (at + junk.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&junk[..end - at]);
        });
        // no panic, and what is read is what was written
        if let Ok((journal, _)) = open(&disk) {
            assert_holds(&journal, 0, journal.next_index());
        }
    });
}
