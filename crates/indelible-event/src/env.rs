//! The outside world an event needs, passed in: time and randomness. Never: an ambient clock or thread-local generator.

use crate::time::RecordedTime;

/// Tells the time by the server's clock, UTC. Tests pass a simulated one.
pub trait Clock: Send + Sync {
    /// Nanoseconds since 1970-01-01T00:00:00Z. May step back; whoever needs order enforces it.
    fn now(&self) -> RecordedTime;
}

/// Gives unpredictable bytes. Tests pass a seeded one.
pub trait Randomness: Send + Sync {
    /// Fills `bytes` from a cryptographically strong source.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError>;
}

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomnessError;
