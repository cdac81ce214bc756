//! `GET /v1/events`: pages of matching events, and what every question to the index shares: its parameters, its place among
//! the queries at once, the index brought up to date, entries read back by their indexes.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use bytes::Bytes;
use indelible_event::build::EventBuilder;
use indelible_event::doors::{EntryIndex, EntryReader, ReadError};
use indelible_search::query::Query;
use indelible_search::{Index, Order, PAGE_MAX, SearchPage, SearchRequest, filter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{blocking, count};
use crate::app::App;
use crate::call::{Answer, Call, json_response};
use crate::logs::LogHandle;
use crate::problem::{Kind, Problem};
use crate::query_string::{Parameters, wrong};
use crate::trail::bounded;

/// Hits on a page when nobody says how many.
const LIMIT_DEFAULT: u64 = 100;
/// Entries taken into the index at once before the time is looked at again.
const REFRESH_STEP: usize = 20_000;
/// Entries between two hits that are read along rather than asked for apart: bundles hold 256.
const GAP_READ_ALONG: u64 = 32;
/// Most entries and bytes read at once.
const READ_ENTRIES: u64 = 256;
const READ_BYTES: usize = 4 * 1024 * 1024;
/// Largest page of events: a page whose entries are longer ends earlier, and the cursor goes on from there.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A question to the index of one log.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) log: Arc<LogHandle>,
    pub(crate) index: Arc<Index>,
    pub(crate) query: Query,
    /// The text, for the event.
    pub(crate) asked: Asked,
}

/// What was asked, as it is put on record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    query: String,
    from: Option<String>,
    to: Option<String>,
}

impl Asked {
    /// What was asked, as long as it may stand in an event.
    pub(crate) fn new(q: &str, from: Option<&str>, to: Option<&str>) -> Self {
        Self { query: bounded(q), from: from.map(bounded), to: to.map(bounded) }
    }

    /// Adds what was asked to an event.
    pub(crate) fn describe<'a>(&'a self, mut event: EventBuilder<'a>) -> EventBuilder<'a> {
        event = event.attribute("query", self.query.as_str());
        if let Some(from) = &self.from {
            event = event.attribute("from", from.as_str());
        }
        match &self.to {
            Some(to) => event.attribute("to", to.as_str()),
            None => event,
        }
    }
}

/// Reads `log`, `q`, `from` and `to`.
pub(crate) fn question(call: &Call, parameters: &Parameters) -> Result<Question, Problem> {
    let log = Arc::clone(call.log_or_default(parameters.get("log"))?);
    question_of(log, parameters.get("q").unwrap_or_default(), parameters.get("from"), parameters.get("to"))
}

/// The same out of its parts.
pub(crate) fn question_of(
    log: Arc<LogHandle>,
    q: &str,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<Question, Problem> {
    let query = filter(q, from, to)?;
    let index = Arc::clone(log.index()?);
    Ok(Question { log, index, query, asked: Asked::new(q, from, to) })
}

/// A place among the queries that may run at once.
pub(crate) fn place(places: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(places)
        .try_acquire_owned()
        .map_err(|_| Problem::new(Kind::TooManyRequests, format!("too many {what} at once")))
}

/// Brings the index up to what the log held when it was asked: an acknowledged event is found by the next query.
pub(crate) async fn refresh(app: &App, log: &Arc<LogHandle>, index: &Arc<Index>) -> Result<(), Problem> {
    let time = app.config.limits.query_time.duration();
    let (log, index) = (Arc::clone(log), Arc::clone(index));
    blocking(move || up_to_date(&log, &index, time)).await?
}

fn up_to_date(log: &LogHandle, index: &Index, time: Duration) -> Result<(), Problem> {
    let began = Instant::now();
    let wanted = log.reader.size();
    loop {
        let indexed = index.refresh_some(&*log.reader, REFRESH_STEP).map_err(|error| Problem::from_index(&error))?;
        if indexed >= wanted {
            return Ok(());
        }
        if began.elapsed() > time {
            let detail = format!("the search index is catching up: it holds {indexed} of {wanted} entries");
            return Err(Problem::new(Kind::Unavailable, detail));
        }
    }
}

/// Finds events.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "events.search", tag = "events",
    params(
        ("q" = Option<String>, Query, description = "The query, such as `actor:ana@example.com outcome:denied`; every event when missing"),
        ("from" = Option<String>, Query, description = "Events from this time on"),
        ("to" = Option<String>, Query, description = "Events up to this time; a day means all of it"),
        ("limit" = Option<u64>, Query, description = "Most events on the page, 1 to 1000; 100 when missing"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("order" = Option<String>, Query, description = "`desc` (newest first, the default) or `asc`"),
        ("log" = Option<String>, Query, description = "The log; the first one when missing"),
    ),
    responses(
        (status = 200, description = "`{\"log\", \"events\": [{\"index\", \"event\"}], \"next_cursor\", \"size\"}`", body = serde_json::Value),
        (status = 400, description = "The query is wrong; `errors` names the column", body = inline(crate::problem::Document<'static>)),
    )
)]
pub(crate) async fn search(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["q", "from", "to", "limit", "cursor", "order", "log"])?;
    let limits = &call.app.config.limits;
    let most = (PAGE_MAX as u64).min(limits.query_rows);
    let limit = parameters.number("limit", 1, most)?.unwrap_or(LIMIT_DEFAULT.min(most));
    let order = match parameters.get("order") {
        None | Some("desc") => Order::NewestFirst,
        Some("asc") => Order::OldestFirst,
        Some(_) => return Err(wrong("order", "wrong-value", "the parameter `order` is `asc` or `desc`".to_owned())),
    };
    let question = question(call, &parameters)?;
    let _place = place(&call.app.queries, "queries")?;
    refresh(&call.app, &question.log, &question.index).await?;
    let mut request = SearchRequest::new(question.query.clone());
    request.order = order;
    request.limit = usize::try_from(limit).unwrap_or(PAGE_MAX);
    request.cursor = parameters.get("cursor").map(str::to_owned);
    request.time = limits.query_time.duration();
    let (entries, page) = found(&question.log, &question.index, request).await?;
    let body = body(question.log.name(), &entries, page.next_cursor.as_deref(), page.size)?;
    let found = entries.len() as u64;
    let event = question.asked.describe(call.event().resource_count("log", question.log.name(), found));
    let mark = call.record(&question.log, event.attribute("hits", count(found))).await?;
    Ok(Answer::new(json_response(StatusCode::OK, body), mark))
}

/// A page of hits with their entries. The index was brought up to date before.
pub(crate) async fn found(
    log: &Arc<LogHandle>,
    index: &Arc<Index>,
    mut request: SearchRequest,
) -> Result<(Vec<(u64, Bytes)>, SearchPage), Problem> {
    let mut page = index.search(request.clone()).await?;
    let mut entries = entries_of(log, page.hits.iter().map(|hit| hit.index).collect()).await?;
    if entries.len() < page.hits.len() {
        // The entries are long: the page ends where its bytes are used up, and its cursor with it.
        request.limit = entries.len().max(1);
        page = index.search(request).await?;
        entries.truncate(page.hits.len());
    }
    Ok((entries, page))
}

/// Entries are JSON already, exactly as they are hashed, and are not written again.
fn body(log: &str, entries: &[(u64, Bytes)], next_cursor: Option<&str>, size: u64) -> Result<Vec<u8>, Problem> {
    let text = |text: &str| serde_json::to_vec(text).map_err(Problem::internal);
    let mut body = Vec::with_capacity(entries.iter().map(|(_, entry)| entry.len() + 40).sum::<usize>() + 256);
    body.extend_from_slice(b"{\"log\":");
    body.extend_from_slice(&text(log)?);
    body.extend_from_slice(b",\"events\":[");
    for (place, (index, entry)) in entries.iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        write_line(&mut body, *index, entry);
    }
    body.extend_from_slice(b"],\"next_cursor\":");
    match next_cursor {
        Some(cursor) => body.extend_from_slice(&text(cursor)?),
        None => body.extend_from_slice(b"null"),
    }
    body.extend_from_slice(format!(",\"size\":{size}}}").as_bytes());
    Ok(body)
}

/// `{"index":n,"event":{…}}`.
pub(crate) fn write_line(line: &mut Vec<u8>, index: u64, entry: &[u8]) {
    line.extend_from_slice(format!("{{\"index\":{index},\"event\":").as_bytes());
    line.extend_from_slice(entry);
    line.push(b'}');
}

/// The entries at `indexes`, in that order, as far as a page's bytes reach; at least one.
async fn entries_of(log: &Arc<LogHandle>, indexes: Vec<u64>) -> Result<Vec<(u64, Bytes)>, Problem> {
    let log = Arc::clone(log);
    Ok(blocking(move || fetch(&*log.reader, &indexes, PAGE_BYTES_MAX)).await??)
}

/// Reads entries by their indexes (rising or falling), near ones together; ends early when `most_bytes` are used up.
pub(crate) fn fetch(
    reader: &dyn EntryReader,
    indexes: &[u64],
    most_bytes: usize,
) -> Result<Vec<(u64, Bytes)>, ReadError> {
    let mut fetched: Vec<(u64, Bytes)> = Vec::with_capacity(indexes.len());
    let mut bytes = 0;
    let mut rest = indexes;
    while !rest.is_empty() && (bytes < most_bytes || fetched.is_empty()) {
        let (span, taken) = together(rest);
        let (run, after) = rest.split_at(taken);
        rest = after;
        let found = read_span(reader, span, run)?;
        for index in run {
            let place = found.binary_search_by_key(index, |(found, _)| *found);
            let Some((_, entry)) = place.ok().and_then(|place| found.get(place)) else {
                return Err(ReadError::Beyond { index: EntryIndex(*index), size: reader.size() });
            };
            if bytes + entry.len() > most_bytes && !fetched.is_empty() {
                return Ok(fetched);
            }
            bytes += entry.len();
            fetched.push((*index, entry.clone()));
        }
    }
    Ok(fetched)
}

/// How many of the first indexes lie near each other, and the entries they span.
fn together(indexes: &[u64]) -> (Range<u64>, usize) {
    let first = indexes.first().copied().unwrap_or_default();
    let mut span = first..first + 1;
    let mut taken = 0;
    for index in indexes {
        let wider = span.start.min(*index)..span.end.max(index + 1);
        let gap = if *index < span.start { span.start - index } else { index.saturating_sub(span.end) };
        if gap > GAP_READ_ALONG || wider.end - wider.start > READ_ENTRIES {
            break;
        }
        span = wider;
        taken += 1;
    }
    (span, taken)
}

/// The wanted entries of a span, rising.
fn read_span(reader: &dyn EntryReader, span: Range<u64>, wanted: &[u64]) -> Result<Vec<(u64, Bytes)>, ReadError> {
    let mut found = Vec::with_capacity(wanted.len());
    let mut next = span.start;
    while next < span.end {
        let count = usize::try_from(span.end - next).unwrap_or(usize::MAX);
        let entries = reader.read(EntryIndex(next), count, READ_BYTES)?;
        if entries.is_empty() {
            return Err(ReadError::Beyond { index: EntryIndex(next), size: reader.size() });
        }
        for (EntryIndex(index), entry) in entries.iter() {
            if index < span.end && wanted.contains(&index) {
                found.push((index, Bytes::copy_from_slice(entry)));
            }
        }
        next = entries.next_index().0;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use indelible_event::doors::Entries;

    use super::*;

    /// Entry n holds n as text; at most ten a read.
    struct Numbers(u64);

    impl EntryReader for Numbers {
        fn size(&self) -> u64 {
            self.0
        }

        fn read(&self, first: EntryIndex, most: usize, _: usize) -> Result<Entries, ReadError> {
            let mut entries = Entries::starting_at(first);
            for index in (first.0..self.0).take(most.min(10)) {
                entries.push(index.to_string().as_bytes());
            }
            Ok(entries)
        }
    }

    fn fetched(indexes: &[u64], most_bytes: usize) -> Vec<u64> {
        let fetched = fetch(&Numbers(10_000), indexes, most_bytes).unwrap();
        assert!(fetched.iter().all(|(index, entry)| index.to_string().as_bytes() == entry.as_ref()));
        fetched.into_iter().map(|(index, _)| index).collect()
    }

    #[test]
    fn entries_come_in_the_order_asked_for_whether_near_or_far() {
        for indexes in [vec![], vec![5], vec![1, 2, 3], vec![9_999, 70, 69, 5, 0], vec![0, 31, 64, 300, 556, 9_999]] {
            assert_eq!(fetched(&indexes, usize::MAX), indexes);
        }
        assert_eq!(together(&[0, 33, 300]), (0..34, 2));
        assert_eq!(together(&[100, 90, 40]), (90..101, 2));
    }

    #[test]
    fn a_page_ends_when_its_bytes_are_used_up_but_never_empty() {
        assert_eq!(fetched(&[10, 11, 12], 4), [10, 11]);
        assert_eq!(fetched(&[10, 11, 12], 0), [10]);
    }

    #[test]
    fn an_entry_that_is_not_there_is_told() {
        assert!(matches!(fetch(&Numbers(5), &[4, 5], 100), Err(ReadError::Beyond { .. })));
    }
}
