//! `GET /v1/stats`: how many events match, by fields and by time.

use axum::http::StatusCode;
use indelible_search::{Counting, ROWS_MAX, StatsRequest, Timed};
use serde_json::Value;

use super::count;
use super::find::{place, question, refresh};
use crate::call::{Answer, Call, json_response};
use crate::problem::Problem;
use crate::query_string::wrong;

/// Counts events.
#[utoipa::path(
    get, path = "/v1/stats", operation_id = "events.count", tag = "events",
    params(
        ("q" = Option<String>, Query, description = "The query; every event when missing"),
        ("by" = Option<String>, Query, description = "Fields to count by, separated by commas; at most 4"),
        ("interval" = Option<String>, Query, description = "Length of time buckets, such as `15m`, `1h`, `1d`"),
        ("from" = Option<String>, Query, description = "Events from this time on"),
        ("to" = Option<String>, Query, description = "Events up to this time"),
        ("limit" = Option<u64>, Query, description = "Most rows, 1 to 10000; the largest counts are kept"),
        ("log" = Option<String>, Query, description = "The log; the first one when missing"),
    ),
    responses((
        status = 200, body = serde_json::Value,
        description = "`{\"log\", \"rows\": [{\"<field>\": …, \"time\": …, \"count\": n}], \"truncated\", \"matched\", \"size\"}`",
    ))
)]
pub(crate) async fn count_events(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["q", "by", "interval", "from", "to", "limit", "log"])?;
    let limits = &call.app.config.limits;
    let most = (ROWS_MAX as u64).min(limits.query_rows);
    let limit = parameters.number("limit", 1, most)?.unwrap_or(most);
    let by: Vec<String> =
        parameters.get("by").unwrap_or_default().split(',').map(str::trim).map(str::to_owned).collect();
    let by: Vec<String> = by.into_iter().filter(|field| !field.is_empty()).collect();
    // Rows have a `count` and a `time` of their own.
    if by.iter().any(|field| field == "count") {
        return Err(wrong("by", "wrong-value", "write `resources.count` to count by that field".to_owned()));
    }
    let question = question(call, &parameters)?;
    let _place = place(&call.app.queries, "queries")?;
    refresh(&call.app, &question.log, &question.index).await?;
    let interval = parameters.get("interval");
    let counting = Counting::by(&by).each(interval).most(usize::try_from(limit).unwrap_or(ROWS_MAX));
    let mut request = StatsRequest::new(question.query.clone(), counting);
    request.time = limits.query_time.duration();
    let timed = if interval.is_some() { Timed::Yes } else { Timed::No };
    let answer = question.index.stats(request).await?;
    let rows: Vec<Value> = answer.rows.iter().map(|row| row.to_json(&by, timed)).collect();
    let found = rows.len() as u64;
    let body = serde_json::json!({
        "log": question.log.name(),
        "rows": rows,
        "truncated": answer.truncated,
        "matched": answer.matched,
        "size": answer.size,
    });
    let body = serde_json::to_vec(&body).map_err(Problem::internal)?;
    let by = by.join(",");
    let event = question.asked.describe(call.event().resource_count("log", question.log.name(), answer.matched));
    let event = event.attribute("by", by.as_str()).attribute("rows", count(found));
    let mark = call.record(&question.log, event).await?;
    Ok(Answer::new(json_response(StatusCode::OK, body), mark))
}
