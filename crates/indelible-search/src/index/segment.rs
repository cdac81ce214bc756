//! One index file in use, and the footers that are kept in memory.
//!
//! Promises: a file that compaction replaced is removed only after the last query that uses it has ended; footers in memory are
//! bounded. Never: trusts a footer that says anything else than the file's name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use datafusion::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::disk::{self, IndexFile};
use super::names::FileName;
use crate::columns::{COLUMNS, Column, LAYOUT_VERSION, scan_schema};
use crate::error::IndexError;

/// The key under which a file names its layout.
pub(crate) const LAYOUT_KEY: &str = "indelible.index";

/// One index file in use.
#[derive(Debug)]
pub(crate) struct Segment {
    /// What it holds.
    pub(crate) name: FileName,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its size.
    pub(crate) bytes: u64,
    retired: AtomicBool,
}

impl Segment {
    pub(crate) fn new(folder: &Path, name: FileName) -> Result<Self, IndexError> {
        let path = name.path(folder);
        let bytes = std::fs::metadata(&path).map_err(IndexError::file(&path, "asking for its size"))?.len();
        Ok(Self { name, path, bytes, retired: AtomicBool::new(false) })
    }

    /// Marks it as replaced: it is removed when nobody uses it any more. A crash before that leaves a covered file, which the
    /// next start removes.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if self.retired.load(Ordering::Acquire)
            && let Err(fault) = disk::remove(&self.path)
        {
            tracing::warn!(error = %fault, "replaced index file could not be removed");
        }
    }
}

/// What a file says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Footer {
    /// For reading columns as a scan wants them.
    pub(crate) reader: ArrowReaderMetadata,
    /// The first entry of each row group.
    pub(crate) starts: Arc<[u64]>,
    /// Where the file is, for messages.
    pub(crate) path: Arc<Path>,
    /// Where each column stands among the file's leaves.
    leaves: Arc<[Option<usize>]>,
}

impl Footer {
    pub(crate) fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.reader.metadata()
    }

    /// Where `column` stands among the file's leaves; `None` when the file lacks it.
    pub(crate) fn leaf(&self, column: Column) -> Option<usize> {
        self.leaves.get(column as usize).copied().flatten()
    }

    /// How many rows row group `number` has.
    pub(crate) fn rows(&self, number: usize) -> usize {
        usize::try_from(self.metadata().row_group(number).num_rows()).unwrap_or_default()
    }

    fn load(segment: &Segment, file: &IndexFile) -> Result<Self, IndexError> {
        let damaged = IndexError::damaged(&segment.path);
        let metadata = ParquetMetaDataReader::new()
            .with_column_index_policy(PageIndexPolicy::Skip)
            .with_offset_index_policy(PageIndexPolicy::Optional)
            .parse_and_finish(file)
            .map_err(&damaged)?;
        let wrong = |reason: String| IndexError::Damaged { path: segment.path.clone(), reason };
        let about = metadata.file_metadata();
        let layout = about.key_value_metadata().and_then(|pairs| pairs.iter().find(|pair| pair.key == LAYOUT_KEY));
        if layout.and_then(|pair| pair.value.as_deref()) != Some(LAYOUT_VERSION) {
            return Err(wrong(format!("its layout is not version {LAYOUT_VERSION}")));
        }
        if u64::try_from(about.num_rows()).ok() != Some(segment.name.rows()) {
            return Err(wrong(format!("it holds {} rows, its name says {}", about.num_rows(), segment.name.rows())));
        }
        let mut starts = Vec::with_capacity(metadata.num_row_groups());
        let mut start = segment.name.first;
        for group in metadata.row_groups() {
            starts.push(start);
            start += u64::try_from(group.num_rows()).unwrap_or_default();
        }
        let columns = about.schema_descr().columns();
        let leaf =
            |name: &str| columns.iter().position(|leaf| leaf.path().parts().first().is_some_and(|root| root == name));
        let leaves: Arc<[_]> = COLUMNS.iter().map(|spec| leaf(spec.name)).collect();
        let schema = parquet_to_arrow_schema(about.schema_descr(), None).map_err(&damaged)?;
        let wanted = scan_schema();
        let fields: Vec<Field> = schema
            .fields()
            .iter()
            .map(|field| {
                wanted.field_with_name(field.name()).unwrap_or(field).clone().with_nullable(field.is_nullable())
            })
            .collect();
        let options =
            ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(Arc::new(Schema::new(fields)));
        let reader = ArrowReaderMetadata::try_new(Arc::new(metadata), options).map_err(&damaged)?;
        Ok(Self { reader, starts: starts.into(), path: segment.path.as_path().into(), leaves })
    }
}

/// Footers in memory, the least lately used given up first.
#[derive(Debug)]
pub(crate) struct Footers {
    most_bytes: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    footers: HashMap<(u64, u64), (Footer, usize, u64)>,
    bytes: usize,
    turn: u64,
}

impl Footers {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, held: Mutex::default() }
    }

    /// The footer of `segment`, read if it is not held.
    pub(crate) fn get(&self, segment: &Segment, file: &IndexFile) -> Result<Footer, IndexError> {
        let key = (segment.name.first, segment.name.end);
        {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.turn += 1;
            let turn = held.turn;
            if let Some((footer, _, used)) = held.footers.get_mut(&key) {
                *used = turn;
                return Ok(footer.clone());
            }
        }
        let footer = Footer::load(segment, file)?;
        let bytes = footer.metadata().memory_size();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = held.turn;
        if let Some((_, before, _)) = held.footers.insert(key, (footer.clone(), bytes, turn)) {
            held.bytes -= before;
        }
        held.bytes += bytes;
        while held.bytes > self.most_bytes && held.footers.len() > 1 {
            let oldest = held.footers.iter().min_by_key(|(_, (_, _, used))| *used).map(|(key, _)| *key);
            let Some((_, freed, _)) = oldest.and_then(|key| held.footers.remove(&key)) else { break };
            held.bytes -= freed;
        }
        Ok(footer)
    }

    /// Gives up the footer of a file that is no longer in force.
    pub(crate) fn forget(&self, name: &FileName) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes, _)) = held.footers.remove(&(name.first, name.end)) {
            held.bytes -= bytes;
        }
    }
}
