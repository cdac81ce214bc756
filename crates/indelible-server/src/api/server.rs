//! What the server tells about itself: health, readiness, figures, what an error means. Nothing here says what is in a log, so
//! none of it needs a token or is recorded.

use axum::http::StatusCode;
use serde::Serialize;

use crate::call::{Answer, Call, json_response};
use crate::problem::{Kind, Problem, TABLE};
use crate::trail::Mark;

const SAYS_NOTHING_OF_A_LOG: &str = "says nothing about what is in a log";

/// Whether the process lives.
#[utoipa::path(
    get, path = "/healthz", operation_id = "server.health", tag = "server", security(()),
    responses((status = 200, description = "The process lives", body = String, content_type = "text/plain"))
)]
pub(crate) fn health() -> Answer {
    Answer::bytes("text/plain; charset=utf-8", "ok\n", Mark::not_needed(SAYS_NOTHING_OF_A_LOG))
}

/// Whether each log takes events.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ReadyAnswer<'a> {
    ready: bool,
    /// Why not, if not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'a str>,
    /// What a person must look at although events are taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'a str>,
}

/// Whether the server takes requests and every log takes events.
#[utoipa::path(
    get, path = "/readyz", operation_id = "server.ready", tag = "server", security(()),
    responses(
        (status = 200, description = "It does", body = inline(ReadyAnswer<'static>)),
        (status = 503, description = "It does not; `reasons` says why", body = inline(ReadyAnswer<'static>)),
    )
)]
pub(crate) fn ready(call: &Call) -> Result<Answer, Problem> {
    let mut reasons = Vec::new();
    if call.app.is_stopping() {
        reasons.push("the server is stopping");
    }
    // Logs are not named: who asks needs no token.
    if call.app.logs.iter().any(|log| log.state().stopped.is_some()) {
        reasons.push("a log has stopped");
    }
    if call.app.logs.iter().any(|log| log.state().full) {
        reasons.push("the disk is full");
    }
    let mut warnings = Vec::new();
    if call.app.logs.iter().any(|log| log.state().signing_stopped.is_some()) {
        warnings.push("a log did not hold: no checkpoint of it is signed");
    }
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body =
        serde_json::to_vec(&ReadyAnswer { ready: reasons.is_empty(), reasons, warnings }).map_err(Problem::internal)?;
    Ok(Answer::new(json_response(status, body), Mark::not_needed(SAYS_NOTHING_OF_A_LOG)))
}

/// Figures.
#[utoipa::path(
    get, path = "/metrics", operation_id = "server.metrics", tag = "server", security(()),
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"))
)]
pub(crate) fn metrics(call: &Call) -> Answer {
    let text = call.app.metrics.text(&call.app.logs);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Answer::bytes(content_type, text, Mark::not_needed(SAYS_NOTHING_OF_A_LOG))
}

/// What an error means and what to do.
#[utoipa::path(
    get, path = "/problems/{code}", operation_id = "server.problem", tag = "server", security(()),
    params(("code" = String, Path, description = "The last part of a problem's `type`")),
    responses((status = 200, description = "In words", body = String, content_type = "text/plain"))
)]
pub(crate) fn explain_problem(call: &Call) -> Result<Answer, Problem> {
    let code = call.path_part("code");
    let Some(row) = TABLE.iter().find(|row| row.code == code) else {
        return Err(Problem::new(Kind::NotFound, "there is no such kind of problem"));
    };
    let text = format!("{} ({}): {}\n\n{}\n", row.code, row.status, row.title, row.advice);
    Ok(Answer::bytes("text/plain; charset=utf-8", text, Mark::not_needed(SAYS_NOTHING_OF_A_LOG)))
}
