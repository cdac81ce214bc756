//! Find: the index of a log, and everything that answers a question from it.
//!
//! What it is for: an acknowledged event is found by the next query, by field, by text or by SQL; and the files can be read by
//! any engine that reads Parquet. Promises: it is a view: it can be deleted and rebuilt from the log, and never makes recording
//! wait; every query is bounded in time, memory and answer. Never: writes to the log, or decides who may ask.
//!
//! Reading order: the columns, entries to rows, files and the fresh tail, the query language, then the ways to ask.

pub mod columns;
mod error;
mod rows;

mod index;

pub mod query;

pub mod scan;

mod export;
mod live;
mod pool;
mod search;
mod sql;
mod stats;

#[cfg(test)]
mod testing;

pub use error::{ErrorKind, FindError, IndexError};
pub use index::{Access, Index, IndexState, Maintained, Settings};
pub use live::Matcher;
pub use scan::{Hits, Order, Patience, ScanCounts};
pub use search::{Hit, PAGE_MAX, SEARCH_TIME, SearchPage, SearchRequest, filter};
pub use sql::{
    SQL_ANSWER_BYTES, SQL_BYTES_MAX, SQL_READS_MAX, SQL_ROWS_MAX, SQL_STEPS_MAX, SQL_TOKENS_MAX, SqlAnswer, SqlColumn,
    SqlRequest,
};
pub use stats::{
    BY_MAX, Counting, GROUPS_MAX, Interval, ROWS_MAX, SUMS_MAX, StatsAnswer, StatsRequest, StatsRow, Timed,
};
