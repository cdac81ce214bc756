//! One call through a gateway: intent, forward, outcome. The order of this file is the order in which things become durable.
//!
//! Promises: [`Exchange::begin`] gives an exchange only when the intent and what it seals are durable; every exchange ends in
//! exactly one outcome event, also when its owner is dropped (client gone, panic) or the log takes nothing for a while. When the
//! process dies before that, the next start finds the intent and closes it (`recover`).

mod judge;
mod unrecorded;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use indelible_access::door::{Ask, Spent};
use indelible_event::batch::EventBatch;
use indelible_event::doors::{BoxFuture, EntryIndex, RecordError};
use indelible_event::id::EventId;
use indelible_event::vault::VaultError;
use indelible_event::words::{OutcomePhase, OutcomeResult};

use crate::caller::Caller;
use crate::carried::Carried;
use crate::draft::{Draft, Ending, Text};
use crate::open::Ticket;
use crate::refusal::Refusal;
use crate::route::{OnLogFailure, Route};
use crate::surroundings::Surroundings;

pub use unrecorded::{announce, heartbeat};

/// The attribute of an outcome that names its intent's event: request ids come from outside, event ids do not.
pub const INTENT: &str = "indelible.intent";

/// How often a busy log is asked again before a call is refused, and the longest pause between.
const BUSY_TRIES: u32 = 4;
const BUSY_PAUSE_MAX: Duration = Duration::from_millis(40);
/// Pauses between tries to record an outcome that the log did not take.
const LATER_PAUSE: Duration = Duration::from_millis(200);
const LATER_PAUSE_MAX: Duration = Duration::from_secs(5);
/// What a caller that finds the table of open exchanges full is told.
const TOO_MANY_RETRY_MS: u64 = 500;

/// A call whose intent is on record, or that the route lets through without.
#[derive(Debug)]
pub struct Exchange {
    open: Option<Box<Open>>,
}

/// What is known of an exchange until its outcome is durable.
struct Open {
    s: Arc<Surroundings>,
    caller: Arc<Caller>,
    route: Arc<Route>,
    ask: Ask,
    policy: Text,
    began: Instant,
    intent: Draft,
    /// Not there when the intent could not be recorded and the route lets such calls through.
    ticket: Option<Ticket>,
    spent: Spent,
}

impl Exchange {
    /// Asks the door, and makes the intent durable.
    ///
    /// On no, exactly one event of phase `single` says so. While a person is asked, the call waits here.
    ///
    /// # Errors
    /// [`Refusal`]: the call must not be made.
    pub async fn begin(
        s: &Arc<Surroundings>,
        caller: Arc<Caller>,
        route: Arc<Route>,
        intent: Draft,
        ask: Ask,
    ) -> Result<Self, Refusal> {
        let began = Instant::now();
        let (mut intent, policy) = judge::judge(s, &caller, &route, intent, &ask).await?;
        let Some(ticket) = s.open.open() else {
            return Err(Refusal::TooManyOpen { retry_after_ms: TOO_MANY_RETRY_MS });
        };
        let durable = intent.take_durable();
        let ask = Ask { context: indelible_access::door::AskContext { tool_arguments: None, ..ask.context }, ..ask };
        let spent = Spent { calls: 1, tokens: 0, cost_micros: 0 };
        let open =
            Box::new(Open { s: Arc::clone(s), caller, route, ask, policy, began, intent, ticket: Some(ticket), spent });
        // From here on a client that goes away changes nothing: the intent gets its outcome.
        Carried::new(make_durable(open, durable)).await
    }

    /// The id of the intent's event.
    #[must_use]
    pub fn intent_id(&self) -> Option<EventId> {
        self.open.as_ref().map(|open| open.intent.id)
    }

    /// A draft for the outcome that says all that the intent said.
    ///
    /// # Errors
    /// When there is no randomness for its id.
    pub fn outcome_draft(&self) -> Result<Draft, Refusal> {
        let open = self.open.as_ref().ok_or(Refusal::Internal { reason: "the exchange is over" })?;
        Ok(open.intent.carry_over(open.s.new_id()?))
    }

    /// The same under an id that content was already begun for.
    #[must_use]
    pub fn outcome_draft_as(&self, id: EventId) -> Option<Draft> {
        self.open.as_ref().map(|open| open.intent.carry_over(id))
    }

    /// Who calls.
    #[must_use]
    pub fn caller(&self) -> Option<&Arc<Caller>> {
        self.open.as_ref().map(|open| &open.caller)
    }

    /// How long it has been going on.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.open.as_ref().map(|open| open.began.elapsed()).unwrap_or_default()
    }

    /// What the call cost, for the budgets; counted when it ends.
    pub fn spend(&mut self, tokens: u64, cost_micros: u64) {
        if let Some(open) = &mut self.open {
            open.spent = Spent { calls: 1, tokens, cost_micros };
        }
    }

    /// Ends the exchange: the outcome and what it seals are durable when this resolves to `Ok`. Dropped before, it goes on by itself.
    ///
    /// On an error the end of the answer must be withheld; the outcome is recorded as soon as the log takes it, and says so.
    pub fn finish(
        mut self,
        outcome: Draft,
        result: OutcomeResult,
        code: impl Into<Text>,
        reason: impl Into<Text>,
    ) -> Finish {
        let ending = Ending {
            result,
            phase: OutcomePhase::Outcome,
            code: code.into(),
            reason: reason.into(),
            policy: Text::default(),
        };
        let open = self.open.take();
        Finish(Carried::new(async move {
            match open {
                Some(open) => close(open, outcome, ending).await,
                None => Ok(()),
            }
        }))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Some(open) = self.open.take() else { return };
        let ending = Ending {
            result: OutcomeResult::Failed,
            phase: OutcomePhase::Outcome,
            code: "client_gone".into(),
            reason: "client went away".into(),
            policy: Text::default(),
        };
        // Without randomness there is no event; the intent stays open, and the next start closes it.
        if let Ok(id) = open.s.new_id() {
            let outcome = open.intent.carry_over(id);
            drop(Carried::new(close(open, outcome, ending)));
        }
    }
}

/// The end of an exchange being recorded.
#[derive(Debug)]
pub struct Finish(Carried<Result<(), Refusal>>);

impl Future for Finish {
    type Output = Result<(), Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

type Durable = Vec<BoxFuture<'static, Result<(), VaultError>>>;

/// Intent and content, concurrently; then the exchange is open.
async fn make_durable(mut open: Box<Open>, durable: Durable) -> Result<Exchange, Refusal> {
    let ending = Ending {
        result: OutcomeResult::Allowed,
        phase: OutcomePhase::Intent,
        code: Text::default(),
        reason: Text::default(),
        policy: open.policy.clone(),
    };
    let mut batch = EventBatch::new();
    if let Err(refusal) = write(&open.s, &open.caller, &open.route, &open.intent, &ending, &mut batch) {
        open.end_unrecorded();
        return Err(refusal);
    }
    let (recorded, sealed) = futures::join!(record(&open.s, batch), try_join_all(durable));
    match recorded {
        Ok(index) => {
            if let Some(ticket) = &mut open.ticket {
                ticket.recorded(index);
            }
            unrecorded::tell(&open.s, &open.route);
        }
        Err(_) if open.route.on_log_failure() == OnLogFailure::Allow => {
            open.end_unrecorded();
            open.route.add_unrecorded(1);
            return Ok(Exchange { open: Some(open) });
        }
        Err(error) => {
            // Nothing of it is in the log; after a stop that is not known, and then the next start closes what it finds.
            open.end_unrecorded();
            return Err(Refusal::NotRecorded(error));
        }
    }
    if let Err(error) = sealed
        && open.route.on_log_failure() == OnLogFailure::Refuse
    {
        let exchange = Exchange { open: Some(open) };
        let outcome = exchange.outcome_draft()?;
        drop(exchange.finish(
            outcome,
            OutcomeResult::Failed,
            "not_sealed",
            "not forwarded: its content could not be sealed",
        ));
        return Err(Refusal::NotSealed(error));
    }
    Ok(Exchange { open: Some(open) })
}

/// Outcome and content, concurrently; then the exchange is over.
async fn close(mut open: Box<Open>, mut outcome: Draft, mut ending: Ending) -> Result<(), Refusal> {
    open.s.door.spent(&open.ask, open.spent, open.s.clock.now());
    outcome.attribute(INTENT, open.intent.id.to_string());
    if outcome.duration_ns.is_none() {
        outcome.duration_ns = u64::try_from(open.began.elapsed().as_nanos()).ok();
    }
    ending.policy = open.policy.clone();
    let durable = outcome.take_durable();
    let mut batch = EventBatch::new();
    let Some(ticket) = open.ticket.take() else {
        return close_unrecorded(&open, &outcome, &ending).await;
    };
    write(&open.s, &open.caller, &open.route, &outcome, &ending, &mut batch)?;
    let (recorded, sealed) = futures::join!(record(&open.s, batch), try_join_all(durable));
    match recorded {
        Ok(index) => ticket.close(Some(index)),
        Err(error) => {
            drop(tokio::spawn(close_later(open, outcome, ending, ticket)));
            return Err(Refusal::NotRecorded(error));
        }
    }
    match sealed {
        Err(error) if open.route.on_log_failure() == OnLogFailure::Refuse => Err(Refusal::NotSealed(error)),
        _ => Ok(()),
    }
}

/// The intent is not in the log and the route lets such calls through: the outcome is recorded if it can be, with a mark.
async fn close_unrecorded(open: &Open, outcome: &Draft, ending: &Ending) -> Result<(), Refusal> {
    let mut marked = outcome.carry_over(outcome.id);
    marked.duration_ns = outcome.duration_ns;
    marked.sealed.clone_from(&outcome.sealed);
    marked.attribute("indelible.intent_unrecorded", true);
    let mut batch = EventBatch::new();
    write(&open.s, &open.caller, &open.route, &marked, ending, &mut batch)?;
    if record(&open.s, batch).await.is_ok() {
        unrecorded::tell(&open.s, &open.route);
    }
    Ok(())
}

/// Tries until the log takes the outcome or stops for good. The exchange stays open meanwhile, so what can wait here is bounded
/// by the table of open exchanges.
async fn close_later(open: Box<Open>, mut outcome: Draft, ending: Ending, ticket: Ticket) {
    outcome.attribute("indelible.end_withheld", true);
    let mut pause = LATER_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LATER_PAUSE_MAX);
        let mut batch = EventBatch::new();
        if write(&open.s, &open.caller, &open.route, &outcome, &ending, &mut batch).is_err() {
            return;
        }
        match record(&open.s, batch).await {
            Ok(index) => return ticket.close(Some(index)),
            // The ticket is not closed: the mark stays below the intent, and the next start finds it.
            Err(RecordError::Stopped { .. } | RecordError::Conflict(_) | RecordError::TooLarge { .. }) => return,
            Err(RecordError::Full | RecordError::Busy { .. }) => {}
        }
    }
}

/// Writes an event of a route into a batch.
pub(crate) fn write(
    s: &Surroundings,
    caller: &Caller,
    route: &Route,
    draft: &Draft,
    ending: &Ending,
    batch: &mut EventBatch,
) -> Result<(), Refusal> {
    draft.write(caller, route.source(), s.clock.now(), ending, batch).map_err(|error| {
        tracing::error!(route = route.name(), %error, "an event could not be written");
        Refusal::Internal { reason: "an event could not be written" }
    })
}

/// Records a batch, asking a busy log a few times. Gives the index of the first event.
pub(crate) async fn record(s: &Surroundings, batch: EventBatch) -> Result<EntryIndex, RecordError> {
    for _ in 1..BUSY_TRIES {
        match s.recorder.record(batch.clone()).await {
            Err(RecordError::Busy { retry_after_ms }) => {
                tokio::time::sleep(Duration::from_millis(retry_after_ms).min(BUSY_PAUSE_MAX)).await;
            }
            other => return other.map(|recorded| recorded.first_index),
        }
    }
    s.recorder.record(batch).await.map(|recorded| recorded.first_index)
}

impl Open {
    /// There is no intent in the log to be closed.
    fn end_unrecorded(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            ticket.close(None);
        }
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("intent", &self.intent).field("route", &self.route.name()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
