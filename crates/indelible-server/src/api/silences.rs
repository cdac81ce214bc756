//! Silences: alerts that nobody is told of for a while. A silence is on record before it takes effect.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use indelible_detect::book::{Silence, SilenceError};
use indelible_event::time::EventTime;
use indelible_event::words::{Action, OutcomeResult};
use serde::Deserialize;
use serde_json::json;

use super::blocking;
use super::body::small;
use super::times::with_times;
use crate::call::{Answer, Call, json_response};
use crate::problem::{Kind, Problem};
use crate::query_string::wrong;
use crate::trail::Mark;

/// Something to be silent about.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SilenceRequest {
    /// In one log only.
    pub(crate) log: Option<String>,
    /// Of one rule: its id.
    pub(crate) rule: Option<String>,
    /// About one entity: its id.
    pub(crate) entity: Option<String>,
    /// Why.
    pub(crate) reason: String,
    /// Until when, RFC 3339.
    pub(crate) until: String,
}

/// Lists silences.
#[utoipa::path(
    get, path = "/v1/silences", operation_id = "silences.list", tag = "alerts",
    responses((
        status = 200, body = serde_json::Value,
        description = "`{\"silences\": [{\"id\", \"log\", \"rule\", \"entity\", \"reason\", \"by\", \"since\", \"until\"}]}`, those that have not ended",
    ))
)]
pub(crate) async fn list(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let (app, now) = (Arc::clone(&call.app), call.app.trail.now().0);
    let silences = blocking(move || app.alerts.book.silences(now)).await?.map_err(Problem::internal)?;
    let event = call.event().attribute("silences", super::count(silences.len() as u64));
    let mark = call.record(call.app.logs.first(), event).await?;
    Answer::json(&with_times(json!({"silences": silences}))?, mark)
}

/// Silences.
#[utoipa::path(
    post, path = "/v1/silences", operation_id = "silences.set", tag = "alerts",
    request_body = inline(SilenceRequest),
    responses((status = 201, body = serde_json::Value, description = "The silence, from now on"))
)]
pub(crate) async fn set(call: &Call, body: Body) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let body = small(&call.app, &call.parts.headers, body).await?;
    let asked: SilenceRequest = serde_json::from_slice(&body)
        .map_err(|error| wrong("", "wrong-body", format!("the body is not a silence: {error}")))?;
    let (silence, mark) = keep(call, asked).await?;
    let body = serde_json::to_vec(&with_times(json!({"silence": silence}))?).map_err(Problem::internal)?;
    Ok(Answer::new(json_response(StatusCode::CREATED, body), mark))
}

/// Keeps a silence; on record before it takes effect.
pub(crate) async fn keep(call: &Call, asked: SilenceRequest) -> Result<(Silence, Mark), Problem> {
    let until = EventTime::parse(&asked.until).map_err(|error| {
        wrong("until", "wrong-value", format!("`until` is a time such as 2026-11-24T18:00:00Z: {error}"))
    })?;
    let id = call.app.environment.new_event_id().map_err(Problem::internal)?;
    let silence = Silence {
        id: format!("sil_{id}"),
        log: asked.log,
        rule: asked.rule,
        entity: asked.entity,
        reason: asked.reason,
        by: call.caller().to_owned(),
        since_unix_ns: call.app.trail.now().0,
        until_unix_ns: until.unix_ns,
    };
    silence.check().map_err(problem)?;
    if let Some(log) = &silence.log {
        let _known = call.log(log)?;
    }
    let mark = call.record(call.app.logs.first(), about(call, &silence, OutcomeResult::Allowed)).await?;
    let (app, new) = (Arc::clone(&call.app), silence.clone());
    if let Err(error) = blocking(move || app.alerts.book.silence(&new)).await? {
        // On record, and it did not happen: say so.
        let _mark = call.record(call.app.logs.first(), about(call, &silence, OutcomeResult::Failed)).await?;
        return Err(problem(error));
    }
    Ok((silence, mark))
}

/// Ends a silence.
#[utoipa::path(
    delete, path = "/v1/silences/{id}", operation_id = "silences.end", tag = "alerts",
    params(("id" = String, Path, description = "The silence's id")),
    responses(
        (status = 200, body = serde_json::Value, description = "What it was; alerts it kept back are told within a second"),
        (status = 404, description = "No such silence, or it has ended"),
    )
)]
pub(crate) async fn end(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let (silence, mark) = lift(call).await?;
    Answer::json(&with_times(json!({"silence": silence}))?, mark)
}

/// Ends the silence that the path names; on record before it takes effect.
pub(crate) async fn lift(call: &Call) -> Result<(Silence, Mark), Problem> {
    let (app, id) = (Arc::clone(&call.app), call.path_part("id").to_owned());
    let now = app.trail.now().0;
    let (ended, which) = (id.clone(), id.clone());
    let silences = blocking(move || app.alerts.book.silences(now)).await?.map_err(Problem::internal)?;
    let Some(silence) = silences.into_iter().find(|silence| silence.id == which) else {
        return Err(problem(SilenceError::NotFound { id }));
    };
    let mark = call.record(call.app.logs.first(), about(call, &silence, OutcomeResult::Allowed)).await?;
    let app = Arc::clone(&call.app);
    match blocking(move || app.alerts.book.unsilence(&ended, now)).await? {
        Ok(silence) => Ok((silence, mark)),
        Err(error) => {
            let _mark = call.record(call.app.logs.first(), about(call, &silence, OutcomeResult::Failed)).await?;
            Err(problem(error))
        }
    }
}

fn about<'a>(call: &'a Call, silence: &'a Silence, result: OutcomeResult) -> indelible_event::build::EventBuilder<'a> {
    let mut event =
        call.event_of(Action::Configure).result(result).reason(&silence.reason).resource("silence", &silence.id);
    let named = [("log", &silence.log), ("rule", &silence.rule), ("entity", &silence.entity)];
    for (name, value) in named {
        if let Some(value) = value {
            event = event.attribute(name, value.as_str());
        }
    }
    event.attribute("until", indelible_event::time::RecordedTime(silence.until_unix_ns).to_string())
}

fn problem(error: SilenceError) -> Problem {
    match error {
        SilenceError::NotFound { .. } => Problem::new(Kind::NotFound, error.to_string()),
        SilenceError::TooMany => Problem::new(Kind::Conflict, error.to_string()),
        SilenceError::Everything => wrong("rule", "missing", error.to_string()),
        SilenceError::End => wrong("until", "wrong-value", error.to_string()),
        SilenceError::Text { field } => wrong(field, "wrong-value", error.to_string()),
        SilenceError::Book(error) => Problem::internal(error),
    }
}
