//! `indelible tail`: the last events, and with `-f` new ones as they are recorded.

use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use crate::cli::{ServerArguments, TailArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{EVENT_COLUMNS, EventFormat, csv_line, event_row, events, stdout};

use super::folder::Folder;
use super::parameters;
use super::search::indexed;

pub(crate) fn run(server: &ServerArguments, arguments: &TailArguments) -> Result<Exit, CliError> {
    let query = &arguments.query;
    if let Some(data) = &query.data {
        if arguments.follow {
            return Err(CliError::new("a folder cannot be followed").hint("ask the server: leave out --data"));
        }
        let mut last = Folder::open(data, query.log.as_deref())?.search(query, true, arguments.lines)?;
        last.reverse();
        events(&mut stdout(), arguments.format, &last)?;
        return Ok(Exit::Ok);
    }
    let client = Client::new(server)?;
    // the stream is opened first, so that nothing is missed between the two
    let stream = if arguments.follow { Some(client.get_stream("/v1/events/stream", &parameters(query))?) } else { None };
    if arguments.lines > 0 {
        let mut parameters = parameters(query);
        parameters.push(("limit", arguments.lines.min(1_000).to_string()));
        let mut page = client.get("/v1/events", &parameters)?;
        let listed = page.get_mut("events").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        let mut last: Vec<(u64, Value)> = listed.into_iter().filter_map(indexed).collect();
        last.reverse();
        events(&mut stdout(), arguments.format, &last)?;
    }
    let Some(stream) = stream else { return Ok(Exit::Ok) };
    for line in BufReader::new(stream.into_body().into_reader()).lines() {
        let line = line.map_err(|error| CliError::because("the server ended the stream", &error))?;
        let hit = serde_json::from_str::<Value>(&line).ok().and_then(indexed);
        if let Some((index, event)) = hit {
            print_one(arguments.format, index, &event)?;
        }
    }
    Ok(Exit::Ok)
}

fn print_one(format: EventFormat, index: u64, event: &Value) -> Result<(), CliError> {
    let mut out = stdout();
    match format {
        EventFormat::Ndjson => writeln!(out, "{event}")?,
        EventFormat::Json => writeln!(out, "{}", serde_json::json!({"index": index, "event": event}))?,
        EventFormat::Csv => csv_line(&mut out, &event_row(index, event))?,
        EventFormat::Table => {
            let row = event_row(index, event);
            debug_assert_eq!(row.len(), EVENT_COLUMNS.len());
            writeln!(out, "{}", row.join("  ").replace(|c: char| c.is_control(), "\u{fffd}"))?;
        }
    }
    Ok(out.flush()?)
}
