//! `GET /v1/export`: every matching event, oldest first, as a stream in one of several formats.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use indelible_search::query::Query;
use indelible_search::{FindError, Index, Order, Patience};
use tokio::runtime::Handle;

use super::find::{Question, fetch, place, question, refresh};
pub(crate) use super::streaming::End;
use super::streaming::{PIECE_BYTES, Pieces, Sent, begin, channel, produce};
use crate::call::{Answer, Call};
use crate::logs::LogHandle;
use crate::problem::Problem;
use crate::query_string::wrong;

mod format;

pub(crate) use format::Format;
use format::Writer;

/// Hits gathered before their entries are read.
const HITS_AT_ONCE: usize = 256;

/// Exports events.
#[utoipa::path(
    get, path = "/v1/export", operation_id = "events.export", tag = "events",
    params(
        ("q" = Option<String>, Query, description = "The query; every event when missing"),
        ("format" = Option<String>, Query, description = "`ndjson` (the default), `csv`, `parquet` or `ocsf`"),
        ("from" = Option<String>, Query, description = "Events from this time on"),
        ("to" = Option<String>, Query, description = "Events up to this time"),
        ("log" = Option<String>, Query, description = "The log; the first one when missing"),
    ),
    responses((status = 200, description = "A stream; one that breaks off is not whole", body = [u8]))
)]
pub(crate) async fn export(call: &Arc<Call>) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["q", "format", "from", "to", "log"])?;
    let word = parameters.get("format").unwrap_or(Format::Ndjson.word());
    let format = Format::parse(word).ok_or_else(|| {
        let known = Format::ALL.map(Format::word).join(", ");
        wrong("format", "wrong-value", format!("there is no such format; known are {known}"))
    })?;
    let question = question(call, &parameters)?;
    stream(call, question, format, None).await
}

/// Begins an export; `told`, where there is one, is kept up to date while it runs.
pub(crate) async fn stream(
    call: &Arc<Call>,
    question: Question,
    format: Format,
    told: Option<Arc<Told>>,
) -> Result<Answer, Problem> {
    let place = place(&call.app.queries, "exports")?;
    refresh(&call.app, &question.log, &question.index).await?;
    let mark = begin(call, &question.log, &question.asked, format.word()).await?;
    let (pieces, body) = channel();
    let (log, index, query) = (Arc::clone(&question.log), Arc::clone(&question.index), question.query.clone());
    let asking = Arc::clone(call);
    produce(call, &question.log, place, pieces, move |pieces, sent| {
        let writing = Writing { call: &asking, pieces, sent, told: told.as_deref() };
        let end = match format {
            Format::Parquet => parquet(&index, &query, writing),
            Format::Ndjson | Format::Csv | Format::Ocsf => entries(&log, &index, &query, format, writing),
        };
        if let Some(told) = &told {
            told.sent(*sent);
            told.ended(end);
        }
        end
    });
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    let name = format!("attachment; filename=\"{}.{}\"", question.log.name(), format.extension());
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    Ok(Answer::new(response, mark))
}

/// Where an export's bytes go: in pieces, waiting for a slow client, ending when it leaves or the server stops.
struct Writing<'a> {
    call: &'a Call,
    pieces: &'a Pieces,
    sent: &'a mut Sent,
    told: Option<&'a Told>,
}

/// How far an export is, for those who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    events: AtomicU64,
    bytes: AtomicU64,
    ended: OnceLock<End>,
}

impl Told {
    fn sent(&self, sent: Sent) {
        self.events.store(sent.events, Ordering::Relaxed);
        self.bytes.store(sent.bytes, Ordering::Relaxed);
    }

    fn ended(&self, end: End) {
        // an export ends once
        let _is_first = self.ended.set(end);
    }

    /// Events and bytes so far, and how it ended if it did.
    pub(crate) fn so_far(&self) -> (u64, u64, Option<End>) {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (read(&self.events), read(&self.bytes), self.ended.get().copied())
    }
}

impl Writing<'_> {
    fn send(&mut self, piece: Vec<u8>) -> Result<(), End> {
        if self.call.app.is_stopping() {
            return Err(End::Failed);
        }
        if piece.is_empty() {
            return Ok(());
        }
        self.sent.bytes += piece.len() as u64;
        if let Some(told) = self.told {
            told.sent(*self.sent);
        }
        // A client that takes nothing for so long gives up its place.
        let time = self.call.app.config.limits.body_time.duration();
        let sending = self.pieces.send_timeout(Ok(Bytes::from(piece)), time);
        Handle::current().block_on(sending).map_err(|_| End::ClientLeft)
    }

    fn failed(&self, cause: impl std::fmt::Display) -> End {
        tracing::error!(request_id = self.call.id.as_str(), %cause, "an export failed");
        End::Failed
    }
}

/// Formats made of the entries' own bytes.
fn entries(log: &LogHandle, index: &Arc<Index>, query: &Query, format: Format, mut writing: Writing<'_>) -> End {
    let mut run = || -> Result<(), End> {
        let mut writer = Writer::new(format, log.name());
        let mut piece = Vec::new();
        writer.begin(&mut piece).map_err(|error| writing.failed(error))?;
        let mut hits = index.hits(query, Order::OldestFirst, Patience::endless());
        loop {
            let some: Result<Vec<u64>, FindError> = hits.by_ref().take(HITS_AT_ONCE).collect();
            let some = some.map_err(|error| writing.failed(error))?;
            if some.is_empty() {
                return writing.send(piece);
            }
            for (at, entry) in fetch(&*log.reader, &some, usize::MAX).map_err(|error| writing.failed(error))? {
                writer.entry(at, &entry, &mut piece).map_err(|error| writing.failed(error))?;
                writing.sent.events += 1;
                if piece.len() >= PIECE_BYTES {
                    writing.send(std::mem::take(&mut piece))?;
                }
            }
        }
    };
    run().map_or_else(|end| end, |()| End::Whole)
}

/// The index's own rows.
fn parquet(index: &Arc<Index>, query: &Query, mut writing: Writing<'_>) -> End {
    let mut out = PieceWriter { writing: &mut writing, piece: Vec::new(), end: None };
    let written = index.export_parquet(query, &mut out, &Patience::endless()).map_err(|error| (error, out.end));
    match written {
        Ok(rows) => {
            let rest = std::mem::take(&mut out.piece);
            writing.sent.events = rows;
            writing.send(rest).map_or_else(|end| end, |()| End::Whole)
        }
        Err((_, Some(end))) => end,
        Err((error, None)) => writing.failed(error),
    }
}

struct PieceWriter<'a, 'b> {
    writing: &'a mut Writing<'b>,
    piece: Vec<u8>,
    end: Option<End>,
}

impl Write for PieceWriter<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            let piece = std::mem::take(&mut self.piece);
            self.writing.send(piece).map_err(|end| {
                self.end = Some(end);
                io::Error::from(io::ErrorKind::BrokenPipe)
            })?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
