//! `GET /`: what there is at a glance, for a stretch of time up to now.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use indelible_access::Action;
use indelible_detect::alert::{Alert, AlertState};
use indelible_detect::book::{AlertFilter, BookError};
use indelible_detect::sources::{SourceReport, SourceVerdict};
use indelible_search::{Counting, StatsAnswer};

use super::ask::{Asking, Frequent, frequent, text, top};
use super::chart::{BARS_ROWS, Chart, interval};
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
    found: Frequent,
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
    refused: Frequent,
    used: Vec<Used>,
    sources: Vec<SourceReport>,
    sources_total: usize,
    alerts: Vec<Alert>,
    /// How many there are, with those that are not listed.
    alerts_total: u64,
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
    let Found { over_time, tops, refused, used } = found(&asking, length, &call.app.config.gateway.prices).await?;
    let sources = call.app.watched.sources_of(log.name()).unwrap_or_default();
    let may_see_alerts = shell.may(Action::ReadAlerts);
    let (alerts, alerts_total) = if may_see_alerts { open_alerts(call, log.name()).await? } else { (Vec::new(), 0) };
    let event = call.event().resource_count("log", log.name(), over_time.matched).attribute("range", range.word);
    let mark = call.record(&log, event.attribute("alerts", count(alerts.len() as u64))).await?;
    let page = OverviewPage {
        chart: Chart::new(&over_time.rows, length, &shell.zone, span),
        shell: shell.with_alerts(alerts_total),
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
        alerts_total,
        may_see_alerts,
    };
    html::answer(call, &page, mark)
}

/// What was counted.
struct Found {
    over_time: StatsAnswer,
    tops: Vec<Top>,
    refused: Frequent,
    used: Vec<Used>,
}

/// Counts what the page shows: one pass for what all events are counted by, one for each narrower question.
async fn found(asking: &Asking<'_>, length: &str, prices: &[PriceConfig]) -> Result<Found, Problem> {
    const OF_ALL: [(&str, &str); 3] = [("Actors", "actor"), ("Models", "model"), ("Tools", "tool")];
    let mut counted = vec![Counting::by(&["outcome"]).each(Some(length)).most(BARS_ROWS)];
    counted.extend(OF_ALL.map(|(_, field)| top(field, TOP)));
    let mut answers = asking.stats_each(asking.wanted("")?, counted).await?.into_iter();
    let over_time = answers.next().ok_or_else(|| Problem::internal("counts without an answer"))??;
    let mut tops = Vec::with_capacity(OF_ALL.len() + 1);
    for ((title, field), answer) in OF_ALL.into_iter().zip(answers) {
        tops.push(Top { title, field, with: "", found: frequent(answer, TOP)? });
    }
    let data = asking.top(DATA, "resource_id", TOP).await?;
    tops.push(Top { title: "Data", field: "resource_id", with: DATA, found: data });
    let refused = asking.top("outcome:denied", "reason", LISTED).await?;
    Ok(Found { over_time, tops, refused, used: used(asking, prices).await? })
}

/// What models used: only outcomes carry tokens, so that a call counts once.
async fn used(asking: &Asking<'_>, prices: &[PriceConfig]) -> Result<Vec<Used>, Problem> {
    let mut counting = Counting::by(&["response_model", "request_model"]);
    counting.sums = ["input_tokens", "output_tokens"].map(str::to_owned).to_vec();
    let answer = asking.stats("input_tokens:>0 or output_tokens:>0", counting).await?;
    let mut models: BTreeMap<String, (u64, i128, i128)> = BTreeMap::new();
    for row in &answer.rows {
        let model = row.by.iter().find_map(text).unwrap_or_else(|| "(not said)".to_owned());
        let used = models.entry(model).or_default();
        let sum = |place: usize| row.sums.get(place).copied().unwrap_or(0);
        *used = (used.0 + row.count, used.1 + sum(0), used.2 + sum(1));
    }
    let whole = |sum: i128| u64::try_from(sum.max(0)).unwrap_or(u64::MAX);
    let used = models.into_iter().map(|(model, (calls, input, output))| {
        let (input, output) = (whole(input), whole(output));
        Used { cost: cost(prices, &model, input, output), model, calls, input, output }
    });
    let mut used: Vec<Used> = used.collect();
    used.sort_by(|a, b| b.input.cmp(&a.input).then_with(|| a.model.cmp(&b.model)));
    used.truncate(TOP);
    Ok(used)
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

/// The newest open alerts, and how many there are.
async fn open_alerts(call: &Call, log: &str) -> Result<(Vec<Alert>, u64), Problem> {
    let filter = AlertFilter {
        states: vec![AlertState::Open],
        log: Some(log.to_owned()),
        visible: visible(call),
        ..AlertFilter::default()
    };
    let app = Arc::clone(&call.app);
    let found = blocking(move || {
        let book = &app.alerts.book;
        Ok((book.alerts(&filter, None, LISTED)?.alerts, book.count(&filter)?))
    });
    found.await?.map_err(|error: BookError| Problem::internal(error))
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
