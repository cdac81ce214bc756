//! Capture in line: a call passes only after its intent is durable, and ends only after its outcome is.
//!
//! Promises: no record, no access; what upstream sent is what the client sees, byte for byte; each exchange ends in exactly one
//! outcome event. Never: knows the store or the server; writes a credential or a matched secret anywhere.
//!
//! Reading order: who calls and by which route, what an event will say, what is kept of the content, then the exchange itself.

pub mod caller;
pub mod route;
pub mod surroundings;

pub mod draft;

pub mod content;
pub mod refusal;

pub mod carried;
pub mod exchange;
pub mod numbered;
pub mod open;
pub mod recover;

pub mod body;
mod headers;
pub mod json_scan;
pub mod sse;
mod upstream;

pub mod labels;
pub mod llm;
pub mod mcp;

#[cfg(test)]
pub(crate) mod testing;
