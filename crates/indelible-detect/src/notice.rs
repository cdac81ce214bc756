//! A notice: what one receiver is told about one alert.
//!
//! Promises: the same key at each attempt, so that a receiver can tell a repeat from news. Never: content, or a secret.

use serde::{Deserialize, Serialize};

use crate::alert::Alert;

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeReason {
    /// A new alert.
    Opened,
    /// Its severity rose with a later finding.
    Raised,
    /// Nobody took it in time.
    Escalated,
    /// Somebody took it.
    Acknowledged,
    /// It is done.
    Closed,
    /// Somebody tries the receiver.
    Test,
}

impl NoticeReason {
    /// The word in the API and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Raised => "raised",
            Self::Escalated => "escalated",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
            Self::Test => "test",
        }
    }
}

/// What one receiver is told about one alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The same at each attempt to deliver this notice; receivers that can, drop repeats by it.
    pub key: String,
    /// Why.
    pub reason: NoticeReason,
    /// The alert as it stood when the notice was made, with its newest finding.
    pub alert: Alert,
    /// Where to look at it, when the server's public address is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link: Option<String>,
}
