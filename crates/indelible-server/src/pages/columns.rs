//! The columns of a table of events: which there are, and what stands in each. Never: a column that a search cannot ask for.

use std::borrow::Cow;

use indelible_event::view::{ActorView, EventView, ResourceView};

use super::ask::grouped;
use super::parts::outcome_look;
use super::shell::Shell;
use crate::problem::Problem;
use crate::query_string::wrong;

/// A column one can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its word in links.
    pub(super) word: &'static str,
    pub(super) title: &'static str,
    /// Numbers and times stand at the right.
    pub(super) is_number: bool,
    cell: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Time,
    Recorded,
    Actor,
    Behalf,
    Action,
    Operation,
    Resources,
    Outcome,
    Reason,
    Model,
    Tool,
    Tokens,
    Duration,
    Source,
    Address,
    Labels,
    Request,
    Conversation,
    Trace,
    Index,
}

const fn column(word: &'static str, title: &'static str, cell: Kind) -> Column {
    let is_number = matches!(cell, Kind::Tokens | Kind::Duration | Kind::Index | Kind::Time | Kind::Recorded);
    Column { word, title, is_number, cell }
}

/// All of them.
pub(super) const ALL: [Column; 20] = [
    column("time", "Time", Kind::Time),
    column("recorded", "Recorded", Kind::Recorded),
    column("actor", "Actor", Kind::Actor),
    column("behalf", "On behalf of", Kind::Behalf),
    column("action", "Action", Kind::Action),
    column("operation", "Operation", Kind::Operation),
    column("resource", "Resources", Kind::Resources),
    column("outcome", "Outcome", Kind::Outcome),
    column("reason", "Reason", Kind::Reason),
    column("model", "Model", Kind::Model),
    column("tool", "Tool", Kind::Tool),
    column("tokens", "Tokens in / out", Kind::Tokens),
    column("duration", "Duration", Kind::Duration),
    column("source", "Source", Kind::Source),
    column("ip", "Address", Kind::Address),
    column("label", "Labels", Kind::Labels),
    column("request", "Request", Kind::Request),
    column("conversation", "Conversation", Kind::Conversation),
    column("trace", "Trace", Kind::Trace),
    column("index", "Index", Kind::Index),
];

/// What is shown unless somebody chose.
const USUAL: &str = "time,actor,behalf,action,operation,resource,outcome";

/// What stands in a place of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    /// The search for it; empty for none.
    pub(super) link: String,
    pub(super) class: &'static str,
    pub(super) is_number: bool,
    /// Whether it leads to the event itself.
    pub(super) opens: bool,
}

/// A row: an event and its place.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) index: u64,
    pub(super) href: String,
    pub(super) cells: Vec<Cell>,
}

/// Reads which columns are wanted, in the order they were named.
pub(super) fn chosen(words: Option<&str>) -> Result<Vec<Column>, Problem> {
    let words = words.filter(|words| !words.is_empty()).unwrap_or(USUAL);
    let mut columns: Vec<Column> = Vec::new();
    for word in words.split(',') {
        let Some(column) = ALL.iter().find(|column| column.word == word) else {
            let known = ALL.map(|column| column.word).join(", ");
            return Err(wrong("columns", "wrong-value", format!("there is no such column; known are {known}")));
        };
        if !columns.contains(column) {
            columns.push(*column);
        }
    }
    Ok(columns)
}

/// The row of an event.
pub(super) fn row(shell: &Shell, columns: &[Column], index: u64, view: &EventView<'_>) -> Row {
    // the time leads to the event; where it is not shown, what stands first does
    let opens = columns.iter().position(|column| matches!(column.cell, Kind::Time | Kind::Recorded)).unwrap_or(0);
    let cells = columns.iter().enumerate().map(|(place, column)| Cell {
        is_number: column.is_number,
        opens: place == opens,
        ..cell(shell, column.cell, index, view)
    });
    Row { index, href: shell.event(index), cells: cells.collect() }
}

fn cell(shell: &Shell, kind: Kind, index: u64, view: &EventView<'_>) -> Cell {
    let plain = |text: String| Cell { text, ..Cell::default() };
    let found = |field: &str, value: &Option<Cow<'_, str>>| match value.as_deref() {
        Some(value) => Cell { text: value.to_owned(), link: shell.search_for(field, value), ..Cell::default() },
        None => Cell::default(),
    };
    match kind {
        Kind::Time => plain(shell.zone.event(&view.time, view.time_unix_ns)),
        Kind::Recorded => plain(shell.zone.written(&view.recorded)),
        Kind::Actor => Cell { text: name(&view.actor), ..found("actor", &view.actor.id) },
        Kind::Behalf => plain(view.on_behalf_of.iter().map(name).collect::<Vec<_>>().join(" ← ")),
        Kind::Action => found("action", &view.action),
        Kind::Operation => found("operation", &view.operation),
        Kind::Resources => plain(view.resources.iter().map(resource).collect::<Vec<_>>().join(", ")),
        Kind::Outcome => outcome(view),
        Kind::Reason => found("reason", &view.outcome.reason),
        Kind::Model => found(
            "model",
            if view.ai.response_model.is_some() { &view.ai.response_model } else { &view.ai.request_model },
        ),
        Kind::Tool => found("tool", &view.ai.tool_name),
        Kind::Tokens => plain(tokens(view)),
        Kind::Duration => plain(view.duration_ns.map(duration).unwrap_or_default()),
        Kind::Source => found("source", &view.source.id),
        Kind::Address => found("ip", &view.actor.ip),
        Kind::Labels => plain(labels(view).join(", ")),
        Kind::Request => found("request", &view.outcome.request),
        Kind::Conversation => found("conversation", &view.ai.conversation),
        Kind::Trace => found("trace", &view.trace_id),
        Kind::Index => plain(index.to_string()),
    }
}

/// What somebody is called: their name, otherwise their id.
pub(super) fn name(actor: &ActorView<'_>) -> String {
    actor.name.as_deref().or(actor.id.as_deref()).unwrap_or("somebody").to_owned()
}

/// `customers (dataset, pii)`.
fn resource(resource: &ResourceView<'_>) -> String {
    let what = resource.name.as_deref().or(resource.id.as_deref()).unwrap_or("something");
    let about: Vec<&str> =
        resource.kind.as_deref().into_iter().chain(resource.labels.iter().map(AsRef::as_ref)).collect();
    if about.is_empty() { what.to_owned() } else { format!("{what} ({})", about.join(", ")) }
}

fn outcome(view: &EventView<'_>) -> Cell {
    let result = view.outcome.result.as_deref().unwrap_or_default();
    let (sign, class) = outcome_look(result);
    let phase = match view.outcome.phase.as_deref() {
        Some("intent") => " (intent)",
        _ => "",
    };
    Cell { text: format!("{sign} {result}{phase}").trim().to_owned(), class, ..Cell::default() }
}

fn tokens(view: &EventView<'_>) -> String {
    let number = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).map_or("–".to_owned(), grouped);
    match (view.ai.input_tokens, view.ai.output_tokens) {
        (None, None) => String::new(),
        (input, output) => format!("{} / {}", number(input), number(output)),
    }
}

/// Every label of what was touched, each once.
pub(super) fn labels<'v>(view: &'v EventView<'_>) -> Vec<&'v str> {
    let mut labels: Vec<&str> =
        view.resources.iter().flat_map(|resource| resource.labels.iter().map(AsRef::as_ref)).collect();
    labels.sort_unstable();
    labels.dedup();
    labels
}

/// 1,234,567 ns → `1.2 ms`.
pub(super) fn duration(nanoseconds: i64) -> String {
    let units = [(60_000_000_000, "min"), (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    for (length, unit) in units {
        if nanoseconds >= length {
            return format!("{}.{} {unit}", nanoseconds / length, nanoseconds % length * 10 / length);
        }
    }
    format!("{nanoseconds} ns")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_that_are_asked_for_in_that_order() {
        let words = |chosen: Vec<Column>| chosen.iter().map(|column| column.word).collect::<Vec<_>>().join(",");
        assert_eq!(words(chosen(Some("index,actor,index")).unwrap()), "index,actor");
        assert_eq!(words(chosen(None).unwrap()), USUAL);
        assert!(chosen(Some("actor,colour")).unwrap_err().detail().contains("known are time"));
    }

    #[test]
    fn a_search_can_ask_for_what_a_column_shows() {
        for column in ALL.iter().filter(|column| !matches!(column.cell, Kind::Tokens)) {
            assert!(indelible_search::query::field(column.word).is_some(), "{}", column.word);
        }
    }

    #[test]
    fn durations_have_one_unit() {
        assert_eq!(
            [999, 1_234_567, 2_500_000_000, 90_000_000_000].map(duration),
            ["999 ns", "1.2 ms", "2.5 s", "1.5 min"]
        );
    }
}
