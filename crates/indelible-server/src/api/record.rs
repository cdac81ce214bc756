//! `POST /v1/events`, the hot path: collect, parse, record, answer. Nothing is awaited but the body and the log; parsing runs
//! on the worker for small bodies and beside it for large or compressed ones.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use indelible_access::Identity;
use indelible_event::body::{BodyFault, BodyFormat, BodyOutcome, Lines, read_body};
use indelible_event::doors::{EntryIndex, RecordError, Recorded};
use indelible_event::env::RandomnessError;
use indelible_event::id::EventId;
use indelible_event::prepare::Defaults;
use serde::Serialize;

use super::blocking;
use super::body::{Collected, Encoding, collect, decompress, media_type, shrunk};
use crate::app::Environment;
use crate::call::{Answer, Call, json_response};
use crate::problem::{Kind, Problem, Wrong};
use crate::trail::Mark;

/// `source.kind` of events that name no source.
const SOURCE_KIND: &str = "api";
/// Bodies over this are parsed beside the workers: 512 KiB take about a millisecond, which other requests on the worker wait.
const INLINE_BYTES_MAX: usize = 512 * 1024;

/// What was recorded.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RecordAnswer<'a> {
    /// Which log.
    log: &'a str,
    /// The index of the first event that was added (of the first one known, when none was new).
    first_index: u64,
    /// How many were added; they stand one after the other.
    count: u64,
    /// When, by the server's clock, in UTC.
    recorded: &'a str,
    /// The ids, in order; only when the server assigned any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    ids: Option<Vec<IdText>>,
    /// The index of each event, in order; only when some were known before.
    #[serde(skip_serializing_if = "Option::is_none")]
    indexes: Option<Vec<u64>>,
    /// How many were known before.
    duplicates: u64,
    /// The signed receipt for what was added: a note (C2SP signed-note); empty when nothing was.
    receipt: &'a str,
    /// With `partial=true`: what was wrong with the events that were not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Vec<Wrong>>,
    /// With `partial=true`: how many faults there were; at most 100 are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_total: Option<usize>,
}

struct IdText([u8; 36]);

impl Serialize for IdText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

/// Records events.
#[utoipa::path(
    post, path = "/v1/events", operation_id = "events.record", tag = "events",
    params(
        ("log" = Option<String>, Query, description = "The log; the first one when missing"),
        ("partial" = Option<bool>, Query, description = "Record the good events and list the others"),
    ),
    request_body(description = "One event, an array of events, or one event a line", content(
        (serde_json::Value = "application/json"), (String = "application/x-ndjson")
    )),
    responses(
        (status = 200, description = "Durable", body = inline(RecordAnswer<'static>)),
        (status = 409, description = "An id is recorded with other content", body = inline(crate::problem::Document<'static>)),
        (status = 413, description = "Over a limit", body = inline(crate::problem::Document<'static>)),
        (status = 422, description = "Events are wrong; nothing was recorded", body = inline(crate::problem::Document<'static>)),
        (status = 507, description = "The disk is full", body = inline(crate::problem::Document<'static>)),
    )
)]
pub(crate) async fn record(call: &Call, body: Body) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["log", "partial"])?;
    let partial = parameters.flag("partial")?;
    let log = call.log_or_default(parameters.get("log"))?;
    let identity = call.identity.as_ref().ok_or_else(|| Problem::internal("a recording call without an identity"))?;
    let format = format(&call.parts.headers)?;
    let collected = collect(&call.app, &call.parts.headers, body).await?;
    let (outcome, share) = parse(call, identity, collected, format).await?;
    let BodyOutcome { batch, ids, lines, faults, faults_total, events_total: _ } = outcome;
    call.app.metrics.faults.inc_by(faults_total as u64);
    let rejected: Vec<Wrong> = faults.into_iter().map(Wrong::from).collect();
    if faults_total > 0 && (!partial || batch.is_empty()) {
        let events = if faults_total == 1 { "one fault" } else { "several faults" };
        let detail = format!("the events have {events}; nothing was recorded");
        return Err(Problem::new(Kind::InvalidEvents, detail).with_errors(rejected, faults_total));
    }
    let recorded = log.recorder.record(batch).await.map_err(|error| not_recorded(error, &lines))?;
    drop(share);
    let duplicates = (ids.len() as u64).saturating_sub(recorded.count);
    call.app.metrics.events.inc_by(recorded.count);
    call.app.metrics.duplicates.inc_by(duplicates);
    answer(log.name(), &recorded, &ids, duplicates, partial.then_some((rejected, faults_total)))
}

fn answer(
    log: &str,
    recorded: &Recorded,
    ids: &[(EventId, bool)],
    duplicates: u64,
    rejected: Option<(Vec<Wrong>, usize)>,
) -> Result<Answer, Problem> {
    let assigned = ids.iter().any(|(_, assigned)| *assigned);
    let time = recorded.recorded.write();
    let (rejected, rejected_total) = rejected.unzip();
    let answer = RecordAnswer {
        log,
        first_index: recorded.first_index.0,
        count: recorded.count,
        recorded: std::str::from_utf8(&time).unwrap_or_default(),
        ids: assigned.then(|| ids.iter().map(|(id, _)| IdText(id.write())).collect()),
        indexes: recorded.indexes.as_ref().map(|indexes| indexes.iter().map(|EntryIndex(index)| *index).collect()),
        duplicates,
        receipt: &recorded.receipt,
        rejected,
        rejected_total,
    };
    let mut body = Vec::with_capacity(512);
    serde_json::to_writer(&mut body, &answer).map_err(Problem::internal)?;
    Ok(Answer::new(json_response(StatusCode::OK, body), Mark::not_needed("what was recorded is the record")))
}

/// How the events stand in the body. Clients that name no type are taken as they come.
fn format(headers: &HeaderMap) -> Result<BodyFormat, Problem> {
    match media_type(headers).as_str() {
        "application/json" => Ok(BodyFormat::Auto),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Ok(BodyFormat::Ndjson)
        }
        // What `curl -d` and `curl -T` send when nobody says otherwise.
        "" | "application/x-www-form-urlencoded" | "application/octet-stream" | "text/plain" => Ok(BodyFormat::Auto),
        _ => {
            let detail = "the body must be `application/json` or `application/x-ndjson`";
            Err(Problem::new(Kind::UnsupportedMediaType, detail))
        }
    }
}

type Parsed = (BodyOutcome, Option<tokio::sync::OwnedSemaphorePermit>);

async fn parse(
    call: &Call,
    identity: &Arc<Identity>,
    collected: Collected,
    format: BodyFormat,
) -> Result<Parsed, Problem> {
    let limits = &call.app.config.limits;
    let most = usize::try_from(limits.request_events).unwrap_or(usize::MAX);
    if collected.encoding == Encoding::Plain && collected.bytes.len() <= INLINE_BYTES_MAX {
        call.app.metrics.body_bytes.inc_by(collected.bytes.len() as u64);
        let outcome = read(&collected.bytes, format, most, identity, &call.app.environment)?;
        return Ok((outcome, collected.share));
    }
    let cap = limits.request_bytes.in_memory();
    let identity = Arc::clone(identity);
    let app = Arc::clone(&call.app);
    blocking(move || {
        let Collected { bytes, encoding, share } = collected;
        if encoding == Encoding::Plain {
            app.metrics.body_bytes.inc_by(bytes.len() as u64);
            return Ok((read(&bytes, format, most, &identity, &app.environment)?, share));
        }
        let opened = decompress(&bytes, encoding, cap)?;
        drop(bytes);
        app.metrics.body_bytes.inc_by(opened.len() as u64);
        let share = share.map(|share| shrunk(share, opened.len()));
        Ok((read(&opened, format, most, &identity, &app.environment)?, share))
    })
    .await?
}

pub(super) fn read(
    bytes: &[u8],
    format: BodyFormat,
    most: usize,
    identity: &Identity,
    environment: &Environment,
) -> Result<BodyOutcome, Problem> {
    let mut ids = NewIds::new(environment);
    let defaults = Defaults { source_id: identity.name.as_str(), source_kind: SOURCE_KIND };
    let outcome = read_body(bytes, format, most, &defaults, &mut || ids.next());
    if let Some(error) = ids.failed {
        return Err(Problem::internal(error));
    }
    outcome.map_err(|fault| match fault {
        BodyFault::Empty => Problem::new(Kind::InvalidEvents, fault.to_string()),
        BodyFault::TooManyEvents { .. } => Problem::new(Kind::TooLarge, fault.to_string()),
    })
}

/// Conflicts are listed by the event's line in the request, as faults are, and by its id.
pub(super) fn not_recorded(error: RecordError, lines: &Lines) -> Problem {
    let RecordError::Conflict(conflicts) = &error else { return Problem::from(error) };
    let listed = conflicts.iter().take(indelible_event::limits::FAULTS_LISTED_MAX).map(|conflict| {
        let place = match conflict.index {
            Some(index) => format!("entry {index} has the same id and other content"),
            None => "another event of this request has the same id and other content".to_owned(),
        };
        Wrong {
            line: lines.of(conflict.position),
            field: "id".to_owned(),
            code: "id-conflict".into(),
            reason: format!("{}: {place}", conflict.id),
            hint: Some("give the event a new id, or drop it if it is the same event changed afterwards".to_owned()),
            ..Wrong::default()
        }
    });
    let listed = listed.collect();
    let total = conflicts.len();
    Problem::from(error).with_errors(listed, total)
}

/// Ids for events that came without: random bytes are fetched for many at once.
struct NewIds<'a> {
    environment: &'a Environment,
    now_ms: u64,
    random: [u8; 320],
    used: usize,
    failed: Option<RandomnessError>,
}

impl<'a> NewIds<'a> {
    fn new(environment: &'a Environment) -> Self {
        Self { environment, now_ms: 0, random: [0; 320], used: 320, failed: None }
    }

    fn next(&mut self) -> EventId {
        if self.used == self.random.len() {
            self.now_ms = u64::try_from(self.environment.clock.now().0 / 1_000_000).unwrap_or(0);
            if let Err(error) = self.environment.randomness.fill(&mut self.random) {
                self.failed = Some(error);
            }
            self.used = 0;
        }
        let mut bytes = [0u8; 10];
        bytes.copy_from_slice(&self.random[self.used..self.used + 10]);
        self.used += 10;
        EventId::version_7(self.now_ms, bytes)
    }
}
