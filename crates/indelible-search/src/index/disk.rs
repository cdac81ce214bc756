//! Files of the index: whole or not there. Never: a file with its final name that is not complete and on stable storage.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::reader::{ChunkReader, Length};

use crate::error::IndexError;

/// An open index file that many threads read at once, each at its own place.
#[derive(Clone, Debug)]
pub(crate) struct IndexFile {
    file: Arc<File>,
    bytes: u64,
}

impl IndexFile {
    pub(crate) fn open(path: &Path) -> Result<Self, IndexError> {
        let file = File::open(path).map_err(IndexError::file(path, "opening"))?;
        let bytes = file.metadata().map_err(IndexError::file(path, "asking for its size"))?.len();
        Ok(Self { file: Arc::new(file), bytes })
    }
}

impl Length for IndexFile {
    fn len(&self) -> u64 {
        self.bytes
    }
}

/// Reads on from a place without moving anyone else's.
#[derive(Debug)]
pub(crate) struct ReadAt {
    file: Arc<File>,
    at: u64,
}

impl Read for ReadAt {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl ChunkReader for IndexFile {
    type T = BufReader<ReadAt>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(ReadAt { file: self.file.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.bytes);
        if end.is_none() {
            return Err(ParquetError::EOF(format!(
                "{length} bytes from {start} lie beyond the {} of the file",
                self.bytes
            )));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start).map_err(|fault| ParquetError::External(Box::new(fault)))?;
        Ok(bytes.into())
    }
}

/// Makes `folder` and those above it, durably below the one that is there.
pub(crate) fn make_folder(folder: &Path) -> Result<(), IndexError> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(IndexError::file(folder, "making the folder"))?;
    match folder.parent() {
        Some(parent) => sync_folder(parent),
        None => Ok(()),
    }
}

/// Makes names in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), IndexError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(IndexError::file(folder, "making its names durable"))
}

/// Gives the written file at `from` its final name `to`, durably.
///
/// A crash before the rename leaves a `.tmp`, which the next start removes; after it, a whole file.
pub(crate) fn commit(file: &File, from: &Path, to: &Path) -> Result<(), IndexError> {
    file.sync_all().map_err(IndexError::file(from, "making it durable"))?;
    fs::rename(from, to).map_err(IndexError::file(to, "renaming it into place"))?;
    match to.parent() {
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

/// Removes a file; one that is gone already is fine.
pub(crate) fn remove(path: &Path) -> Result<(), IndexError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(fault) => Err(IndexError::file(path, "removing")(fault)),
    }
}
