//! Approvals: calls that wait for a person, and what the person says.
//!
//! Promises: who asks, and whom it acts for, can never approve; each call gets one answer; a call whose client went away waits no
//! longer. After a restart nothing waits: the connections are gone, and so are their calls. Never: waits without an end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indelible_event::time::RecordedTime;
use tokio::sync::oneshot;

use crate::door::Ask;

/// Most calls that wait at once; further ones are refused.
pub const HOLDS_MAX: usize = 10_000;

/// A call that waits, as a person sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Its id.
    pub id: String,
    /// What it asks.
    pub ask: Ask,
    /// The policy that wants the approval.
    pub policy: String,
    /// What the policy says to the person.
    pub message: String,
    /// Since when.
    pub since: RecordedTime,
    /// Until when.
    pub until: RecordedTime,
}

/// What a person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Yes or no.
    pub approved: bool,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A person's answer cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Nothing waits under this id: answered already, over, or gone.
    #[error("nothing waits under the id `{id}`: it was answered already, its time is over, or its caller went away")]
    NotFound {
        /// The id.
        id: String,
    },
    /// Nobody approves what is done for oneself.
    #[error("`{approver}` is the caller, or one it acts for; somebody else must decide")]
    Own {
        /// Who tried.
        approver: String,
    },
}

struct Waiting {
    pending: Pending,
    answer: oneshot::Sender<Answer>,
}

/// All calls that wait.
#[derive(Default)]
pub struct Holds {
    waiting: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    numbers: u64,
    by_id: BTreeMap<String, Waiting>,
}

impl std::fmt::Debug for Holds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holds").field("waiting", &self.lock().by_id.len()).finish_non_exhaustive()
    }
}

/// A place among those that wait; given up when dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    holds: &'a Holds,
    id: String,
    pub(crate) answer: oneshot::Receiver<Answer>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.holds.lock().by_id.remove(&self.id);
    }
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An id for the next call that waits. It tells nothing and need not be secret: who may decide is asked by role.
    pub(crate) fn next_id(&self, now: RecordedTime) -> String {
        let mut table = self.lock();
        table.numbers += 1;
        format!("apr_{:x}_{}", now.0 / 1_000_000, table.numbers)
    }

    /// Lets a call wait. `None` when too many do.
    pub(crate) fn place(
        &self,
        id: &str,
        ask: Ask,
        policy: &str,
        message: &str,
        since: RecordedTime,
        time: Duration,
    ) -> Option<Place<'_>> {
        let mut table = self.lock();
        if table.by_id.len() >= HOLDS_MAX {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        let until = RecordedTime(since.0.saturating_add(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)));
        let (policy, message) = (policy.to_owned(), message.to_owned());
        let pending = Pending { id: id.to_owned(), ask, policy, message, since, until };
        table.by_id.insert(id.to_owned(), Waiting { pending, answer });
        Some(Place { holds: self, id: id.to_owned(), answer: answered })
    }

    /// What waits, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Pending> {
        let mut pending: Vec<Pending> = self.lock().by_id.values().map(|waiting| waiting.pending.clone()).collect();
        pending.sort_by_key(|pending| pending.since);
        pending
    }

    /// What waits under `id`, if `approver` may decide it.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn decidable(&self, id: &str, approver: &str) -> Result<Pending, AnswerError> {
        let table = self.lock();
        let waiting = table.by_id.get(id).ok_or_else(|| AnswerError::NotFound { id: id.to_owned() })?;
        let ask = &waiting.pending.ask;
        if ask.principal.id == approver || ask.chain.iter().any(|principal| principal.id == approver) {
            return Err(AnswerError::Own { approver: approver.to_owned() });
        }
        Ok(waiting.pending.clone())
    }

    /// Takes a person's answer; gives what it was about.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn answer(&self, id: &str, answer: Answer) -> Result<Pending, AnswerError> {
        self.decidable(id, &answer.by)?;
        let gone = || AnswerError::NotFound { id: id.to_owned() };
        let waiting = self.lock().by_id.remove(id).ok_or_else(gone)?;
        waiting.answer.send(answer).map_err(|_| gone())?;
        Ok(waiting.pending)
    }
}
