//! A year in a company: people in offices, on shifts, on leave, new, moving and leaving; agents that work by schedule or for
//! people; service accounts. With attacks planted in it, each labelled.
//!
//! Promises: everything follows from the seed. Never: taken from anybody's real log; what is usual there was chosen by the same
//! people who wrote the detector, so figures from here say how it does on such a year, not on yours.

mod attack;
mod company;
mod event;

pub use attack::{Attack, KINDS, plant};
pub use company::{Company, DAYS, START_S};
pub use event::Event;
