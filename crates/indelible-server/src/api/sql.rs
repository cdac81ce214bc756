//! `POST /v1/sql`: one read-only statement over the table `events`, within limits of rows, time and memory.

use axum::body::Body;
use axum::http::StatusCode;
use indelible_search::{SQL_ROWS_MAX, SqlRequest};
use serde::{Deserialize, Serialize};

use super::body::small;
use super::count;
use super::find::{place, refresh};
use crate::call::{Answer, Call, json_response};
use crate::problem::Problem;
use crate::query_string::wrong;
use crate::trail::bounded;

/// A statement.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlQuestion {
    /// One `select` over `events`.
    query: String,
    /// The log; the first one when missing.
    log: Option<String>,
    /// Most rows, at most `limits.query_rows`.
    max_rows: Option<usize>,
}

/// A column of the answer.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// The answer.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SqlReply {
    log: String,
    columns: Vec<Column>,
    rows: Vec<Vec<serde_json::Value>>,
    /// Whether rows were left out because of a limit.
    truncated: bool,
    /// How many entries the statement saw: all below this index.
    size: u64,
}

/// Runs a statement.
#[utoipa::path(
    post, path = "/v1/sql", operation_id = "events.sql", tag = "events",
    request_body = inline(SqlQuestion),
    responses(
        (status = 200, description = "The rows", body = inline(SqlReply)),
        (status = 400, description = "The statement is wrong or not allowed", body = inline(crate::problem::Document<'static>)),
        (status = 422, description = "It needs more time or memory than allowed", body = inline(crate::problem::Document<'static>)),
    )
)]
pub(crate) async fn sql(call: &Call, body: Body) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let body = small(&call.app, &call.parts.headers, body).await?;
    let asked: SqlQuestion = serde_json::from_slice(&body)
        .map_err(|error| wrong("", "wrong-body", format!("the body is not `{{\"query\": \"select …\"}}`: {error}")))?;
    let log = call.log_or_default(asked.log.as_deref())?;
    let index = log.index()?;
    let limits = &call.app.config.limits;
    let most = usize::try_from(limits.query_rows).unwrap_or(SQL_ROWS_MAX).min(SQL_ROWS_MAX);
    let _place = place(&call.app.queries, "queries")?;
    refresh(&call.app, log, index).await?;
    let request = SqlRequest {
        query: asked.query.clone(),
        max_rows: asked.max_rows.unwrap_or(most).min(most),
        time: limits.query_time.duration(),
        memory: limits.query_memory.in_memory(),
    };
    let answer = index.sql(request).await?;
    let rows = answer.rows.len() as u64;
    let reply = SqlReply {
        log: log.name().to_owned(),
        columns: answer.columns.into_iter().map(|column| Column { name: column.name, kind: column.kind }).collect(),
        rows: answer.rows,
        truncated: answer.truncated,
        size: answer.size,
    };
    let body = serde_json::to_vec(&reply).map_err(Problem::internal)?;
    let event = call.event().resource("log", log.name()).attribute("query", bounded(&asked.query));
    let mark = call.record(log, event.attribute("rows", count(rows))).await?;
    Ok(Answer::new(json_response(StatusCode::OK, body), mark))
}
