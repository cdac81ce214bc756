//! A request that was forwarded and waits for its answer.

use std::fmt;

use tokio::time::Instant;

use super::message::Id;
use super::method::{Meaning, Side};
use crate::exchange::Exchange;

/// A request whose intent is on record. Dropped without being closed, it ends as "client went away".
pub(crate) struct Pending {
    /// Who asked.
    pub(crate) from: Side,
    /// What for.
    pub(crate) method: Box<str>,
    /// What that does.
    pub(crate) meaning: Meaning,
    /// The exchange.
    pub(crate) exchange: Exchange,
    /// Under which token progress is told.
    pub(crate) progress_token: Option<Id>,
    /// How often it was.
    pub(crate) progress: u64,
    /// Whether who asked has taken it back.
    pub(crate) cancelled: bool,
    /// Until when the answer may come; a subscription's may come at any time.
    pub(crate) deadline: Option<Instant>,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("from", &self.from).field("method", &self.method).finish_non_exhaustive()
    }
}
