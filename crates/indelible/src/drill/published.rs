//! Attacks on the published log: bundles, tiles and checkpoint, by somebody who may write them, with and without the key.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::note::{KeyKind, SigningKey};
use indelible_tlog::tile::{BundleId, TILE_WIDTH, TileId, encode_hashes};
use indelible_tlog::tree::TreeSize;
use indelible_verify::{Exit, FolderSource, Report, VerifyOptions, verify};

use super::workbench::{Workbench, bundle_bytes, read, write};
use super::{Attack, DrillError, Level, Means, Outcome, Verdict, timed};

/// The attacks, by their numbers in SECURITY.md.
pub(super) const ATTACKS: [Attack; 19] = [
    Attack { number: "1", attack: "edit one byte of an entry", level: Level::Disk, run: edit_entry },
    Attack { number: "2", attack: "edit an entry and its leaf hash", level: Level::Disk, run: edit_entry_and_leaf },
    Attack {
        number: "2b",
        attack: "replace a bundle and all its tiles consistently",
        level: Level::Disk,
        run: edit_all_tiles,
    },
    Attack {
        number: "3",
        attack: "edit, rebuild everything and re-sign with the stolen key",
        level: Level::Key,
        run: edit_and_resign,
    },
    Attack { number: "4", attack: "delete a middle entry", level: Level::Disk, run: delete_entry },
    Attack {
        number: "4b",
        attack: "delete a middle entry, renumber, re-sign",
        level: Level::Key,
        run: delete_and_resign,
    },
    Attack { number: "5", attack: "cut the tail off the published files", level: Level::Disk, run: truncate },
    Attack {
        number: "6",
        attack: "cut the tail off, re-sign, and go on recording",
        level: Level::Key,
        run: truncate_and_continue,
    },
    Attack { number: "7", attack: "put an older state of the published log back", level: Level::Disk, run: roll_back },
    Attack { number: "8", attack: "fork: show another history from a common prefix on", level: Level::Key, run: fork },
    Attack { number: "9", attack: "swap two entries", level: Level::Disk, run: swap_entries },
    Attack { number: "9b", attack: "reorder whole bundles", level: Level::Disk, run: swap_bundles },
    Attack { number: "10", attack: "insert an entry", level: Level::Disk, run: insert_entry },
    Attack { number: "10b", attack: "append a backdated entry and sign it", level: Level::Key, run: backdate_entry },
    Attack {
        number: "11",
        attack: "make a whole log with old times and a fresh key",
        level: Level::Key,
        run: backdate_log,
    },
    Attack {
        number: "12",
        attack: "sign a longer parallel log with the stolen key",
        level: Level::Key,
        run: parallel_log,
    },
    Attack { number: "17", attack: "delete the published log", level: Level::Disk, run: delete_log },
    Attack { number: "25", attack: "one bit of a tile rots", level: Level::Hardware, run: rot_tile },
    Attack {
        number: "25b",
        attack: "replace a tile by another of the same log",
        level: Level::Disk,
        run: replace_tile,
    },
];

/// Verifies a folder as an auditor would.
pub(super) fn check_folder(folder: &Path, key: Option<&str>, kept: Option<&str>) -> Report {
    let options =
        VerifyOptions { key: key.map(str::to_owned), from: kept.map(str::to_owned), ..VerifyOptions::default() };
    verify(&FolderSource::new(folder), &options, &mut |_, _| {})
}

/// The first thing a report says against a log.
pub(super) fn summary(report: &Report) -> String {
    match report.integrity.first.as_ref().or(report.integrity.findings.first()) {
        Some(finding) => {
            let index = finding.first_index.map(|index| format!("entry {index}: ")).unwrap_or_default();
            let file = finding.file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
            format!("{index}{file}{}", finding.reason)
        }
        None => "integrity: intact".to_owned(),
    }
}

/// Whether nothing was found against a log.
pub(super) fn is_intact(report: &Report) -> bool {
    report.exit() == Exit::Intact
}

/// What a timed check says of an attack; `check` is how a person would run it.
pub(super) fn judged((report, time): (Report, Duration), check: &str, means: Means) -> Outcome {
    let verdict = if is_intact(&report) {
        Verdict::Missed { said: summary(&report) }
    } else {
        Verdict::Caught { by: format!("{check}: {}", summary(&report)), means }
    };
    Ok((verdict, time))
}

/// Whether the bytes alone, with the pinned key, give the attack away.
fn by_bytes(bench: &Workbench, folder: &Path) -> Outcome {
    judged(timed(|| check_folder(folder, Some(&bench.vkey()), None)), "verify", Means::Bytes)
}

/// Whether the kept checkpoint gives the attack away, and that nothing less does: otherwise it counts as caught by less.
fn by_kept_checkpoint(bench: &Workbench, folder: &Path) -> Outcome {
    let without = timed(|| check_folder(folder, Some(&bench.vkey()), None));
    if !is_intact(&without.0) {
        return judged(without, "verify", Means::Bytes);
    }
    let with = timed(|| check_folder(folder, Some(&bench.vkey()), Some(&bench.kept)));
    judged(with, "verify --from", Means::OutsideMemory("a kept checkpoint"))
}

/// Rewrites the published log with other entries, keeping the old checkpoint unless a key signs a new one.
fn rewritten(bench: &Workbench, name: &str, entries: &[Vec<u8>], sign: bool) -> Result<PathBuf, DrillError> {
    let folder = bench.copy_published(name)?;
    let checkpoint = read(&folder.join("checkpoint"))?;
    fs::remove_dir_all(folder.join("tile")).map_err(|source| DrillError::Copy { path: folder.join("tile"), source })?;
    bench.write_log(&folder, entries, &bench.key)?;
    if !sign {
        write(&folder.join("checkpoint"), &checkpoint)?;
    }
    Ok(folder)
}

/// The entries with one letter of the middle one changed, still the same length and still JSON.
fn edited(bench: &Workbench) -> (usize, Vec<Vec<u8>>) {
    let mut entries = bench.entries.clone();
    let middle = entries.len() / 2;
    change_letter(&mut entries[middle]);
    (middle, entries)
}

/// Changes the first letter of the actor's id (or, without one, of any value).
pub(super) fn change_letter(entry: &mut [u8]) {
    let field = b"\"id\":\"";
    let at = entry.windows(field.len()).position(|window| window == field).map_or(2, |at| at + field.len());
    if let Some(byte) = entry.get_mut(at) {
        *byte = if *byte == b'x' { b'y' } else { b'x' };
    }
}

/// The level-0 tile over an entry of a log of `size` entries, which holds the entry.
fn leaf_tile(index: usize, size: usize) -> TileId {
    let index = index as u64 / u64::from(TILE_WIDTH);
    TileId::at(0, index, TreeSize(size as u64)).unwrap_or(TileId { level: 0, index, width: TILE_WIDTH })
}

/// A copy with one entry edited in its bundle; what else the attacker changes is up to the caller, who gets the bundle's entries.
fn with_edited_bundle(bench: &Workbench, name: &str) -> Result<(PathBuf, TileId, Vec<Vec<u8>>), DrillError> {
    let folder = bench.copy_published(name)?;
    let (middle, mut entries) = edited(bench);
    let tile = leaf_tile(middle, entries.len());
    let bundle = BundleId { index: tile.index, width: tile.width };
    let first = middle / usize::from(TILE_WIDTH) * usize::from(TILE_WIDTH);
    let held: Vec<Vec<u8>> = entries.drain(first..first + usize::from(tile.width)).collect();
    write(&folder.join(bundle.path()), &bundle_bytes(&held))?;
    Ok((folder, tile, held))
}

fn edit_entry(bench: &Workbench) -> Outcome {
    let (folder, _, _) = with_edited_bundle(bench, "1")?;
    by_bytes(bench, &folder)
}

fn edit_entry_and_leaf(bench: &Workbench) -> Outcome {
    let (folder, tile, held) = with_edited_bundle(bench, "2")?;
    let hashes: Vec<Hash> = held.iter().map(|entry| leaf_hash(entry)).collect();
    write(&folder.join(tile.path()), &encode_hashes(&hashes))?;
    by_bytes(bench, &folder)
}

fn edit_all_tiles(bench: &Workbench) -> Outcome {
    let (_, entries) = edited(bench);
    by_bytes(bench, &rewritten(bench, "2b", &entries, false)?)
}

fn edit_and_resign(bench: &Workbench) -> Outcome {
    let (_, entries) = edited(bench);
    by_kept_checkpoint(bench, &rewritten(bench, "3", &entries, true)?)
}

fn without_middle(bench: &Workbench) -> Vec<Vec<u8>> {
    let mut entries = bench.entries.clone();
    entries.remove(entries.len() / 2);
    entries
}

fn delete_entry(bench: &Workbench) -> Outcome {
    by_bytes(bench, &rewritten(bench, "4", &without_middle(bench), false)?)
}

fn delete_and_resign(bench: &Workbench) -> Outcome {
    by_kept_checkpoint(bench, &rewritten(bench, "4b", &without_middle(bench), true)?)
}

fn truncate(bench: &Workbench) -> Outcome {
    let kept = bench.entries.len() * 2 / 3;
    by_bytes(bench, &rewritten(bench, "5", &bench.entries[..kept], false)?)
}

fn truncate_and_continue(bench: &Workbench) -> Outcome {
    let cut = bench.entries.len() / 3;
    let mut entries = bench.entries[..cut].to_vec();
    entries.extend_from_slice(&bench.entries[bench.entries.len() * 2 / 3..]);
    by_kept_checkpoint(bench, &rewritten(bench, "6", &entries, true)?)
}

fn roll_back(bench: &Workbench) -> Outcome {
    let older = &bench.entries[..bench.entries.len() / 3];
    by_kept_checkpoint(bench, &rewritten(bench, "7", older, true)?)
}

fn fork(bench: &Workbench) -> Outcome {
    let mut entries = bench.entries.clone();
    let from = entries.len() / 2;
    entries[from..].iter_mut().for_each(|entry| change_letter(entry));
    by_kept_checkpoint(bench, &rewritten(bench, "8", &entries, true)?)
}

fn swap_entries(bench: &Workbench) -> Outcome {
    let mut entries = bench.entries.clone();
    let last = entries.len() - 1;
    entries.swap(last / 2, last);
    by_bytes(bench, &rewritten(bench, "9", &entries, false)?)
}

fn swap_bundles(bench: &Workbench) -> Outcome {
    let mut entries = bench.entries.clone();
    let half = (entries.len() / 2).min(256);
    entries.rotate_left(half);
    by_bytes(bench, &rewritten(bench, "9b", &entries, false)?)
}

fn insert_entry(bench: &Workbench) -> Outcome {
    let mut entries = bench.entries.clone();
    let middle = entries.len() / 2;
    entries.insert(middle, entries[middle].clone());
    by_bytes(bench, &rewritten(bench, "10", &entries, false)?)
}

fn backdate_entry(bench: &Workbench) -> Outcome {
    let mut entries = bench.entries.clone();
    let mut backdated = entries[entries.len() - 1].clone();
    set_recorded(&mut backdated, b"2001-01-01");
    entries.push(backdated);
    by_kept_checkpoint(bench, &rewritten(bench, "10b", &entries, true)?)
}

/// Overwrites the date of `recorded`, the last such field of a canonical entry.
fn set_recorded(entry: &mut [u8], date: &[u8; 10]) {
    let field = b"\"recorded\":\"";
    if let Some(at) = entry.windows(field.len()).rposition(|window| window == field)
        && let Some(slot) = entry.get_mut(at + field.len()..at + field.len() + date.len())
    {
        slot.copy_from_slice(date);
    }
}

fn backdate_log(bench: &Workbench) -> Outcome {
    let mut entries = bench.entries.clone();
    entries.iter_mut().for_each(|entry| set_recorded(entry, b"2001-01-01"));
    let fresh = SigningKey::from_seed(bench.key.key_name().clone(), KeyKind::Ed25519, &[42; 32]);
    let folder = rewritten(bench, "11", &entries, false)?;
    bench.write_log(&folder, &entries, &fresh)?;
    super::evidence::by_pinned_key(bench, &folder)
}

fn parallel_log(bench: &Workbench) -> Outcome {
    let mut entries = bench.entries.clone();
    entries.iter_mut().for_each(|entry| change_letter(entry));
    let last = entries[entries.len() - 1].clone();
    entries.extend(std::iter::repeat_n(last, 10));
    by_kept_checkpoint(bench, &rewritten(bench, "12", &entries, true)?)
}

fn delete_log(bench: &Workbench) -> Outcome {
    let folder = bench.copy_published("17")?;
    fs::remove_dir_all(&folder).map_err(|source| DrillError::Copy { path: folder.clone(), source })?;
    let checked = timed(|| check_folder(&folder, Some(&bench.vkey()), Some(&bench.kept)));
    judged(checked, "verify", Means::OutsideMemory("somebody who looks for it"))
}

fn rot_tile(bench: &Workbench) -> Outcome {
    let folder = bench.copy_published("25")?;
    let path = folder.join(leaf_tile(bench.entries.len() / 2, bench.entries.len()).path());
    let mut tile = read(&path)?;
    if let Some(byte) = tile.first_mut() {
        *byte ^= 1;
    }
    write(&path, &tile)?;
    by_bytes(bench, &folder)
}

fn replace_tile(bench: &Workbench) -> Outcome {
    let folder = bench.copy_published("25b")?;
    let size = bench.entries.len();
    let path = folder.join(leaf_tile(0, size).path());
    let mut tile = read(&path)?;
    // the same hashes in another order: as if another tile had been put in its place
    tile.rotate_left(32);
    write(&path, &tile)?;
    by_bytes(bench, &folder)
}
