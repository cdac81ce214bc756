//! The server from outside: a real one, in this process, on a free port, over a folder of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod harness;

mod access;
mod alerts;
mod find;
mod guard;
mod policy;
mod published;
mod record;
mod retrievals;
mod sealed;
mod sources;
mod trail;
mod transport;
