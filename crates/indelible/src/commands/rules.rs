//! `indelible rules check|test|list`: rules without a server.

use std::io::Write;
use std::path::{Path, PathBuf};

use indelible_detect::rules::{Loaded, RuleSet, RuleSource, Skipped, cases};
use serde_json::json;

use crate::cli::RulesCommand;
use crate::exit::{CliError, Exit};
use crate::output::{Format, stdout, table};

pub(crate) fn run(command: &RulesCommand) -> Result<Exit, CliError> {
    match command {
        RulesCommand::Check { folder, format } => check(folder, *format),
        RulesCommand::Test { folder, format } => test(folder, *format),
        RulesCommand::List { folder, format } => list(folder.as_deref(), *format),
    }
}

/// Rules from these files and folders, after the built-in ones unless they are left out.
pub(crate) fn load(paths: &[PathBuf], built_in: BuiltIn) -> Result<Loaded, CliError> {
    let mut sources = Vec::new();
    if built_in == BuiltIn::With {
        sources.push(RuleSource::BuiltIn);
    }
    for path in paths {
        present(path)?;
        sources.push(RuleSource::Path(path.clone()));
    }
    Ok(RuleSet::load(&sources))
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

fn check(folder: &Path, format: Format) -> Result<Exit, CliError> {
    let Loaded { set, skipped } = load(&[folder.to_owned()], BuiltIn::Without)?;
    let mut out = stdout();
    match format {
        Format::Json => writeln!(out, "{:#}", json!({"rules": set.len(), "skipped": skipped}))?,
        Format::Text => {
            skipped_lines(&mut out, &skipped)?;
            writeln!(out, "{} rules can be used, {} cannot", set.len(), skipped.len())?;
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

fn list(folder: Option<&Path>, format: Format) -> Result<Exit, CliError> {
    let paths: Vec<PathBuf> = folder.map(Path::to_owned).into_iter().collect();
    let Loaded { set, skipped } = load(&paths, BuiltIn::With)?;
    let infos = set.infos();
    let mut out = stdout();
    match format {
        Format::Json => writeln!(out, "{:#}", json!({"rules": infos, "skipped": skipped}))?,
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
            skipped_lines(&mut out, &skipped)?;
        }
    }
    out.flush()?;
    Ok(if skipped.is_empty() { Exit::Ok } else { Exit::Finding })
}
