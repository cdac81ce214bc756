//! What can go wrong in the index and in finding, by what the caller can do about it. Never: content of events in a message.

use std::path::{Path, PathBuf};

use datafusion::arrow::error::ArrowError;
use datafusion::parquet::errors::ParquetError;
use indelible_event::doors::ReadError;

use crate::query::QueryError;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Change the request.
    Invalid,
    /// Ask for less, or give it more: a limit of size or time was reached.
    Limit,
    /// Try again.
    Unavailable,
    /// The index is damaged or not of this log: rebuild it. The log itself is not in doubt.
    Corrupt,
    /// A fault of ours.
    Bug,
}

/// Why the index could not be opened, filled or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// A file or folder could not be read or written.
    #[error("{path}: {doing} failed: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A file that does not belong here.
    #[error("{path}: not a name of an index file; move it away, or run `indelible index rebuild`")]
    Name {
        /// Which.
        path: PathBuf,
    },
    /// Entries that no file holds.
    #[error("the index of log `{log}` lacks entries {from} to {to}; run `indelible index rebuild`")]
    Gap {
        /// Which log.
        log: String,
        /// The first that is missing.
        from: u64,
        /// The last that is missing.
        to: u64,
    },
    /// Entries that two files hold, neither of which holds all of the other.
    #[error("the index of log `{log}` holds entries {from} to {to} in two files; run `indelible index rebuild`")]
    Overlap {
        /// Which log.
        log: String,
        /// The first that is held twice.
        from: u64,
        /// The last that is held twice.
        to: u64,
    },
    /// The index knows more entries than the log has.
    #[error(
        "the index of log `{log}` has {indexed} entries and the log {size}: it belongs to another log or to a later state of this one; run `indelible index rebuild`"
    )]
    Ahead {
        /// Which log.
        log: String,
        /// How many entries the index has.
        indexed: u64,
        /// How many the log has.
        size: u64,
    },
    /// An index file that cannot be read as what it should be.
    #[error("{path}: damaged index file: {reason}; run `indelible index rebuild`")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A row that is not what its entry says.
    #[error(
        "the index of log `{log}` differs from the log at entry {index}, column `{column}`; run `indelible index rebuild`"
    )]
    Differs {
        /// Which log.
        log: String,
        /// Which entry.
        index: u64,
        /// Which column.
        column: &'static str,
    },
    /// The fresh tail is full and may not be written to files.
    #[error("log `{log}` has more entries than are indexed and fit in memory; run `indelible index rebuild`")]
    TailFull {
        /// Which log.
        log: String,
    },
    /// The index was opened for reading.
    #[error("the index of log `{log}` was opened for reading only")]
    ReadOnly {
        /// Which log.
        log: String,
    },
    /// The log could not be read.
    #[error("the log could not be read: {0}")]
    Log(#[from] ReadError),
    /// A fault of ours in putting columns together.
    #[error("columns do not fit together: {0}")]
    Columns(#[from] ArrowError),
    /// Columns could not be encoded.
    #[error("{path}: writing columns failed: {source}")]
    Encode {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
}

impl IndexError {
    pub(crate) fn file(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, doing, source }
    }

    pub(crate) fn encode(path: &Path) -> impl Fn(ParquetError) -> Self + '_ {
        move |source| Self::Encode { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path) -> impl Fn(ParquetError) -> Self + '_ {
        move |source| Self::Damaged { path: path.to_owned(), reason: source.to_string() }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File { .. } | Self::Log(_) | Self::Encode { .. } => ErrorKind::Unavailable,
            Self::Name { .. }
            | Self::Gap { .. }
            | Self::Overlap { .. }
            | Self::Ahead { .. }
            | Self::Damaged { .. }
            | Self::Differs { .. } => ErrorKind::Corrupt,
            Self::TailFull { .. } => ErrorKind::Limit,
            Self::ReadOnly { .. } | Self::Columns(_) => ErrorKind::Bug,
        }
    }
}

/// Why something could not be found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The query cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A time that narrows a query cannot be read.
    #[error("`{which}`: `{value}` is not a time")]
    Bound {
        /// Which: `from` or `to`.
        which: &'static str,
        /// What was written.
        value: String,
    },
    /// The index cannot be used.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The cursor is not one of ours, or belongs to another query.
    #[error("the cursor does not belong to this query: {reason}; start again without a cursor")]
    Cursor {
        /// What does not fit.
        reason: &'static str,
    },
    /// A limit on what one request may ask for.
    #[error("{what} must be between {least} and {most}")]
    OutOfRange {
        /// Which.
        what: &'static str,
        /// The least.
        least: usize,
        /// The most.
        most: usize,
    },
    /// A field that cannot be counted by.
    #[error("cannot count by `{field}`: {reason}")]
    CountBy {
        /// What was asked for.
        field: String,
        /// Why not.
        reason: &'static str,
        /// The nearest field there is.
        nearest: Option<&'static str>,
    },
    /// An interval that cannot be read.
    #[error("`{interval}` is not an interval: write a number and s, m, h, d or w, as in 15m")]
    Interval {
        /// What was written.
        interval: String,
    },
    /// Too many different groups to count in the memory a query may use.
    #[error("the count has more than {most} groups; count by fewer fields, a longer interval or a narrower query")]
    TooManyGroups {
        /// The most that are allowed.
        most: usize,
    },
    /// The time for the request was over.
    #[error("the search took longer than {seconds} s; narrow it by time or by a field")]
    TookTooLong {
        /// The limit.
        seconds: u64,
    },
    /// Nobody waits for the answer any more.
    #[error("the search was abandoned")]
    Abandoned,
    /// SQL that is not allowed or not understood.
    #[error("{reason}")]
    Sql {
        /// Why, in words for the writer of the statement.
        reason: String,
    },
    /// The statement needs more memory than it may use.
    #[error("the statement needs more memory than the {megabytes} MiB it may use; narrow it, or select fewer columns")]
    SqlMemory {
        /// The limit.
        megabytes: usize,
    },
    /// The receiver of an export could not take more.
    #[error("the export could not be written: {0}")]
    Export(std::io::Error),
    /// A fault of ours.
    #[error("an internal fault of the search: {reason}")]
    Bug {
        /// What went wrong.
        reason: String,
    },
}

impl FindError {
    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Index(fault) => fault.kind(),
            Self::Query(_)
            | Self::Bound { .. }
            | Self::Cursor { .. }
            | Self::OutOfRange { .. }
            | Self::CountBy { .. }
            | Self::Interval { .. }
            | Self::Sql { .. } => ErrorKind::Invalid,
            Self::TooManyGroups { .. } | Self::TookTooLong { .. } | Self::SqlMemory { .. } => ErrorKind::Limit,
            Self::Abandoned | Self::Export(_) => ErrorKind::Unavailable,
            Self::Bug { .. } => ErrorKind::Bug,
        }
    }

    /// What to do about it, where there is more to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Query(fault) => fault.hint(),
            Self::CountBy { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::Bound { value, .. } => QueryError {
                column: 1,
                length: value.chars().count(),
                fault: crate::query::QueryFault::NotTime { value: value.clone() },
            }
            .hint(),
            _ => None,
        }
    }
}

impl From<ArrowError> for FindError {
    fn from(fault: ArrowError) -> Self {
        Self::Index(IndexError::Columns(fault))
    }
}
