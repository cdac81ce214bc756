//! Merging: many small files of a day become a few large ones.
//!
//! Full row groups are copied as bytes; only small ones are read and encoded again, so a row is encoded about twice in its life.
//! Promises: a crash leaves either the old files, or the new one and old ones that it covers. Never: mixes days.

use std::sync::{Arc, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use datafusion::parquet::file::metadata::ParquetMetaData;

use super::disk::IndexFile;
use super::names::FileName;
use super::segment::Segment;
use super::write::{GROUP_ROWS, Splicer, encode, whole_footer};
use super::{Index, Snapshot, lock};
use crate::error::IndexError;

/// Most rows in one file: eight full row groups. Larger files gain nothing, and cost more to merge again.
pub(crate) const FILE_ROWS: u64 = 8 * GROUP_ROWS as u64;
/// How many neighbours of a size are merged at once while their day goes on.
const MERGE_AT: usize = 8;
/// Sizes that are merged among themselves, in rows: so that a row is rewritten once for each of them.
const TIERS: [u64; 3] = [GROUP_ROWS as u64 / 8, GROUP_ROWS as u64, FILE_ROWS];
/// A row group with at least this many rows is copied as it is.
const COPIED_ROWS: u64 = GROUP_ROWS as u64 / 2;

impl Index {
    /// Merges one run of small files; returns how many it replaced (none when there is nothing to merge).
    pub(super) fn merge(&self) -> Result<usize, IndexError> {
        let _keeping = lock(&self.keeping);
        let Some(run) = plan(&self.snapshot()) else { return Ok(0) };
        let merged = self.merge_run(&run)?;
        let segment = Arc::new(Segment::new(&self.folder, merged)?);
        {
            let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
            let kept = |old: &&Arc<Segment>| old.name.first < segment.name.first || old.name.end > segment.name.end;
            let mut segments: Vec<_> = shared.segments.iter().filter(kept).cloned().collect();
            segments.push(segment);
            segments.sort_by_key(|segment| segment.name.first);
            shared.segments = segments.into();
        }
        for old in &run {
            self.footers.forget(&old.name);
            old.retire();
        }
        Ok(run.len())
    }

    fn merge_run(&self, run: &[Arc<Segment>]) -> Result<FileName, IndexError> {
        let sources = run.iter().map(Source::open).collect::<Result<Vec<_>, _>>()?;
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return Err(IndexError::Gap { log: self.log.clone(), from: 0, to: 0 });
        };
        let name = FileName { date: first.name.date, first: first.name.first, end: last.name.end };
        let mut splicer = Splicer::create(&self.folder, name, &sources[0].metadata)?;
        let mut small: Vec<RecordBatch> = Vec::new();
        for source in &sources {
            for group in 0..source.metadata.num_row_groups() {
                let rows = u64::try_from(source.metadata.row_group(group).num_rows()).unwrap_or_default();
                let waiting: usize = small.iter().map(RecordBatch::num_rows).sum();
                if rows >= COPIED_ROWS || waiting as u64 + rows > GROUP_ROWS as u64 {
                    encode_small(&mut splicer, &mut small, &source.segment)?;
                }
                if rows >= COPIED_ROWS {
                    splicer.add(&source.file, &source.metadata, group)?;
                } else {
                    source.read(group, &mut small)?;
                }
            }
        }
        encode_small(&mut splicer, &mut small, last)?;
        splicer.finish()
    }
}

/// A file to be merged.
struct Source {
    segment: Arc<Segment>,
    file: IndexFile,
    metadata: ParquetMetaData,
}

impl Source {
    fn open(segment: &Arc<Segment>) -> Result<Self, IndexError> {
        let file = IndexFile::open(&segment.path)?;
        let metadata = whole_footer(&file).map_err(IndexError::damaged(&segment.path))?;
        Ok(Self { segment: segment.clone(), file, metadata })
    }

    fn read(&self, group: usize, into: &mut Vec<RecordBatch>) -> Result<(), IndexError> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(self.file.clone(), options)
            .and_then(|reader| reader.with_row_groups(vec![group]).build())
            .map_err(IndexError::damaged(&self.segment.path))?;
        for batch in reader {
            into.push(batch?);
        }
        Ok(())
    }
}

/// Encodes the small row groups that wait as one, and adds it.
fn encode_small(splicer: &mut Splicer, small: &mut Vec<RecordBatch>, at: &Segment) -> Result<(), IndexError> {
    if small.is_empty() {
        return Ok(());
    }
    let bytes = encode(small).map_err(IndexError::encode(&at.path))?;
    let metadata = whole_footer(&bytes).map_err(IndexError::encode(&at.path))?;
    small.clear();
    for group in 0..metadata.num_row_groups() {
        splicer.add(&bytes, &metadata, group)?;
    }
    Ok(())
}

/// The neighbours to merge next: all that fit in a file when their day is over, [`MERGE_AT`] of a size while it goes on.
fn plan(snapshot: &Snapshot) -> Option<Vec<Arc<Segment>>> {
    let segments = &snapshot.segments;
    let today = snapshot.tail.last().map(|chunk| chunk.date).or_else(|| segments.last().map(|last| last.name.date))?;
    let mut start = 0;
    while start < segments.len() {
        let date = segments[start].name.date;
        let day = segments[start..].iter().take_while(|segment| segment.name.date == date).count();
        let day = &segments[start..start + day];
        start += day.len();
        let run = if date == today {
            TIERS.iter().find_map(|tier| run(day, *tier, MERGE_AT))
        } else {
            run(day, FILE_ROWS, 2)
        };
        if run.is_some() {
            return run;
        }
    }
    None
}

/// The first `least` or more neighbours that are each smaller than `below` and fit in a file together.
fn run(day: &[Arc<Segment>], below: u64, least: usize) -> Option<Vec<Arc<Segment>>> {
    let mut run: Vec<Arc<Segment>> = Vec::new();
    let mut rows = 0;
    for segment in day {
        let more = segment.name.rows();
        if more < below && rows + more <= FILE_ROWS {
            rows += more;
            run.push(segment.clone());
            continue;
        }
        if run.len() >= least {
            return Some(run);
        }
        run.clear();
        rows = 0;
        if more < below {
            rows = more;
            run.push(segment.clone());
        }
    }
    (run.len() >= least).then_some(run)
}
