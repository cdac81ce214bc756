//! The door is asked, and a no is put on record.

use std::sync::Arc;

use futures::future::try_join_all;
use indelible_access::door::{Ask, Decision, ForbidKind};
use indelible_event::batch::EventBatch;
use indelible_event::words::{OutcomePhase, OutcomeResult};

use crate::caller::Caller;
use crate::carried::Carried;
use crate::draft::{Draft, Ending, Text};
use crate::refusal::{DeniedBy, Refusal};
use crate::route::Route;
use crate::surroundings::Surroundings;

/// Gives the intent back with the policy that permits it. A denial is durable when this says so.
pub(super) async fn judge(
    s: &Arc<Surroundings>,
    caller: &Arc<Caller>,
    route: &Arc<Route>,
    intent: Draft,
    ask: &Ask,
) -> Result<(Draft, Text), Refusal> {
    let mut asked = Asked {
        s: Arc::clone(s),
        caller: Arc::clone(caller),
        route: Arc::clone(route),
        intent: Some(intent),
        policy: Text::default(),
    };
    let decision = match s.door.decide(ask, s.clock.now()) {
        Decision::Hold(hold) => {
            asked.policy = Text::from(hold.policy.clone());
            s.door.wait(hold).await
        }
        decided => decided,
    };
    let Some(intent) = asked.intent.take() else {
        return Err(Refusal::Internal { reason: "the intent is gone" });
    };
    match decision {
        Decision::Permit { policy } => Ok((intent, policy.map(Text::from).unwrap_or_default())),
        Decision::Forbid { policy, reason, kind } => {
            let by = match kind {
                ForbidKind::Policy => DeniedBy::Policy,
                ForbidKind::Halted => DeniedBy::Halted,
                ForbidKind::OverBudget => DeniedBy::OverBudget,
                ForbidKind::HoldDenied => DeniedBy::HoldDenied,
                ForbidKind::HoldExpired => DeniedBy::HoldExpired,
            };
            let refusal = Refusal::Denied { by, policy, reason };
            Carried::new(deny(Arc::clone(s), Arc::clone(caller), Arc::clone(route), intent, refusal.clone())).await?;
            Err(refusal)
        }
        // A hold that is answered by a hold would let nobody through; it is refused like one that nobody answered.
        Decision::Hold(hold) => {
            let reason = "the approval was answered by another hold".to_owned();
            let refusal = Refusal::Denied { by: DeniedBy::HoldExpired, policy: hold.policy.clone(), reason };
            Carried::new(deny(Arc::clone(s), Arc::clone(caller), Arc::clone(route), intent, refusal.clone())).await?;
            Err(refusal)
        }
    }
}

/// Makes a denial durable.
async fn deny(
    s: Arc<Surroundings>,
    caller: Arc<Caller>,
    route: Arc<Route>,
    mut intent: Draft,
    refusal: Refusal,
) -> Result<(), Refusal> {
    let durable = intent.take_durable();
    let (policy, reason) = match &refusal {
        Refusal::Denied { policy, reason, .. } => (policy.clone(), reason.clone()),
        other => (String::new(), other.to_string()),
    };
    let ending = Ending {
        result: OutcomeResult::Denied,
        phase: OutcomePhase::Single,
        code: refusal.code().into(),
        reason: reason.into(),
        policy: policy.into(),
    };
    let mut batch = EventBatch::new();
    super::write(&s, &caller, &route, &intent, &ending, &mut batch)?;
    let (recorded, sealed) = futures::join!(super::record(&s, batch), try_join_all(durable));
    recorded.map_err(Refusal::NotRecorded)?;
    sealed.map(drop).map_err(Refusal::NotSealed)
}

/// A call that waits for its decision. When its client goes away meanwhile, that is on record too.
struct Asked {
    s: Arc<Surroundings>,
    caller: Arc<Caller>,
    route: Arc<Route>,
    intent: Option<Draft>,
    policy: Text,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let Some(intent) = self.intent.take() else { return };
        let refusal = Refusal::Denied {
            by: DeniedBy::HoldExpired,
            policy: self.policy.clone().into_owned(),
            reason: "client went away while it waited for an approval".to_owned(),
        };
        let (s, caller, route) = (Arc::clone(&self.s), Arc::clone(&self.caller), Arc::clone(&self.route));
        drop(Carried::new(deny(s, caller, route, intent, refusal)));
    }
}
