//! The kill switch: what is halted, halting, resuming. Halting takes effect first and is recorded then, for a switch that is
//! pulled in need must not wait for a full disk; resuming is on record before anything goes through again.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use indelible_access::halt::{Halt, HaltError, HaltScope};
use indelible_event::time::RecordedTime;
use indelible_event::words::{Action, OutcomeResult};
use serde::{Deserialize, Serialize};

use super::blocking;
use super::body::small;
use crate::call::{Answer, Call, json_response};
use crate::problem::{Kind, Problem};
use crate::query_string::wrong;

/// Something to halt.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HaltRequest {
    /// `route`, `actor`, `model` or `tool`.
    scope: String,
    /// Which one; a tool as `<gateway>/<tool>`.
    value: String,
    /// Why; callers read it.
    reason: String,
}

/// A halt.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct HaltAnswer {
    scope: &'static str,
    value: String,
    reason: String,
    /// Who halted it.
    by: String,
    since: String,
}

/// All halts.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct HaltsAnswer {
    halts: Vec<HaltAnswer>,
}

/// Lists halts.
#[utoipa::path(
    get, path = "/v1/halts", operation_id = "halts.list", tag = "halts",
    responses((status = 200, description = "What is halted, oldest first", body = inline(HaltsAnswer)))
)]
pub(crate) async fn list(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let halts: Vec<HaltAnswer> = call.app.door.halts().list().into_iter().map(answer).collect();
    let event = call.event().attribute("halts", super::count(halts.len() as u64));
    let mark = call.record(call.app.logs.first(), event).await?;
    Answer::json(&HaltsAnswer { halts }, mark)
}

/// Halts something.
#[utoipa::path(
    post, path = "/v1/halts", operation_id = "halts.set", tag = "halts",
    request_body = inline(HaltRequest),
    responses((status = 201, description = "Halted: no call goes through any more", body = inline(HaltAnswer)))
)]
pub(crate) async fn halt(call: &Call, body: Body) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let body = small(&call.app, &call.parts.headers, body).await?;
    let asked: HaltRequest = serde_json::from_slice(&body)
        .map_err(|error| wrong("", "wrong-body", format!("the body is not a halt: {error}")))?;
    let halt = Halt {
        scope: scope(&asked.scope)?,
        value: asked.value,
        reason: asked.reason,
        by: call.caller().to_owned(),
        since: call.app.environment.now_seconds(),
    };
    let door = Arc::clone(&call.app.door);
    let set = halt.clone();
    let kept = blocking(move || door.halt(&set)).await?;
    let result = if kept.is_ok() { OutcomeResult::Allowed } else { OutcomeResult::Failed };
    let event =
        call.event_of(Action::Configure).result(result).reason(&halt.reason).resource(halt.scope.word(), &halt.value);
    let mark = call.record(call.app.logs.first(), event).await?;
    kept.map_err(problem)?;
    let body = serde_json::to_vec(&answer(halt)).map_err(Problem::internal)?;
    Ok(Answer::new(json_response(StatusCode::CREATED, body), mark))
}

/// Resumes something.
#[utoipa::path(
    delete, path = "/v1/halts", operation_id = "halts.lift", tag = "halts",
    params(
        ("scope" = String, Query, description = "`route`, `actor`, `model` or `tool`"),
        ("value" = String, Query, description = "Which one"),
        ("reason" = Option<String>, Query, description = "Why"),
    ),
    responses((status = 200, description = "Resumed; what it was", body = inline(HaltAnswer)))
)]
pub(crate) async fn resume(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["scope", "value", "reason"])?;
    let text = |name: &'static str| parameters.get(name).unwrap_or_default().to_owned();
    let (scope, value, reason) = (scope(&text("scope"))?, text("value"), text("reason"));
    let halted = call.app.door.halts().list().into_iter().any(|halt| halt.scope == scope && halt.value == value);
    if !halted {
        return Err(problem(HaltError::NotFound { scope, value }));
    }
    let about = |result| call.event_of(Action::Configure).result(result).reason(&reason).resource(scope.word(), &value);
    let mark = call.record(call.app.logs.first(), about(OutcomeResult::Allowed)).await?;
    let (door, which) = (Arc::clone(&call.app.door), value.clone());
    match blocking(move || door.resume(scope, &which)).await? {
        Ok(halt) => Answer::json(&answer(halt), mark),
        Err(error) => {
            // On record, and it did not happen: say so.
            let _mark = call.record(call.app.logs.first(), about(OutcomeResult::Failed)).await?;
            Err(problem(error))
        }
    }
}

fn scope(text: &str) -> Result<HaltScope, Problem> {
    HaltScope::parse(text)
        .ok_or_else(|| wrong("scope", "wrong-value", "the scope is `route`, `actor`, `model` or `tool`".to_owned()))
}

fn answer(halt: Halt) -> HaltAnswer {
    HaltAnswer {
        scope: halt.scope.word(),
        value: halt.value,
        reason: halt.reason,
        by: halt.by,
        since: RecordedTime::from_unix_seconds(halt.since).to_string(),
    }
}

fn problem(error: HaltError) -> Problem {
    match error {
        HaltError::TooMany => Problem::new(Kind::Conflict, error.to_string()),
        HaltError::NotFound { .. } => Problem::new(Kind::NotFound, error.to_string()),
        HaltError::Text => wrong("value", "wrong-value", error.to_string()),
        HaltError::File(_) => Problem::internal(error),
    }
}
