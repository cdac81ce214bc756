//! Requests that wait for their answer, by who asked and by id.
//!
//! Promises: bounded; an id is waited for once at a time; each request leaves the table once, so that it ends once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::message::Id;
use super::method::Side;
use super::pending::Pending;
use super::rules::CANCEL_GRACE;

/// Most requests of one session that wait at once.
pub(super) const WAITING_MAX: usize = 1_024;

/// Requests that wait for their answer.
#[derive(Debug, Default)]
pub(crate) struct Table {
    waiting: Mutex<HashMap<(Side, Id), Pending>>,
}

/// Why a request cannot wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// Its id is waited for already.
    IdInUse,
    /// Too many wait.
    Full,
}

impl Table {
    /// Whether a request of that id could wait now.
    pub(crate) fn place(&self, from: Side, id: &Id) -> Result<(), NoPlace> {
        let waiting = self.lock();
        if waiting.contains_key(&(from, id.clone())) {
            return Err(NoPlace::IdInUse);
        }
        if waiting.len() >= WAITING_MAX { Err(NoPlace::Full) } else { Ok(()) }
    }

    /// Lets a request wait. Gives it back when it cannot.
    pub(crate) fn insert(&self, id: Id, pending: Pending) -> Result<(), Box<Pending>> {
        let mut waiting = self.lock();
        let key = (pending.from, id);
        if waiting.len() >= WAITING_MAX || waiting.contains_key(&key) {
            return Err(Box::new(pending));
        }
        waiting.insert(key, pending);
        Ok(())
    }

    /// Takes out the request that an answer belongs to.
    pub(crate) fn take(&self, from: Side, id: &Id) -> Option<Pending> {
        self.lock().remove(&(from, id.clone()))
    }

    /// Counts news of progress; false when nobody waits under that token.
    pub(crate) fn progress(&self, from: Side, token: &Id, timeout: Duration) -> bool {
        let mut waiting = self.lock();
        let found = waiting
            .iter_mut()
            .find(|((side, _), pending)| *side == from && pending.progress_token.as_ref() == Some(token));
        match found {
            Some((_, pending)) => {
                pending.progress += 1;
                if let Some(deadline) = &mut pending.deadline
                    && !pending.cancelled
                {
                    *deadline = Instant::now() + timeout;
                }
                true
            }
            None => false,
        }
    }

    /// Notes that who asked does not want the answer any more.
    pub(crate) fn cancel(&self, from: Side, id: &Id) -> bool {
        let mut waiting = self.lock();
        match waiting.get_mut(&(from, id.clone())) {
            Some(pending) => {
                pending.cancelled = true;
                let grace = Instant::now() + CANCEL_GRACE;
                pending.deadline = Some(pending.deadline.map_or(grace, |deadline| deadline.min(grace)));
                true
            }
            None => false,
        }
    }

    /// When the first of them has waited long enough.
    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        self.lock().values().filter_map(|pending| pending.deadline).min()
    }

    /// Takes out what has waited long enough.
    pub(crate) fn take_late(&self, now: Instant) -> Vec<(Id, Pending)> {
        self.take_where(|pending| pending.deadline.is_some_and(|deadline| deadline <= now))
    }

    /// Takes out everything.
    pub(crate) fn take_all(&self) -> Vec<(Id, Pending)> {
        self.take_where(|_| true)
    }

    fn take_where(&self, wanted: impl Fn(&Pending) -> bool) -> Vec<(Id, Pending)> {
        let mut waiting = self.lock();
        waiting.extract_if(|_, pending| wanted(pending)).map(|((_, id), pending)| (id, pending)).collect()
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Side, Id), Pending>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
