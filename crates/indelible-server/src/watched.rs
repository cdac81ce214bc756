//! What watching last published for requests to read. Never: work; who watches puts it here, handlers copy it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use indelible_detect::sources::SourceReport;

/// The newest reports, by log.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Of each log that is watched, its sources.
    pub(crate) sources: Mutex<HashMap<String, Vec<SourceReport>>>,
}

impl Watched {
    /// The sources of a log; `None` while it is not watched.
    pub(crate) fn sources_of(&self, log: &str) -> Option<Vec<SourceReport>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).get(log).cloned()
    }
}
