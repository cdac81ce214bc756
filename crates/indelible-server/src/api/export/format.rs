//! The formats of an export: their words, types and writers. Parquet is written by the index itself.

use crate::api::find::write_line;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One `{"index","event"}` a line.
    Ndjson,
    /// Stable columns, safe against formulas.
    Csv,
    /// The index's rows.
    Parquet,
    /// One OCSF event a line.
    Ocsf,
}

impl Format {
    pub(super) const ALL: [Self; 4] = [Self::Ndjson, Self::Csv, Self::Parquet, Self::Ocsf];

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Ocsf => "ocsf",
        }
    }

    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Ocsf => "ocsf.ndjson",
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Ocsf => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// Writes entries one after the other.
pub(super) struct Writer {
    format: Format,
}

/// An entry could not be written in this format.
#[derive(Debug, thiserror::Error)]
#[error("the format `{format}` is not built in yet")]
pub(super) struct FormatError {
    format: &'static str,
}

impl Writer {
    pub(super) fn new(format: Format) -> Self {
        Self { format }
    }

    /// What stands before the first entry.
    pub(super) fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), FormatError> {
        match self.format {
            Format::Ndjson => Ok(()),
            Format::Csv | Format::Parquet | Format::Ocsf => Err(FormatError { format: self.format.word() }),
        }
    }

    /// One entry.
    pub(super) fn entry(&mut self, index: u64, entry: &[u8], out: &mut Vec<u8>) -> Result<(), FormatError> {
        write_line(out, index, entry);
        out.push(b'\n');
        Ok(())
    }
}
