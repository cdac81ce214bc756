//! Assemble: configuration, HTTP API, background work, the one error table.
//!
//! Promises: a request reaches a handler only when its token allows it; what is read out of a log is on record before it is
//! answered; every buffer, queue and time is bounded by a setting; a stop loses nothing that was acknowledged. Never: decides
//! what is durable (the store does) or what an event means (the event crate does).
//!
//! Reading order: settings; the table of routes and the table of errors; logs, trail and application, which requests share;
//! the gate and the handlers behind it; what runs beside them; assembly and serving.

pub mod config;
mod near;

pub mod problem;
pub mod routes;

pub mod logs;
mod metrics;
pub mod trail;

mod alerts;
mod app;
mod call;
mod query_string;

mod api;
mod gate;
mod gateways;
mod pages;

mod assemble;
mod background;
mod connections;
pub mod guard;
mod indexer;
mod protocols;
mod serve;
pub mod telemetry;
mod tls;
mod vault;
mod watch;
mod watched;

pub use assemble::AssembleError;
pub use gateways::GatewaysError;
pub use serve::{Ready, ServeError, ServeOptions, run};
pub use tls::TlsError;
pub use vault::MASTER_KEY_VARIABLE;
