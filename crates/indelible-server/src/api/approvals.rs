//! Approvals: which calls wait for a person, and what the person decides. The decision is on record before it takes effect.

use axum::body::Body;
use axum::http::StatusCode;
use indelible_access::door::Principal;
use indelible_access::hold::{Answer as Decision, AnswerError, Pending};
use indelible_event::words::{Action, OutcomeResult};
use serde::{Deserialize, Serialize};

use super::body::small;
use crate::call::{Answer, Call, json_response};
use crate::problem::{Kind, Problem};
use crate::query_string::wrong;
use crate::trail::{Mark, bounded};

/// Longest reason.
const REASON_BYTES_MAX: usize = 1_024;

/// A call that waits for an approval.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ApprovalAnswer {
    id: String,
    /// Who calls.
    actor: String,
    /// Those it acts for, nearest first.
    on_behalf_of: Vec<String>,
    action: &'static str,
    operation: String,
    /// `model`, `tool`, …
    resource_type: String,
    resource: String,
    /// The gateway's route.
    route: String,
    /// What the scanner found in the content.
    labels_found: Vec<String>,
    /// The policy that asks for the approval.
    policy: String,
    /// What the policy says to the approver.
    message: String,
    since: String,
    /// Refused when nobody has decided by then.
    until: String,
}

/// All calls that wait, oldest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ApprovalsAnswer {
    approvals: Vec<ApprovalAnswer>,
}

/// A decision.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionRequest {
    /// `approve` or `deny`.
    pub(crate) decision: String,
    /// Why; the caller reads it when denied.
    pub(crate) reason: String,
}

/// Lists what waits.
#[utoipa::path(
    get, path = "/v1/approvals", operation_id = "approvals.list", tag = "approvals",
    responses((status = 200, description = "Calls that wait for an approval", body = inline(ApprovalsAnswer)))
)]
pub(crate) async fn list(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let approvals: Vec<ApprovalAnswer> = call.app.door.holds().list().into_iter().map(answer).collect();
    let event = call.event().attribute("approvals", super::count(approvals.len() as u64));
    let mark = call.record(call.app.logs.first(), event).await?;
    Answer::json(&ApprovalsAnswer { approvals }, mark)
}

/// Decides one.
#[utoipa::path(
    post, path = "/v1/approvals/{id}", operation_id = "approvals.decide", tag = "approvals",
    params(("id" = String, Path, description = "The approval's id")),
    request_body = inline(DecisionRequest),
    responses(
        (status = 200, description = "Decided; the call goes on or is refused", body = inline(ApprovalAnswer)),
        (status = 403, description = "The approver is the caller, or one it acts for"),
        (status = 404, description = "Nothing waits under this id any more"),
    )
)]
pub(crate) async fn decide(call: &Call, body: Body) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let body = small(&call.app, &call.parts.headers, body).await?;
    let asked: DecisionRequest = serde_json::from_slice(&body)
        .map_err(|error| wrong("", "wrong-body", format!("the body is not a decision: {error}")))?;
    let (decided, mark) = decided(call, &asked).await?;
    let body = serde_json::to_vec(&answer(decided)).map_err(Problem::internal)?;
    Ok(Answer::new(json_response(StatusCode::OK, body), mark))
}

/// Decides about the call that the path names; on record before it takes effect.
pub(crate) async fn decided(call: &Call, asked: &DecisionRequest) -> Result<(Pending, Mark), Problem> {
    let approved = match asked.decision.as_str() {
        "approve" => true,
        "deny" => false,
        _ => return Err(wrong("decision", "wrong-value", "the decision is `approve` or `deny`".to_owned())),
    };
    if asked.reason.is_empty() || asked.reason.len() > REASON_BYTES_MAX {
        let reason = format!("a reason of 1 to {REASON_BYTES_MAX} bytes is needed");
        return Err(wrong("reason", "wrong-value", reason));
    }
    let approver = call.caller().to_owned();
    let id = call.path_part("id").to_owned();
    let holds = call.app.door.holds();
    let pending = holds.decidable(&id, &approver).map_err(|error| problem(&error))?;
    let result = if approved { OutcomeResult::Allowed } else { OutcomeResult::Denied };
    let about = |result| {
        call.event_of(Action::Approve)
            .result(result)
            .reason(&asked.reason)
            .resource("approval", &id)
            .resource(&pending.ask.resource.kind, &pending.ask.resource.id)
            .attribute("decision", asked.decision.as_str())
            .attribute("policy", pending.policy.as_str())
            .attribute("asked_by", pending.ask.principal.id.as_str())
            .attribute("asked_operation", bounded(&pending.ask.operation))
    };
    let mark = call.record(call.app.logs.first(), about(result)).await?;
    let decision = Decision { approved, by: approver, reason: asked.reason.clone() };
    let decided = match holds.answer(&id, decision) {
        Ok(decided) => decided,
        Err(error) => {
            // The decision is on record and came too late: say so.
            let _mark = call.record(call.app.logs.first(), about(OutcomeResult::Failed)).await?;
            return Err(problem(&error));
        }
    };
    Ok((decided, mark))
}

fn answer(pending: Pending) -> ApprovalAnswer {
    let id = |principal: &Principal| principal.id.clone();
    ApprovalAnswer {
        id: pending.id,
        actor: id(&pending.ask.principal),
        on_behalf_of: pending.ask.chain.iter().map(id).collect(),
        action: pending.ask.action.as_str(),
        operation: pending.ask.operation,
        resource_type: pending.ask.resource.kind,
        resource: pending.ask.resource.id,
        route: pending.ask.context.route,
        labels_found: pending.ask.context.labels_found,
        policy: pending.policy,
        message: pending.message,
        since: pending.since.to_string(),
        until: pending.until.to_string(),
    }
}

fn problem(error: &AnswerError) -> Problem {
    let kind = match error {
        AnswerError::NotFound { .. } => Kind::NotFound,
        AnswerError::Own { .. } => Kind::Forbidden,
    };
    Problem::new(kind, error.to_string())
}
