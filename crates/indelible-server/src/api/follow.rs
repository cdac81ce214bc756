//! `GET /v1/events/stream`: matching events as they are recorded, one a line, from now on. Never: slows recording; a follower
//! that cannot keep up reads older entries from the log at its own pace.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use indelible_event::doors::EntryIndex;
use indelible_search::Matcher;

use super::blocking;
use super::find::{place, question, write_line};
use super::streaming::{End, Pieces, Sent, begin, channel, finish};
use crate::app::asked_to_stop;
use crate::call::{Answer, Call};
use crate::logs::LogHandle;
use crate::problem::Problem;

/// Entries looked at at once.
const READ_ENTRIES: usize = 2_048;
const READ_BYTES: usize = 2 * 1024 * 1024;
/// How often an empty line tells both ends that the other is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Follows events live.
#[utoipa::path(
    get, path = "/v1/events/stream", operation_id = "events.follow", tag = "events",
    params(
        ("q" = Option<String>, Query, description = "The query; every event when missing"),
        ("log" = Option<String>, Query, description = "The log; the first one when missing"),
    ),
    responses((status = 200, description = "One `{\"index\", \"event\"}` a line; empty lines are signs of life", body = String, content_type = "application/x-ndjson"))
)]
pub(crate) async fn follow(call: &Arc<Call>) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["q", "log"])?;
    let question = question(call, &parameters)?;
    let place = place(&call.app.followers, "followers")?;
    let from = question.log.reader.size();
    let mark = begin(call, &question.log, &question.asked, "ndjson").await?;
    let (pieces, body) = channel();
    let following = Following {
        call: Arc::clone(call),
        log: Arc::clone(&question.log),
        matcher: Arc::new(Matcher::new(&question.query)),
        next: from,
        sent: Sent::default(),
    };
    tokio::spawn(async move {
        let (call, log) = (Arc::clone(&following.call), Arc::clone(&following.log));
        let (sent, end) = following.run(&pieces).await;
        finish(&call, &log, pieces, sent, end).await;
        drop(place);
    });
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(Answer::new(response, mark))
}

struct Following {
    call: Arc<Call>,
    log: Arc<LogHandle>,
    matcher: Arc<Matcher>,
    next: u64,
    sent: Sent,
}

impl Following {
    async fn run(mut self, pieces: &Pieces) -> (Sent, End) {
        let mut progress = self.log.watch();
        let mut stopping = self.call.app.stopping.clone();
        loop {
            match self.catch_up(pieces).await {
                Ok(()) => {}
                Err(end) => return (self.sent, end),
            }
            tokio::select! {
                changed = progress.changed() => {
                    if changed.is_err() {
                        return (self.sent, End::Stopping);
                    }
                }
                () = tokio::time::sleep(SIGN_OF_LIFE) => {
                    if let Err(end) = self.send(pieces, Bytes::from_static(b"\n")).await {
                        return (self.sent, end);
                    }
                }
                () = asked_to_stop(&mut stopping) => return (self.sent, End::Stopping),
                () = pieces.closed() => return (self.sent, End::ClientLeft),
            }
        }
    }

    /// Sends what matches among the entries that are durable by now.
    async fn catch_up(&mut self, pieces: &Pieces) -> Result<(), End> {
        while self.next < self.log.reader.size() {
            let (log, matcher, next) = (Arc::clone(&self.log), Arc::clone(&self.matcher), self.next);
            let looked = blocking(move || look(&log, &matcher, next)).await.and_then(|looked| looked);
            let (lines, events, after) = looked.map_err(|problem| {
                tracing::error!(request_id = self.call.id.as_str(), cause = problem.cause(), "following failed");
                End::Failed
            })?;
            self.next = after;
            if !lines.is_empty() {
                self.send(pieces, Bytes::from(lines)).await?;
                self.sent.events += events;
            }
        }
        Ok(())
    }

    async fn send(&mut self, pieces: &Pieces, piece: Bytes) -> Result<(), End> {
        self.sent.bytes += piece.len() as u64;
        let mut stopping = self.call.app.stopping.clone();
        let time = self.call.app.config.limits.body_time.duration();
        tokio::select! {
            sent = pieces.send_timeout(Ok(piece), time) => sent.map_err(|_| End::ClientLeft),
            // A client that takes nothing does not hold up the stop.
            () = asked_to_stop(&mut stopping) => Err(End::Stopping),
        }
    }
}

/// Reads some entries from `next` on: the lines of those that match, how many, and where to go on.
fn look(log: &LogHandle, matcher: &Matcher, next: u64) -> Result<(Vec<u8>, u64, u64), Problem> {
    let entries = log.reader.read(EntryIndex(next), READ_ENTRIES, READ_BYTES)?;
    let matching = matcher.matching(&entries)?;
    let mut lines = Vec::new();
    for (EntryIndex(index), entry) in entries.iter() {
        if matching.binary_search(&index).is_ok() {
            write_line(&mut lines, index, entry);
            lines.push(b'\n');
        }
    }
    Ok((lines, matching.len() as u64, entries.next_index().0))
}
