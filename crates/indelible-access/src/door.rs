//! The door that a gateway asks before it lets a call through: who asks, for what, and what the answer is.
//!
//! Promises: every ask has one answer, and the answer names what decided it. Never: reads a body, a credential or a clock.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use indelible_event::time::RecordedTime;
use indelible_event::words::{Action, ActorType};
use rusqlite::Connection;

use crate::budget::{Budget, Budgets};
use crate::file::{self, ConnectError};
use crate::halt::{Halt, HaltError, HaltScope, Halts};
use crate::hold::Holds;
use crate::policy::{Judgement, Policies, PolicyError, Stamp, stamp};

/// Somebody or something that acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Its id, as in `actor.id`.
    pub id: String,
    /// What it is.
    pub actor_type: ActorType,
    /// Its roles.
    pub roles: Vec<String>,
    /// Its groups.
    pub groups: Vec<String>,
}

/// What is to be touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceAsk {
    /// `model`, `tool`, `prompt`, … as in `resources[].type`.
    pub kind: String,
    /// Its id, as in `resources[].id`.
    pub id: String,
    /// Its classification.
    pub labels: Vec<String>,
}

/// The circumstances.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AskContext {
    /// The name of the gateway's route.
    pub route: String,
    /// The application that calls.
    pub application: Option<String>,
    /// What for, in the caller's words.
    pub purpose: Option<String>,
    /// Most tokens that the call may produce.
    pub tokens_asked: Option<u64>,
    /// What a tool is called with.
    pub tool_arguments: Option<serde_json::Value>,
    /// What the scanner found in the content.
    pub labels_found: Vec<String>,
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Who calls.
    pub principal: Principal,
    /// Whom it acts for, nearest first.
    pub chain: Vec<Principal>,
    /// What it wants to do.
    pub action: Action,
    /// The protocol's own word for it.
    pub operation: String,
    /// With what.
    pub resource: ResourceAsk,
    /// The circumstances.
    pub context: AskContext,
}

/// What forbade a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForbidKind {
    /// A policy, or that none permits it.
    Policy,
    /// Somebody has halted it.
    Halted,
    /// A budget is used up.
    OverBudget,
    /// The person who was asked said no.
    HoldDenied,
    /// Nobody answered in time.
    HoldExpired,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Let it through.
    Permit {
        /// The policy that permits it; `None` where there are no policies.
        policy: Option<String>,
    },
    /// Refuse it.
    Forbid {
        /// The policy, halt or budget that forbids it.
        policy: String,
        /// Why, for the caller.
        reason: String,
        /// What kind of no it is.
        kind: ForbidKind,
    },
    /// Wait for a person ([`Door::wait`]).
    Hold(Hold),
}

/// A call that waits for a person's approval.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// Its id in the list of approvals.
    pub id: String,
    /// The policy that asks for the approval.
    pub policy: String,
    /// What the person is told.
    pub message: String,
    /// What is asked.
    pub ask: Box<Ask>,
    /// Since when it waits.
    pub since: RecordedTime,
    /// How long the person has.
    pub time: Duration,
}

/// What a call used, for the budgets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// How many calls: one.
    pub calls: u64,
    /// Input and output tokens together.
    pub tokens: u64,
    /// Its price in millionths of the currency unit of the price table.
    pub cost_micros: u64,
}

/// The door cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The policies do not hold together.
    #[error(transparent)]
    Policies(#[from] PolicyError),
    /// The halts cannot be read.
    #[error(transparent)]
    Halts(#[from] HaltError),
    /// There is no connection to the file.
    #[error("cannot use {} for halts and budgets", path.display())]
    Connect {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ConnectError,
    },
    /// The file cannot be used.
    #[error("cannot use {} for halts and budgets", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// What became of a look at the policies' files.
#[derive(Clone, Debug)]
pub enum Reload {
    /// They are as they were.
    Unchanged,
    /// They changed and are in force.
    Loaded {
        /// How many policies there are now.
        policies: usize,
        /// In how many files.
        files: usize,
    },
    /// They changed and are wrong; the old ones stay in force. Told once for each change.
    Refused(PolicyError),
}

/// Policies, halts, budgets and approvals, behind one question.
#[derive(Debug, Default)]
pub struct Door {
    folder: Option<PathBuf>,
    /// `None` where no folder is configured: then everything is permitted.
    policies: RwLock<Option<Arc<Policies>>>,
    /// The state of files that were refused.
    refused: Mutex<Option<Stamp>>,
    halts: Halts,
    budgets: Budgets,
    holds: Holds,
    /// Where halts and budgets are kept; `None` in tests.
    file: Mutex<Option<Connection>>,
}

impl Door {
    /// A door that lets everything through: what stands where no policy is configured.
    #[must_use]
    pub fn permit_all() -> Self {
        Self::default()
    }

    /// The door of a server: policies from `folder`, if there is one; halts and what is used of `budgets` in the file `state`
    /// (`state.sqlite`, beside the tokens). Blocks on the disk.
    ///
    /// # Errors
    /// [`DoorError`]: wrong policies at a start are told, and nothing is let through by mistake.
    pub fn open(state: &Path, folder: Option<&Path>, budgets: Vec<Budget>) -> Result<Self, DoorError> {
        let connect = |source| DoorError::Connect { path: state.to_owned(), source };
        let failed = |source| DoorError::File { path: state.to_owned(), source };
        let connection = file::connect(state).map_err(connect)?;
        let policies = folder.map(Policies::load).transpose()?;
        Ok(Self {
            folder: folder.map(Path::to_owned),
            policies: RwLock::new(policies.map(Arc::new)),
            refused: Mutex::new(None),
            halts: Halts::load(&connection)?,
            budgets: Budgets::load(budgets, &connection).map_err(failed)?,
            holds: Holds::default(),
            file: Mutex::new(Some(connection)),
        })
    }

    /// The policies in force.
    #[must_use]
    pub fn policies(&self) -> Option<Arc<Policies>> {
        self.policies.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is halted.
    #[must_use]
    pub fn halts(&self) -> &Halts {
        &self.halts
    }

    /// What waits for a person.
    #[must_use]
    pub fn holds(&self) -> &Holds {
        &self.holds
    }

    /// Answers an ask at `now`. Halts come first, then budgets, then policies.
    #[must_use]
    pub fn decide(&self, ask: &Ask, now: RecordedTime) -> Decision {
        if let Some(halt) = self.halts.covering(ask) {
            let policy = format!("halt {} {}", halt.scope, halt.value);
            let reason = format!("the {} `{}` is halted: {}", halt.scope, halt.value, halt.reason);
            return Decision::Forbid { policy, reason, kind: ForbidKind::Halted };
        }
        if let Some(over) = self.budgets.exceeded(ask, now) {
            return Decision::Forbid { policy: over.budget, reason: over.reason, kind: ForbidKind::OverBudget };
        }
        let Some(policies) = self.policies() else { return Decision::Permit { policy: None } };
        match policies.judge(ask, now) {
            Judgement::Permit { policy } => Decision::Permit { policy: Some(policy) },
            Judgement::Forbid { policy, reason } => Decision::Forbid { policy, reason, kind: ForbidKind::Policy },
            Judgement::Hold { policy, message, time } => {
                let id = self.holds.next_id(now);
                Decision::Hold(Hold { id, policy, message, ask: Box::new(ask.clone()), since: now, time })
            }
        }
    }

    /// Resolves when a person has answered `hold`, or its time is over. Dropped before, nobody is asked any more.
    pub async fn wait(&self, hold: Hold) -> Decision {
        let forbid = |reason: String, kind| Decision::Forbid { policy: hold.policy.clone(), reason, kind };
        let place = self.holds.place(&hold.id, (*hold.ask).clone(), &hold.policy, &hold.message, hold.since, hold.time);
        let Some(mut place) = place else {
            return forbid("too many calls wait for an approval".to_owned(), ForbidKind::HoldExpired);
        };
        match tokio::time::timeout(hold.time, &mut place.answer).await {
            // What was halted while the call waited stays halted, whoever approves.
            Ok(Ok(answer)) if answer.approved && self.halts.covering(&hold.ask).is_some() => {
                forbid(format!("it was halted while it waited; {} had approved it", answer.by), ForbidKind::Halted)
            }
            Ok(Ok(answer)) if answer.approved => {
                Decision::Permit { policy: Some(format!("{}, approved by {}", hold.policy, answer.by)) }
            }
            Ok(Ok(answer)) => {
                forbid(format!("{} did not approve it: {}", answer.by, answer.reason), ForbidKind::HoldDenied)
            }
            Ok(Err(_)) | Err(_) => {
                forbid(format!("nobody approved it within {} s", hold.time.as_secs()), ForbidKind::HoldExpired)
            }
        }
    }

    /// Counts what a call used.
    pub fn spent(&self, ask: &Ask, spent: Spent, now: RecordedTime) {
        self.budgets.spend(ask, spent, now);
    }

    /// Looks whether the policies' files have changed, and takes them if they hold together. Blocks on the disk; call it about
    /// once a second.
    pub fn reload_if_changed(&self) -> Reload {
        let Some(folder) = &self.folder else { return Reload::Unchanged };
        let stamp = match stamp(folder) {
            Ok(stamp) => stamp,
            Err(fault) => return self.refuse(Stamp::new(), PolicyError(vec![fault])),
        };
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if self.policies().is_some_and(|policies| *policies.stamp() == stamp) {
            *refused = None;
            return Reload::Unchanged;
        }
        if refused.as_ref() == Some(&stamp) {
            return Reload::Unchanged;
        }
        drop(refused);
        match Policies::load(folder) {
            Ok(policies) => {
                let loaded = Reload::Loaded { policies: policies.len(), files: policies.files() };
                *self.policies.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(policies));
                loaded
            }
            Err(error) => self.refuse(stamp, error),
        }
    }

    fn refuse(&self, stamp: Stamp, error: PolicyError) -> Reload {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref() == Some(&stamp) {
            return Reload::Unchanged;
        }
        *refused = Some(stamp);
        Reload::Refused(error)
    }

    /// Halts something, from the next question on. Blocks on the disk.
    ///
    /// # Errors
    /// [`HaltError`]. When it says that the file failed, the halt is in force and a restart forgets it.
    pub fn halt(&self, halt: &Halt) -> Result<(), HaltError> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = file.as_ref().ok_or(HaltError::File(rusqlite::Error::InvalidQuery))?;
        self.halts.set(connection, halt)
    }

    /// Lifts a halt; gives what it was. Blocks on the disk.
    ///
    /// # Errors
    /// [`HaltError`]; the halt then stands.
    pub fn resume(&self, scope: HaltScope, value: &str) -> Result<Halt, HaltError> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = file.as_ref().ok_or(HaltError::File(rusqlite::Error::InvalidQuery))?;
        self.halts.lift(connection, scope, value)
    }

    /// Writes what is used of the budgets. Blocks on the disk; call it now and then, and at the end.
    ///
    /// # Errors
    /// When the file cannot be written; it is tried again with the next change.
    pub fn save_budgets(&self) -> Result<(), rusqlite::Error> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.as_mut().map_or(Ok(()), |connection| self.budgets.save(connection))
    }
}

#[cfg(test)]
mod tests;
