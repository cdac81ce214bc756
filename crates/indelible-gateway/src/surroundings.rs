//! What every gateway stands among: the log, the vault, the door, time and randomness. Made once by the server and shared.

use std::fmt;
use std::sync::Arc;

use indelible_access::door::Door;
use indelible_event::doors::Recorder;
use indelible_event::env::{Clock, Randomness, RandomnessError};
use indelible_event::id::EventId;
use indelible_event::vault::Vault;

use crate::labels::Scanner;
use crate::open::OpenExchanges;

/// What every gateway stands among.
pub struct Surroundings {
    /// The way into the log.
    pub recorder: Arc<dyn Recorder>,
    /// Where content is sealed.
    pub vault: Arc<dyn Vault>,
    /// Who may, what is halted, what is spent.
    pub door: Arc<Door>,
    /// The server's clock.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub randomness: Arc<dyn Randomness>,
    /// Intents without an outcome.
    pub open: Arc<OpenExchanges>,
    /// Finds what content is about, before it is sealed.
    pub labels: Arc<Scanner>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("open", &self.open).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// A fresh event id.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn new_id(&self) -> Result<EventId, RandomnessError> {
        let mut random = [0; 10];
        self.randomness.fill(&mut random)?;
        let unix_ms = u64::try_from(self.clock.now().0 / 1_000_000).unwrap_or(0);
        Ok(EventId::version_7(unix_ms, random))
    }
}
