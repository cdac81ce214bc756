//! The outside world of a simulated run: a clock that steps when looked at, and seeded randomness.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use indelible_event::env::{Clock, Randomness, RandomnessError};
use indelible_event::time::RecordedTime;

use crate::rng::Rng;

/// A clock that steps on by a fixed time whenever it is asked.
#[derive(Debug)]
pub struct SimClock {
    now: AtomicI64,
    step: i64,
}

impl SimClock {
    /// Starts at `now` (nanoseconds since the epoch) and steps by `step` nanoseconds.
    #[must_use]
    pub fn new(now: i64, step: i64) -> Self {
        Self { now: AtomicI64::new(now), step }
    }

    /// Puts the clock elsewhere, also back.
    pub fn set(&self, now: i64) {
        self.now.store(now, Ordering::SeqCst);
    }
}

impl Default for SimClock {
    /// 2026-11-23T00:00:00Z, a millisecond a look.
    fn default() -> Self {
        Self::new(1_795_392_000_000_000_000, 1_000_000)
    }
}

impl Clock for SimClock {
    fn now(&self) -> RecordedTime {
        RecordedTime(self.now.fetch_add(self.step, Ordering::SeqCst))
    }
}

/// Randomness from a seed.
#[derive(Debug)]
pub struct SeededRandomness(Mutex<Rng>);

impl SeededRandomness {
    /// The same bytes for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Rng::new(seed)))
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&rng.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
