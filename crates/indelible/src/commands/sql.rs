//! `indelible sql`: one SELECT over `events`, on a server or on a folder.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::{ServerArguments, SqlArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{EventFormat, csv_line, field, stdout, table};

use super::folder::Folder;

pub(crate) fn run(server: &ServerArguments, arguments: &SqlArguments) -> Result<Exit, CliError> {
    let answer = match &arguments.data {
        Some(data) => Folder::open(data, arguments.log.as_deref())?.sql(&arguments.query)?,
        None => {
            let mut body = json!({"query": arguments.query});
            if let Some(log) = &arguments.log {
                body["log"] = json!(log);
            }
            Client::new(server)?.post("/v1/sql", &[], "application/json", body.to_string().as_bytes())?
        }
    };
    let empty = Vec::new();
    let columns: Vec<String> = answer
        .get("columns")
        .and_then(Value::as_array)
        .unwrap_or(&empty)
        .iter()
        .map(|column| field(column, &["name"]))
        .collect();
    let rows = answer.get("rows").and_then(Value::as_array).unwrap_or(&empty);
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let cells = |row: &Value| row.as_array().unwrap_or(&empty).iter().map(cell).collect::<Vec<String>>();
    let mut out = stdout();
    match arguments.format {
        EventFormat::Json => writeln!(out, "{answer:#}")?,
        EventFormat::Table => {
            let header: Vec<&str> = columns.iter().map(String::as_str).collect();
            table(&mut out, &header, &rows.iter().map(cells).collect::<Vec<_>>())?;
        }
        EventFormat::Csv => {
            csv_line(&mut out, &columns)?;
            rows.iter().try_for_each(|row| csv_line(&mut out, &cells(row)))?;
        }
        EventFormat::Ndjson => {
            for row in rows {
                let named: serde_json::Map<String, Value> =
                    columns.iter().cloned().zip(row.as_array().unwrap_or(&empty).iter().cloned()).collect();
                writeln!(out, "{}", Value::Object(named))?;
            }
        }
    }
    out.flush()?;
    if answer.get("truncated").and_then(Value::as_bool) == Some(true) {
        eprintln!("More rows than the server gives at once; add a LIMIT or narrow the query.");
    }
    Ok(Exit::Ok)
}
