//! `GET /search`: the query bar, events over time, the table of hits; and `GET /search/counts`: how the hits spread over fields, asked
//! for by itself because it costs more than the hits.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use indelible_access::{Action, Role};
use indelible_event::view::EventView;
use indelible_search::{Counting, FindError, Order, SearchRequest};

use super::ask::{Asking, Counted};
use super::chart::{BARS_ROWS, Chart, interval};
use super::columns::{self, Column, Row};
use super::copies::{Copies, copies};
use super::html::{self, response};
use super::said;
use super::shell::Shell;
use crate::api::count;
use crate::api::find::{self, found};
use crate::call::{Answer, Call};
use crate::logs::LogHandle;
use crate::problem::Problem;
use crate::query_string::Parameters;
use crate::query_string::wrong;
use crate::trail::{Mark, bounded};

/// Hits on a page.
const HITS: usize = 50;
/// Values shown of a field.
const VALUES: usize = 6;
/// The fields whose counts are shown, with their titles.
const FACETS: [(&str, &str); 10] = [
    ("outcome", "Outcome"),
    ("action", "Action"),
    ("actor", "Actor"),
    ("behalf", "On behalf of"),
    ("resource_type", "Resource type"),
    ("resource_id", "Resource"),
    ("label", "Label"),
    ("model", "Model"),
    ("tool", "Tool"),
    ("source", "Source"),
];

/// What was asked, as the page shows it again.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) q: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) order: &'static str,
    pub(super) columns: String,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let text = |name: &str| parameters.get(name).unwrap_or_default().trim().to_owned();
        let order = match parameters.get("order") {
            None | Some("" | "desc") => "desc",
            Some("asc") => "asc",
            Some(_) => return Err(wrong("order", "wrong-value", "the order is `desc` or `asc`".to_owned())),
        };
        Ok(Self { q: text("q"), from: text("from"), to: text("to"), order, columns: text("columns") })
    }

    fn from(&self) -> Option<&str> {
        said(&self.from)
    }

    fn to(&self) -> Option<&str> {
        said(&self.to)
    }

    /// The parameters of the same question, for links.
    pub(super) fn parameters<'a>(&'a self, more: &'a [(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let order = if self.order == "desc" { "" } else { self.order };
        let own = [
            ("q", self.q.as_str()),
            ("from", self.from.as_str()),
            ("to", self.to.as_str()),
            ("order", order),
            ("columns", self.columns.as_str()),
        ];
        let kept = own.into_iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
        kept.chain(more.iter().copied()).collect()
    }

    /// The query with a term more.
    fn narrowed(&self, term: &str) -> String {
        let q = self.q.trim();
        let bare = q.is_empty() || q == "*";
        let q = if q.contains(" or ") { format!("({q})") } else { q.to_owned() };
        if bare { term.to_owned() } else { format!("{q} {term}") }
    }
}

/// Why a query cannot be read, under the place where it goes wrong.
#[derive(Debug)]
struct Wrong {
    reason: String,
    hint: Option<String>,
    /// The query with a mark below the column.
    marked: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    shell: Shell,
    asked: Asked,
    wrong: Option<Wrong>,
    all_columns: Vec<(Column, bool)>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// The link to what comes after.
    next: Option<String>,
    chart: Chart,
    /// Counted on the first page only.
    matched: Option<u64>,
    size: u64,
    copies: Copies,
    saved: Vec<(String, String)>,
    fields: Vec<&'static str>,
    may_export: bool,
}

/// Shows hits.
pub(super) async fn show(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["q", "from", "to", "order", "cursor", "columns", "log"])?;
    let log = Arc::clone(call.log_or_default(parameters.get("log"))?);
    let asked = Asked::read(&parameters)?;
    let shell = Shell::of(call, if asked.q.is_empty() { "Search".to_owned() } else { bounded(&asked.q) }, &log);
    let columns = columns::chosen(parameters.get("columns"))?;
    let asking = Asking::begin(call, &log, asked.from(), asked.to()).await?;
    let query = match asking.parsed(&asked.q) {
        Ok(query) => query,
        Err(error) => return unreadable(call, shell, asked, columns, &error),
    };
    let mut request = SearchRequest::new(query.clone());
    request.order = if asked.order == "asc" { Order::OldestFirst } else { Order::NewestFirst };
    request.limit = HITS;
    request.cursor = parameters.get("cursor").map(str::to_owned);
    request.time = asking.time();
    let is_first = request.cursor.is_none();
    let (entries, page) = found(&log, &asking.index, request).await?;
    // a page further on adds rows to the table; what stands above it is there already
    let span = if is_first { asking.span(&asked.q).await? } else { None };
    let length = span.map_or("1d", |(first, last)| interval((last - first) / 1_000_000_000));
    let bars = Counting::by(&["outcome"]).each(Some(length)).most(BARS_ROWS);
    let over_time = if is_first { Some(asking.stats(&asked.q, bars).await?) } else { None };
    let mark = recorded(call, &log, &asked, entries.len()).await?;
    let rows = entries.iter().filter_map(|(index, entry)| {
        let view = EventView::parse(entry).ok()?;
        Some(columns::row(&shell, &columns, *index, &view))
    });
    let rows: Vec<Row> = rows.collect();
    let matched = over_time.as_ref().map(|counted| counted.matched);
    let zone = shell.zone.clone();
    let page = SearchPage {
        next: page.next_cursor.map(|cursor| shell.to("/search", &asked.parameters(&[("cursor", &cursor)]))),
        chart: Chart::new(over_time.as_ref().map_or(&[], |counted| &counted.rows), length, &zone, span),
        copies: copies(call, &log, &asked, &query),
        saved: saved(call, &shell).await?,
        ..SearchPage::empty(call, shell, asked, columns)
    };
    html::answer(call, &SearchPage { rows, matched, size: page.size.max(log.reader.size()), ..page }, mark)
}

impl SearchPage {
    fn empty(call: &Call, shell: Shell, asked: Asked, columns: Vec<Column>) -> Self {
        let zone = shell.zone.clone();
        let role = call.identity.as_ref().map(|identity| identity.role);
        Self {
            may_export: role.is_some_and(|role: Role| role.may(Action::Export)),
            shell,
            asked,
            wrong: None,
            all_columns: columns::ALL.into_iter().map(|column| (column, columns.contains(&column))).collect(),
            columns,
            rows: Vec::new(),
            next: None,
            chart: Chart::new(&[], "1d", &zone, None),
            matched: None,
            size: 0,
            copies: Copies::default(),
            saved: Vec::new(),
            fields: indelible_search::query::FIELDS.iter().map(|field| field.name).collect(),
        }
    }
}

/// The page with what is wrong with the query; nothing was asked of the log.
fn unreadable(
    call: &Call,
    shell: Shell,
    asked: Asked,
    columns: Vec<Column>,
    error: &FindError,
) -> Result<Answer, Problem> {
    let marked = match error {
        FindError::Query(fault) => {
            let mark = "^".repeat(fault.length.clamp(1, 64));
            Some((asked.q.clone(), format!("{}{mark}", " ".repeat(fault.column.saturating_sub(1)))))
        }
        _ => None,
    };
    let wrong = Some(Wrong { reason: error.to_string(), hint: error.hint(), marked });
    let page = SearchPage { wrong, ..SearchPage::empty(call, shell, asked, columns) };
    let text = page.render().map_err(Problem::internal)?;
    let mark = Mark::not_needed("nothing was asked of the log");
    Ok(Answer::new(response(call, StatusCode::BAD_REQUEST, text), mark))
}

async fn recorded(call: &Call, log: &LogHandle, asked: &Asked, hits: usize) -> Result<Mark, Problem> {
    let told = find::Asked::new(&asked.q, asked.from(), asked.to());
    let event = told.describe(call.event().resource_count("log", log.name(), hits as u64));
    call.record(log, event.attribute("hits", count(hits as u64))).await
}

async fn saved(call: &Call, shell: &Shell) -> Result<Vec<(String, String)>, Problem> {
    let saved = super::saved::list(call).await?;
    Ok(saved.into_iter().map(|(name, query)| (name, shell.to("/search", &[]) + &query)).collect())
}

/// How the hits spread over one field.
#[derive(Debug)]
struct Facet {
    title: &'static str,
    rows: Vec<(Counted, String, String)>,
    /// There are more values than are counted.
    too_many: bool,
}

#[derive(Template)]
#[template(path = "counts.html")]
struct CountsPage {
    shell: Shell,
    asked: Asked,
    facets: Vec<Facet>,
}

/// Shows counts by field.
pub(super) async fn counts(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["q", "from", "to", "order", "columns", "log"])?;
    let log = Arc::clone(call.log_or_default(parameters.get("log"))?);
    let asked = Asked::read(&parameters)?;
    let shell = Shell::of(call, "Counts", &log);
    let asking = Asking::begin(call, &log, asked.from(), asked.to()).await?;
    let fields = FACETS.iter().map(|(field, _)| *field);
    let counted = asking.tops(asking.wanted(&asked.q)?, fields, VALUES).await?;
    let mut facets = Vec::with_capacity(FACETS.len());
    for ((field, title), found) in FACETS.into_iter().zip(counted) {
        let too_many = found.too_many;
        let rows = found.rows.into_iter().map(|row| {
            let link = |sign: &str| {
                let q = asked.narrowed(&format!("{sign}{}", super::shell::term(field, &row.value)));
                shell.to("/search", &asked.parameters(&[("q", &q)]))
            };
            let (with, without) = (link(""), link("-"));
            (row, with, without)
        });
        facets.push(Facet { title, rows: rows.collect(), too_many });
    }
    facets.retain(|facet| !facet.rows.is_empty() || facet.too_many);
    let mark = recorded(call, &log, &asked, 0).await?;
    html::answer(call, &CountsPage { shell, asked, facets }, mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facet_narrows_what_was_asked_and_nothing_else() {
        let narrowed = |q: &str| Asked { q: q.to_owned(), ..Asked::default() }.narrowed("actor:ana");
        assert_eq!(narrowed(""), "actor:ana");
        assert_eq!(narrowed("*"), "actor:ana");
        assert_eq!(narrowed("outcome:denied"), "outcome:denied actor:ana");
        assert_eq!(narrowed("a or b"), "(a or b) actor:ana");
    }
}
