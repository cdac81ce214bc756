//! Ship: exports in formats that others read. (Sinks and evidence bundles will live here too.)
//!
//! Promises: an export is a function of the stored entries alone; columns and mappings are stable; memory does not grow with
//! the export; a cell never becomes a formula. Never: chooses what is exported, or drops an entry silently: one that cannot be
//! read stops the export with its index.

mod csv;
mod ocsf;

#[cfg(test)]
mod testing;

use indelible_event::json::JsonError;
use indelible_event::view::EventView;

pub use crate::csv::{CSV_COLUMNS, csv_header, csv_record, csv_row, csv_safe};
pub use crate::ocsf::{OCSF_VERSION, ocsf_line};

/// An entry could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The stored bytes are no event.
    #[error("entry {index} is no event that can be exported")]
    NotAnEvent {
        /// Which entry.
        index: u64,
        /// What is wrong with it.
        source: JsonError,
    },
    /// A row could not be written.
    #[error("entry {index} could not be written as a row")]
    Row {
        /// Which entry.
        index: u64,
        /// Why.
        source: ::csv::Error,
    },
    /// A document could not be written.
    #[error("entry {index} could not be written as JSON")]
    Document {
        /// Which entry.
        index: u64,
        /// Why.
        source: serde_json::Error,
    },
}

/// Reads a stored entry for an export.
fn read(index: u64, entry: &[u8]) -> Result<EventView<'_>, ExportError> {
    EventView::parse(entry).map_err(|source| ExportError::NotAnEvent { index, source })
}

/// Appends an entry byte for byte as a line (NDJSON): hashing the line again gives the entry's leaf.
pub fn ndjson_line(entry: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(entry);
    out.push(b'\n');
}
