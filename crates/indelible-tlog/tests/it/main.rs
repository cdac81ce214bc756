//! The promises of `indelible-tlog`, each checked against something that is not it: a naive RFC 6962 tree, the published
//! vectors, golden files written by Go, and two other Rust implementations.

#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    reason = "helpers of tests may fail loudly; sizes here are small"
)]

mod golden;
mod naive;
mod notes;
mod oracle;
mod tiles;
mod trees;
mod vectors;
