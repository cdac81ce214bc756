//! Alerts: which there are, what is behind one, taking and closing it. What somebody decides is on record before it takes effect.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use indelible_detect::alert::{Alert, AlertId, AlertState};
use indelible_detect::book::{AlertFilter, Attempted, DecideError};
use indelible_detect::finding::{Finding, Severity};
use indelible_event::words::{Action, OutcomeResult};
use serde::Deserialize;
use serde_json::json;

use super::body::small;
use super::times::with_times;
use super::{blocking, count};
use crate::call::{Answer, Call, json_response};
use crate::problem::{Kind, Problem};
use crate::query_string::{Parameters, wrong};
use crate::trail::{Mark, bounded};

/// Alerts on a page, unless asked otherwise.
const PAGE: u64 = 100;
const PAGE_MAX: u64 = 1_000;
/// What a list of alerts can be asked for.
pub(crate) static LIST_PARAMETERS: [&str; 7] = ["state", "severity", "log", "rule", "entity", "limit", "cursor"];
/// Findings shown of an alert.
const FINDINGS_MAX: u32 = 100;

/// Somebody takes an alert.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcknowledgeRequest {
    /// Who looks after it; the caller when missing.
    owner: Option<String>,
}

/// An alert is done.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseRequest {
    /// Why.
    reason: String,
}

/// Lists alerts.
#[utoipa::path(
    get, path = "/v1/alerts", operation_id = "alerts.list", tag = "alerts",
    params(
        ("state" = Option<String>, Query, description = "`open`, `acknowledged` or `closed`; several by commas; not closed when missing; `any`"),
        ("severity" = Option<String>, Query, description = "At least this: `informational`, `low`, `medium`, `high`, `critical`"),
        ("log" = Option<String>, Query, description = "In one log"),
        ("rule" = Option<String>, Query, description = "Of one rule: its id"),
        ("entity" = Option<String>, Query, description = "About one entity: its id"),
        ("limit" = Option<u64>, Query, description = "How many at most"),
        ("cursor" = Option<String>, Query, description = "Where the page before ended"),
    ),
    responses((
        status = 200, body = serde_json::Value,
        description = "`{\"alerts\": [{\"id\", \"log\", \"rule\": {\"id\", \"title\"}, \"severity\", \"entity\": {\"kind\", \"id\"}, \
            \"state\", \"owner\", \"reason\", \"opened\", \"last\", \"findings\", \"escalated\", \"silenced\", \
            \"latest\"}], \"cursor\"}`, the newest finding first",
    ))
)]
pub(crate) async fn list(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&LIST_PARAMETERS)?;
    let (page, next, mark) = listed(call, &parameters).await?;
    Answer::json(&with_times(json!({"alerts": page, "cursor": next}))?, mark)
}

/// The alerts that the parameters ask for, with the cursor of the page after; on record.
pub(crate) async fn listed(
    call: &Call,
    parameters: &Parameters,
) -> Result<(Vec<Alert>, Option<String>, Mark), Problem> {
    let text = |name: &str| parameters.get(name).filter(|text| !text.is_empty());
    let filter = AlertFilter {
        states: states(text("state"))?,
        least: text("severity").map(severity).transpose()?,
        log: text("log").map(str::to_owned),
        rule: text("rule").map(str::to_owned),
        entity: text("entity").map(str::to_owned),
        visible: visible(call),
    };
    let most = parameters.number("limit", 1, PAGE_MAX)?.unwrap_or(PAGE);
    let after = text("cursor").map(cursor).transpose()?;
    let app = Arc::clone(&call.app);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let page =
        blocking(move || app.alerts.book.alerts(&filter, after.as_ref(), most)).await?.map_err(Problem::internal)?;
    let event = call.event().attribute("alerts", count(page.alerts.len() as u64));
    let mark = call.record(call.app.logs.first(), event).await?;
    Ok((page.alerts, page.next.map(|(last, id)| format!("{last}-{id}")), mark))
}

/// Shows an alert with what is behind it.
#[utoipa::path(
    get, path = "/v1/alerts/{id}", operation_id = "alerts.show", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id")),
    responses(
        (status = 200, body = serde_json::Value, description = "`{\"alert\", \"findings\": […], \"notices\": […]}`: the newest \
            findings with their events, and whom receivers were told"),
        (status = 404, description = "No such alert"),
    )
)]
pub(crate) async fn show(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let (Shown { alert, findings, notices }, mark) = shown(call).await?;
    Answer::json(&with_times(json!({"alert": alert, "findings": findings, "notices": notices}))?, mark)
}

/// An alert with what is behind it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) alert: Alert,
    /// The newest.
    pub(crate) findings: Vec<Finding>,
    /// Whom receivers were told.
    pub(crate) notices: Vec<Attempted>,
}

/// The alert that the path names, on record.
pub(crate) async fn shown(call: &Call) -> Result<(Shown, Mark), Problem> {
    let shown = looked_up(call).await?;
    let mark = call.record(call.app.logs.first(), call.event().resource("alert", shown.alert.id.as_str())).await?;
    Ok((shown, mark))
}

/// The same for a decision about it, which has a record of its own.
pub(crate) async fn looked_up(call: &Call) -> Result<Shown, Problem> {
    let id = id(call)?;
    let (app, which) = (Arc::clone(&call.app), id.clone());
    let read = move || {
        let book = &app.alerts.book;
        let Some(alert) = book.alert(&which)? else { return Ok(None) };
        Ok(Some((alert, book.findings(&which, FINDINGS_MAX)?, book.notices(&which)?)))
    };
    let read: Result<_, indelible_detect::book::BookError> = blocking(read).await?;
    let found = read.map_err(Problem::internal)?.filter(|(alert, ..)| may_see(call, alert));
    let Some((alert, findings, notices)) = found else { return Err(not_found(&id)) };
    Ok(Shown { alert, findings, notices })
}

/// Takes an alert.
#[utoipa::path(
    post, path = "/v1/alerts/{id}/acknowledge", operation_id = "alerts.acknowledge", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id")),
    request_body = inline(AcknowledgeRequest),
    responses(
        (status = 200, body = serde_json::Value, description = "The alert as it stands now"),
        (status = 404, description = "No such alert"),
        (status = 409, description = "It is closed"),
    )
)]
pub(crate) async fn acknowledge(call: &Call, body: Body) -> Result<Answer, Problem> {
    let asked: AcknowledgeRequest = read(call, body).await?;
    answer(decide(call, Decision::acknowledge(call, asked.owner)).await?)
}

/// Closes an alert.
#[utoipa::path(
    post, path = "/v1/alerts/{id}/close", operation_id = "alerts.close", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id")),
    request_body = inline(CloseRequest),
    responses(
        (status = 200, body = serde_json::Value, description = "The alert as it stands now"),
        (status = 404, description = "No such alert"),
        (status = 409, description = "It is closed already"),
    )
)]
pub(crate) async fn close(call: &Call, body: Body) -> Result<Answer, Problem> {
    let asked: CloseRequest = read(call, body).await?;
    answer(decide(call, Decision::close(asked.reason)).await?)
}

/// What somebody decides about an alert.
#[derive(Debug)]
pub(crate) struct Decision {
    field: &'static str,
    text: String,
    close: bool,
}

impl Decision {
    /// It is looked after: by `owner`, or by the caller.
    pub(crate) fn acknowledge(call: &Call, owner: Option<String>) -> Self {
        Self { field: "owner", text: owner.unwrap_or_else(|| call.caller().to_owned()), close: false }
    }

    /// It is done.
    pub(crate) fn close(reason: String) -> Self {
        Self { field: "reason", text: reason, close: true }
    }
}

fn answer((alert, mark): (Alert, Mark)) -> Result<Answer, Problem> {
    let body = serde_json::to_vec(&with_times(json!({"alert": alert}))?).map_err(Problem::internal)?;
    Ok(Answer::new(json_response(StatusCode::OK, body), mark))
}

/// Decides about the alert that the path names; on record before it takes effect.
pub(crate) async fn decide(call: &Call, decision: Decision) -> Result<(Alert, Mark), Problem> {
    call.parameters(&[])?;
    let id = id(call)?;
    let Decision { field, text, close } = decision;
    let (app, which, given) = (Arc::clone(&call.app), id.clone(), text.clone());
    let alert = blocking(move || app.alerts.book.can_decide(&which, field, &given)).await?.map_err(problem)?;
    if !may_see(call, &alert) {
        return Err(not_found(&id));
    }
    let about = |result| {
        let event = call
            .event_of(Action::Modify)
            .result(result)
            .resource("alert", id.as_str())
            .attribute("rule", bounded(&alert.rule.id))
            .attribute("entity", bounded(&alert.entity.id));
        if close { event.reason(&text) } else { event.attribute("owner", text.as_str()) }
    };
    let log = call.app.logs.get(&alert.log).unwrap_or_else(|| call.app.logs.first());
    let mark = call.record(log, about(OutcomeResult::Allowed)).await?;
    let (app, which, given) = (Arc::clone(&call.app), id.clone(), text.clone());
    let now = app.trail.now().0;
    let decided = blocking(move || {
        let book = &app.alerts.book;
        let decided = if close { book.close(&which, &given, now) } else { book.acknowledge(&which, &given, now) };
        app.alerts.ring();
        decided
    });
    match decided.await? {
        Ok(alert) => Ok((alert, mark)),
        Err(error) => {
            // On record, and it did not happen: say so.
            let _mark = call.record(log, about(OutcomeResult::Failed)).await?;
            Err(problem(error))
        }
    }
}

async fn read<T: serde::de::DeserializeOwned>(call: &Call, body: Body) -> Result<T, Problem> {
    let body = small(&call.app, &call.parts.headers, body).await?;
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(body)
        .map_err(|error| wrong("", "wrong-body", format!("the body is not a decision: {error}")))
}

fn id(call: &Call) -> Result<AlertId, Problem> {
    let text = call.path_part("id");
    AlertId::parse(text).ok_or_else(|| wrong("id", "wrong-value", "an alert's id has 32 hexadecimal digits".to_owned()))
}

fn states(text: Option<&str>) -> Result<Vec<AlertState>, Problem> {
    let Some(text) = text else { return Ok(vec![AlertState::Open, AlertState::Acknowledged]) };
    if text == "any" {
        return Ok(Vec::new());
    }
    let state = |word: &str| {
        AlertState::from_word(word).ok_or_else(|| {
            wrong(
                "state",
                "wrong-value",
                "a state is `open`, `acknowledged` or `closed`; all of them are `any`".to_owned(),
            )
        })
    };
    text.split(',').map(state).collect()
}

fn severity(text: &str) -> Result<Severity, Problem> {
    Severity::from_word(text).ok_or_else(|| {
        let words = Severity::ALL.map(Severity::as_str).join("`, `");
        wrong("severity", "wrong-value", format!("a severity is one of `{words}`"))
    })
}

fn cursor(text: &str) -> Result<(i64, AlertId), Problem> {
    let parts = text.rsplit_once('-').and_then(|(last, id)| Some((last.parse().ok()?, AlertId::parse(id)?)));
    parts.ok_or_else(|| wrong("cursor", "wrong-value", "this is no cursor of a page of alerts".to_owned()))
}

/// The logs that a limited token may see.
pub(crate) fn visible(call: &Call) -> Option<Vec<String>> {
    call.identity.as_ref().and_then(|identity| identity.logs.as_ref()).map(|logs| logs.to_vec())
}

fn may_see(call: &Call, alert: &Alert) -> bool {
    call.identity.as_ref().is_none_or(|identity| identity.may_use_log(&alert.log))
}

fn not_found(id: &AlertId) -> Problem {
    Problem::new(Kind::NotFound, DecideError::NotFound { id: id.to_string() }.to_string())
}

fn problem(error: DecideError) -> Problem {
    match error {
        DecideError::NotFound { .. } => Problem::new(Kind::NotFound, error.to_string()),
        DecideError::Closed { .. } => Problem::new(Kind::Conflict, error.to_string()),
        DecideError::Text { field } => wrong(field, "wrong-value", error.to_string()),
        DecideError::Book(error) => Problem::internal(error),
    }
}
