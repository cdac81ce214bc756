//! Proof without I/O: RFC 6962 tree, C2SP tiles, checkpoints, inclusion and consistency proofs, signed notes, receipts.
//!
//! Promises: formats are those of C2SP (`tlog-tiles`, `signed-note`, `tlog-checkpoint`, `tlog-cosignature`, `tlog-proof`)
//! byte for byte, so that other people's tools can check a log; every parser of outside bytes has a cap, accepts one
//! spelling only and never panics. Never: reads a file, a socket, a clock or a random source; never holds more than the
//! right edge of a tree.
//!
//! Reading order: hashes, the tree, its files (tiles and bundles), growing it (edge), proving (proof), and then what is
//! signed: notes, checkpoints, cosignatures, receipts, and the proof file that carries all of it away.

pub mod hash;
pub mod tree;

pub mod bundle;
pub mod tile;

pub mod edge;
pub mod proof;

mod key;
pub mod note;

pub mod checkpoint;
pub mod cosignature;
pub mod proof_file;
pub mod receipt;

mod text;
