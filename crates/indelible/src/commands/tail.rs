//! `indelible tail`: the last events, and with `-f` new ones as they are recorded.

use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use crate::cli::{ServerArguments, TailArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{EVENT_COLUMNS, EventFormat, csv_line, event_row, events, stdout};

use super::folder::Folder;
use super::parameters;
use super::search::{from_server, indexed};

pub(crate) fn run(server: &ServerArguments, arguments: &TailArguments) -> Result<Exit, CliError> {
    let query = &arguments.query;
    if let Some(data) = &query.data {
        if arguments.follow {
            return Err(CliError::new("a folder cannot be followed").hint("ask the server: leave out --data"));
        }
        let mut last = Folder::open(data, query.log.as_deref())?.search(query, true, arguments.lines)?;
        last.reverse();
        events(arguments.format, &last)?;
        return Ok(Exit::Ok);
    }
    let client = Client::new(server)?;
    // the stream is opened first, so that nothing is missed between the two
    let stream =
        if arguments.follow { Some(client.get_stream("/v1/events/stream", &parameters(query))?) } else { None };
    let mut last = from_server(&client, query, true, arguments.lines)?;
    last.reverse();
    events(arguments.format, &last)?;
    let next = last.last().map_or(0, |(index, _)| index + 1);
    let Some(stream) = stream else { return Ok(Exit::Ok) };
    for line in BufReader::new(stream.into_body().into_reader()).lines() {
        let line = line.map_err(|error| CliError::because("the server ended the stream", &error))?;
        let hit = serde_json::from_str::<Value>(&line).ok().and_then(indexed);
        // what came between the two is in both
        if let Some((index, event)) = hit.filter(|(index, _)| *index >= next) {
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
