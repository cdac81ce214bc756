//! One journal file: its name, its header sector, and the walk over its records.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_tlog::tree::TREE_SIZE_MAX;

use crate::disk::{Disk, DiskFile, SECTOR};

use super::JournalError;
use super::record::{self, Extent, HEADER_BYTES, RecordHeader, is_zero};

const MAGIC: [u8; 8] = *b"INDjrnl1";
/// Largest index that a file name may say: what the tree can have, far from where adding a record could overflow.
const INDEX_MAX: u64 = TREE_SIZE_MAX.0;
/// Bytes read at once when looking for something in unwritten space.
const SCAN_BYTES: usize = 128 * SECTOR;

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
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok())?.filter(|first| *first <= INDEX_MAX)
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

    /// Opens a segment. `None` when its header was never written whole and nothing stands behind it: a crash came between
    /// creation and header, so nothing was ever recorded in it.
    pub(super) fn open(disk: &dyn Disk, folder: &Path, first_index: u64) -> Result<Option<Self>, JournalError> {
        let path = folder.join(file_name(first_index));
        let file = disk.open(&path)?;
        Self::read_header(path, file, first_index)
    }

    /// Opens the last segment. A process that died may have left bytes and a name in the folder that are not durable; what is
    /// read here and later is what the disk holds, and stays.
    pub(super) fn open_last(disk: &dyn Disk, folder: &Path, first_index: u64) -> Result<Option<Self>, JournalError> {
        let path = folder.join(file_name(first_index));
        let file = disk.open(&path)?;
        disk.sync_dir(folder)?;
        file.settle()?;
        Self::read_header(path, file, first_index)
    }

    fn read_header(path: PathBuf, file: Arc<dyn DiskFile>, first_index: u64) -> Result<Option<Self>, JournalError> {
        let len = file.len()?;
        let mut sector = [0u8; SECTOR];
        let held = SECTOR.min(usize::try_from(len).unwrap_or(SECTOR));
        file.read_at(0, &mut sector[..held])?;
        let number = |at: usize| sector[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or_default();
        let crc = crc32c::crc32c(&sector[..SECTOR - 4]).to_le_bytes();
        let recorded_before = i64::from_le_bytes(number(16).to_le_bytes());
        let named = number(8);
        let segment = Self { path, file, first_index, recorded_before };
        let reason = if sector[..8] != MAGIC || sector[SECTOR - 4..] != crc {
            if segment.is_unwritten(SECTOR as u64, len)? {
                return Ok(None);
            }
            "the segment header does not match its checksum"
        } else if named != first_index {
            "the segment header names another first index than the file name"
        } else {
            return Ok(Some(segment));
        };
        Err(JournalError::Damaged { path: segment.path, offset: 0, reason: reason.to_owned() })
    }

    /// Reads every record header and checks every payload.
    pub(super) fn walk(&self) -> Result<Walk, JournalError> {
        let len = self.file.len()?;
        let mut walk = Walk { records: Vec::new(), end_offset: SECTOR as u64, end: End::Clean };
        let mut next_index = self.first_index;
        let mut bytes = Vec::new();
        while walk.end_offset < len {
            let Some((header, judged)) = self.read_record(walk.end_offset, len, &mut bytes)? else {
                walk.end = self.judge_headerless(walk.end_offset, len, next_index, &bytes)?;
                return Ok(walk);
            };
            let behind = walk.end_offset + header.extent() as u64;
            walk.end = match judged {
                Extent::Whole if header.first_index == next_index => End::Clean,
                Extent::Whole => End::Damaged(format!(
                    "the record says it begins at entry {}, but entry {next_index} comes next",
                    header.first_index
                )),
                Extent::Torn => self.judge_torn(behind, len, next_index)?,
                Extent::Damaged => End::Damaged("a record does not match its checksum".to_owned()),
            };
            if !matches!(walk.end, End::Clean) {
                return Ok(walk);
            }
            walk.records.push(RecordPlace { offset: walk.end_offset, header });
            walk.end_offset = behind;
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
            // room is durable before a record is written into it: no crash makes a file end inside a record
            return Ok(Some((header, Extent::Damaged)));
        }
        bytes.resize(header.extent(), 0);
        self.file.read_at(offset, bytes)?;
        let judged = record::judge(&header, bytes);
        Ok(Some((header, judged)))
    }

    /// A place without a record header: unwritten space, the rest of a torn write, or damage.
    fn judge_headerless(&self, offset: u64, len: u64, next_index: u64, sector: &[u8]) -> Result<End, JournalError> {
        // a write that stopped inside the header leaves zeros behind it, and every record has more than a header in its
        // first sector: a sector that is there and wrong was damaged
        if sector.get(HEADER_BYTES..).is_some_and(|behind| !is_zero(behind)) {
            return Ok(End::Damaged("a record header does not match its checksum".to_owned()));
        }
        let behind = offset + SECTOR as u64;
        match self.judge_torn(behind, len, next_index)? {
            End::Torn if is_zero(sector) && self.is_unwritten(behind, len)? => Ok(End::Clean),
            judged => Ok(judged),
        }
    }

    /// A record that looks torn is the tail only when no whole one stands behind it: a record is written after the one before
    /// it is durable.
    fn judge_torn(&self, behind: u64, len: u64, next_index: u64) -> Result<End, JournalError> {
        let is_later =
            |sector: &[u8]| RecordHeader::decode(sector).is_some_and(|header| header.first_index > next_index);
        Ok(match self.find_sector(behind, len, is_later)? {
            Some(at) => End::Damaged(format!("a record is damaged or missing, a later one stands at byte {at}")),
            None => End::Torn,
        })
    }

    fn is_unwritten(&self, from: u64, len: u64) -> Result<bool, JournalError> {
        Ok(self.find_sector(from, len, |sector| !is_zero(sector))?.is_none())
    }

    /// Where the first sector from `from` on is that is as wanted.
    fn find_sector(&self, from: u64, len: u64, wanted: impl Fn(&[u8]) -> bool) -> Result<Option<u64>, JournalError> {
        let mut at = from;
        let mut chunk = vec![0u8; SCAN_BYTES.min(usize::try_from(len.saturating_sub(at)).unwrap_or(SCAN_BYTES))];
        while at < len {
            let take = chunk.len().min(usize::try_from(len - at).unwrap_or(chunk.len()));
            self.file.read_at(at, &mut chunk[..take])?;
            if let Some(n) = chunk[..take].chunks(SECTOR).position(&wanted) {
                return Ok(Some(at + (n * SECTOR) as u64));
            }
            at += take as u64;
        }
        Ok(None)
    }
}
