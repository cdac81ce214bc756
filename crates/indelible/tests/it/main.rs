//! End to end: the real binary, its own port, its own folder, nothing but its command line and its HTTP interface.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod config;
mod crash;
mod demo;
mod find;
mod full_disk;
mod guard;
mod harness;
mod help;
mod prove;
mod record;
mod sealed;
mod tls;
mod tour;
mod watch;
