//! `GET /v1/rules`: the rules in force, and those that cannot be used.

use serde_json::json;

use super::count;
use crate::call::{Answer, Call};
use crate::problem::Problem;

/// Lists rules.
#[utoipa::path(
    get, path = "/v1/rules", operation_id = "rules.list", tag = "alerts",
    responses((
        status = 200, body = serde_json::Value,
        description = "`{\"rules\": [{\"id\", \"title\", \"description\", \"severity\", \"tags\", \"false_positives\", \"file\", \
            \"correlation\", \"alerts\"}], \"skipped\": [{\"file\", \"line\", \"rule\", \"reason\"}], \
            \"inactive\": [{\"id\", \"title\", \"file\", \"lists\"}]}`: those that cannot be used, and those that wait for a list",
    ))
)]
pub(crate) async fn list(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let loaded = call.app.rules.now();
    let event = call.event().attribute("rules", count(loaded.set.len() as u64));
    let mark = call.record(call.app.logs.first(), event).await?;
    Answer::json(
        &json!({"rules": loaded.set.infos(), "skipped": loaded.skipped, "inactive": loaded.set.inactive()}),
        mark,
    )
}
