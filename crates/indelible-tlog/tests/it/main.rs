//! The promises of `indelible-tlog`, each checked against something that is not it: a naive RFC 6962 tree, the published
//! vectors, golden files written by Go, and two other Rust implementations.

mod golden;
mod naive;
mod notes;
mod oracle;
mod tiles;
mod trees;
mod vectors;
