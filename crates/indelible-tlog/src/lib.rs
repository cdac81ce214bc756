//! Proof without I/O: RFC 6962 tree, C2SP tiles, checkpoints, inclusion and consistency proofs, signed notes, receipts.
//!
//! Promises: formats are those of C2SP (`tlog-tiles`, `signed-note`, `tlog-checkpoint`, `tlog-cosignature`, `tlog-proof`)
//! byte for byte, so that other people's tools can check a log; every parser of outside bytes has a cap, accepts one
//! spelling only and never panics. Never: reads a file, a socket, a clock or a random source; never holds more than the
//! right edge of a tree.
//!
//! ```
//! use indelible_tlog::checkpoint::{Checkpoint, Origin};
//! use indelible_tlog::edge::Edge;
//! use indelible_tlog::hash::leaf_hash;
//! use indelible_tlog::note::{self, KeyKind, SigningKey};
//!
//! // A log of three entries; its key has the log's name.
//! let origin = Origin::new("logs.example.com/main")?;
//! let key = SigningKey::from_seed(origin.key_name().clone(), KeyKind::Ed25519, &[7; 32]);
//! let mut edge = Edge::empty();
//! edge.append(&[b"a", b"b", b"c"].map(|entry| leaf_hash(entry)), &mut |_full_tile, _hashes| {});
//!
//! // What it signs, and what anybody who has the key's public half reads out of it.
//! let checkpoint = Checkpoint { origin, size: edge.size(), root: edge.root() };
//! let note = note::sign(&checkpoint.to_text(), &key)?;
//! assert!(note.starts_with("logs.example.com/main\n3\n"));
//! assert_eq!(Checkpoint::open(&note, &key.verifier())?, checkpoint);
//! assert!(Checkpoint::open(note.replace("\n3\n", "\n4\n"), &key.verifier()).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
