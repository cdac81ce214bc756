//! Queries over what is in the log, warm, one at a time: one actor's events of one day, counts by model and day, events by id;
//! each through the query language and, where SQL can say the same, through SQL.
//!
//! Never: a query whose answer is empty; what is asked for is taken from the log first.

use std::io;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use crate::http::{Connection, encoded, head};
use crate::latency::Latencies;
use crate::report::Report;
use crate::target::Target;

/// Ids looked up at once.
const IDS: usize = 20;
/// Events of a page.
const PAGE: usize = 100;

/// Queries to measure.
#[derive(Args, Clone, Debug)]
pub struct Query {
    /// How often each is run, measured.
    #[arg(long, default_value_t = 30)]
    pub times: u32,
    /// How often before that, not measured.
    #[arg(long, default_value_t = 5)]
    pub warm_up: u32,
}

/// What is asked for.
struct Subject {
    actor: String,
    day: String,
    ids: Vec<String>,
}

/// Runs the queries.
///
/// # Errors
/// When the server cannot be reached or refuses a query.
pub fn run(query: &Query, target: &Target) -> io::Result<Report> {
    let mut report = Report::new("query");
    let mut connection = Connection::to(&target.address);
    let subject = find_subject(&mut connection, target)?;
    for (name, request, rows) in requests(&subject, target) {
        let mut latencies = Latencies::default();
        let mut answer = Value::Null;
        for run in 0..query.warm_up + query.times {
            let began = Instant::now();
            let body = connection.send(&request)?.ok().map_err(|error| io::Error::other(format!("{name}: {error}")))?;
            if run >= query.warm_up {
                latencies.add(began.elapsed());
            }
            answer = serde_json::from_slice(&body)?;
        }
        let count = answer.get(rows).and_then(Value::as_array).map_or(0, Vec::len);
        if count == 0 {
            report.faults.push(format!("{name} found nothing"));
        }
        report.add(name, json!({ "rows": count, "latency_ms": latencies.to_json() }));
    }
    Ok(report)
}

/// An actor in the middle of the field on the fullest day, and ids of events.
fn find_subject(connection: &mut Connection, target: &Target) -> io::Result<Subject> {
    let mut ask = |query: &str| -> io::Result<Vec<String>> {
        let answer = connection.send(&sql(query, target))?.ok()?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let rows = answer.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(rows.iter().filter_map(|row| Some(row.get(0)?.as_str()?.to_owned())).collect())
    };
    let days = ask(
        "select cast(date_trunc('day', time) as varchar) as day, count(*) as n from events group by 1 order by n desc limit 1",
    )?;
    let day: String = days.first().map(|day| day.chars().take(10).collect()).unwrap_or_default();
    let actors = ask(&format!(
        "select actor_id, count(*) as n from events where {} group by actor_id order by n desc, actor_id limit 500",
        within(&day)
    ))?;
    let actor = actors.get(actors.len() / 2).cloned().unwrap_or_default();
    let ids = ask(&format!("select id from events where actor_id = '{actor}' and {} limit {IDS}", within(&day)))?;
    if ids.is_empty() {
        return Err(io::Error::other("the log is empty: fill it first"));
    }
    Ok(Subject { actor, day, ids })
}

fn within(day: &str) -> String {
    format!("time >= timestamp '{day}T00:00:00Z' and time <= timestamp '{day}T23:59:59.999999999Z'")
}

fn sql(query: &str, target: &Target) -> Vec<u8> {
    let body = json!({ "query": query, "log": target.log }).to_string();
    let mut request = head("POST", "/v1/sql", &target.token, Some(("application/json", body.len())));
    request.extend_from_slice(body.as_bytes());
    request
}

/// Name, request, and the field of the answer that lists what was found.
fn requests(subject: &Subject, target: &Target) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let Subject { actor, day, ids } = subject;
    let get = |path: String| head("GET", &format!("{path}&log={}", target.log), &target.token, None);
    let span = format!("from={day}T00:00:00Z&to={day}T23:59:59.999999999Z");
    let quoted: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    let first = ids.first().cloned().unwrap_or_default();
    let either = encoded(&ids.iter().map(|id| format!("id:{id}")).collect::<Vec<_>>().join(" or "));
    let actor_q = encoded(&format!("actor:\"{actor}\""));
    let model_day = "select ai_request_model, date_trunc('day', time) as day, count(*) as n from events group by 1, 2";
    let columns = "select index, id, time, action, operation, outcome_result from events";
    vec![
        ("events_actor_day", get(format!("/v1/events?q={actor_q}&{span}&limit={PAGE}")), "events"),
        (
            "sql_actor_day",
            sql(
                &format!("{columns} where actor_id = '{actor}' and {} order by time desc limit {PAGE}", within(day)),
                target,
            ),
            "rows",
        ),
        ("stats_model_day", get("/v1/stats?q=&by=ai_request_model&interval=1d".to_owned()), "rows"),
        ("sql_model_day", sql(model_day, target), "rows"),
        ("events_id", get(format!("/v1/events?q=id:{first}")), "events"),
        ("events_ids", get(format!("/v1/events?q={either}&limit={PAGE}")), "events"),
        ("sql_ids", sql(&format!("{columns} where id in ({})", quoted.join(", ")), target), "rows"),
    ]
}
