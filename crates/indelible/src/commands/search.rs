//! `indelible search`: pages of events from a server, or from a folder without one.

use serde_json::Value;

use crate::cli::{OrderArgument, SearchArguments, ServerArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{events, stdout};

use super::folder::Folder;
use super::parameters;

/// Events in one page from the server.
const PAGE: usize = 1_000;

pub(crate) fn run(server: &ServerArguments, arguments: &SearchArguments) -> Result<Exit, CliError> {
    let newest_first = arguments.order == OrderArgument::Desc;
    let found = match &arguments.query.data {
        Some(data) => Folder::open(data, arguments.query.log.as_deref())?.search(&arguments.query, newest_first, arguments.limit)?,
        None => from_server(&Client::new(server)?, arguments, newest_first)?,
    };
    events(&mut stdout(), arguments.format, &found)?;
    Ok(Exit::Ok)
}

fn from_server(client: &Client, arguments: &SearchArguments, newest_first: bool) -> Result<Vec<(u64, Value)>, CliError> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    while found.len() < arguments.limit {
        let mut query = parameters(&arguments.query);
        query.push(("limit", PAGE.min(arguments.limit - found.len()).to_string()));
        query.push(("order", if newest_first { "desc" } else { "asc" }.to_owned()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let mut page = client.get("/v1/events", &query)?;
        let listed = page.get_mut("events").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        found.extend(listed.into_iter().filter_map(indexed));
        cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

/// `{"index": n, "event": {…}}` as a pair.
pub(crate) fn indexed(mut hit: Value) -> Option<(u64, Value)> {
    let index = hit.get("index")?.as_u64()?;
    Some((index, hit.get_mut("event")?.take()))
}
