//! `indelible search`: pages of events from a server, or from a folder without one.

use serde_json::Value;

use crate::cli::{OrderArgument, QueryArguments, SearchArguments, ServerArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::events;

use super::folder::Folder;
use super::parameters;

/// Events in one page from the server.
const PAGE: usize = 1_000;

pub(crate) fn run(server: &ServerArguments, arguments: &SearchArguments) -> Result<Exit, CliError> {
    let newest_first = arguments.order == OrderArgument::Desc;
    let found = match &arguments.query.data {
        Some(data) => Folder::open(data, arguments.query.log.as_deref())?.search(
            &arguments.query,
            newest_first,
            arguments.limit,
        )?,
        None => from_server(&Client::new(server)?, &arguments.query, newest_first, arguments.limit)?,
    };
    events(arguments.format, &found)?;
    Ok(Exit::Ok)
}

/// Page by page, up to `limit`.
pub(crate) fn from_server(
    client: &Client,
    query: &QueryArguments,
    newest_first: bool,
    limit: usize,
) -> Result<Vec<(u64, Value)>, CliError> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    while found.len() < limit {
        let mut asked = parameters(query);
        asked.push(("limit", PAGE.min(limit - found.len()).to_string()));
        asked.push(("order", if newest_first { "desc" } else { "asc" }.to_owned()));
        asked.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let mut page = client.get("/v1/events", &asked)?;
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
