//! Writes rows as Parquet: what each column is encoded as, and whole files on stable storage.
//!
//! Promises: one row group holds at most [`GROUP_ROWS`] rows; the index column is sorted and says so. Never: a file with its
//! final name before its bytes are durable.

use std::borrow::Borrow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_writer::{ArrowWriterOptions, compute_leaves};
use datafusion::parquet::basic::{Compression, Encoding, ZstdLevel};
use datafusion::parquet::bloom_filter::Sbbf;
use datafusion::parquet::column::writer::ColumnCloseResult;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{
    KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, SortingColumn,
};
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use datafusion::parquet::file::reader::ChunkReader;
use datafusion::parquet::file::writer::SerializedFileWriter;
use datafusion::parquet::schema::types::ColumnPath;

use super::disk;
use super::names::FileName;
use super::segment::LAYOUT_KEY;
use crate::columns::{COLUMNS, Kind, LAYOUT_VERSION, Layout, Spec, schema};
use crate::error::IndexError;

/// Most rows in one row group: large enough for dictionaries to pay, small enough to be one step of a scan.
pub(crate) const GROUP_ROWS: usize = 131_072;
/// One in a hundred row groups is opened in vain.
const BLOOM_WRONG: f64 = 0.01;
/// Distinct values that a bloom filter of a column with repeated values is made for: it then fits the processor's cache. With
/// more it opens more row groups in vain, and is still right.
const BLOOM_REPEATED: usize = 32_768;
/// Buffer between the encoder and the file.
const WRITE_BYTES: usize = 1 << 20;

fn path_of(spec: &Spec) -> ColumnPath {
    let mut parts = vec![spec.name.to_owned()];
    if spec.kind == Kind::Texts {
        parts.extend(["list".to_owned(), "element".to_owned()]);
    }
    ColumnPath::new(parts)
}

/// How files of row groups of at most `rows` rows are encoded.
fn properties(rows: usize) -> WriterPropertiesPtr {
    let new = |rows: usize| {
        let sorted = SortingColumn { column_idx: 0, descending: false, nulls_first: false };
        let mut builder = WriterProperties::builder()
            .set_created_by(format!("indelible version {}", env!("CARGO_PKG_VERSION")))
            .set_key_value_metadata(Some(vec![KeyValue::new(LAYOUT_KEY.to_owned(), LAYOUT_VERSION.to_owned())]))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_sorting_columns(Some(vec![sorted]))
            .set_bloom_filter_fpp(BLOOM_WRONG)
            .set_max_row_group_row_count(Some(GROUP_ROWS));
        for spec in COLUMNS {
            let path = path_of(spec);
            builder = match spec.layout {
                Layout::Dictionary => builder.set_column_dictionary_enabled(path.clone(), true),
                Layout::Plain => builder.set_column_dictionary_enabled(path.clone(), false),
                Layout::Delta => builder
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED),
            };
            if spec.bloom {
                let most = if spec.layout == Layout::Dictionary { rows.min(BLOOM_REPEATED) } else { rows };
                builder = builder.set_column_bloom_filter_max_ndv(path, most as u64);
            }
        }
        Arc::new(builder.build())
    };
    static FULL: OnceLock<WriterPropertiesPtr> = OnceLock::new();
    if rows < GROUP_ROWS { new(rows) } else { FULL.get_or_init(|| new(GROUP_ROWS)).clone() }
}

/// Starts encoding `rows` rows, or more, into `into`.
pub(crate) fn encoder<W: Write + Send>(into: W, rows: usize) -> Result<ArrowWriter<W>, ParquetError> {
    // Without the Arrow schema in the file every reader sees the plain Parquet types, and so do we.
    let options = ArrowWriterOptions::new().with_properties((*properties(rows)).clone()).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(into, schema(), options)
}

/// Rows encoded in memory, to be spliced into a file.
pub(crate) fn encode(batches: &[RecordBatch]) -> Result<Bytes, ParquetError> {
    write_group(Vec::new(), batches).map(Bytes::from)
}

/// Writes one file of `batches`, at most a row group of them, and gives it its name, durably.
pub(crate) fn write_rows(folder: &Path, name: &FileName, batches: &[&RecordBatch]) -> Result<(), IndexError> {
    let unfinished = name.unfinished(folder);
    let file = create(folder, name)?;
    let buffer = BufWriter::with_capacity(WRITE_BYTES, &file);
    let mut buffer = write_group(buffer, batches).map_err(IndexError::encode(&unfinished))?;
    buffer.flush().map_err(IndexError::file(&unfinished, "writing"))?;
    drop(buffer);
    // A crash here leaves a `.tmp`; one after it leaves the whole file and a tail that is read from the log again.
    disk::commit(&file, &unfinished, &name.path(folder))
}

/// One row group, column after column: each has a compressor of about a MiB, of which there is then one at a time, and it stays
/// in the processor's cache.
fn write_group<W: Write + Send, B: Borrow<RecordBatch>>(into: W, batches: &[B]) -> Result<W, ParquetError> {
    let rows = batches.iter().map(|batch| batch.borrow().num_rows()).sum();
    let (mut file, factory) = encoder(into, rows)?.into_serialized_writer()?;
    let mut group = file.next_row_group()?;
    let columns = factory.create_column_writers(0)?;
    for ((place, field), mut column) in schema().fields().iter().enumerate().zip(columns) {
        for batch in batches {
            for leaf in compute_leaves(field, batch.borrow().column(place))? {
                column.write(&leaf)?;
            }
        }
        column.close()?.append_to_row_group(&mut group)?;
    }
    group.close()?;
    file.into_inner()
}

fn create(folder: &Path, name: &FileName) -> Result<File, IndexError> {
    let unfinished = name.unfinished(folder);
    if let Some(day) = unfinished.parent() {
        disk::make_folder(day)?;
    }
    File::create(&unfinished).map_err(IndexError::file(&unfinished, "creating"))
}

/// A file put together from row groups that are encoded already: their bytes are copied, not read.
pub(crate) struct Splicer {
    file: File,
    writer: SerializedFileWriter<BufWriter<File>>,
    folder: std::path::PathBuf,
    name: FileName,
}

impl Splicer {
    pub(crate) fn create(folder: &Path, name: FileName, like: &ParquetMetaData) -> Result<Self, IndexError> {
        let unfinished = name.unfinished(folder);
        let file = create(folder, &name)?;
        let handle = file.try_clone().map_err(IndexError::file(&unfinished, "opening"))?;
        let schema = like.file_metadata().schema_descr().root_schema_ptr();
        let buffer = BufWriter::with_capacity(WRITE_BYTES, handle);
        let writer = SerializedFileWriter::new(buffer, schema, properties(GROUP_ROWS))
            .map_err(IndexError::encode(&unfinished))?;
        Ok(Self { file, writer, folder: folder.to_owned(), name })
    }

    /// Adds row group `group` of the file `from`, whose footer with page index is `metadata`.
    pub(crate) fn add<R: ChunkReader>(
        &mut self,
        from: &R,
        metadata: &ParquetMetaData,
        group: usize,
    ) -> Result<(), IndexError> {
        let path = self.name.unfinished(&self.folder);
        let failed = IndexError::encode(&path);
        let about = metadata.row_group(group);
        let mut into = self.writer.next_row_group().map_err(&failed)?;
        for (place, column) in about.columns().iter().enumerate() {
            let close = ColumnCloseResult {
                bytes_written: u64::try_from(column.compressed_size()).unwrap_or_default(),
                rows_written: u64::try_from(about.num_rows()).unwrap_or_default(),
                metadata: column.clone(),
                bloom_filter: Sbbf::read_from_column_chunk(column, from).map_err(&failed)?,
                column_index: metadata.column_index().and_then(|all| all.get(group)?.get(place)).cloned(),
                offset_index: metadata.offset_index().and_then(|all| all.get(group)?.get(place)).cloned(),
            };
            into.append_column(from, close).map_err(&failed)?;
        }
        into.close().map_err(&failed)?;
        Ok(())
    }

    /// Completes the file and gives it its name, durably.
    pub(crate) fn finish(self) -> Result<FileName, IndexError> {
        let unfinished = self.name.unfinished(&self.folder);
        let mut buffer = self.writer.into_inner().map_err(IndexError::encode(&unfinished))?;
        buffer.flush().map_err(IndexError::file(&unfinished, "writing"))?;
        disk::commit(&self.file, &unfinished, &self.name.path(&self.folder))?;
        Ok(self.name)
    }
}

/// The footer of a file with what is needed to splice it.
pub(crate) fn whole_footer<R: ChunkReader>(from: &R) -> Result<ParquetMetaData, ParquetError> {
    ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional).parse_and_finish(from)
}
