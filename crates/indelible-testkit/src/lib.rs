//! Seeds, simulated disk and clock, builders, and a small independent checker of a published log: for tests only.
//!
//! Promises: the same seed gives the same run, byte for byte. Never: reads a clock, the real disk or real randomness, and is
//! never part of a server.

pub mod rng;

pub mod env;
pub mod events;

pub mod sim_disk;

pub mod check_log;
