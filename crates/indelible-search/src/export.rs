//! Export as Parquet: a copy of the matching rows with the same columns.
//!
//! Promise: memory does not grow with what is exported. Never: anything but index columns (other formats, made of the events'
//! own bytes, are the delivery room's).

use std::io::Write;
use std::sync::Arc;

use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::errors::ParquetError;

use crate::error::FindError;
use crate::index::{GROUP_ROWS, Index, encoder};
use crate::query::Query;
use crate::scan::{Counters, Evaluator, Memo, Order, Patience, Program, Units, Work};

/// A column may hold a null, so rows of an older file may lack whole columns; they are filled in on the way out.
fn whole_rows(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = crate::columns::schema();
    let arrays = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(array) => array.clone(),
        None => datafusion::arrow::array::new_null_array(field.data_type(), batch.num_rows()),
    });
    RecordBatch::try_new(schema.clone(), arrays.collect())
}

fn failed(fault: ParquetError) -> FindError {
    match fault {
        ParquetError::External(fault) => match fault.downcast::<std::io::Error>() {
            Ok(fault) => FindError::Export(*fault),
            Err(fault) => FindError::Export(std::io::Error::other(fault)),
        },
        other => FindError::Export(std::io::Error::other(other)),
    }
}

impl Index {
    /// Writes the matching rows, oldest first, as one Parquet file into `into`; returns how many. Blocks on the disk.
    ///
    /// # Errors
    /// [`FindError::Export`] when `into` takes no more, or as a search fails.
    pub fn export_parquet<W: Write + Send>(
        self: &Arc<Self>,
        query: &Query,
        into: W,
        patience: &Patience,
    ) -> Result<u64, FindError> {
        let (snapshot, bounds) = self.whole();
        let program = Arc::new(Program::new(query));
        let counters = Arc::new(Counters::default());
        let mut units = Units::new(self, snapshot, &program, (Order::OldestFirst, bounds), &counters);
        let evaluator = Evaluator { program: &program, patience, counters: &counters };
        let mut writer = encoder(into, GROUP_ROWS).map_err(failed)?;
        let mut rows = 0;
        while let Some(work) = units.next()? {
            patience.check()?;
            rows += match work {
                Work::Group(group) => {
                    let Some(chosen) = evaluator.rows(&group)? else { continue };
                    let mut count = 0;
                    for batch in group.read_plain(&chosen)? {
                        patience.check()?;
                        count += write(&mut writer, &batch?)?;
                    }
                    count
                }
                Work::Chunk(chunk) => {
                    let chosen = program.matches(&chunk.rows, &mut Memo::default());
                    write(&mut writer, &filter_record_batch(&chunk.rows, &BooleanArray::new(chosen, None))?)?
                }
            };
        }
        writer.close().map_err(failed)?;
        Ok(rows)
    }
}

fn write<W: Write + Send>(writer: &mut ArrowWriter<W>, batch: &RecordBatch) -> Result<u64, FindError> {
    if batch.num_rows() > 0 {
        writer.write(&whole_rows(batch)?).map_err(failed)?;
    }
    Ok(batch.num_rows() as u64)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::Int64Type;
    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::query::parse;
    use crate::testing::{DAY, MemoryLog, SECOND, index};

    #[test]
    fn the_file_holds_the_matching_rows_with_all_columns() {
        let (_folder, index) = index();
        let log = MemoryLog::default();
        log.grow_from(400, DAY, 600 * SECOND);
        index.refresh(&log).unwrap();
        index.flush().unwrap();
        log.grow_from(100, DAY, 600 * SECOND);
        index.refresh(&log).unwrap();
        for q in ["", "actor:user-1* -action:read", "label:phi", "actor:nobody"] {
            let query = parse(q).unwrap();
            let mut file = Vec::new();
            let rows = index.export_parquet(&query, &mut file, &Patience::endless()).unwrap();
            let hits = index.hits(&query, Order::OldestFirst, Patience::endless());
            let hits: Vec<i64> = hits.map(|hit| i64::try_from(hit.unwrap()).unwrap()).collect();
            assert_eq!(rows, hits.len() as u64, "{q}");
            let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
            assert_eq!(reader.schema().fields(), crate::columns::schema().fields());
            let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
            let indexes =
                batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
            assert_eq!(indexes.collect::<Vec<_>>(), hits, "{q}");
        }
    }

    #[test]
    fn an_export_ends_with_its_receiver() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (_folder, index) = index();
        let log = MemoryLog::default();
        log.grow(10);
        index.refresh(&log).unwrap();
        let fault = index.export_parquet(&Query::all(), Full, &Patience::endless()).unwrap_err();
        assert!(
            matches!(&fault, FindError::Export(cause) if cause.kind() == std::io::ErrorKind::StorageFull),
            "{fault:?}"
        );
    }
}
