//! The real clock and randomness, made once and passed in everywhere.

use std::time::{SystemTime, UNIX_EPOCH};

use indelible_event::env::{Clock, Randomness, RandomnessError};
use indelible_event::time::RecordedTime;

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> RecordedTime {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        RecordedTime(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        getrandom::fill(bytes).map_err(|_| RandomnessError)
    }
}
