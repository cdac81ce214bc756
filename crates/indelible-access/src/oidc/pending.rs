//! Sign-ins under way: what must be known when the browser comes back from the provider.
//!
//! Promises: each is used once, for ten minutes at most, and only by the browser that began it; their number is bounded: the oldest
//! makes room. Never: on disk.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indelible_event::env::{Randomness, RandomnessError};

use super::flow::random_text;
use crate::token::TokenHash;

/// Most sign-ins under way: about 3 MiB with the longest addresses.
pub const PENDING_MAX: usize = 1_024;
/// How long one may take.
pub const PENDING_SECONDS: i64 = 600;

/// A sign-in under way.
#[derive(Clone)]
pub struct Pending {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// Where the person wanted to go.
    pub next: String,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("next", &self.next).finish_non_exhaustive()
    }
}

/// All of them, each under a key that only its browser has.
pub struct PendingBook {
    pending: Mutex<HashMap<TokenHash, (i64, Pending)>>,
    randomness: Arc<dyn Randomness>,
}

impl fmt::Debug for PendingBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingBook").finish_non_exhaustive()
    }
}

impl PendingBook {
    /// None yet.
    #[must_use]
    pub fn new(randomness: Arc<dyn Randomness>) -> Self {
        Self { pending: Mutex::default(), randomness }
    }

    /// Keeps one, and gives the key for the browser.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn put(&self, pending: Pending, now: i64) -> Result<String, RandomnessError> {
        let key = random_text(&*self.randomness)?;
        let mut book = self.book();
        if book.len() >= PENDING_MAX {
            book.retain(|_, (began, _)| holds(*began, now));
        }
        if book.len() >= PENDING_MAX {
            let oldest = book.iter().min_by_key(|(_, (began, _))| *began).map(|(hash, _)| *hash);
            if let Some(oldest) = oldest {
                book.remove(&oldest);
            }
        }
        book.insert(TokenHash::of(key.as_bytes()), (now, pending));
        Ok(key)
    }

    /// Takes one out; it is then gone, whatever becomes of it.
    #[must_use]
    pub fn take(&self, key: &str, now: i64) -> Option<Pending> {
        let (began, pending) = self.book().remove(&TokenHash::of(key.as_bytes()))?;
        holds(began, now).then_some(pending)
    }

    fn book(&self) -> MutexGuard<'_, HashMap<TokenHash, (i64, Pending)>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn holds(began: i64, now: i64) -> bool {
    (0..PENDING_SECONDS).contains(&(now - began))
}
