//! The Model Context Protocol in line: what agents do with tools, resources and prompts, and what tool servers ask of agents.
//!
//! Promises: bytes that are forwarded are the bytes that came; what is decided and recorded is what the message says, for a message
//! that two readers may read differently is refused; each request ends in one outcome. Never: takes part in the protocol beyond
//! refusals and answers that never came.
//!
//! Reading order: `json`, `message`, `method` (what is said), `action`, `definitions` (what tools are), `flow` (what happens to a
//! message), then what carries messages.

pub mod action;
pub mod answer;
pub mod definitions;
pub mod json;
pub mod message;
pub mod method;
pub mod rules;

pub mod http;
pub mod stdio;

mod flow;
mod pending;
mod table;

pub use flow::{Counts, Transport};
pub use http::{Credential, McpError, McpGateway, McpSettings};
