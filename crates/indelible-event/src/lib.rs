//! What happened: one access, as types and as exact bytes.
//!
//! Promises: bytes from outside are read strictly (UTF-8, no duplicate keys, no floats, bounded depth and size); a valid
//! event has exactly one canonical form (RFC 8785), and that form is what is hashed and kept; every fault names its field,
//! its place and the way out. Never: reads a clock, a random source, a file or the network; never panics on any input.
//!
//! Texts that may be personal can stand as `{"commitment": "<base64 of 32 bytes>"}` instead of their value: every string of an event
//! but `schema`, `id`, `time`, `recorded`, `source.*`, `sealed[].commitment`, and the words of closed sets (`action`,
//! `actor.type`, `outcome.result`, `outcome.phase`). In lists and among `attributes`, so may each item.
//!
//! Reading order: the limits, the words of an event, the bytes of an event, then the two doors of the log.

pub mod limits;

pub mod env;
pub mod id;
pub mod time;
pub mod words;

pub mod fault;
pub mod json;
mod nearest;
pub mod schema;
mod shape;

pub mod batch;
pub mod prepare;

pub mod body;
pub mod build;
pub mod view;

pub mod doors;

pub use shape::{OWN_SOURCE_KIND, SCHEMA};
