//! Watch: what an event means when it is seen beside others. Rules (Sigma), baselines of what is usual, completeness of sources;
//! findings become alerts, and alerts reach people through receivers.
//!
//! Promises: reads the log through [`indelible_event::doors::EntryReader`]'s entries only, in order, from a cursor; the same
//! entries give the same findings with the same ids, so that nobody is told twice. Never: writes to the log's storage, slows
//! recording, or needs a runtime.

pub mod alert;
pub mod baseline;
pub mod book;
pub mod finding;
pub mod notice;
pub mod receivers;
pub mod rules;
pub mod seen;
pub mod sources;
