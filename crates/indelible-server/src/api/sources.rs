//! `GET /v1/sources`: which sources a log has, and whether all that they sent is there.

use std::sync::Arc;

use axum::http::StatusCode;

use super::count;
use crate::call::{Answer, Call, json_response};
use crate::problem::Problem;

/// Lists sources.
#[utoipa::path(
    get, path = "/v1/sources", operation_id = "sources.list", tag = "sources",
    params(("log" = Option<String>, Query, description = "The log; the first one when missing")),
    responses((
        status = 200, body = serde_json::Value,
        description = "`{\"log\", \"watched\", \"sources\": [{\"id\", \"verdict\", \"last_seen\", \"events\", \"gaps\": \
            [{\"first\", \"last\"}], \"skew_ms\", \"late\", …}]}`; a verdict is `complete`, `gaps`, `silent` or `unknown`",
    ))
)]
pub(crate) async fn list(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["log"])?;
    let log = Arc::clone(call.log_or_default(parameters.get("log"))?);
    let sources = call.app.watched.sources_of(log.name());
    let watched = sources.is_some();
    let sources = sources.unwrap_or_default();
    let found = count(sources.len() as u64);
    let body = serde_json::json!({"log": log.name(), "watched": watched, "sources": sources});
    let body = serde_json::to_vec(&body).map_err(Problem::internal)?;
    let event = call.event().resource("log", log.name()).attribute("sources", found);
    let mark = call.record(&log, event).await?;
    Ok(Answer::new(json_response(StatusCode::OK, body), mark))
}
