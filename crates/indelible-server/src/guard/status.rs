//! What the guard of a log last said: for `GET /v1/logs/{name}/integrity` and the metrics. Never: work.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::stop::Stopped;

/// Most findings that are shown; the rest is counted.
pub(super) const FINDINGS_SHOWN_MAX: usize = 20;

/// How the integrity of one log stands.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct Integrity {
    /// Whether the guard runs.
    pub(crate) guarded: bool,
    /// Whether checkpoints are signed.
    pub(crate) signing: bool,
    /// Why and since when not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<Stopped>,
    /// The newest checkpoint that was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<Verified>,
    /// The checkpoints that were kept.
    pub(crate) kept: KeptCheckpoints,
    /// The passes over all entries.
    pub(crate) sweep: Sweep,
    /// What was found since the start, at most 20.
    pub(crate) findings: Vec<Found>,
    /// How much was found since the start.
    pub(crate) findings_total: u64,
}

/// A checkpoint that was verified.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Verified {
    /// How many entries it covers.
    pub(crate) size: u64,
    /// Its root, in base64.
    pub(crate) root: String,
    /// When it was last looked at (RFC 3339).
    pub(crate) time: String,
}

/// Which checkpoints were kept.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct KeptCheckpoints {
    /// How many.
    pub(crate) count: usize,
    /// When the oldest was kept (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oldest: Option<String>,
    /// When the newest was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) newest: Option<String>,
}

/// How far the pass over all entries is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct Sweep {
    /// In how many seconds the whole log is to be checked once.
    #[serde(default)]
    pub(crate) seconds: u64,
    /// The entry that comes next.
    pub(crate) next: u64,
    /// Entries there are.
    #[serde(default)]
    pub(crate) of: u64,
    /// When the running pass began (RFC 3339).
    pub(crate) began: Option<String>,
    /// When a pass last ended that found every entry.
    pub(crate) completed: Option<String>,
    /// Entries checked by passes and as new ones, since the guard first ran.
    pub(crate) entries_checked: u64,
}

/// One thing that was found.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Found {
    /// When (RFC 3339).
    pub(crate) time: String,
    /// Which check.
    pub(crate) rule: String,
    /// The file, below the log's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// The first entry concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_index: Option<u64>,
    /// What is wrong.
    pub(crate) reason: String,
}

/// How the integrity of each log stands.
#[derive(Debug, Default)]
pub(crate) struct Guarded(Mutex<HashMap<String, Integrity>>);

impl Guarded {
    /// Of one log; nothing is known of one that nobody guards.
    pub(crate) fn of(&self, log: &str) -> Integrity {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(log).cloned().unwrap_or_default()
    }

    pub(super) fn publish(&self, log: &str, integrity: Integrity) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(log.to_owned(), integrity);
    }
}
