//! What a start makes of the journal folder: which records are whole, where the tail is cut, when to refuse.

use std::path::{Path, PathBuf};

use crate::disk::Disk;

use super::JournalError;
use super::read::{Held, HeldSegment};
use super::segment::{self, End, Segment};

/// A torn tail that recovery cut off. None of what was cut had been acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// In which segment.
    pub path: PathBuf,
    /// Where the whole records ended.
    pub offset: u64,
    /// Bytes removed behind it (reserved space included).
    pub bytes: u64,
    /// The index that the next entry gets.
    pub next_index: u64,
}

/// The journal as found.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) held: Held,
    pub(super) next_index: u64,
    pub(super) last_recorded: i64,
    /// The last segment, where its next record goes, and its length.
    pub(super) last: Option<(Segment, u64, u64)>,
    pub(super) cut: Option<Cut>,
}

/// Reads all segments in order, from the one that holds `keep_from` on; everything from `needed_from` on must be there.
/// Changes nothing unless everything but the tail is whole.
pub(super) fn recover(
    disk: &dyn Disk,
    folder: &Path,
    needed_from: u64,
    keep_from: u64,
) -> Result<Recovered, JournalError> {
    let (segments, removable) = open_segments(disk, folder, needed_from, keep_from)?;
    let mut recovered =
        Recovered { held: Held::default(), next_index: 0, last_recorded: i64::MIN, last: None, cut: None };
    let count = segments.len();
    for (n, segment) in segments.into_iter().enumerate() {
        let is_last = n + 1 == count;
        let walk = segment.walk()?;
        let len = segment.file.len()?;
        let damaged = |offset, reason| JournalError::Damaged { path: segment.path.clone(), offset, reason };
        if n > 0 && segment.first_index != recovered.next_index {
            let (ended, begins) = (recovered.next_index, segment.first_index);
            let reason = format!("the segment before it ends at entry {ended}, this one begins at {begins}");
            return Err(damaged(0, reason));
        }
        let last_record = walk.records.last().map(|place| place.header);
        recovered.next_index =
            last_record.map_or(segment.first_index, |header| header.first_index + u64::from(header.count));
        recovered.last_recorded = last_record.map_or(segment.recorded_before, |header| header.recorded);
        match walk.end {
            End::Clean => {}
            End::Damaged(reason) => return Err(damaged(walk.end_offset, reason)),
            End::Torn if !is_last => {
                return Err(damaged(walk.end_offset, "a record is cut short, yet a later segment exists".to_owned()));
            }
            End::Torn => {
                recovered.cut = Some(Cut {
                    path: segment.path.clone(),
                    offset: walk.end_offset,
                    bytes: len - walk.end_offset,
                    next_index: recovered.next_index,
                });
            }
        }
        if is_last {
            recovered.last = Some((segment.clone(), walk.end_offset, len));
        }
        recovered.held.segments.push_back(HeldSegment { segment, records: walk.records });
    }
    // everything was read: now the traces of a crash may go
    if let (Some(cut), Some((segment, _, len))) = (&recovered.cut, &mut recovered.last) {
        segment.file.truncate(cut.offset)?;
        segment.file.sync()?;
        *len = cut.offset;
    }
    for first in removable {
        disk.remove(&folder.join(segment::file_name(first)))?;
    }
    Ok(recovered)
}

/// Opens the segments that matter, and names those that do not: ones that were to be trimmed, and a last one that a crash
/// kept from getting its header.
fn open_segments(
    disk: &dyn Disk,
    folder: &Path,
    needed_from: u64,
    keep_from: u64,
) -> Result<(Vec<Segment>, Vec<u64>), JournalError> {
    let mut firsts: Vec<u64> = disk.list(folder)?.iter().filter_map(|name| segment::parse_file_name(name)).collect();
    let mut removable = Vec::new();
    let mut last = firsts.last().map_or(Ok(None), |first| Segment::open_last(disk, folder, *first))?;
    if last.is_none()
        && let Some(headerless) = firsts.pop()
    {
        removable.push(headerless);
        last = firsts.last().map_or(Ok(None), |first| Segment::open_last(disk, folder, *first))?;
    }
    let keep = firsts.iter().rposition(|first| *first <= keep_from).unwrap_or(0);
    removable.extend(firsts.drain(..keep));

    let mut segments = Vec::new();
    for first in &firsts {
        let opened = match &last {
            Some(last) if last.first_index == *first => Some(last.clone()),
            _ => Segment::open(disk, folder, *first)?,
        };
        segments.push(opened.ok_or_else(|| JournalError::Damaged {
            path: folder.join(segment::file_name(*first)),
            offset: 0,
            reason: "the segment header is missing, yet an earlier or later segment needs it".to_owned(),
        })?);
    }
    let begins = segments.first().map(|segment| segment.first_index);
    if begins.map_or(needed_from > 0, |begins| begins > needed_from) {
        let reason = match begins {
            Some(begins) => format!("entries {needed_from} to {begins} are missing: their segment is gone"),
            None => format!("the log has {needed_from} entries, but the journal is gone"),
        };
        return Err(JournalError::Damaged { path: folder.to_owned(), offset: 0, reason });
    }
    Ok((segments, removable))
}
