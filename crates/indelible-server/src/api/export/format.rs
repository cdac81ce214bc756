//! The formats of an export: their words, types and writers. Parquet is written by the index itself.

use indelible_deliver::{ExportError, csv_header, csv_row, ndjson_line, ocsf_line};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The entries as stored, one a line.
    Ndjson,
    /// Stable columns, safe against formulas.
    Csv,
    /// The index's rows.
    Parquet,
    /// One OCSF event a line.
    Ocsf,
}

impl Format {
    pub(crate) const ALL: [Self; 4] = [Self::Ndjson, Self::Csv, Self::Parquet, Self::Ocsf];

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    pub(crate) fn word(self) -> &'static str {
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
pub(super) struct Writer<'a> {
    format: Format,
    log: &'a str,
}

impl<'a> Writer<'a> {
    /// A writer for entries of `log`. Parquet is not written by entries.
    pub(super) fn new(format: Format, log: &'a str) -> Self {
        Self { format, log }
    }

    /// What stands before the first entry.
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), ExportError> {
        if self.format == Format::Csv { csv_header(out) } else { Ok(()) }
    }

    /// One entry.
    pub(super) fn entry(&mut self, index: u64, entry: &[u8], out: &mut Vec<u8>) -> Result<(), ExportError> {
        match self.format {
            Format::Csv => csv_row(index, entry, out),
            Format::Ocsf => ocsf_line(self.log, index, entry, out),
            Format::Ndjson | Format::Parquet => {
                ndjson_line(entry, out);
                Ok(())
            }
        }
    }
}
