//! Check a log from its published bytes alone.
//!
//! Promises: needs nothing but the tlog-tiles tree, its checkpoint and a key (a folder or a URL); shares no reader of entries with
//! the code that wrote them; recomputes every leaf and every node; memory does not grow with the log; hostile bytes give
//! findings, never a panic. Integrity, witness, completeness and time are four verdicts and are never mixed. Never: writes
//! anything; trusts a key found beside the log as much as one that the reader brings.
//!
//! Reading order: where the bytes come from, what an entry says of itself, the report; then one bundle, the tree above it, how
//! the two are judged together, completeness, and the pass over all of them; the same from the root down, a piece at a time; then
//! receipts and proofs, which ask about a few entries only.

#![forbid(unsafe_code)]

pub mod source;

pub mod scan;

pub mod report;

mod findings;

mod bundle;
mod climb;
mod completeness;
mod judge;

mod descent;

mod ordered;
mod surplus;
mod trust;
mod verify;

mod proof;
mod receipt;

pub use descent::{Descent, Piece, open_checkpoint};
pub use proof::{ProofReport, check_proof};
pub use receipt::{ReceiptReport, verify_receipt};
pub use report::{Exit, Report, Verdict};
pub use source::{FolderSource, LogSource, SourceError};
pub use verify::{VerifyOptions, verify};
