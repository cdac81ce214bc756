//! The gateways between real connections: a client and a scripted upstream on loopback, a log and a vault in memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../src/testing.rs"]
mod testing;

mod door;
mod llm;
mod mcp;
mod mcp_server;
mod stand;
mod tls;
mod upstream;
