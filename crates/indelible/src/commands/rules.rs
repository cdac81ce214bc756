//! `indelible rules check|test|list`: rules without a server.

use std::io::Write;
use std::path::{Path, PathBuf};

use indelible_detect::rules::{Inactive, Lists, Loaded, RuleSet, RuleSource, Skipped, cases};
use serde_json::json;

use crate::cli::RulesCommand;
use crate::exit::{CliError, Exit};
use crate::output::{Format, stdout, table};

pub(crate) fn run(command: &RulesCommand) -> Result<Exit, CliError> {
    match command {
        RulesCommand::Check { folder, lists, format } => check(folder, lists.as_deref(), *format),
        RulesCommand::Test { folder, format } => test(folder, *format),
        RulesCommand::List { folder, lists, format } => list(folder.as_deref(), lists.as_deref(), *format),
    }
}

/// Rules from these files and folders, after the built-in ones unless they are left out, with the lists of a file.
pub(crate) fn load(paths: &[PathBuf], built_in: BuiltIn, lists: Option<&Path>) -> Result<Loaded, CliError> {
    let lists = lists.map(Lists::read).transpose().map_err(|error| {
        CliError::new(error.to_string()).hint("write one line for each list: `approved_models: [gpt-4o, in-house-*]`")
    })?;
    let mut sources = Vec::new();
    if built_in == BuiltIn::With {
        sources.push(RuleSource::BuiltIn);
    }
    for path in paths {
        present(path)?;
        sources.push(RuleSource::Path(path.clone()));
    }
    Ok(RuleSet::load_with(&sources, &lists.unwrap_or_default()))
}

/// Whether the rules that are part of the program are among those that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    /// They are.
    With,
    /// They are not.
    Without,
}

fn present(path: &Path) -> Result<(), CliError> {
    if path.exists() {
        return Ok(());
    }
    Err(CliError::new(format!("{} is not there", path.display()))
        .hint("name a folder of Sigma rules, or one rule file"))
}

fn check(folder: &Path, lists: Option<&Path>, format: Format) -> Result<Exit, CliError> {
    let Loaded { set, skipped } = load(&[folder.to_owned()], BuiltIn::Without, lists)?;
    let mut out = stdout();
    match format {
        Format::Json => {
            let inactive = set.inactive();
            writeln!(out, "{:#}", json!({"rules": set.len(), "skipped": skipped, "inactive": inactive}))?;
        }
        Format::Text => {
            skipped_lines(&mut out, &skipped)?;
            inactive_lines(&mut out, set.inactive())?;
            let (usable, waiting) = (set.len(), set.inactive().len());
            writeln!(out, "{usable} rules can be used, {waiting} wait for a list, {} cannot be used", skipped.len())?;
        }
    }
    out.flush()?;
    Ok(if skipped.is_empty() { Exit::Ok } else { Exit::Finding })
}

fn skipped_lines(out: &mut dyn Write, skipped: &[Skipped]) -> Result<(), CliError> {
    for skipped in skipped {
        let line: String = skipped.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        writeln!(out, "SKIPPED {line}")?;
    }
    Ok(())
}

fn inactive_lines(out: &mut dyn Write, inactive: &[Inactive]) -> Result<(), CliError> {
    for Inactive { title, file, lists, .. } in inactive {
        let line = format!("{file}: `{title}`: waits for the list `{}`", lists.join("`, `"));
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        writeln!(out, "INACTIVE {line}")?;
    }
    Ok(())
}

fn test(folder: &Path, format: Format) -> Result<Exit, CliError> {
    present(folder)?;
    let report = cases::run(folder);
    let wrong = report.outcomes.iter().filter(|outcome| !outcome.right()).count();
    let mut out = stdout();
    match format {
        Format::Json => {
            let cases: Vec<_> = report
                .outcomes
                .iter()
                .map(|outcome| {
                    json!({"file": outcome.file, "case": outcome.name, "right": outcome.right(),
                        "expected": outcome.expected, "found": outcome.found, "fault": outcome.fault})
                })
                .collect();
            let (skipped, untested) = (&report.skipped, &report.untested);
            writeln!(out, "{:#}", json!({"cases": cases, "wrong": wrong, "skipped": skipped, "untested": untested}))?;
        }
        Format::Text => {
            for outcome in report.outcomes.iter().filter(|outcome| !outcome.right()) {
                let reason = match &outcome.fault {
                    Some(fault) => fault.clone(),
                    None if outcome.expected => "nothing was found".to_owned(),
                    None => format!("found by {}", outcome.found.join(", ")),
                };
                writeln!(out, "WRONG {}: {}: {reason}", outcome.file, outcome.name)?;
            }
            skipped_lines(&mut out, &report.skipped)?;
            for file in &report.untested {
                writeln!(out, "UNTESTED {file}")?;
            }
            let (cases, skipped, untested) = (report.outcomes.len(), report.skipped.len(), report.untested.len());
            writeln!(out, "{cases} cases, {wrong} wrong; {skipped} skipped, {untested} rule files without cases")?;
        }
    }
    out.flush()?;
    Ok(if wrong == 0 && report.skipped.is_empty() { Exit::Ok } else { Exit::Finding })
}

fn list(folder: Option<&Path>, lists: Option<&Path>, format: Format) -> Result<Exit, CliError> {
    let paths: Vec<PathBuf> = folder.map(Path::to_owned).into_iter().collect();
    let Loaded { set, skipped } = load(&paths, BuiltIn::With, lists)?;
    let infos = set.infos();
    let mut out = stdout();
    match format {
        Format::Json => writeln!(out, "{:#}", json!({"rules": infos, "inactive": set.inactive(), "skipped": skipped}))?,
        Format::Text => {
            let alerting = infos.iter().filter(|info| info.alerts);
            let rows: Vec<Vec<String>> = alerting
                .map(|info| {
                    let kind = if info.correlation { "several events" } else { "one event" };
                    vec![
                        info.severity.to_string(),
                        kind.to_owned(),
                        info.title.clone(),
                        info.tags.join(" "),
                        info.file.clone(),
                    ]
                })
                .collect();
            table(&mut out, &["severity", "looks at", "title", "tags", "file"], &rows)?;
            inactive_lines(&mut out, set.inactive())?;
            skipped_lines(&mut out, &skipped)?;
        }
    }
    out.flush()?;
    Ok(if skipped.is_empty() { Exit::Ok } else { Exit::Finding })
}
