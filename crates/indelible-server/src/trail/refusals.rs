//! Refused requests, on record and bounded: the first of a caller in a window has an event of its own, durable before the
//! answer; the others are counted and written as sums when the window ends. Never: one event a request in a flood, nor a
//! request that is not counted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indelible_access::Role;
use indelible_event::build::EventBuilder;
use indelible_event::time::RecordedTime;
use indelible_event::words::{Action, ActorType, OutcomeResult};

use crate::logs::LogSet;
use crate::problem::Kind;
use crate::routes::Operation;
use crate::trail::Trail;

/// Shortest window.
pub(crate) const WINDOW_MIN: Duration = Duration::from_secs(1);
/// Longest window, reached when many callers are refused at once.
pub(crate) const WINDOW_MAX: Duration = Duration::from_secs(64);
/// Most callers told apart in one window; the others share one count for each operation and kind of problem.
pub(crate) const CALLERS_MAX: usize = 64;
/// Most events of their own (first refusals) in one window.
pub(crate) const FIRSTS_MAX: u32 = 16;
/// More events than this at the end of a window double the next one.
const BUSY_EVENTS: usize = 16;

/// Who was refused what. One count each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Refused {
    /// Name, role and kind of holder of the token, if it was a live one.
    pub(crate) actor: Option<(String, Role, ActorType)>,
    /// The client's address; `None` when it stands for many callers.
    pub(crate) ip: Option<IpAddr>,
    /// What was asked for.
    pub(crate) operation: Operation,
    /// Why not.
    pub(crate) kind: Kind,
    /// The log it was about, if it is one of ours and the caller may know it.
    pub(crate) log: Option<String>,
}

impl Refused {
    /// The same without the caller, for when there are too many.
    fn anybody(&self) -> Self {
        Self { actor: None, ip: None, log: None, ..self.clone() }
    }
}

#[derive(Debug, Default)]
struct Window {
    counts: HashMap<Refused, u64>,
    firsts: u32,
    began: Option<RecordedTime>,
}

/// The counts of the running window.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    window: Mutex<Window>,
}

impl Refusals {
    /// Counts a refusal. `true` when it is the caller's first in this window and there is room for an event of its own: the
    /// caller then records it and calls [`Refusals::recorded`]. Until then it stays counted, so that it cannot get lost.
    pub(crate) fn count(&self, refused: &Refused, now: RecordedTime) -> bool {
        let mut window = self.window();
        window.began.get_or_insert(now);
        if let Some(count) = window.counts.get_mut(refused) {
            *count += 1;
            return false;
        }
        if window.counts.len() >= CALLERS_MAX {
            *window.counts.entry(refused.anybody()).or_insert(0) += 1;
            return false;
        }
        window.counts.insert(refused.clone(), 1);
        if window.firsts >= FIRSTS_MAX {
            return false;
        }
        window.firsts += 1;
        true
    }

    /// Takes one off the count: it has an event of its own now.
    pub(crate) fn recorded(&self, refused: &Refused) {
        if let Some(count) = self.window().counts.get_mut(refused) {
            *count = count.saturating_sub(1);
        }
    }

    /// Ends the window and writes its sums; what cannot be written is counted on. Gives the length of the next window.
    pub(crate) async fn flush(&self, trail: &Trail, logs: &LogSet, window: Duration) -> Duration {
        let (counts, began) = {
            let mut running = self.window();
            running.firsts = 0;
            (std::mem::take(&mut running.counts), running.began.take())
        };
        let began = began.unwrap_or_else(|| trail.now());
        let mut written = 0;
        for (refused, count) in counts {
            if count == 0 {
                continue;
            }
            let event = event(&refused, trail.now(), count).attribute("since", began.to_string());
            let log = refused.log.as_deref().and_then(|log| logs.get(log)).unwrap_or_else(|| logs.first());
            match trail.record(log, event).await {
                Ok(_mark) => written += 1,
                Err(problem) => {
                    tracing::warn!(cause = problem.cause(), "refused requests wait to be recorded");
                    let mut running = self.window();
                    running.began = Some(began);
                    *running.counts.entry(refused).or_insert(0) += count;
                }
            }
        }
        if written > BUSY_EVENTS { (window * 2).min(WINDOW_MAX) } else { WINDOW_MIN }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event for `count` refusals.
pub(crate) fn event(refused: &Refused, now: RecordedTime, count: u64) -> EventBuilder<'_> {
    let (actor_type, id) = match &refused.actor {
        Some((name, _, actor_type)) => (*actor_type, name.as_str()),
        None => (ActorType::Anonymous, "anonymous"),
    };
    let result = match refused.kind {
        Kind::Unauthenticated | Kind::Forbidden => OutcomeResult::Denied,
        _ => OutcomeResult::Failed,
    };
    let mut event = EventBuilder::new(now, action(refused.operation), refused.operation.word(), actor_type, id)
        .result(result)
        .code(status_word(refused.kind))
        .reason(refused.kind.row().title)
        .attribute("count", i64::try_from(count).unwrap_or(i64::MAX));
    if let Some((_, role, _)) = &refused.actor {
        event = event.actor_role(role.word()).actor_auth("token");
    }
    if let Some(ip) = refused.ip {
        event = event.actor_ip(ip);
    }
    if let Some(log) = &refused.log {
        event = event.resource("log", log);
    }
    event
}

/// What the caller wanted to do, in the event's closed set.
pub(crate) fn action(operation: Operation) -> Action {
    match operation {
        Operation::Record | Operation::RecordRetrieval => Action::Write,
        Operation::Export => Action::Export,
        Operation::CreateToken => Action::Grant,
        Operation::RevokeToken => Action::Revoke,
        Operation::Forget => Action::Delete,
        Operation::CallGateway => Action::Execute,
        Operation::DecideApproval => Action::Approve,
        Operation::Halt | Operation::Resume | Operation::Silence | Operation::Unsilence => Action::Configure,
        Operation::AcknowledgeAlert | Operation::CloseAlert => Action::Modify,
        Operation::TestReceiver => Action::Execute,
        _ => Action::Read,
    }
}

/// The code of a kind: events keep the stable word, not the number.
fn status_word(kind: Kind) -> &'static str {
    kind.row().code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(last: u8) -> Refused {
        Refused {
            actor: None,
            ip: Some(IpAddr::from([192, 0, 2, last])),
            operation: Operation::Search,
            kind: Kind::Unauthenticated,
            log: None,
        }
    }

    fn counts(refusals: &Refusals) -> u64 {
        refusals.window().counts.values().sum()
    }

    #[test]
    fn the_first_of_a_caller_is_told_apart_and_the_rest_is_counted() {
        let refusals = Refusals::default();
        assert!(refusals.count(&refused(1), RecordedTime(0)));
        assert!(!refusals.count(&refused(1), RecordedTime(1)));
        assert!(refusals.count(&refused(2), RecordedTime(2)));
        assert_eq!(counts(&refusals), 3);
        refusals.recorded(&refused(1));
        assert_eq!(counts(&refusals), 2);
    }

    #[test]
    fn a_flood_from_many_addresses_is_bounded_and_still_counted() {
        let refusals = Refusals::default();
        let mut firsts = 0;
        for caller in 0..=255 {
            for _ in 0..3 {
                firsts += u32::from(refusals.count(&refused(caller), RecordedTime(0)));
            }
        }
        assert_eq!(firsts, FIRSTS_MAX);
        assert_eq!(refusals.window().counts.len(), CALLERS_MAX + 1);
        assert_eq!(counts(&refusals), 256 * 3);
    }
}
