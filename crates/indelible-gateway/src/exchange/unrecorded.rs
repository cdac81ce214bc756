//! What is told about a route as a whole: how it is set up, and how many calls it let through unrecorded.

use std::sync::Arc;

use indelible_event::batch::EventBatch;
use indelible_event::completeness::HEARTBEAT;
use indelible_event::words::{Action, ActorType, OutcomePhase, OutcomeResult};

use crate::caller::Caller;
use crate::draft::{Draft, Ending, Resource, Text};
use crate::refusal::Refusal;
use crate::route::Route;
use crate::surroundings::Surroundings;

/// Records how a route is set up: at start, so that a choice such as `on_log_failure = "allow"` is on record.
///
/// # Errors
/// [`Refusal`] when the log does not take it.
pub async fn announce(s: &Arc<Surroundings>, route: &Route, upstream: &str) -> Result<(), Refusal> {
    let mut draft = Draft::new(s.new_id()?, Action::Configure, "gateway.start");
    draft.resources.push(Resource::new("gateway", route.name().to_owned()));
    draft.attribute("indelible.on_log_failure", route.on_log_failure().as_str());
    draft.attribute("indelible.upstream", upstream.to_owned());
    for (name, capture) in [
        ("indelible.capture.prompt", route.capture().prompt),
        ("indelible.capture.answer", route.capture().answer),
        ("indelible.capture.arguments", route.capture().arguments),
        ("indelible.capture.result", route.capture().result),
    ] {
        draft.attribute(name, capture.as_str());
    }
    tell_about(s, route, &draft, OutcomeResult::Allowed, Text::default()).await
}

/// Says that the gateway lives: for when it has nothing else to record, so that its silence means something.
///
/// # Errors
/// [`Refusal`] when the log does not take it.
pub async fn heartbeat(s: &Surroundings, route: &Route) -> Result<(), Refusal> {
    let mut draft = Draft::new(s.new_id()?, Action::Execute, HEARTBEAT);
    draft.resources.push(Resource::new("gateway", route.name().to_owned()));
    tell_about(s, route, &draft, OutcomeResult::Allowed, Text::default()).await
}

/// Tells the log how many calls went through unrecorded, now that it takes records again.
pub(super) fn tell(s: &Arc<Surroundings>, route: &Arc<Route>) {
    let calls = route.take_unrecorded();
    if calls == 0 {
        return;
    }
    let (s, route) = (Arc::clone(s), Arc::clone(route));
    drop(tokio::spawn(async move {
        let told = async {
            let mut draft = Draft::new(s.new_id()?, Action::Execute, "gateway.unrecorded");
            draft.resources.push(Resource { count: Some(calls), ..Resource::new("gateway", route.name().to_owned()) });
            let reason = "the log took no records and the route is set to let calls through";
            tell_about(&s, &route, &draft, OutcomeResult::Allowed, reason.into()).await
        };
        if told.await.is_err() {
            route.add_unrecorded(calls);
        }
    }));
}

async fn tell_about(
    s: &Surroundings,
    route: &Route,
    draft: &Draft,
    result: OutcomeResult,
    reason: Text,
) -> Result<(), Refusal> {
    let system = Caller::new(route.source(), ActorType::System);
    let ending = Ending { result, phase: OutcomePhase::Single, code: Text::default(), reason, policy: Text::default() };
    let mut batch = EventBatch::new();
    super::write(s, &system, route, draft, &ending, &mut batch)?;
    super::record(s, batch).await.map(drop).map_err(Refusal::NotRecorded)
}
