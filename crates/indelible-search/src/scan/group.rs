//! Reads the columns of one row group, and finds the rows of it that match.
//!
//! Promise: a column is read only while rows are left that could match, and of later columns only those rows. Never: holds more
//! than a batch of a column at once, beyond one bit for each row.

use datafusion::arrow::array::BooleanBufferBuilder;
use datafusion::arrow::array::{RecordBatch, RecordBatchReader};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use datafusion::parquet::errors::ParquetError;

use super::prune::{Group, Look, Verdict};
use super::test::{Memo, Program, Test};
use super::{Counters, Patience};
use crate::columns::Column;
use crate::error::{FindError, IndexError};
use crate::index::{Footer, IndexFile};

/// Rows in one batch of a scan: columns of it stay in the processor's cache.
const BATCH_ROWS: usize = 8_192;

/// One row group, open for reading.
#[derive(Clone, Debug)]
pub(crate) struct GroupReader {
    pub(crate) file: IndexFile,
    pub(crate) footer: Footer,
    pub(crate) number: usize,
}

/// Which rows of a row group match.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    /// Every one.
    All,
    /// Those whose bit is set; at least one.
    Some(BooleanBuffer),
}

impl GroupReader {
    /// The first entry.
    pub(crate) fn first(&self) -> u64 {
        self.footer.starts.get(self.number).copied().unwrap_or_default()
    }

    /// How many rows.
    pub(crate) fn len(&self) -> usize {
        self.footer.rows(self.number)
    }

    fn as_group(&self) -> Group<'_> {
        Group { footer: &self.footer, file: &self.file, number: self.number }
    }

    /// Reads `columns` of the rows that are chosen, batch by batch.
    pub(crate) fn read(&self, columns: &[Column], chosen: &Rows) -> Result<impl RecordBatchReader + use<>, IndexError> {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.footer.reader.clone());
        let leaves = columns.iter().filter_map(|column| self.footer.leaf(*column));
        let mask = ProjectionMask::leaves(builder.parquet_schema(), leaves);
        self.build(builder.with_projection(mask), chosen)
    }

    /// Reads every column of the rows that are chosen, texts as they are.
    pub(crate) fn read_plain(&self, chosen: &Rows) -> Result<impl RecordBatchReader + use<>, IndexError> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let reader = ArrowReaderMetadata::try_new(self.footer.metadata().clone(), options)
            .map_err(|fault| self.damaged(&fault))?;
        self.build(ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), reader), chosen)
    }

    fn build(
        &self,
        builder: ParquetRecordBatchReaderBuilder<IndexFile>,
        chosen: &Rows,
    ) -> Result<ParquetRecordBatchReader, IndexError> {
        let mut builder = builder.with_row_groups(vec![self.number]).with_batch_size(BATCH_ROWS);
        if let Rows::Some(rows) = chosen {
            let ranges = rows.set_slices().map(|(from, until)| from..until);
            builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(ranges, rows.len()));
        }
        builder.build().map_err(|fault| self.damaged(&fault))
    }

    fn damaged(&self, fault: &ParquetError) -> IndexError {
        IndexError::Damaged { path: self.footer.path.to_path_buf(), reason: fault.to_string() }
    }
}

/// Finds matching rows, row group by row group.
pub(crate) struct Evaluator<'a> {
    pub(crate) program: &'a Program,
    pub(crate) patience: &'a Patience,
    pub(crate) counters: &'a Counters,
}

impl Evaluator<'_> {
    /// The rows of `group` that match; `None` when there are none.
    pub(crate) fn rows(&self, group: &GroupReader) -> Result<Option<Rows>, FindError> {
        match self.open(group)? {
            Some(open) => self.rows_by(group, &open),
            None => Ok(None),
        }
    }

    /// The tests that statistics do not decide for all rows of `group`; `None` when they rule it out.
    pub(crate) fn open(&self, group: &GroupReader) -> Result<Option<Vec<&Test>>, FindError> {
        self.patience.check()?;
        let mut open = Vec::new();
        for test in &self.program.tests {
            match test.judge(group.as_group(), Look::Statistics)? {
                Verdict::None => {
                    Counters::add(&self.counters.by_statistics, 1);
                    return Ok(None);
                }
                Verdict::Some => open.push(test),
                Verdict::All => {}
            }
        }
        Ok(Some(open))
    }

    /// The rows of `group` for which the tests hold that are still `open`; `None` when there are none.
    pub(crate) fn rows_by(&self, group: &GroupReader, open: &[&Test]) -> Result<Option<Rows>, FindError> {
        if open.is_empty() {
            Counters::add(&self.counters.whole, 1);
            return Ok(Some(Rows::All));
        }
        for test in open {
            if test.judge(group.as_group(), Look::Bloom)? == Verdict::None {
                Counters::add(&self.counters.by_bloom, 1);
                return Ok(None);
            }
        }
        Counters::add(&self.counters.read, 1);
        let mut rows = Rows::All;
        for test in open {
            match self.narrow(group, test, &rows)? {
                Some(fewer) => rows = fewer,
                None => return Ok(None),
            }
        }
        Ok(Some(rows))
    }

    /// Those of `rows` for which `test` holds too.
    fn narrow(&self, group: &GroupReader, test: &Test, rows: &Rows) -> Result<Option<Rows>, FindError> {
        // Choosing rows in the reader pays when it skips most of them.
        let sparse = matches!(rows, Rows::Some(mask) if mask.count_set_bits() < mask.len() / 4);
        let mut columns = Vec::new();
        test.columns(&mut columns);
        let mut memo = Memo::default();
        let mut found = BooleanBufferBuilder::new(group.len());
        for batch in group.read(&columns, if sparse { rows } else { &Rows::All })? {
            self.patience.check()?;
            let batch: RecordBatch = batch?;
            found.append_buffer(&test.eval(&batch, &mut memo));
        }
        let found = found.finish();
        let mask = match rows {
            Rows::All => found,
            Rows::Some(before) if sparse => spread(before, &found),
            Rows::Some(before) => before & &found,
        };
        match mask.count_set_bits() {
            0 => Ok(None),
            all if all == mask.len() => Ok(Some(Rows::All)),
            _ => Ok(Some(Rows::Some(mask))),
        }
    }
}

/// `chosen`, without the set bits whose answer in `answers` (one for each set bit) is no.
fn spread(chosen: &BooleanBuffer, answers: &BooleanBuffer) -> BooleanBuffer {
    let mut mask = BooleanBufferBuilder::new(chosen.len());
    mask.append_n(chosen.len(), false);
    for (place, row) in chosen.set_indices().enumerate() {
        if place < answers.len() && answers.value(place) {
            mask.set_bit(row, true);
        }
    }
    mask.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_for_chosen_rows_go_back_to_their_places() {
        let chosen = BooleanBuffer::from_iter([false, true, true, false, true]);
        let answers = BooleanBuffer::from_iter([true, false, true]);
        assert_eq!(spread(&chosen, &answers), BooleanBuffer::from_iter([false, true, false, false, true]));
    }
}
