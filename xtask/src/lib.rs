//! The house rules that no compiler or linter knows, as functions that list what breaks them; `tests/tidy.rs` asserts that
//! nothing does.
//!
//! Promises: reads the checkout only; a problem names file, line and the way out. Never: changes a file, or needs a network.
//!
//! Reading order: what is in the checkout, then one module a kind of rule.

pub mod tree;

pub mod docs;
pub mod edges;
pub mod manifests;
pub mod sizes;
pub mod sources;
