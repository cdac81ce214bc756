//! What each fuzz target does with its bytes: call a parser of outside bytes and hold it to what it promises.
//!
//! Promises: the same bytes do the same thing every time; a broken promise panics. Never: touches the disk or the network
//! (but for the configuration, which is read from a file).

pub mod event;
#[cfg(feature = "heavy")]
pub mod gateway;
#[cfg(feature = "heavy")]
pub mod gateway_streams;
#[cfg(feature = "heavy")]
pub mod heavy;
#[cfg(feature = "rules")]
pub mod rules;
pub mod store;
pub mod tlog;

mod memory_disk;
