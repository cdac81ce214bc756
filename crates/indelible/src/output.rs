//! Data on standard output in the form that was asked for: a table for people, JSON, NDJSON or CSV for programs.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use clap::ValueEnum;
use indelible_deliver::{csv_record, csv_safe};
use serde_json::Value;

/// How events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventFormat {
    /// Columns for people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line, as stored.
    Ndjson,
    /// Comma-separated values with a header.
    Csv,
}

/// How other results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// Buffered standard output.
pub(crate) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(io::stdout().lock())
}

/// Writes and flushes: what a full disk or a closed pipe does to the output is not lost.
pub(crate) fn print(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = stdout();
    out.write_fmt(text)?;
    out.flush()
}

/// Columns for people: as wide as their content; on a terminal cut so that a line fits.
pub(crate) fn table(out: &mut dyn Write, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut widths: Vec<usize> = header.iter().map(|name| name.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let terminal = io::stdout().is_terminal();
    if let (true, Some((columns, _))) = (terminal, terminal_size::terminal_size()) {
        fit(&mut widths, usize::from(columns.0));
    }
    let bold = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (on, off) = if bold { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    let heading: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    writeln!(out, "{on}{}{off}", line(&heading, &widths).trim_end())?;
    for row in rows {
        writeln!(out, "{}", line(row, &widths).trim_end())?;
    }
    Ok(())
}

/// Takes from the widest columns until a line has at most `most` characters, as far as columns stay readable.
fn fit(widths: &mut [usize], most: usize) {
    const WIDTH_MIN: usize = 8;
    const SPACE: usize = 2;
    while widths.iter().map(|width| width + SPACE).sum::<usize>() > most + SPACE {
        match widths.iter_mut().max() {
            Some(widest) if *widest > WIDTH_MIN => *widest -= 1,
            _ => return,
        }
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        // control characters from an event must not drive the terminal
        let clean: String = cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let count = clean.chars().count();
        if count > *width {
            text.extend(clean.chars().take(width.saturating_sub(1)));
            text.push('…');
        } else {
            text.push_str(&clean);
            text.extend(std::iter::repeat_n(' ', width - count));
        }
        text.push_str("  ");
    }
    text
}

/// A field of a JSON document by its path; empty when it is not there.
pub(crate) fn field(value: &Value, path: &[&str]) -> String {
    let mut at = value;
    for key in path {
        let Some(next) = at.get(key) else { return String::new() };
        at = next;
    }
    match at {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// One event as a row: index, time, actor, action, resources, outcome.
pub(crate) fn event_row(index: u64, event: &Value) -> Vec<String> {
    let empty = Vec::new();
    let resources = event.get("resources").and_then(Value::as_array).unwrap_or(&empty);
    let named: Vec<String> = resources
        .iter()
        .map(|resource| format!("{}:{}", field(resource, &["type"]), field(resource, &["id"])))
        .collect();
    let time = field(event, &["time"]);
    vec![
        index.to_string(),
        time.split('.').next().unwrap_or(&time).replace('T', " "),
        field(event, &["actor", "id"]),
        field(event, &["action"]),
        field(event, &["operation"]),
        named.join(" "),
        field(event, &["outcome", "result"]),
    ]
}

/// Names of the columns of [`event_row`].
pub(crate) const EVENT_COLUMNS: [&str; 7] = ["index", "time", "actor", "action", "operation", "resources", "outcome"];

/// One CSV line, safe to open in a spreadsheet: cells that would be read as formulas get a leading apostrophe; whole numbers
/// stay numbers.
pub(crate) fn csv_line(out: &mut dyn Write, cells: &[String]) -> io::Result<()> {
    let safe = cells.iter().map(|cell| match cell.parse::<i64>() {
        Ok(_) => Cow::Borrowed(cell.as_str()),
        Err(_) => csv_safe(cell),
    });
    let mut line = Vec::new();
    csv_record(safe, &mut line).map_err(io::Error::other)?;
    out.write_all(&line)
}

/// Prints events given as (index, document).
pub(crate) fn events(format: EventFormat, events: &[(u64, Value)]) -> io::Result<()> {
    let out = &mut stdout();
    match format {
        EventFormat::Table => {
            let rows: Vec<Vec<String>> = events.iter().map(|(index, event)| event_row(*index, event)).collect();
            table(out, &EVENT_COLUMNS, &rows)?;
        }
        EventFormat::Json => {
            let listed: Vec<Value> =
                events.iter().map(|(index, event)| serde_json::json!({"index": index, "event": event})).collect();
            writeln!(out, "{:#}", Value::Array(listed))?;
        }
        EventFormat::Ndjson => events.iter().try_for_each(|(_, event)| writeln!(out, "{event}"))?,
        EventFormat::Csv => {
            csv_line(out, &EVENT_COLUMNS.map(str::to_owned))?;
            events.iter().try_for_each(|(index, event)| csv_line(out, &event_row(*index, event)))?;
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_columns_give_way_and_narrow_ones_stay() {
        let mut widths = [5, 30, 60];
        fit(&mut widths, 60);
        assert_eq!(widths, [5, 26, 25]);
        fit(&mut widths, 1);
        assert_eq!(widths, [5, 8, 8]);
    }

    #[test]
    fn a_cell_cannot_drive_the_terminal_or_a_spreadsheet() {
        assert_eq!(line(&["a\u{1b}[2Jb".to_owned()], &[20]).trim_end(), "a\u{fffd}[2Jb");
        let mut out = Vec::new();
        csv_line(&mut out, &["=1+1".to_owned(), "-5".to_owned(), "a,\"b".to_owned()]).unwrap();
        assert_eq!(out, b"'=1+1,-5,\"a,\"\"b\"\r\n");
    }
}
