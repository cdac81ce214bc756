//! Why a call does not go through, in words that every protocol puts into a form of its own.

use indelible_event::doors::RecordError;
use indelible_event::vault::VaultError;

/// The header on every answer that is the gateway's own and not upstream's; its value is [`Refusal::code`].
pub const REFUSED_HEADER: &str = "x-indelible-refused";

/// What said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeniedBy {
    /// A policy.
    Policy,
    /// The kill switch.
    Halted,
    /// A budget that is used up.
    OverBudget,
    /// A person who was asked.
    HoldDenied,
    /// Nobody answered in time.
    HoldExpired,
}

/// Why a call does not go through.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not allowed; the denial is on record.
    #[error("{reason}")]
    Denied {
        /// What said no.
        by: DeniedBy,
        /// The policy, budget or switch by name.
        policy: String,
        /// Why, for the caller.
        reason: String,
    },
    /// The log takes no record of it.
    #[error("the call cannot be recorded, so it is not made: {0}")]
    NotRecorded(RecordError),
    /// Its content cannot be sealed.
    #[error("the content of the call cannot be sealed, so it is not made: {0}")]
    NotSealed(VaultError),
    /// Too many calls are under way.
    #[error("too many calls are under way; try again in {retry_after_ms} ms")]
    TooManyOpen {
        /// When to come back.
        retry_after_ms: u64,
    },
    /// A header of ours cannot be understood.
    #[error("the header `{name}` cannot be used: {reason}")]
    BadHeader {
        /// Which.
        name: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The request itself is not one that can be forwarded.
    #[error("the request cannot be forwarded: {reason}")]
    BadRequest {
        /// Why.
        reason: &'static str,
    },
    /// The gateway itself is at fault: no randomness, or an event it could not write.
    #[error("the gateway cannot record the call: {reason}")]
    Internal {
        /// What is wrong.
        reason: &'static str,
    },
}

impl Refusal {
    /// A word for machines: the value of [`REFUSED_HEADER`], and the code in protocols that have one.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied { by: DeniedBy::Policy, .. } => "denied",
            Self::Denied { by: DeniedBy::Halted, .. } => "halted",
            Self::Denied { by: DeniedBy::OverBudget, .. } => "over_budget",
            Self::Denied { by: DeniedBy::HoldDenied, .. } => "approval_denied",
            Self::Denied { by: DeniedBy::HoldExpired, .. } => "approval_expired",
            Self::NotRecorded(_) => "not_recorded",
            Self::NotSealed(_) => "not_sealed",
            Self::TooManyOpen { .. } => "busy",
            Self::BadHeader { .. } | Self::BadRequest { .. } => "bad_request",
            Self::Internal { .. } => "internal",
        }
    }

    /// The HTTP status: 403 for a denial, 507 when there is no room for a record, 503 when one may be taken later.
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::Denied { .. } => http::StatusCode::FORBIDDEN,
            Self::NotRecorded(RecordError::Full) | Self::NotSealed(VaultError::Full) => {
                http::StatusCode::INSUFFICIENT_STORAGE
            }
            Self::NotRecorded(RecordError::TooLarge { .. } | RecordError::Conflict(_)) | Self::Internal { .. } => {
                http::StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::NotRecorded(RecordError::Busy { .. } | RecordError::Stopped { .. })
            | Self::NotSealed(VaultError::Busy { .. } | VaultError::Stopped { .. })
            | Self::TooManyOpen { .. } => http::StatusCode::SERVICE_UNAVAILABLE,
            Self::BadHeader { .. } | Self::BadRequest { .. } => http::StatusCode::BAD_REQUEST,
        }
    }

    /// When to come back, if the refusal says so.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::NotRecorded(RecordError::Busy { retry_after_ms })
            | Self::NotSealed(VaultError::Busy { retry_after_ms })
            | Self::TooManyOpen { retry_after_ms } => Some(*retry_after_ms),
            _ => None,
        }
    }
}

impl From<indelible_event::env::RandomnessError> for Refusal {
    fn from(_: indelible_event::env::RandomnessError) -> Self {
        Self::Internal { reason: "the operating system gave no random bytes" }
    }
}
