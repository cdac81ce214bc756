//! `indelible detect`: what rules would have found in the published entries of a log. Only reads; needs no server.

use std::io::Write;
use std::path::Path;

use indelible_detect::finding::{Finding, Severity};
use indelible_detect::rules::{Loaded, Rules};
use indelible_detect::seen::Seen;
use indelible_event::doors::{EntryIndex, EntryReader};
use indelible_event::time::EventTime;
use indelible_event::view::EventView;
use indelible_store::FolderReader;
use indelible_store::name::LogName;
use serde_json::json;

use crate::cli::DetectArguments;
use crate::exit::{CliError, Exit};
use crate::output::{Format, stdout, table};
use crate::progress;

use super::folder::published;
use super::rules::{BuiltIn, load};

/// Entries and bytes read at once.
const ENTRIES_AT_ONCE: usize = 4_096;
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
/// Most findings that are kept for a table or one JSON document.
const FINDINGS_MAX: usize = 100_000;

/// Entries recorded within these times, in nanoseconds since 1970.
struct Span {
    from: i64,
    to: i64,
}

pub(crate) fn run(arguments: &DetectArguments) -> Result<Exit, CliError> {
    let built_in = if arguments.no_built_in { BuiltIn::Without } else { BuiltIn::With };
    let Loaded { set, skipped } = load(&arguments.rules, built_in, arguments.lists.as_deref())?;
    for skipped in &skipped {
        eprintln!("skipped: {skipped}");
    }
    let entries = open(arguments)?;
    let name = arguments.name.as_str();
    let span = Span { from: time(arguments.from.as_deref(), i64::MIN)?, to: time(arguments.to.as_deref(), i64::MAX)? };
    let mut rules = Rules::new(name, set);
    let (findings, seen) = sweep(&entries, &mut rules, &span)?;
    show(&findings, seen, arguments.format)?;
    Ok(if findings.is_empty() { Exit::Ok } else { Exit::Finding })
}

fn open(arguments: &DetectArguments) -> Result<FolderReader, CliError> {
    if let Some(folder) = &arguments.log {
        return folder_of(folder);
    }
    let name = LogName::new(&arguments.name).map_err(|error| CliError::new(error.to_string()))?;
    published(&arguments.data, &name)
}

fn folder_of(folder: &Path) -> Result<FolderReader, CliError> {
    FolderReader::open(folder)
        .map_err(|error| CliError::because(format!("{} cannot be read as a log", folder.display()), &error))
}

fn time(text: Option<&str>, otherwise: i64) -> Result<i64, CliError> {
    let Some(text) = text else { return Ok(otherwise) };
    // a day alone is its beginning
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let time = EventTime::parse(&whole)
        .map_err(|error| CliError::because(format!("`{text}` is no time such as 2026-11-23T10:00:00Z"), &error))?;
    Ok(time.unix_ns)
}

/// Puts the rules to every entry of the span.
fn sweep(entries: &FolderReader, rules: &mut Rules, span: &Span) -> Result<(Vec<Finding>, u64), CliError> {
    let bar = progress::bar(entries.size(), "entries");
    let (mut findings, mut seen) = (Vec::new(), 0);
    let mut next = EntryIndex(0);
    while next.0 < entries.size() {
        let read = entries.read(next, ENTRIES_AT_ONCE, BYTES_AT_ONCE);
        let read = read.map_err(|error| CliError::because("the log cannot be read", &error))?;
        for (index, bytes) in read.iter() {
            let view = EventView::parse(bytes).map_err(|error| CliError::new(format!("entry {index}: {error:?}")))?;
            let recorded = view.recorded_unix_ns.unwrap_or(0);
            if recorded < span.from || recorded > span.to {
                continue;
            }
            seen += 1;
            rules.see(&Seen { index, bytes, view }, &mut findings);
            if findings.len() > FINDINGS_MAX {
                let reason = format!("there are more than {FINDINGS_MAX} findings up to entry {index}");
                return Err(CliError::new(reason).hint("narrow the time with --from and --to, or the rules"));
            }
        }
        if read.next_index() == next {
            break;
        }
        next = read.next_index();
        bar.set_position(next.0);
    }
    bar.finish_and_clear();
    Ok((findings, seen))
}

fn show(findings: &[Finding], seen: u64, format: Format) -> Result<(), CliError> {
    let mut out = stdout();
    match format {
        Format::Json => writeln!(out, "{:#}", json!({"entries": seen, "findings": findings}))?,
        Format::Text => {
            // worst first, and in the order of the log
            let of = |severity: Severity| findings.iter().filter(move |finding| finding.severity == severity);
            let rows: Vec<Vec<String>> = Severity::ALL.into_iter().rev().flat_map(of).map(row).collect();
            if !rows.is_empty() {
                table(&mut out, &["severity", "index", "time", "about", "what"], &rows)?;
            }
            writeln!(out, "{} findings in {seen} entries", findings.len())?;
        }
    }
    Ok(out.flush()?)
}

fn row(finding: &Finding) -> Vec<String> {
    let last = finding.evidence.last();
    vec![
        finding.severity.to_string(),
        last.map(|last| last.index.to_string()).unwrap_or_default(),
        last.map(|last| last.time.chars().take(19).collect()).unwrap_or_default(),
        finding.entity.id.clone(),
        finding.summary.clone(),
    ]
}
