//! Logs written here, attacked here, and what the verifier says of them.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers of tests may fail loudly; sizes here are small"
)]

mod attacks;
mod builder;
mod descent;
mod events;
mod intact;
mod receipts;
