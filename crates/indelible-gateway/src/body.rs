//! Bodies of a gateway's answers.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

/// The body of an answer: upstream's as it comes, or one of the gateway's own.
pub type ResponseBody = UnsyncBoxBody<Bytes, BodyCut>;

/// Why an answer ends before its end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BodyCut {
    /// Upstream ended it.
    #[error("upstream cut the answer off")]
    Upstream,
    /// Upstream sent nothing for too long.
    #[error("upstream sent nothing for too long")]
    Silent,
    /// The end is withheld because the outcome could not be recorded.
    #[error("the end of the answer is withheld: {reason}")]
    Withheld {
        /// Why.
        reason: String,
    },
}

/// A body that is there as a whole.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> ResponseBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}
