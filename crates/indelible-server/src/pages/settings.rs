//! `GET /settings`: the configuration in force, the rules, and the receivers with a button to try each. Read-only but for the trying.

use askama::Template;
use indelible_detect::book::ReceiverState;
use indelible_event::percent::encode;

use super::html;
use super::see_other;
use super::shell::Shell;
use crate::api::count;
use crate::api::receivers::{states, tried};
use crate::call::{Answer, Call};
use crate::config::in_force;
use crate::problem::Problem;
use indelible_access::Action;

/// A rule in a line.
#[derive(Debug)]
struct RuleLine {
    title: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    shell: Shell,
    receivers: Vec<(String, &'static str, ReceiverState)>,
    may_test: bool,
    tested: String,
    active: Vec<RuleLine>,
    waiting: Vec<RuleLine>,
    skipped: Vec<RuleLine>,
    configuration: String,
}

/// Shows the settings.
pub(super) async fn show(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["log", "tested"])?;
    let receivers = states(call).await?;
    let rules = call.app.rules.now();
    let active = rules
        .set
        .infos()
        .into_iter()
        .map(|info| RuleLine { title: info.title.clone(), detail: format!("{}: {}", info.severity, info.description) });
    let waiting = rules
        .set
        .inactive()
        .iter()
        .map(|rule| RuleLine { title: rule.title.clone(), detail: format!("waits for {}", rule.lists.join(", ")) });
    let skipped = rules.skipped.iter().map(|rule| RuleLine {
        title: rule.rule.clone().unwrap_or_else(|| rule.file.clone()),
        detail: rule.reason.clone(),
    });
    let shell = Shell::of(call, "Settings", call.app.logs.first());
    let page = SettingsPage {
        may_test: shell.may(Action::HandleAlerts),
        tested: parameters.get("tested").unwrap_or_default().to_owned(),
        active: active.collect(),
        waiting: waiting.collect(),
        skipped: skipped.collect(),
        configuration: in_force(&call.app.config),
        receivers,
        shell,
    };
    let event = call.event().attribute("receivers", count(page.receivers.len() as u64));
    let mark = call.record(call.app.logs.first(), event).await?;
    html::answer(call, &page, mark)
}

/// Tries a receiver.
pub(super) async fn test(call: &Call) -> Result<Answer, Problem> {
    let mark = tried(call).await?;
    Ok(Answer::new(see_other(&format!("/settings?tested={}", encode(call.path_part("name")))), mark))
}
