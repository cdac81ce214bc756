//! A sorted run of ids on disk: a filter and the first id of each block in memory, the blocks read on demand.
//!
//! Layout: header (64 bytes), first id prefix of each block (8 bytes each, big-endian), filter, CRC32C of all that; then
//! 4,096-byte blocks of 170 pairs (id, index) with a CRC32C each. Never trusted: every block is checked when read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_tlog::tree::TREE_SIZE_MAX;

use crate::disk::{Disk, DiskFile};

use super::IdsError;

const MAGIC: [u8; 8] = *b"INDids01";
const HEADER_BYTES: usize = 64;
const BLOCK_BYTES: usize = 4096;
const ID_BYTES: usize = 16;
const PAIR_BYTES: usize = ID_BYTES + 8;
/// Bytes of blocks that are written at once.
const WRITE_BYTES: usize = 64 * BLOCK_BYTES;
const PAIRS_PER_BLOCK: usize = (BLOCK_BYTES - 4) / PAIR_BYTES;
/// Filter bits for an id: about 0.3 % of absent ids cost a block read.
const FILTER_BITS_PER_ID: u64 = 14;
const FILTER_LINE_BYTES: usize = 64;
const FILTER_PROBES: u32 = 7;

type Pair = ([u8; 16], u64);

/// The ids of the entries `[first, end)`.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) first: u64,
    pub(super) end: u64,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    count: u64,
    blocks_at: u64,
    block_starts: Vec<u64>,
    filter: Vec<u8>,
    smallest: [u8; 16],
    largest: [u8; 16],
}

pub(super) fn file_name(first: u64, end: u64) -> String {
    format!("{first:020}-{end:020}.ids")
}

pub(super) fn parse_file_name(name: &str) -> Option<(u64, u64)> {
    let (first, end) = name.strip_suffix(".ids")?.split_once('-')?;
    let number = |text: &str| {
        let plain = text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<u64>().ok())?
    };
    Some((number(first)?, number(end)?)).filter(|(first, end)| first < end && *end <= TREE_SIZE_MAX.0)
}

fn prefix(id: &[u8; 16]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&id[..8]);
    u64::from_be_bytes(bytes)
}

/// Two independent mixes of an id: which filter line, and which bits in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mixed {
    line: u64,
    bits: u64,
}

impl Mixed {
    pub(super) fn new(id: &[u8; 16]) -> Self {
        let value = u128::from_be_bytes(*id);
        let folded = value.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let high = u64::try_from(folded >> 64).unwrap_or_default();
        let line = (high ^ (high >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bits = (high.rotate_left(32) ^ 0x94d0_49bb_1331_11eb).wrapping_mul(0xff51_afd7_ed55_8ccd);
        Self { line: line ^ (line >> 32), bits: bits ^ (bits >> 31) }
    }

    /// Byte offset of the filter line and the bit positions in it.
    fn places(self, lines: usize) -> (usize, impl Iterator<Item = usize>) {
        let line = usize::try_from(self.line % lines.max(1) as u64).unwrap_or_default() * FILTER_LINE_BYTES;
        (line, (0..FILTER_PROBES).map(move |n| usize::try_from((self.bits >> (9 * n)) & 511).unwrap_or_default()))
    }
}

impl Run {
    /// Writes a run from `count` pairs in ascending order, and makes it durable under its name. Memory does not grow with the
    /// pairs but for the filter and the block starts.
    pub(super) fn write(
        disk: &dyn Disk,
        folder: &Path,
        (first, end): (u64, u64),
        count: u64,
        pairs: impl Iterator<Item = Result<Pair, IdsError>>,
    ) -> Result<Self, IdsError> {
        let path = folder.join(file_name(first, end));
        let beside = path.with_extension("tmp");
        let blocks = count.div_ceil(PAIRS_PER_BLOCK as u64);
        let lines = usize::try_from(count * FILTER_BITS_PER_ID / 512 + 1).unwrap_or(1);
        let mut filter = vec![0u8; lines * FILTER_LINE_BYTES];
        let blocks_at = (HEADER_BYTES + 2 * ID_BYTES + filter.len() + 4) as u64 + blocks * 8;
        disk.remove(&beside)?;
        let file = disk.create(&beside, blocks_at + blocks * BLOCK_BYTES as u64)?;
        let mut block_starts = Vec::with_capacity(usize::try_from(blocks).unwrap_or_default());
        let mut out = BlockWriter { file: file.as_ref(), at: blocks_at, block: Vec::new(), blocks: Vec::new() };
        let (mut written, mut smallest, mut largest) = (0u64, [0u8; ID_BYTES], [0u8; ID_BYTES]);
        for pair in pairs {
            let (id, index) = pair?;
            if written == 0 {
                smallest = id;
            }
            largest = id;
            written += 1;
            if out.block.is_empty() {
                block_starts.push(prefix(&id));
            }
            let (line, bits) = Mixed::new(&id).places(lines);
            for bit in bits {
                filter[line + bit / 8] |= 1 << (bit % 8);
            }
            out.push(&id, index)?;
        }
        out.finish()?;
        let damaged = |reason: String| IdsError::Damaged { path: path.clone(), reason };
        if written != count {
            return Err(damaged(format!("its runs say they hold {count} ids, but {written} were read")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(blocks_at).unwrap_or_default());
        bytes.extend_from_slice(&MAGIC);
        for number in [first, end, count, block_starts.len() as u64, filter.len() as u64] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.resize(HEADER_BYTES, 0);
        bytes.extend_from_slice(&smallest);
        bytes.extend_from_slice(&largest);
        block_starts.iter().for_each(|start| bytes.extend_from_slice(&start.to_be_bytes()));
        bytes.extend_from_slice(&filter);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        file.write_at(0, &bytes)?;
        file.sync()?;
        disk.rename(&beside, &path)?;
        disk.sync_dir(folder)?;
        let file = disk.open(&path)?;
        Ok(Self { first, end, path, file, count, blocks_at, block_starts, filter, smallest, largest })
    }

    /// How many ids it holds.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Opens a run: its filter and block starts are read and checked, its blocks are not.
    pub(super) fn open(disk: &dyn Disk, folder: &Path, first: u64, end: u64) -> Result<Self, IdsError> {
        let path = folder.join(file_name(first, end));
        let file = disk.open(&path)?;
        let damaged = |reason: &str| IdsError::Damaged { path: path.clone(), reason: reason.to_owned() };
        let len = file.len()?;
        let mut header = [0u8; HEADER_BYTES + 2 * ID_BYTES];
        if len < header.len() as u64 {
            return Err(damaged("it is shorter than its header"));
        }
        file.read_at(0, &mut header)?;
        let number = |n: usize| header[8 + n * 8..16 + n * 8].try_into().map(u64::from_le_bytes).unwrap_or_default();
        let (count, blocks, filter_len) = (number(2), number(3), number(4));
        let lines_fit = filter_len > 0 && filter_len % FILTER_LINE_BYTES as u64 == 0;
        let sizes_fit = blocks <= len / BLOCK_BYTES as u64
            && filter_len <= len
            && lines_fit
            && count.div_ceil(PAIRS_PER_BLOCK as u64) == blocks;
        // the numbers are not checked yet: a hostile header must not make the sum wrap round to the file's length
        let blocks_bytes = blocks.saturating_mul(BLOCK_BYTES as u64);
        let starts_bytes = blocks.saturating_mul(8);
        let blocks_at = (header.len() as u64 + 4).saturating_add(starts_bytes).saturating_add(filter_len);
        let named = header[..8] == MAGIC && number(0) == first && number(1) == end;
        if !named || !sizes_fit || blocks_at.saturating_add(blocks_bytes) != len {
            return Err(damaged("its header does not describe it"));
        }
        let mut bytes = vec![0u8; usize::try_from(blocks_at).unwrap_or_default()];
        file.read_at(0, &mut bytes)?;
        let (body, crc) = bytes.split_at(bytes.len() - 4);
        // what was gone by above is part of what the checksum says
        if crc32c::crc32c(body).to_le_bytes() != crc || !body.starts_with(&header) {
            return Err(damaged("its filter does not match its checksum"));
        }
        let starts_end = header.len() + usize::try_from(blocks * 8).unwrap_or_default();
        let block_starts = body[header.len()..starts_end]
            .chunks_exact(8)
            .map(|start| start.try_into().map(u64::from_be_bytes).unwrap_or_default())
            .collect();
        let filter = body[starts_end..].to_vec();
        let id = |at: usize| header[at..at + ID_BYTES].try_into().unwrap_or_default();
        let (smallest, largest) = (id(HEADER_BYTES), id(HEADER_BYTES + ID_BYTES));
        Ok(Self { first, end, path, file, count, blocks_at, block_starts, filter, smallest, largest })
    }

    /// Where the id stands, if this run holds it. `mixed` is made from the same id.
    pub(super) fn find(&self, id: &[u8; 16], mixed: Mixed) -> Result<Option<u64>, IdsError> {
        if self.count == 0 || *id < self.smallest || *id > self.largest {
            return Ok(None);
        }
        let (line, mut bits) = mixed.places(self.filter.len() / FILTER_LINE_BYTES);
        if bits.any(|bit| self.filter[line + bit / 8] & (1 << (bit % 8)) == 0) {
            return Ok(None);
        }
        let wanted = prefix(id);
        let mut block = self.block_starts.partition_point(|start| *start < wanted).saturating_sub(1);
        while self.block_starts.get(block).is_some_and(|start| *start <= wanted) {
            let pairs = self.read_block(block)?;
            if let Ok(at) = pairs.binary_search_by(|(other, _)| other.cmp(id)) {
                return Ok(pairs.get(at).map(|(_, index)| *index));
            }
            block += 1;
        }
        Ok(None)
    }

    fn read_block(&self, block: usize) -> Result<Vec<Pair>, IdsError> {
        let mut bytes = [0u8; BLOCK_BYTES];
        self.file.read_at(self.blocks_at + (block * BLOCK_BYTES) as u64, &mut bytes)?;
        let (body, crc) = bytes.split_at(BLOCK_BYTES - 4);
        if crc32c::crc32c(body).to_le_bytes() != crc {
            return Err(IdsError::Damaged {
                path: self.path.clone(),
                reason: format!("block {block} does not match its checksum"),
            });
        }
        let before = block as u64 * PAIRS_PER_BLOCK as u64;
        let held = usize::try_from(self.count.saturating_sub(before)).unwrap_or(PAIRS_PER_BLOCK).min(PAIRS_PER_BLOCK);
        let pair = |bytes: &[u8]| {
            let id = bytes[..16].try_into().unwrap_or_default();
            (id, bytes[16..].try_into().map(u64::from_le_bytes).unwrap_or_default())
        };
        Ok(body.chunks_exact(PAIR_BYTES).take(held).map(pair).collect())
    }
}

/// Fills blocks and writes many of them at once.
struct BlockWriter<'a> {
    file: &'a dyn DiskFile,
    at: u64,
    block: Vec<u8>,
    blocks: Vec<u8>,
}

impl BlockWriter<'_> {
    fn push(&mut self, id: &[u8; ID_BYTES], index: u64) -> Result<(), IdsError> {
        self.block.extend_from_slice(id);
        self.block.extend_from_slice(&index.to_le_bytes());
        if self.block.len() == PAIRS_PER_BLOCK * PAIR_BYTES { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), IdsError> {
        self.block.resize(BLOCK_BYTES - 4, 0);
        let crc = crc32c::crc32c(&self.block);
        self.block.extend_from_slice(&crc.to_le_bytes());
        self.blocks.append(&mut self.block);
        if self.blocks.len() >= WRITE_BYTES { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> Result<(), IdsError> {
        self.file.write_at(self.at, &self.blocks)?;
        self.at += self.blocks.len() as u64;
        self.blocks.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<(), IdsError> {
        if !self.block.is_empty() {
            self.close()?;
        }
        if self.blocks.is_empty() { Ok(()) } else { self.write_out() }
    }
}

/// The pairs of several runs in ascending order, read block by block.
pub(super) fn merge(runs: &[Arc<Run>]) -> impl Iterator<Item = Result<Pair, IdsError>> + '_ {
    let mut cursors: Vec<Cursor<'_>> =
        runs.iter().map(|run| Cursor { run, block: 0, pairs: Vec::new(), at: 0 }).collect();
    std::iter::from_fn(move || {
        let mut smallest: Option<(usize, Pair)> = None;
        for (n, cursor) in cursors.iter_mut().enumerate() {
            match cursor.peek() {
                Err(error) => return Some(Err(error)),
                Ok(Some(pair)) if smallest.is_none_or(|(_, least)| pair < least) => smallest = Some((n, pair)),
                Ok(_) => {}
            }
        }
        let (n, pair) = smallest?;
        cursors[n].at += 1;
        Some(Ok(pair))
    })
}

struct Cursor<'a> {
    run: &'a Run,
    block: usize,
    pairs: Vec<Pair>,
    at: usize,
}

impl Cursor<'_> {
    fn peek(&mut self) -> Result<Option<Pair>, IdsError> {
        if self.at == self.pairs.len() {
            if self.block == self.run.block_starts.len() {
                return Ok(None);
            }
            self.pairs = self.run.read_block(self.block)?;
            self.block += 1;
            self.at = 0;
        }
        Ok(self.pairs.get(self.at).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn id(n: u64) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        id[8..].copy_from_slice(&n.to_be_bytes());
        id
    }

    fn pairs(range: std::ops::Range<u64>) -> Vec<Pair> {
        let mut pairs: Vec<Pair> = range.map(|n| (id(n), n)).collect();
        pairs.sort_unstable();
        pairs
    }

    fn find(run: &Run, id: &[u8; 16]) -> Option<u64> {
        run.find(id, Mixed::new(id)).unwrap()
    }

    #[test]
    fn every_id_is_found_again_and_no_other_across_merge_and_reopen() {
        let folder = tempfile::tempdir().unwrap();
        let runs: Vec<Arc<Run>> = (0..3)
            .map(|n| {
                let range = n * 1000..n * 1000 + 1000;
                let pairs = pairs(range.clone()).into_iter().map(Ok);
                Arc::new(Run::write(&RealDisk, folder.path(), (range.start, range.end), 1000, pairs).unwrap())
            })
            .collect();
        Run::write(&RealDisk, folder.path(), (0, 3000), 3000, merge(&runs)).unwrap();
        let merged = Run::open(&RealDisk, folder.path(), 0, 3000).unwrap();
        for n in 0..3000 {
            assert_eq!(find(&merged, &id(n)), Some(n));
        }
        for n in 3000..6000 {
            assert_eq!(find(&merged, &id(n)), None);
        }
    }

    #[test]
    fn ids_with_one_prefix_across_blocks_are_all_found() {
        let folder = tempfile::tempdir().unwrap();
        let same_prefix = |n: u64| {
            let mut id = [5; 16];
            id[8..].copy_from_slice(&n.to_be_bytes());
            id
        };
        let pairs = (0..1000).map(|n| Ok((same_prefix(n), n)));
        let run = Run::write(&RealDisk, folder.path(), (0, 1000), 1000, pairs).unwrap();
        for n in 0..1000 {
            assert_eq!(find(&run, &same_prefix(n)), Some(n));
        }
    }

    #[test]
    fn a_header_that_claims_more_blocks_than_there_can_be_is_damage() {
        for blocks in [1u64 << 61, u64::MAX, u64::MAX / 8] {
            let folder = tempfile::tempdir().unwrap();
            let mut bytes = MAGIC.to_vec();
            for number in [0u64, 20, 20, blocks, 0] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.resize(HEADER_BYTES + 2 * ID_BYTES + 4, 0);
            std::fs::write(folder.path().join(file_name(0, 20)), &bytes).unwrap();
            let opened = Run::open(&RealDisk, folder.path(), 0, 20);
            assert!(matches!(opened, Err(IdsError::Damaged { .. })), "{blocks} blocks");
        }
    }

    #[test]
    fn a_changed_byte_is_damage_not_an_answer() {
        let folder = tempfile::tempdir().unwrap();
        Run::write(&RealDisk, folder.path(), (0, 500), 500, pairs(0..500).into_iter().map(Ok)).unwrap();
        let path = folder.path().join(file_name(0, 500));
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(37) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).unwrap();
            let answers = Run::open(&RealDisk, folder.path(), 0, 500)
                .and_then(|run| (0..500).map(|n| run.find(&id(n), Mixed::new(&id(n)))).collect::<Result<Vec<_>, _>>());
            if let Ok(answers) = answers {
                // a flip in the unused end of the last block changes nothing
                assert!(answers.iter().zip(0..).all(|(found, n)| *found == Some(n)), "byte {at}");
            }
        }
    }
}
