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
//! ```
//! use indelible_event::body::{BodyFormat, read_body};
//! use indelible_event::{id::EventId, prepare::Defaults, view::EventView};
//!
//! let body = br#"{"time":"2026-11-23T10:15:30+01:00","actor":{"id":"ana@example.com","type":"human"},
//!     "action":"read","outcome":{"result":"allowed"}}"#;
//! let defaults = Defaults { source_id: "billing", source_kind: "api" };
//! let mut new_id = || EventId::version_7(1_795_425_330_123, [7; 10]);
//! let outcome = read_body(body, BodyFormat::Auto, 10_000, &defaults, &mut new_id)?;
//! assert!(outcome.faults.is_empty());
//!
//! // The batch holds the canonical bytes: what is hashed and kept, but for the time that the journal writes into its slot.
//! let (slot, entry) = outcome.batch.entries().next().unwrap();
//! assert_eq!(slot.id, new_id());
//! let view = EventView::parse(entry)?;
//! assert_eq!((view.actor.id.as_deref(), view.source.id.as_deref()), (Some("ana@example.com"), Some("billing")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Reading order: the limits, the words of an event, the bytes of an event, then the two doors of the log, then the vault,
//! then what the numbers of sources say.

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
pub mod number;
pub mod percent;
pub mod view;

pub mod doors;

pub mod vault;

pub mod completeness;

pub use shape::{OWN_SOURCE_KIND, SCHEMA};
