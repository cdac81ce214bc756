//! Receivers: which there are, how they do, and trying one. Never: an address or a secret of theirs.

use std::sync::Arc;

use axum::http::StatusCode;
use indelible_detect::book::{BookError, ReceiverState};
use indelible_detect::receivers::Receiver;
use indelible_event::words::{Action, OutcomeResult};
use serde_json::json;

use super::times::with_times;
use super::{blocking, count};
use crate::alerts;
use crate::call::{Answer, Call, json_response};
use crate::problem::{Kind, Problem};
use crate::telemetry::chain;
use crate::trail::Mark;

/// Lists receivers.
#[utoipa::path(
    get, path = "/v1/receivers", operation_id = "receivers.list", tag = "alerts",
    responses((
        status = 200, body = serde_json::Value,
        description = "`{\"receivers\": [{\"name\", \"type\", \"delivered\", \"waiting\", \"dead\", \"last_delivered\", \
            \"failing_since\", \"error\"}]}`",
    ))
)]
pub(crate) async fn list(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let states = states(call).await?;
    let shown = states.into_iter().map(|(name, kind, state)| {
        let mut shown = serde_json::to_value(state).unwrap_or_default();
        if let Some(object) = shown.as_object_mut() {
            object.insert("name".to_owned(), json!(name));
            object.insert("type".to_owned(), json!(kind));
        }
        shown
    });
    let receivers: Vec<_> = shown.collect();
    let mark =
        call.record(call.app.logs.first(), call.event().attribute("receivers", count(receivers.len() as u64))).await?;
    Answer::json(&with_times(json!({"receivers": receivers}))?, mark)
}

/// Every receiver: its name, its kind, how it does.
pub(crate) async fn states(call: &Call) -> Result<Vec<(String, &'static str, ReceiverState)>, Problem> {
    let app = Arc::clone(&call.app);
    let read = move || {
        let one = |receiver: &Arc<Receiver>| {
            Ok((receiver.name().to_owned(), receiver.kind(), app.alerts.book.receiver(receiver.name())?))
        };
        app.alerts.receivers().iter().map(one).collect::<Result<Vec<_>, BookError>>()
    };
    blocking(read).await?.map_err(Problem::internal)
}

/// Tries a receiver.
#[utoipa::path(
    post, path = "/v1/receivers/{name}/test", operation_id = "receivers.test", tag = "alerts",
    params(("name" = String, Path, description = "The receiver's name")),
    responses(
        (status = 200, body = serde_json::Value, description = "It took the notice: `{\"delivered\": true}`"),
        (status = 404, description = "No such receiver"),
        (status = 502, description = "It did not take it, and why"),
    )
)]
pub(crate) async fn test(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let mark = tried(call).await?;
    let body = serde_json::to_vec(&json!({"delivered": true})).map_err(Problem::internal)?;
    Ok(Answer::new(json_response(StatusCode::OK, body), mark))
}

/// Tries the receiver that the path names; on record however it went.
pub(crate) async fn tried(call: &Call) -> Result<Mark, Problem> {
    let name = call.path_part("name");
    let known = call.app.alerts.receivers();
    let Some(receiver) = known.iter().find(|receiver| receiver.name() == name).map(Arc::clone) else {
        let near = crate::near::nearest(name, known.iter().map(|receiver| receiver.name()));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let name = crate::logs::shown(name);
        return Err(Problem::new(Kind::NotFound, format!("no receiver is named `{name}`{hint}")));
    };
    let (log, now) = (call.app.logs.first().name().to_owned(), call.app.trail.now().0);
    let sent = blocking(move || alerts::test(&receiver, &log, now)).await?;
    let result = if sent.is_ok() { OutcomeResult::Allowed } else { OutcomeResult::Failed };
    let event = call.event_of(Action::Execute).result(result).resource("receiver", name);
    let mark = call.record(call.app.logs.first(), event).await?;
    match sent {
        Ok(()) => Ok(mark),
        Err(error) => {
            let why = chain(&error);
            Err(Problem::new(Kind::ReceiverFailed, format!("the receiver `{name}` did not take the notice: {why}")))
        }
    }
}
