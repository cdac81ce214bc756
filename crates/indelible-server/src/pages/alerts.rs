//! Alerts: the list to triage, one with its evidence, and what somebody decides about it. The decisions are those of the API.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use indelible_access::Action;
use indelible_detect::alert::{Alert, AlertState};
use indelible_detect::book::{Attempted, NoticeState, Silence};
use indelible_detect::finding::{Finding, Severity};
use indelible_event::time::RecordedTime;

use super::html;
use super::see_other;
use super::shell::Shell;
use crate::api::alerts::{Decision, LIST_PARAMETERS, Shown, decide, listed, looked_up, shown};
use crate::api::silences::{SilenceRequest, keep, lift};
use crate::api::{blocking, form};
use crate::call::{Answer, Call};
use crate::problem::Problem;

/// How long a silence may be chosen to last, in hours.
const SILENCES: [(&str, &str, i64); 4] =
    [("1h", "an hour", 1), ("1d", "a day", 24), ("7d", "a week", 168), ("30d", "thirty days", 720)];
const HOUR_NS: i64 = 3_600 * 1_000_000_000;

/// What the list was asked for.
#[derive(Debug, Default)]
struct Asked {
    state: String,
    severity: String,
    rule: String,
    entity: String,
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    shell: Shell,
    asked: Asked,
    alerts: Vec<Alert>,
    next: Option<String>,
    may_handle: bool,
}

/// Lists alerts.
pub(super) async fn list(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&LIST_PARAMETERS)?;
    let (alerts, next, mark) = listed(call, &parameters).await?;
    let text = |name: &str| parameters.get(name).unwrap_or_default().to_owned();
    let asked = Asked { state: text("state"), severity: text("severity"), rule: text("rule"), entity: text("entity") };
    let log = call.log_or_default(parameters.get("log").filter(|log| !log.is_empty()))?;
    let shell = Shell::of(call, "Alerts", log);
    let next = next.map(|cursor| {
        shell.to(
            "/alerts",
            &[
                ("state", &asked.state),
                ("severity", &asked.severity),
                ("rule", &asked.rule),
                ("entity", &asked.entity),
                ("cursor", &cursor),
            ],
        )
    });
    let page = AlertsPage { may_handle: shell.may(Action::HandleAlerts), shell, asked, alerts, next };
    html::answer(call, &page, mark)
}

#[derive(Template)]
#[template(path = "alert.html")]
struct AlertPage {
    shell: Shell,
    alert: Alert,
    findings: Vec<Finding>,
    notices: Vec<Attempted>,
    silences: Vec<Silence>,
    /// What the rule says of itself.
    about: Option<String>,
    may_handle: bool,
}

/// Shows one.
pub(super) async fn show(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&["log"])?;
    let (Shown { alert, findings, notices }, mark) = shown(call).await?;
    let log = call.app.logs.get(&alert.log).unwrap_or_else(|| call.app.logs.first());
    let shell = Shell::of(call, alert.rule.title.as_str(), log);
    let (app, now) = (Arc::clone(&call.app), call.app.trail.now().0);
    let mut silences = blocking(move || app.alerts.book.silences(now)).await?.map_err(Problem::internal)?;
    silences.retain(|silence| covers(silence, &alert));
    let rules = call.app.rules.now();
    let infos = rules.set.infos();
    let about = infos.iter().find(|info| info.id == alert.rule.id).map(|info| info.description.clone());
    let page =
        AlertPage { may_handle: shell.may(Action::HandleAlerts), shell, alert, findings, notices, silences, about };
    html::answer(call, &page, mark)
}

fn covers(silence: &Silence, alert: &Alert) -> bool {
    let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
    is(&silence.log, &alert.log) && is(&silence.rule, &alert.rule.id) && is(&silence.entity, &alert.entity.id)
}

/// Somebody takes it.
pub(super) async fn acknowledge(call: &Call, body: Body) -> Result<Answer, Problem> {
    let form = form(call, body, &["owner", "back"]).await?;
    let owner = form.get("owner").map(str::trim).filter(|owner| !owner.is_empty()).map(str::to_owned);
    let (alert, mark) = decide(call, Decision::acknowledge(call, owner)).await?;
    let to = if form.get("back") == Some("list") { "/alerts".to_owned() } else { format!("/alerts/{}", alert.id) };
    Ok(Answer::new(see_other(&to), mark))
}

/// It is done.
pub(super) async fn close(call: &Call, body: Body) -> Result<Answer, Problem> {
    let form = form(call, body, &["reason"]).await?;
    let reason = form.get("reason").unwrap_or_default().trim().to_owned();
    let (alert, mark) = decide(call, Decision::close(reason)).await?;
    Ok(Answer::new(see_other(&format!("/alerts/{}", alert.id)), mark))
}

/// Nobody is told of the like for a while.
pub(super) async fn silence(call: &Call, body: Body) -> Result<Answer, Problem> {
    let form = form(call, body, &["what", "until", "reason"]).await?;
    let alert = looked_up(call).await?.alert;
    let chosen = form.get("until").unwrap_or_default();
    let hours = SILENCES.iter().find(|(word, ..)| *word == chosen).map(|(.., hours)| *hours);
    let until = hours.map_or_else(
        || chosen.to_owned(),
        |hours| RecordedTime(call.app.trail.now().0 + hours * HOUR_NS).whole_seconds(),
    );
    let both = form.get("what") != Some("rule");
    let asked = SilenceRequest {
        log: Some(alert.log.clone()),
        rule: Some(alert.rule.id.clone()),
        entity: both.then(|| alert.entity.id.clone()),
        reason: form.get("reason").unwrap_or_default().trim().to_owned(),
        until,
    };
    let (_, mark) = keep(call, asked).await?;
    Ok(Answer::new(see_other(&format!("/alerts/{}", alert.id)), mark))
}

/// Everybody is told again.
pub(super) async fn end_silence(call: &Call) -> Result<Answer, Problem> {
    let (_, mark) = lift(call).await?;
    let back = call.parts.headers.get("referer").and_then(|value| value.to_str().ok()).and_then(|from| {
        let path = from.split_once("://")?.1;
        path.find("/alerts").and_then(|at| path.get(at..))
    });
    Ok(Answer::new(see_other(back.unwrap_or("/alerts")), mark))
}

/// The word of a notice's state.
fn notice_state(state: &NoticeState) -> &'static str {
    match state {
        NoticeState::Waiting => "waiting",
        NoticeState::Delivered => "delivered",
        NoticeState::Dead => "given up",
    }
}
