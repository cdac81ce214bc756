//! The table `events`: the files and the fresh tail of one snapshot.
//!
//! Promise: exactly the entries of the snapshot, whatever is flushed or merged meanwhile. Never: another folder than the index's.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DataFusionError, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;
use object_store::ObjectMeta;
use object_store::path::Path;

use super::store_url;
use crate::columns::{COLUMNS, Column, sql_schema};
use crate::index::{Segment, Snapshot};

/// The entries of one snapshot.
#[derive(Debug)]
pub(super) struct Events {
    snapshot: Snapshot,
}

impl Events {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self { snapshot }
    }

    fn files(&self, state: &dyn Session, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        let runtime = state.runtime_env();
        let url = store_url()?;
        let reader = CachedParquetFileReaderFactory::new(
            runtime.object_store(&url)?,
            runtime.cache_manager.get_file_metadata_cache(),
        );
        let source = ParquetSource::new(sql_schema())
            .with_table_parquet_options(state.table_options().parquet.clone())
            .with_parquet_file_reader_factory(Arc::new(reader));
        let files = self.snapshot.segments.iter().map(|segment| file(segment)).collect::<Result<Vec<_>>>()?;
        let rows = self.snapshot.segments.iter().map(|segment| segment.name.rows()).sum();
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_group(FileGroup::new(files))
            .with_statistics(statistics(rows, None))
            .with_projection_indices(projection.cloned())?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn tail(&self, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(sql_schema().project(columns)?),
            None => sql_schema(),
        };
        let mut batches = Vec::with_capacity(self.snapshot.tail.len());
        for chunk in self.snapshot.tail.iter() {
            let rows = match projection {
                Some(columns) => chunk.rows.project(columns)?,
                None => chunk.rows.clone(),
            };
            batches.push(as_sql(&rows, &schema)?);
        }
        Ok(MemorySourceConfig::try_new_exec(&[batches], schema, None)?)
    }
}

/// Rows with the types of the SQL table.
fn as_sql(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let arrays = rows.columns().iter().zip(schema.fields()).map(|(array, field)| cast(array, field.data_type()));
    let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), arrays.collect::<Result<_, _>>()?, &options)?)
}

fn file(segment: &Segment) -> Result<PartitionedFile> {
    let name = &segment.name;
    let path = name.path(std::path::Path::new(""));
    let location = Path::parse(path.to_string_lossy()).map_err(|fault| DataFusionError::External(Box::new(fault)))?;
    let meta = ObjectMeta {
        location,
        // An index file never changes, so its name says all that a cache has to know.
        last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
        size: segment.bytes,
        e_tag: None,
        version: None,
    };
    let known = statistics(name.rows(), Some((name.first, name.end - 1)));
    Ok(PartitionedFile::new_from_meta(meta).with_statistics(Arc::new(known)))
}

/// What a file's name says: how many rows, and which indexes.
fn statistics(rows: u64, indexes: Option<(u64, u64)>) -> Statistics {
    let mut columns: Vec<_> = COLUMNS.iter().map(|_| ColumnStatistics::new_unknown()).collect();
    if let (Some((first, last)), Some(index)) = (indexes, columns.get_mut(Column::Index as usize)) {
        let bound = |index: u64| Precision::Exact(ScalarValue::Int64(i64::try_from(index).ok()));
        index.min_value = bound(first);
        index.max_value = bound(last);
        index.null_count = Precision::Exact(0);
    }
    let rows = usize::try_from(rows).map_or(Precision::Absent, Precision::Exact);
    Statistics { num_rows: rows, total_byte_size: Precision::Absent, column_statistics: columns }
}

#[async_trait]
impl TableProvider for Events {
    fn schema(&self) -> SchemaRef {
        sql_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // Filters reach the files below the union through the physical plan.
        match (self.snapshot.segments.is_empty(), self.snapshot.tail.is_empty()) {
            (false, true) => self.files(state, projection),
            (true, _) => self.tail(projection),
            (false, false) => UnionExec::try_new(vec![self.files(state, projection)?, self.tail(projection)?]),
        }
    }
}
