//! `GET /`: what there is at a glance, for a stretch of time up to now.

use std::sync::Arc;

use askama::Template;
use indelible_access::Action;
use indelible_detect::alert::{Alert, AlertState};
use indelible_detect::book::AlertFilter;
use indelible_detect::sources::{SourceReport, SourceVerdict};
use indelible_search::SqlRequest;

use super::ask::{Asking, Counted, text};
use super::chart::{Chart, interval};
use super::html;
use super::ranges::{self, ALL_TIME, BOUNDED, Range};
use super::shell::Shell;
use crate::api::alerts::visible;
use crate::api::{blocking, count};
use crate::call::{Answer, Call};
use crate::config::PriceConfig;
use crate::problem::Problem;

/// What counts as data among resources.
const DATA: &str = "resource_type:dataset,database,table,collection,index,document,object,file,bucket";
/// Values listed of a field.
const TOP: usize = 8;
/// Alerts and sources listed.
const LISTED: usize = 6;

/// A list of the most frequent values of a field.
#[derive(Debug)]
struct Top {
    title: &'static str,
    field: &'static str,
    /// What else the search for one of them is narrowed to.
    with: &'static str,
    rows: Vec<Counted>,
}

/// What a model used.
#[derive(Debug)]
struct Used {
    model: String,
    calls: u64,
    input: u64,
    output: u64,
    /// In the currency of the price list; `None` where there is no price.
    cost: Option<String>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    range: &'static Range,
    ranges: Vec<&'static Range>,
    from: String,
    chart: Chart,
    matched: u64,
    tops: Vec<Top>,
    refused: Vec<Counted>,
    used: Vec<Used>,
    sources: Vec<SourceReport>,
    sources_total: usize,
    alerts: Vec<Alert>,
    alerts_more: bool,
    may_see_alerts: bool,
}

/// Shows the overview.
pub(super) async fn show(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["log", "range"])?;
    let ranges: Vec<&'static Range> = BOUNDED.iter().chain([&ALL_TIME]).collect();
    let range = ranges::read(&parameters, &ranges)?;
    let log = Arc::clone(call.log_or_default(parameters.get("log"))?);
    let now = call.app.trail.now();
    let (span, from) = (range.span(now), range.from(now));
    let asking = Asking::begin(call, &log, from.as_deref(), None).await?;
    let shell = Shell::of(call, "Overview", &log);
    let length = range.seconds.map_or("1d", interval);
    let over_time = asking.stats("", &["outcome"], Some(length), 2_000).await?;
    let tops = tops(&asking).await?;
    let refused = asking.top("outcome:denied", "reason", LISTED).await?;
    let used = used(call, &asking, from.as_deref()).await?;
    let sources = call.app.watched.sources_of(log.name()).unwrap_or_default();
    let may_see_alerts = shell.may(Action::ReadAlerts);
    let (alerts, alerts_more) = if may_see_alerts { open_alerts(call, log.name()).await? } else { (Vec::new(), false) };
    let event = call.event().resource_count("log", log.name(), over_time.matched).attribute("range", range.word);
    let mark = call.record(&log, event.attribute("alerts", count(alerts.len() as u64))).await?;
    let page = OverviewPage {
        chart: Chart::new(&over_time.rows, length, &shell.zone, span),
        shell: shell.with_alerts(alerts.len() as u64),
        range,
        ranges,
        from: from.unwrap_or_default(),
        matched: over_time.matched,
        tops,
        refused,
        used,
        sources_total: sources.len(),
        sources: worst(sources),
        alerts,
        alerts_more,
        may_see_alerts,
    };
    html::answer(call, &page, mark)
}

async fn tops(asking: &Asking<'_>) -> Result<Vec<Top>, Problem> {
    let lists =
        [("Actors", "actor", ""), ("Models", "model", ""), ("Tools", "tool", ""), ("Data", "resource_id", DATA)];
    let mut tops = Vec::with_capacity(lists.len());
    for (title, field, with) in lists {
        tops.push(Top { title, field, with, rows: asking.top(with, field, TOP).await? });
    }
    Ok(tops)
}

/// What models used: only outcomes carry tokens, so that a call counts once.
async fn used(call: &Call, asking: &Asking<'_>, from: Option<&str>) -> Result<Vec<Used>, Problem> {
    let since = from.map(|from| format!("and time >= timestamp '{from}'")).unwrap_or_default();
    let statement = format!(
        "select coalesce(ai_response_model, ai_request_model) as model, count(*), sum(ai_input_tokens), \
         sum(ai_output_tokens) from events where (ai_input_tokens > 0 or ai_output_tokens > 0) {since} \
         group by 1 order by 3 desc, 1 limit {TOP}"
    );
    let limits = &call.app.config.limits;
    let mut request = SqlRequest::new(&statement);
    request.time = limits.query_time.duration();
    request.memory = limits.query_memory.in_memory();
    let answer = asking.index.sql(request).await?;
    let number =
        |row: &[serde_json::Value], place: usize| row.get(place).and_then(serde_json::Value::as_u64).unwrap_or(0);
    let used = answer.rows.iter().map(|row| {
        let model = row.first().and_then(text).unwrap_or_else(|| "(not said)".to_owned());
        let (input, output) = (number(row, 2), number(row, 3));
        Used {
            cost: cost(&call.app.config.gateway.prices, &model, input, output),
            calls: number(row, 1),
            model,
            input,
            output,
        }
    });
    Ok(used.collect())
}

/// By the price list, in which a price is for a million tokens, in millionths.
fn cost(prices: &[PriceConfig], model: &str, input: u64, output: u64) -> Option<String> {
    let matches = |price: &&PriceConfig| match price.model.strip_suffix('*') {
        Some(begin) => model.starts_with(begin),
        None => price.model == model,
    };
    let price = prices.iter().find(matches)?;
    let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price) / 1_000_000;
    let micros = part(input, price.input) + part(output, price.output);
    Some(format!("{}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000))
}

/// Those first that somebody should look at.
fn worst(mut sources: Vec<SourceReport>) -> Vec<SourceReport> {
    sources.sort_by(|a, b| rank(a).cmp(&rank(b)).then(b.events.cmp(&a.events)));
    sources.truncate(LISTED);
    sources
}

/// How soon somebody should look at it.
pub(super) fn rank(source: &SourceReport) -> u8 {
    match source.verdict {
        SourceVerdict::Gaps => 0,
        SourceVerdict::Silent => 1,
        SourceVerdict::Unknown => 2,
        SourceVerdict::Complete => 3,
    }
}

async fn open_alerts(call: &Call, log: &str) -> Result<(Vec<Alert>, bool), Problem> {
    let filter = AlertFilter {
        states: vec![AlertState::Open],
        log: Some(log.to_owned()),
        visible: visible(call),
        ..AlertFilter::default()
    };
    let app = Arc::clone(&call.app);
    let page = blocking(move || app.alerts.book.alerts(&filter, None, LISTED)).await?.map_err(Problem::internal)?;
    Ok((page.alerts, page.next.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_follow_the_price_list() {
        let price =
            PriceConfig { model: "gpt-4*".to_owned(), input: 2_500_000, cached_input: None, output: 10_000_000 };
        assert_eq!(cost(std::slice::from_ref(&price), "gpt-4o", 1_000_000, 100_000).as_deref(), Some("3.50"));
        assert_eq!(cost(&[price], "claude", 1, 1), None);
    }
}
