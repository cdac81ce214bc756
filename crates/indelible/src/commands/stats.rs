//! `indelible stats`: counts from a server, or from a folder without one.

use std::io::Write;

use serde_json::Value;

use crate::cli::{ServerArguments, StatsArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, field, stdout, table};

use super::folder::Folder;
use super::parameters;

pub(crate) fn run(server: &ServerArguments, arguments: &StatsArguments) -> Result<Exit, CliError> {
    let answer = match &arguments.query.data {
        Some(data) => {
            let by = arguments.by.as_deref().unwrap_or_default().split(',').map(str::trim);
            let by: Vec<String> = by.filter(|field| !field.is_empty()).map(str::to_owned).collect();
            let folder = Folder::open(data, arguments.query.log.as_deref())?;
            folder.stats(&arguments.query, &by, arguments.interval.as_deref())?
        }
        None => {
            let mut query = parameters(&arguments.query);
            query.extend(arguments.by.iter().map(|by| ("by", by.clone())));
            query.extend(arguments.interval.iter().map(|interval| ("interval", interval.clone())));
            Client::new(server)?.get("/v1/stats", &query)?
        }
    };
    let mut out = stdout();
    if arguments.format == Format::Json {
        writeln!(out, "{answer:#}")?;
        out.flush()?;
        return Ok(Exit::Ok);
    }
    let empty = Vec::new();
    let rows = answer.get("rows").and_then(Value::as_array).unwrap_or(&empty);
    let columns: Vec<String> =
        rows.first().and_then(Value::as_object).map(|row| row.keys().cloned().collect()).unwrap_or_default();
    let header: Vec<&str> = columns.iter().map(String::as_str).collect();
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| field(row, &[column])).collect()).collect();
    table(&mut out, &header, &cells)?;
    out.flush()?;
    if answer.get("truncated").and_then(Value::as_bool) == Some(true) {
        eprintln!("There are more rows than are given at once; narrow the query.");
    }
    Ok(Exit::Ok)
}
