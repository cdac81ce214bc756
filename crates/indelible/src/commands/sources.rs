//! `indelible sources`: which sources there are and whether all that they sent is there, from a server that watches its log or
//! from a folder without one.

use std::io::Write;

use indelible_detect::seen::Seen;
use indelible_detect::sources::{SourceReport, SourceSettings, SourceVerdict, Sources};
use indelible_event::doors::{EntryIndex, EntryReader};
use indelible_event::view::EventView;
use indelible_store::name::LogName;
use serde_json::{Value, json};

use crate::cli::{ServerArguments, SourcesArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, stdout, table};
use crate::progress;

use super::folder::published;

/// Entries and bytes read at once.
const ENTRIES_AT_ONCE: usize = 4_096;
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;

pub(crate) fn run(server: &ServerArguments, arguments: &SourcesArguments) -> Result<Exit, CliError> {
    let answer = match &arguments.data {
        Some(_) => scan(arguments)?,
        None => {
            let log = arguments.log.iter().map(|log| ("log", log.clone())).collect::<Vec<_>>();
            Client::new(server)?.get("/v1/sources", &log)?
        }
    };
    if answer.get("watched").and_then(Value::as_bool) == Some(false) {
        return Err(CliError::new("the server does not watch this log")
            .hint("name the data folder with --data to look at its entries without the server"));
    }
    let sources = answer.get("sources").cloned().unwrap_or_default();
    let sources: Vec<SourceReport> =
        serde_json::from_value(sources).map_err(|error| CliError::because("the answer cannot be read", &error))?;
    let mut out = stdout();
    if arguments.format == Format::Json {
        writeln!(out, "{answer:#}")?;
    } else {
        let header =
            ["source", "verdict", "events", "last seen", "missing", "gaps", "repeats", "restarts", "late", "skew"];
        table(&mut out, &header, &sources.iter().map(row).collect::<Vec<_>>())?;
    }
    out.flush()?;
    let not_followed = answer.get("events_not_followed").and_then(Value::as_u64).unwrap_or_default();
    if not_followed > 0 {
        eprintln!("{not_followed} events come from more sources than are followed.");
    }
    let any = |verdict| sources.iter().any(|source| source.verdict == verdict);
    Ok(if any(SourceVerdict::Gaps) || any(SourceVerdict::Silent) {
        Exit::Finding
    } else if any(SourceVerdict::Unknown) || not_followed > 0 {
        Exit::CouldNot
    } else {
        Exit::Ok
    })
}

/// Follows the sources of a folder's log, in the form in which the HTTP API answers.
fn scan(arguments: &SourcesArguments) -> Result<Value, CliError> {
    let name = LogName::new(arguments.log.as_deref().unwrap_or("main"));
    let name = name.map_err(|error| CliError::new(error.to_string()))?;
    let Some(data) = &arguments.data else { return Err(CliError::new("no data folder is named")) };
    let entries = published(data, &name)?;
    let mut sources = Sources::new(name.as_str(), SourceSettings::default());
    let bar = progress::bar(entries.size(), "entries");
    let (mut next, mut last_ns, mut unread) = (EntryIndex(0), 0, 0_u64);
    while next.0 < entries.size() {
        let read = entries.read(next, ENTRIES_AT_ONCE, BYTES_AT_ONCE);
        let read = read.map_err(|error| CliError::because("the log cannot be read", &error))?;
        if read.is_empty() {
            break;
        }
        for (index, bytes) in read.iter() {
            let Ok(view) = EventView::parse(bytes) else {
                unread += 1;
                continue;
            };
            let seen = Seen { index, bytes, view };
            last_ns = seen.recorded_unix_ns();
            // What was found is for those who are alerted; here the state of each source is shown.
            sources.see(&seen, &mut Vec::new());
        }
        next = read.next_index();
        bar.set_position(next.0);
    }
    bar.finish_and_clear();
    if unread > 0 {
        eprintln!("{unread} entries are no events; indelible verify says more.");
    }
    Ok(json!({
        "log": name.as_str(),
        "watched": true,
        "sources": sources.report(last_ns),
        "events_not_followed": sources.events_not_followed(),
    }))
}

fn row(source: &SourceReport) -> Vec<String> {
    let verdict = match source.verdict {
        SourceVerdict::Complete => "complete",
        SourceVerdict::Gaps => "GAPS",
        SourceVerdict::Silent => "SILENT",
        SourceVerdict::Unknown => "unknown",
    };
    let mut gaps: Vec<String> = source.gaps.iter().take(5).map(|gap| format!("{}-{}", gap.first, gap.last)).collect();
    if source.gaps.len() > 5 || source.gaps_capped {
        gaps.push("…".to_owned());
    }
    vec![
        source.id.clone(),
        verdict.to_owned(),
        source.events.to_string(),
        source
            .last_seen
            .as_deref()
            .and_then(|seen| seen.get(..19))
            .map_or("never".to_owned(), |seen| format!("{seen}Z")),
        source.missing.to_string(),
        gaps.join(", "),
        source.repeats.to_string(),
        source.restarts.to_string(),
        source.late.to_string(),
        source.skew_ms.map_or(String::new(), |skew| format!("{skew} ms")),
    ]
}
