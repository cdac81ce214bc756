//! One journal file: its name, its header sector, and the walk over its records.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, SECTOR};

use super::JournalError;
use super::record::{self, Extent, HEADER_BYTES, RecordHeader};

const MAGIC: [u8; 8] = *b"INDjrnl1";

/// An open segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
    /// Index of the first entry it holds or will hold.
    pub(super) first_index: u64,
    /// When the last entry before this segment was recorded.
    pub(super) recorded_before: i64,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordPlace {
    pub(super) offset: u64,
    pub(super) header: RecordHeader,
}

/// How the walk over a segment ended.
#[derive(Debug)]
pub(super) enum End {
    /// At unwritten space or the end of the file: nothing is wrong.
    Clean,
    /// At a record that a crash tore.
    Torn,
    /// At damage.
    Damaged(String),
}

/// What a segment holds.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) records: Vec<RecordPlace>,
    /// Where the walk ended: the next record would begin here.
    pub(super) end_offset: u64,
    pub(super) end: End,
}

pub(super) fn file_name(first_index: u64) -> String {
    format!("{first_index:020}.journal")
}

pub(super) fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".journal")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

impl Segment {
    /// Creates a segment and makes it durable, file and name.
    pub(super) fn create(
        disk: &dyn Disk,
        folder: &Path,
        first_index: u64,
        recorded_before: i64,
        len: u64,
    ) -> Result<Self, JournalError> {
        let path = folder.join(file_name(first_index));
        let file = disk.create(&path, len)?;
        let segment = Self { path, file, first_index, recorded_before };
        let written = segment.write_header().and_then(|()| Ok(disk.sync_dir(folder)?));
        if let Err(error) = written {
            // nothing was acknowledged from it; what stays behind after a crash is removed by recovery
            disk.remove(&segment.path)?;
            return Err(error);
        }
        Ok(segment)
    }

    fn write_header(&self) -> Result<(), JournalError> {
        let mut sector = vec![0u8; SECTOR];
        sector[..8].copy_from_slice(&MAGIC);
        sector[8..16].copy_from_slice(&self.first_index.to_le_bytes());
        sector[16..24].copy_from_slice(&self.recorded_before.to_le_bytes());
        let crc = crc32c::crc32c(&sector[..SECTOR - 4]);
        sector[SECTOR - 4..].copy_from_slice(&crc.to_le_bytes());
        self.file.write_at(0, &sector)?;
        Ok(self.file.sync()?)
    }

    /// Opens a segment. `None` when its header was never written: a crash came between creation and header.
    pub(super) fn open(disk: &dyn Disk, folder: &Path, first_index: u64) -> Result<Option<Self>, JournalError> {
        let path = folder.join(file_name(first_index));
        let file = disk.open(&path)?;
        let damaged = |reason: &str| JournalError::Damaged { path: path.clone(), offset: 0, reason: reason.to_owned() };
        if file.len()? < SECTOR as u64 {
            return Ok(None);
        }
        let mut sector = [0u8; SECTOR];
        file.read_at(0, &mut sector)?;
        if sector.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let number = |at: usize| sector[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or_default();
        let crc = crc32c::crc32c(&sector[..SECTOR - 4]).to_le_bytes();
        if sector[..8] != MAGIC || sector[SECTOR - 4..] != crc {
            return Err(damaged("the segment header does not match its checksum"));
        }
        if number(8) != first_index {
            return Err(damaged("the segment header names another first index than the file name"));
        }
        let recorded_before = i64::from_le_bytes(number(16).to_le_bytes());
        Ok(Some(Self { path, file, first_index, recorded_before }))
    }

    /// Reads every record header and checks every payload.
    pub(super) fn walk(&self) -> Result<Walk, JournalError> {
        let len = self.file.len()?;
        let mut walk = Walk { records: Vec::new(), end_offset: SECTOR as u64, end: End::Clean };
        let mut next_index = self.first_index;
        let mut bytes = Vec::new();
        while walk.end_offset < len {
            let Some((header, judged)) = self.read_record(walk.end_offset, len, &mut bytes)? else {
                walk.end = self.judge_headerless(walk.end_offset, len, &bytes)?;
                return Ok(walk);
            };
            walk.end = match judged {
                Extent::Whole if header.first_index == next_index => End::Clean,
                Extent::Whole => End::Damaged(format!(
                    "the record says it begins at entry {}, but entry {next_index} comes next",
                    header.first_index
                )),
                Extent::Torn => End::Torn,
                Extent::Damaged => End::Damaged("a record does not match its checksum".to_owned()),
            };
            if !matches!(walk.end, End::Clean) {
                return Ok(walk);
            }
            walk.records.push(RecordPlace { offset: walk.end_offset, header });
            walk.end_offset += header.extent() as u64;
            next_index += u64::from(header.count);
        }
        Ok(walk)
    }

    /// One record's header and verdict; `None` when no header stands there (then `bytes` holds the sector).
    fn read_record(
        &self,
        offset: u64,
        len: u64,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<(RecordHeader, Extent)>, JournalError> {
        bytes.clear();
        bytes.resize(SECTOR.min(usize::try_from(len - offset).unwrap_or(SECTOR)), 0);
        self.file.read_at(offset, bytes)?;
        let Some(header) = RecordHeader::decode(bytes) else { return Ok(None) };
        if offset + header.extent() as u64 > len {
            return Ok(Some((header, Extent::Torn)));
        }
        bytes.resize(header.extent(), 0);
        self.file.read_at(offset, bytes)?;
        let judged = record::judge(&header, bytes);
        Ok(Some((header, judged)))
    }

    /// A place without a record header: unwritten space, the rest of a torn write, or damage.
    fn judge_headerless(&self, offset: u64, len: u64, sector: &[u8]) -> Result<End, JournalError> {
        if sector.iter().any(|byte| *byte != 0) {
            // a header is written with its whole sector: a sector that is there and wrong was damaged, unless a short
            // write stopped inside it
            let header_written = sector.len() >= HEADER_BYTES && sector[HEADER_BYTES - 4..].iter().any(|byte| *byte != 0);
            return Ok(if header_written {
                End::Damaged("a record header does not match its checksum".to_owned())
            } else {
                End::Torn
            });
        }
        // all zero: is there a whole record behind it? then this one was lost, not unwritten
        let mut at = offset + SECTOR as u64;
        let mut written_behind = false;
        let mut chunk = vec![0u8; 64 * SECTOR];
        while at < len {
            let take = chunk.len().min(usize::try_from(len - at).unwrap_or(chunk.len()));
            self.file.read_at(at, &mut chunk[..take])?;
            for sector in chunk[..take].chunks(SECTOR) {
                written_behind |= sector.iter().any(|byte| *byte != 0);
                if RecordHeader::decode(sector).is_some_and(|header| header.first_index > self.first_index) {
                    return Ok(End::Damaged(format!("a record is missing, a later one stands at byte {at}")));
                }
                at += sector.len() as u64;
            }
        }
        Ok(if written_behind { End::Torn } else { End::Clean })
    }
}
