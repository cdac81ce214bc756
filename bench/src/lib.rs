//! Tools that measure a running server, and that break it: the library behind `indelible-load` and `indelible-crash`.
//!
//! Promises: every answer is checked; a latency is never measured from later than the request was due; what the tools
//! themselves cost is printed beside what they measure. Never: used by the product, or run as a timed test.

/// Seeded random numbers.
pub mod random;
/// Realistic events, built in advance, given fresh ids and times in place.
pub mod traffic;

/// A made-up company's year with attacks planted in it.
pub mod year;

/// What the server said about recorded events, checked.
pub mod answer;
/// HTTP/1.1 by hand, blocking and not.
pub mod http;
/// Where the server is.
pub mod target;

/// Signed checkpoints as they appear.
pub mod checkpoints;
/// What a data folder takes on disk.
pub mod disk;
/// Latencies in bounded memory.
pub mod latency;
/// What a process costs, from /proc.
pub mod process;
/// Figures as a table or as JSON.
pub mod report;

/// What is broken, and how it is found out.
pub mod crash;
/// A scripted provider of model APIs and agent tools.
pub mod upstream;

/// PostgreSQL with a hash chain, under the same load.
pub mod postgres;
/// What is measured.
pub mod scenario;

/// Reports beside targets and the peer.
pub mod summary;
