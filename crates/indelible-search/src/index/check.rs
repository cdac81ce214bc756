//! Checks an index against its log: makes every row again from its entry and compares.
//!
//! Promises: constant memory; names the first entry and column that differ. Never: changes the index.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use indelible_event::doors::{EntryIndex, EntryReader};

use super::{Filler, Index, IndexFile, READ_BYTES, READ_ENTRIES, Segment, tail};
use crate::columns::{COLUMNS, schema};
use crate::error::IndexError;

impl Index {
    /// Compares every row in files with the entry it was made from; `progress` hears how many entries of how many are checked.
    /// Returns how many were compared.
    ///
    /// # Errors
    /// [`IndexError::Differs`] names the first difference; others tell why the check could not be done.
    pub fn check(&self, entries: &dyn EntryReader, progress: &mut dyn FnMut(u64, u64)) -> Result<u64, IndexError> {
        let segments = self.snapshot().segments;
        let size = segments.last().map_or(0, |segment| segment.name.end);
        if entries.size() < size {
            return Err(IndexError::Ahead { log: self.log.clone(), indexed: size, size: entries.size() });
        }
        for segment in segments.iter() {
            self.check_segment(segment, entries)?;
            progress(segment.name.end, size);
        }
        Ok(size)
    }

    fn check_segment(&self, segment: &Segment, entries: &dyn EntryReader) -> Result<(), IndexError> {
        let damaged = IndexError::damaged(&segment.path);
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(IndexFile::open(&segment.path)?, options)
            .and_then(|reader| reader.with_batch_size(tail::CHUNK_ROWS).build())
            .map_err(&damaged)?;
        let mut next = segment.name.first;
        for kept in reader {
            let kept = kept?;
            let made = rows_of(entries, next, kept.num_rows())?;
            self.compare(&kept, &made, next)?;
            next += kept.num_rows() as u64;
        }
        if next == segment.name.end {
            return Ok(());
        }
        Err(IndexError::Damaged { path: segment.path.clone(), reason: format!("its rows end at entry {next}") })
    }

    fn compare(&self, kept: &RecordBatch, made: &RecordBatch, first: u64) -> Result<(), IndexError> {
        for spec in COLUMNS {
            // A column that an older file lacks reads as null everywhere, and is not compared.
            let (Some(kept), Some(made)) = (kept.column_by_name(spec.name), made.column_by_name(spec.name)) else {
                continue;
            };
            if kept == made {
                continue;
            }
            let rows = kept.len().min(made.len());
            let row = (0..rows).find(|row| kept.slice(*row, 1) != made.slice(*row, 1)).unwrap_or(rows);
            return Err(IndexError::Differs { log: self.log.clone(), index: first + row as u64, column: spec.name });
        }
        Ok(())
    }
}

/// The rows of `count` entries from `first`, made anew.
fn rows_of(entries: &dyn EntryReader, first: u64, count: usize) -> Result<RecordBatch, IndexError> {
    let mut filler = Filler::new(first);
    filler.recall(entries)?;
    let mut chunks = Vec::new();
    let end = first + count as u64;
    while filler.next() < end {
        let wanted = usize::try_from(end - filler.next()).unwrap_or(usize::MAX).min(READ_ENTRIES);
        let read = entries.read(EntryIndex(filler.next()), wanted, READ_BYTES)?;
        if read.is_empty() {
            break;
        }
        filler.take(&read, &mut chunks)?;
    }
    chunks.extend(filler.seal()?);
    Ok(concat_batches(&schema(), chunks.iter().map(|chunk| &chunk.rows))?)
}
