//! `GET /actor` and `GET /resource`: all there is about one of them: who may, who did, usual against new, first and last seen, peers.
//!
//! "New" means here: seen in the last day and never in the thirty days before it. What is unusual by learned rates is an alert's to say.

use std::sync::Arc;

use askama::Template;
use bytes::Bytes;
use indelible_access::Action;
use indelible_detect::alert::Alert;
use indelible_detect::book::AlertFilter;
use indelible_event::view::EventView;
use indelible_search::{Counting, Order, StatsAnswer};

use super::ask::{Asking, Counted, Frequent, frequent, top};
use super::chart::{BARS_ROWS, Chart, interval};
use super::columns::{self, Row};
use super::html;
use super::shell::{Shell, term};
use crate::api::alerts::visible;
use crate::api::blocking;
use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::query_string::wrong;
use crate::routes::Operation;
use crate::trail::bounded;

/// Values shown of a field, and looked through for what is new.
const VALUES: usize = 8;
const LOOKED_THROUGH: usize = 200;
/// Events and alerts shown.
const LISTED: usize = 10;
const DAY: i64 = 86_400;
const USUAL_DAYS: i64 = 30;

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Actor,
    Resource,
}

/// The fields whose values are shown: field, title.
const OF_ACTOR: [(&str, &str); 7] = [
    ("action", "What it does"),
    ("resource_id", "Resources it touches"),
    ("model", "Models it asks"),
    ("tool", "Tools it uses"),
    ("ip", "Addresses it comes from"),
    ("behalf", "For whom it acts"),
    ("outcome", "How it ends"),
];
const OF_RESOURCE: [(&str, &str); 6] = [
    ("actor", "Who touches it"),
    ("behalf", "For whom"),
    ("action", "What is done to it"),
    ("tool", "With which tools"),
    ("label", "Its labels"),
    ("outcome", "How it ends"),
];

/// The usual values of a field.
#[derive(Debug)]
struct Usual {
    title: &'static str,
    field: &'static str,
    found: Frequent,
    /// Seen in the last day and not in the month before.
    new: Vec<Counted>,
}

/// A right somebody has here.
#[derive(Debug)]
struct Right {
    words: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "subject.html")]
struct SubjectPage {
    shell: Shell,
    is_actor: bool,
    id: String,
    q: String,
    first: Option<(u64, String)>,
    last: Option<(u64, String)>,
    matched: u64,
    chart: Chart,
    rights: Vec<Right>,
    usual: Vec<Usual>,
    peers: Vec<Counted>,
    peers_title: &'static str,
    alerts: Vec<Alert>,
    columns: Vec<columns::Column>,
    rows: Vec<Row>,
}

/// Shows an actor or a resource.
pub(super) async fn show(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["id", "type", "log"])?;
    let kind = if call.route.operation == Operation::ShowActor { Kind::Actor } else { Kind::Resource };
    let Some(id) = parameters.get("id").filter(|id| !id.is_empty()) else {
        return Err(wrong("id", "missing", "the parameter `id` says whom or what to show".to_owned()));
    };
    let log = Arc::clone(call.log_or_default(parameters.get("log"))?);
    let q = match kind {
        Kind::Actor => term("actor", id),
        Kind::Resource => term("resource", id),
    };
    let shell = Shell::of(call, id, &log);
    let ever = Asking::begin(call, &log, None, None).await?;
    let oldest = ever.entries(ever.wanted(&q)?, Order::OldestFirst, 1).await?;
    let newest = ever.entries(ever.wanted(&q)?, Order::NewestFirst, LISTED).await?;
    let span = ever.span(&q).await?;
    let length = span.map_or("1d", |(first, last)| interval((last - first) / 1_000_000_000));
    let (over_time, usual) = counted(&ever, kind, &q, length, call.app.trail.now().0).await?;
    let (peers_title, peers) = peers(&ever, kind, id, &usual).await?;
    let alerts = if shell.may(Action::ReadAlerts) { alerts(call, log.name(), id).await? } else { Vec::new() };
    let columns = columns::chosen(None)?;
    let about = if kind == Kind::Actor { "actor" } else { "resource" };
    let event = call.event().resource_count("log", log.name(), over_time.matched).attribute(about, bounded(id));
    let mark = call.record(&log, event).await?;
    let page = SubjectPage {
        is_actor: kind == Kind::Actor,
        id: id.to_owned(),
        first: oldest.first().and_then(|entry| when(&shell, entry)),
        last: newest.first().and_then(|entry| when(&shell, entry)),
        matched: over_time.matched,
        chart: Chart::new(&over_time.rows, length, &shell.zone, span),
        rights: if kind == Kind::Actor { rights(call, id).await? } else { Vec::new() },
        usual,
        peers,
        peers_title,
        alerts,
        rows: rows(&shell, &columns, &newest),
        columns,
        q,
        shell,
    };
    html::answer(call, &page, mark)
}

/// Where an event stands, and when it was.
fn when(shell: &Shell, (index, entry): &(u64, Bytes)) -> Option<(u64, String)> {
    let view = EventView::parse(entry).ok()?;
    Some((*index, shell.zone.event(&view.time, view.time_unix_ns)))
}

fn rows(shell: &Shell, columns: &[columns::Column], entries: &[(u64, Bytes)]) -> Vec<Row> {
    let row =
        |(index, entry): &(u64, Bytes)| Some(columns::row(shell, columns, *index, &EventView::parse(entry).ok()?));
    entries.iter().filter_map(row).collect()
}

/// Counts over time and by each field: over all times, in the month before the last day, and in the last day.
async fn counted(
    asking: &Asking<'_>,
    kind: Kind,
    q: &str,
    length: &str,
    now: i64,
) -> Result<(StatsAnswer, Vec<Usual>), Problem> {
    let fields: &[(&'static str, &'static str)] = if kind == Kind::Actor { &OF_ACTOR } else { &OF_RESOURCE };
    let mut ways = vec![Counting::by(&["outcome"]).each(Some(length)).most(BARS_ROWS)];
    ways.extend(fields.iter().map(|(field, _)| top(field, VALUES)));
    let mut ever = asking.stats_each(asking.wanted(q)?, ways).await?.into_iter();
    let over_time = ever.next().ok_or_else(|| Problem::internal("counts without an answer"))??;
    let day = now - DAY * 1_000_000_000;
    let month = day - USUAL_DAYS * DAY * 1_000_000_000;
    let names = || fields.iter().map(|(field, _)| *field);
    let before = asking.tops(asking.between(q, month, day - 1)?, names(), LOOKED_THROUGH).await?;
    let today = asking.tops(asking.between(q, day, i64::MAX)?, names(), LOOKED_THROUGH).await?;
    let mut all = Vec::with_capacity(fields.len());
    for ((((field, title), answer), before), today) in fields.iter().zip(ever).zip(before).zip(today) {
        let is_known = |value: &str| before.rows.iter().any(|known| known.value == value);
        // where nothing was seen before, everything is new and says nothing
        let new = today
            .rows
            .into_iter()
            .filter(|seen| !before.rows.is_empty() && !is_known(&seen.value))
            .take(VALUES)
            .collect();
        let found = frequent(answer, VALUES)?;
        if !found.is_empty() {
            all.push(Usual { title, field, found, new });
        }
    }
    Ok((over_time, all))
}

/// Of an actor: who else touches what it touches most. Of a resource: what else is touched by who touches it most.
async fn peers(
    asking: &Asking<'_>,
    kind: Kind,
    id: &str,
    usual: &[Usual],
) -> Result<(&'static str, Vec<Counted>), Problem> {
    let (by, with, title) = match kind {
        Kind::Actor => ("resource_id", "actor", "Peers: who else touches its most touched resource"),
        Kind::Resource => ("actor", "resource_id", "Peers: what else its most frequent visitor touches"),
    };
    let most = usual.iter().find(|usual| usual.field == by).and_then(|usual| usual.found.rows.first());
    let Some(most) = most else { return Ok((title, Vec::new())) };
    let field = if kind == Kind::Actor { "resource" } else { "actor" };
    let mut peers = asking.top(&term(field, &most.value), with, VALUES + 1).await?.rows;
    peers.retain(|peer| peer.value != id);
    peers.truncate(VALUES);
    Ok((title, peers))
}

/// What the tokens of this name allow. What policies allow follows from each call: the page on access says which are in force.
async fn rights(call: &Call, id: &str) -> Result<Vec<Right>, Problem> {
    let app = Arc::clone(&call.app);
    let rows = blocking(move || app.tokens.list()).await?.map_err(Problem::internal)?;
    let now = call.app.environment.now_seconds();
    let live = rows.into_iter().filter(|row| row.name.as_str() == id && row.is_live(now));
    let rights = live.map(|row| {
        let may: Vec<&str> = Action::ALL.into_iter().filter(|action| row.role.may(*action)).map(Action::word).collect();
        let logs = row.logs.map_or_else(|| "every log".to_owned(), |logs| format!("the logs {}", logs.join(", ")));
        Right { words: format!("token with the role {}, for {logs}", row.role), detail: may.join(", ") }
    });
    Ok(rights.collect())
}

async fn alerts(call: &Call, log: &str, id: &str) -> Result<Vec<Alert>, Problem> {
    let filter = AlertFilter {
        log: Some(log.to_owned()),
        entity: Some(id.to_owned()),
        visible: visible(call),
        ..AlertFilter::default()
    };
    let app = Arc::clone(&call.app);
    let page = blocking(move || app.alerts.book.alerts(&filter, None, LISTED)).await?.map_err(Problem::internal)?;
    Ok(page.alerts)
}
