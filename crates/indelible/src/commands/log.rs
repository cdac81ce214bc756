//! `indelible log list` and `indelible checkpoint`.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::{CheckpointArguments, LogCommand, ServerArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, field, print, stdout, table};

pub(crate) fn run(server: &ServerArguments, command: &LogCommand) -> Result<Exit, CliError> {
    let LogCommand::List { format } = command;
    let answer = Client::new(server)?.get("/v1/logs", &[])?;
    let mut out = stdout();
    if *format == Format::Json {
        writeln!(out, "{answer:#}")?;
        out.flush()?;
        return Ok(Exit::Ok);
    }
    let empty = Vec::new();
    let logs = answer.get("logs").and_then(Value::as_array).unwrap_or(&empty);
    let columns = ["name", "origin", "size", "published_size", "indexed_size", "state", "vkey"];
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
