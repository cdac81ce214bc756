//! One bundle and its level-0 tile judged by each other and by the tree above. Never: reads anything.

use indelible_tlog::tile::TileId;

use crate::bundle::{BundleOutcome, FileState};
use crate::climb::Expected;
use crate::findings::Findings;
use crate::report::{Finding, FindingKind};

/// Judges a bundle and its tile by each other and by the tree above. Whether all is well.
pub(crate) fn judge(outcome: &BundleOutcome, expected: Expected, findings: &mut Findings) -> bool {
    let BundleOutcome { id, entries_root, tile_root, differing, hashed, .. } = outcome;
    let tile = TileId { level: 0, index: id.index, width: id.width }.path();
    let bundle = id.path();
    let (first, last) = (id.first_entry(), id.first_entry() + u64::from(id.width) - 1);
    let mut sound = true;
    let mut add = |kind, first, last, file: &str, reason: String| {
        sound = false;
        let file = Some(file.to_owned());
        findings.add(Finding { kind, first_index: Some(first), last_index: Some(last), file, reason });
    };
    if differing.is_none()
        && let Some((kind, reason)) = file_trouble(&outcome.bundle, "entry bundle")
    {
        add(kind, first + hashed.min(&(last - first)), last, &bundle, reason);
    }
    if let Some((kind, reason)) = file_trouble(&outcome.tile, "tile") {
        add(kind, first, last, &tile, reason);
    }
    let want = expected.authentic();
    if let Some((place, count)) = differing {
        let at = first + place;
        let others = if *count > 1 { format!(" ({count} entries of this bundle differ)") } else { String::new() };
        let (kind, file, reason) = if want.is_some() && want == *tile_root {
            (
                FindingKind::EntryAltered,
                &bundle,
                format!("the entry's bytes are not those that the tree commits to{others}"),
            )
        } else if want.is_some() && want == *entries_root {
            (
                FindingKind::TileAltered,
                &tile,
                format!("hash {place} of the tile was altered; the entry is whole{others}"),
            )
        } else {
            let reason = format!("leaf hash differs from `{tile}`: the entry or the tile was altered{others}");
            (FindingKind::EntryAltered, &bundle, reason)
        };
        add(kind, at, at, file, reason);
    } else if let (Some(want), Some(root)) = (want, entries_root.or(*tile_root))
        && want != root
    {
        let reason =
            format!("entries and `{tile}` agree with each other but not with the tree above: both were replaced");
        add(FindingKind::Replaced, first, last, &bundle, reason);
    }
    sound
}

fn file_trouble(state: &FileState, what: &str) -> Option<(FindingKind, String)> {
    match state {
        FileState::Whole => None,
        FileState::Missing => Some((FindingKind::MissingFile, format!("the {what} is missing"))),
        FileState::Malformed(how) => Some((FindingKind::MalformedFile, format!("the {what} is malformed: {how}"))),
        FileState::Unreadable(error) => Some((FindingKind::Unreadable, error.to_string())),
    }
}
