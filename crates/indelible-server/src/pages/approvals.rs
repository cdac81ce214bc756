//! Approvals: calls that wait for a person, and what the person decides. The decision is that of the API.

use askama::Template;
use axum::body::Body;
use indelible_access::hold::Pending;

use super::html;
use super::see_other;
use super::shell::Shell;
use crate::api::approvals::{DecisionRequest, decided};
use crate::api::{count, form};
use crate::call::{Answer, Call};
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "approvals.html")]
struct ApprovalsPage {
    shell: Shell,
    waiting: Vec<Pending>,
    caller: String,
}

/// Lists what waits.
pub(super) async fn list(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&["log"])?;
    let waiting = call.app.door.holds().list();
    let event = call.event().attribute("approvals", count(waiting.len() as u64));
    let mark = call.record(call.app.logs.first(), event).await?;
    let caller = call.caller().to_owned();
    let shell = Shell::of(call, "Approvals", call.app.logs.first());
    html::answer(call, &ApprovalsPage { shell, waiting, caller }, mark)
}

/// Decides about one.
pub(super) async fn decide(call: &Call, body: Body) -> Result<Answer, Problem> {
    let form = form(call, body, &["decision", "reason"]).await?;
    let asked = DecisionRequest {
        decision: form.get("decision").unwrap_or_default().to_owned(),
        reason: form.get("reason").unwrap_or_default().trim().to_owned(),
    };
    let (_, mark) = decided(call, &asked).await?;
    Ok(Answer::new(see_other("/approvals"), mark))
}

/// Whether the caller asks for this itself, or is asked for: then another decides.
fn is_own(pending: &Pending, caller: &str) -> bool {
    pending.ask.principal.id == caller || pending.ask.chain.iter().any(|other| other.id == caller)
}

/// The chain of those it acts for, nearest first.
fn chain(pending: &Pending) -> String {
    pending.ask.chain.iter().map(|principal| principal.id.as_str()).collect::<Vec<_>>().join(", for ")
}
