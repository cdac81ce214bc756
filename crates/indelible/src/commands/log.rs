//! `indelible log list|resume` and `indelible checkpoint`.

use std::io::Write;

use indelible_event::env::Clock as _;
use indelible_server::guard::lift;
use indelible_store::name::LogName;
use indelible_store::{DataFolder, SystemClock};
use serde_json::{Value, json};

use crate::cli::{CheckpointArguments, LogCommand, LogResumeArguments, ServerArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, field, print, stdout, table};

pub(crate) fn run(server: &ServerArguments, command: &LogCommand) -> Result<Exit, CliError> {
    match command {
        LogCommand::List { format } => list(server, *format),
        LogCommand::Resume(arguments) => resume(arguments),
    }
}

/// Lifts a stop of signing, by the files of a data folder that no server uses.
fn resume(arguments: &LogResumeArguments) -> Result<Exit, CliError> {
    let LogResumeArguments { data, log, reason, set_checkpoints_aside, format } = arguments;
    let log = LogName::new(log).map_err(|error| CliError::new(error.to_string()))?;
    if reason.trim().is_empty() {
        return Err(CliError::new("a reason is needed: it goes on record").exit(Exit::Usage));
    }
    if !data.join("logs").join(log.as_str()).is_dir() {
        return Err(
            CliError::new(format!("there is no log `{log}` in {}", data.display())).hint("name the folder with --data")
        );
    }
    let failed = |error: &dyn std::error::Error| CliError::because("signing cannot be resumed", error);
    // the lock keeps a server from running beside it
    let _folder = DataFolder::open(data).map_err(|error| failed(&error))?;
    let now = SystemClock.now();
    let lifted =
        lift(data, log.as_str(), reason.trim(), *set_checkpoints_aside, now).map_err(|error| failed(&error))?;
    match format {
        Format::Json => print(format_args!("{:#}\n", json!(lifted)))?,
        Format::Text => {
            print(format_args!("Stopped at {}: {}\n", lifted.stopped.time, lifted.stopped.reason))?;
            if let Some(file) = &lifted.set_aside {
                print(format_args!("The kept checkpoints are in guard/{log}/{file} now.\n"))?;
            }
            print(format_args!("The next start signs again, and records why.\n"))?;
        }
    }
    Ok(Exit::Ok)
}

fn list(server: &ServerArguments, format: Format) -> Result<Exit, CliError> {
    let answer = Client::new(server)?.get("/v1/logs", &[])?;
    let mut out = stdout();
    if format == Format::Json {
        writeln!(out, "{answer:#}")?;
        out.flush()?;
        return Ok(Exit::Ok);
    }
    let empty = Vec::new();
    let logs = answer.get("logs").and_then(Value::as_array).unwrap_or(&empty);
    let columns = ["name", "origin", "size", "published_size", "indexed_size", "state", "signing", "vkey"];
    let rows: Vec<Vec<String>> =
        logs.iter().map(|log| columns.iter().map(|column| field(log, &[column])).collect()).collect();
    table(&mut out, &columns, &rows)?;
    out.flush()?;
    Ok(Exit::Ok)
}

pub(crate) fn checkpoint(server: &ServerArguments, arguments: &CheckpointArguments) -> Result<Exit, CliError> {
    let note = Client::new(server)?.get_text(&format!("/log/{}/checkpoint", arguments.log))?;
    match arguments.format {
        Format::Text => print(format_args!("{note}"))?,
        Format::Json => print(format_args!("{:#}\n", json!({"log": arguments.log, "checkpoint": note})))?,
    }
    Ok(Exit::Ok)
}
