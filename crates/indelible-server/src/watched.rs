//! What watching last published for requests to read, and what others saw that watching is to take up. Never: work; who watches
//! puts it here, handlers copy it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use indelible_detect::finding::Finding;
use indelible_detect::sources::SourceReport;

/// Most findings of others that wait to be taken up. They come from checks that say each thing once; more than this is a fault of
/// ours, and is told in the server's log lines.
const WAITING_MAX: usize = 1_024;

/// The newest reports, by log.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Of each log that is watched, its sources.
    pub(crate) sources: Mutex<HashMap<String, Vec<SourceReport>>>,
    /// Findings that no entry gave: of the guard of integrity, of our own health.
    waiting: Mutex<Vec<Finding>>,
}

impl Watched {
    /// The sources of a log; `None` while it is not watched.
    pub(crate) fn sources_of(&self, log: &str) -> Option<Vec<SourceReport>> {
        self.look_at_sources(log, |sources| sources.map(<[_]>::to_vec))
    }

    /// What `look` makes of the sources of a log, without a copy of them; it gets `None` while the log is not watched.
    pub(crate) fn look_at_sources<T>(&self, log: &str, look: impl FnOnce(Option<&[SourceReport]>) -> T) -> T {
        look(self.sources.lock().unwrap_or_else(PoisonError::into_inner).get(log).map(Vec::as_slice))
    }

    /// Hands over a finding that no entry gave. It is an alert within about a second.
    pub(crate) fn tell(&self, finding: Finding) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            waiting.push(finding);
        } else {
            let (log, rule) = (finding.log, finding.rule.id);
            tracing::error!(log, rule, finding.summary, "too many findings wait; this one is told here only");
        }
    }

    /// Takes up what waits for a log.
    pub(crate) fn take(&self, log: &str) -> Vec<Finding> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, left) = waiting.drain(..).partition(|finding| finding.log == log);
        *waiting = left;
        taken
    }
}
