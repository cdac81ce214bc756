//! The store from outside: contracts of its seams, a running log, and every fault the simulated disk knows.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod contract;
mod faults;
mod ids;
mod journal;
mod load;
mod running;
mod sealed;
mod sealing;
mod strace;
