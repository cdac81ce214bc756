//! `GET /flows`: person → agent → tool → data for a stretch of time, as a picture and as a table of the same numbers.

use std::sync::Arc;

use askama::Template;
use indelible_search::{Counting, FindError, StatsRow};

use super::ask::{Asking, grouped, text};
use super::html;
use super::ranges::{self, BOUNDED, Range};
use super::shell::Shell;
use crate::api::count;
use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::trail::bounded;

/// The columns of the picture: field, title, how one is looked up.
const STEPS: [(&str, &str); 4] =
    [("behalf", "Person"), ("actor", "Agent or service"), ("tool", "Tool"), ("resource_id", "Model or data")];
/// Paths that are counted, most frequent first; and names drawn in a column, the rest of which is drawn as one.
const PATHS_MAX: usize = 500;
const NAMES_MAX: usize = 14;
/// The drawing's own units.
const WIDTH: f64 = 1_000.0;
const NAME_WIDTH: f64 = 12.0;
const GAP: f64 = 10.0;
const HEIGHT_PER_NAME: f64 = 34.0;
/// What the rest of a column is called.
const OTHERS: &str = "(others)";

/// A name in a column.
#[derive(Debug)]
struct Name {
    text: String,
    count: u64,
    href: String,
    x: f64,
    y: f64,
    height: f64,
    /// The text stands left of the last column's names, right of all others'.
    is_last: bool,
    drawn_out: f64,
    drawn_in: f64,
}

/// A band between two names.
#[derive(Debug)]
struct Band {
    path: String,
    width: String,
    words: String,
}

/// Two places (column, row) that follow one another, and how often.
type Pair = ((usize, usize), (usize, usize), u64);

/// A path through all columns.
#[derive(Debug)]
struct Path {
    names: Vec<Option<String>>,
    count: u64,
}

#[derive(Template)]
#[template(path = "flows.html")]
struct FlowsPage {
    shell: Shell,
    q: String,
    range: &'static Range,
    ranges: Vec<&'static Range>,
    columns: Vec<Vec<Name>>,
    bands: Vec<Band>,
    height: f64,
    paths: Vec<Path>,
    is_cut: bool,
    /// More paths than are counted: nothing is drawn.
    too_many: bool,
}

/// Shows flows.
pub(super) async fn show(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["log", "range", "q"])?;
    let ranges: Vec<&'static Range> = BOUNDED.iter().collect();
    let range = ranges::read(&parameters, &ranges)?;
    let q = parameters.get("q").unwrap_or_default().trim().to_owned();
    let log = Arc::clone(call.log_or_default(parameters.get("log"))?);
    let from = range.from(call.app.trail.now());
    let asking = Asking::begin(call, &log, from.as_deref(), None).await?;
    let shell = Shell::of(call, "Flows", &log);
    // the server's own doings and intents whose outcome follows would be drawn beside what they are about
    let asked =
        format!("-phase:intent -kind:indelible {}", if q.is_empty() { String::new() } else { format!("({q})") });
    let counting = Counting::by(&STEPS.map(|(field, _)| field)).most(PATHS_MAX);
    let mut answers = asking.stats_each(asking.wanted(asked.trim())?, vec![counting]).await?;
    let (answer, too_many) = match answers.pop() {
        Some(Err(FindError::TooManyGroups { .. })) => (None, true),
        Some(answer) => (Some(answer?), false),
        None => (None, false),
    };
    let matched = answer.as_ref().map_or(0, |answer| answer.matched);
    let is_cut = answer.as_ref().is_some_and(|answer| answer.truncated);
    let rows = answer.map(|answer| answer.rows).unwrap_or_default();
    let event = call.event().resource_count("log", log.name(), matched).attribute("query", bounded(&q));
    let mark = call.record(&log, event.attribute("paths", count(rows.len() as u64))).await?;
    let paths: Vec<Path> = rows.iter().map(path).filter(|path| path.names.iter().flatten().count() > 1).collect();
    let (columns, bands, height) = drawn(&shell, &paths);
    html::answer(call, &FlowsPage { shell, q, range, ranges, columns, bands, height, paths, is_cut, too_many }, mark)
}

fn path(row: &StatsRow) -> Path {
    let mut names: Vec<Option<String>> = row.by.iter().map(text).collect();
    // who acts for nobody is the person; a tool that is the resource stands once
    if let [behalf @ None, actor @ Some(_), ..] = names.as_mut_slice()
        && actor.as_deref().is_some_and(|actor| actor.contains('@'))
    {
        std::mem::swap(behalf, actor);
    }
    if let [.., tool, resource] = names.as_mut_slice()
        && tool == resource
    {
        *resource = None;
    }
    Path { names, count: row.count }
}

/// Lays names and bands out: heights by how often, columns side by side.
fn drawn(shell: &Shell, paths: &[Path]) -> (Vec<Vec<Name>>, Vec<Band>, f64) {
    let mut columns: Vec<Vec<(String, u64)>> = Vec::new();
    for place in 0..STEPS.len() {
        let mut names: Vec<(String, u64)> = Vec::new();
        for path in paths {
            let Some(name) = path.names.get(place).cloned().flatten() else { continue };
            match names.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += path.count,
                None => names.push((name, path.count)),
            }
        }
        names.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        if names.len() > NAMES_MAX {
            let rest = names.split_off(NAMES_MAX - 1).iter().map(|(_, count)| count).sum();
            names.push((OTHERS.to_owned(), rest));
        }
        columns.push(names);
    }
    let most = columns.iter().map(Vec::len).max().unwrap_or(0);
    let height = (most as f64 * HEIGHT_PER_NAME).max(120.0);
    let mut laid: Vec<Vec<Name>> =
        columns.into_iter().enumerate().map(|(place, names)| lay(shell, place, names, height)).collect();
    let bands = bands(&mut laid, paths);
    (laid, bands, height)
}

#[allow(clippy::cast_precision_loss, reason = "a drawing of a thousand units does not show the 53rd bit")]
fn lay(shell: &Shell, place: usize, names: Vec<(String, u64)>, height: f64) -> Vec<Name> {
    let total: u64 = names.iter().map(|(_, count)| count).sum();
    let room = height - GAP * names.len().saturating_sub(1) as f64;
    let least = 6.0_f64.min(room / names.len().max(1) as f64);
    let spare = room - least * names.len() as f64;
    let x = place as f64 * (WIDTH - NAME_WIDTH) / (STEPS.len() - 1) as f64;
    let mut y = 0.0;
    let lay = |(text, count): (String, u64)| {
        let height = least + spare * count as f64 / total.max(1) as f64;
        let href = match (text.as_str(), STEPS.get(place)) {
            (OTHERS, _) | (_, None) => String::new(),
            (text, Some(("tool", _))) => shell.search_for("tool", text),
            (text, Some(("resource_id", _))) => shell.to("/resource", &[("id", text)]),
            (text, Some(_)) => shell.to("/actor", &[("id", text)]),
        };
        let name =
            Name { text, count, href, x, y, height, is_last: place + 1 == STEPS.len(), drawn_out: 0.0, drawn_in: 0.0 };
        y += height + GAP;
        name
    };
    names.into_iter().map(lay).collect()
}

/// A band for each pair of names that follow one another on some path, over columns in which the path has no name.
#[allow(clippy::cast_precision_loss, reason = "a drawing of a thousand units does not show the 53rd bit")]
fn bands(columns: &mut [Vec<Name>], paths: &[Path]) -> Vec<Band> {
    let mut pairs: Vec<Pair> = Vec::new();
    for path in paths {
        let stops = path.names.iter().enumerate().filter_map(|(column, name)| {
            let names = columns.get(column)?;
            let name = name.as_deref()?;
            let found = names.iter().position(|known| known.text == name);
            Some((column, found.or_else(|| names.iter().position(|known| known.text == OTHERS))?))
        });
        let stops: Vec<(usize, usize)> = stops.collect();
        for pair in stops.windows(2) {
            let [from, to] = pair else { continue };
            match pairs.iter_mut().find(|(known_from, known_to, _)| known_from == from && known_to == to) {
                Some((_, _, count)) => *count += path.count,
                None => pairs.push((*from, *to, path.count)),
            }
        }
    }
    pairs.sort_unstable();
    let mut bands = Vec::with_capacity(pairs.len());
    for (from, to, count) in pairs {
        let Some((x1, y1, w1, a)) = end(columns, from, count, true) else { continue };
        let Some((x2, y2, w2, b)) = end(columns, to, count, false) else { continue };
        let (left, middle) = (x1 + NAME_WIDTH, f64::midpoint(x1 + NAME_WIDTH, x2));
        bands.push(Band {
            path: format!("M{left:.1} {y1:.1}C{middle:.1} {y1:.1} {middle:.1} {y2:.1} {x2:.1} {y2:.1}"),
            width: format!("{:.1}", w1.min(w2).max(1.0)),
            words: format!("{a} → {b}: {}", grouped(count)),
        });
    }
    bands
}

/// Where a band leaves or reaches a name: x, middle y, width, and the name. Bands stand below one another.
#[allow(clippy::cast_precision_loss, reason = "a drawing of a thousand units does not show the 53rd bit")]
fn end(columns: &mut [Vec<Name>], at: (usize, usize), count: u64, leaves: bool) -> Option<(f64, f64, f64, String)> {
    let name = columns.get_mut(at.0)?.get_mut(at.1)?;
    let width = name.height * count as f64 / name.count.max(1) as f64;
    let drawn = if leaves { &mut name.drawn_out } else { &mut name.drawn_in };
    let y = name.y + *drawn + width / 2.0;
    *drawn += width;
    Some((name.x, y, width, name.text.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(by: [Option<&str>; 4], count: u64) -> StatsRow {
        let by = by.into_iter().map(|name| name.map_or(serde_json::Value::Null, Into::into)).collect();
        StatsRow { by, time: None, count, sums: Vec::new() }
    }

    #[test]
    fn a_person_who_acts_alone_stands_with_the_persons_and_a_tool_is_no_data() {
        let alone = path(&row([None, Some("ana@example.com"), None, Some("orders")], 1));
        assert_eq!(alone.names, [Some("ana@example.com".to_owned()), None, None, Some("orders".to_owned())]);
        let tool = path(&row([Some("ana"), Some("bot"), Some("refund"), Some("refund")], 1));
        assert_eq!(tool.names[3], None);
    }
}
