//! Sealed content: shown to who may and says what for, and erased on demand.
//!
//! Promises: a content is read from end to end and compared with its commitment, and the reading is on record with its purpose,
//! before a byte of it is shown; an erasure is on record before it begins and after it ended. Never: puts content or a path of
//! this machine into an event, an error or a log line.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use indelible_event::id::EventId;
use indelible_event::vault::Commitment;
use indelible_event::view::EventView;
use indelible_event::words::{OutcomePhase, OutcomeResult};
use indelible_search::{SearchRequest, filter};
use indelible_store::sealed::{Erase, SealedInfo, SealedStore, UnsealError};
use serde::{Deserialize, Serialize};

use super::body::small;
use super::find::{fetch, place, refresh};
use super::streaming::{BrokenOff, channel};
use super::{blocking, count};
use crate::call::{Answer, Call};
use crate::logs::LogHandle;
use crate::problem::{Kind, Problem};
use crate::query_string::wrong;
use crate::trail::bounded;
use crate::vault::OpenVault;

/// The header that says what a content is read for, where a query parameter is not wanted.
const PURPOSE_HEADER: &str = "x-indelible-purpose";
/// Longest purpose, reason or subject, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;
/// Media types that are told as they are: a browser does nothing with them. All others are told as bytes.
const INERT: [&str; 7] = [
    "application/json",
    "application/x-ndjson",
    "text/event-stream",
    "text/plain",
    "image/png",
    "image/jpeg",
    "application/pdf",
];

/// Shows a sealed content.
#[utoipa::path(
    get, path = "/v1/sealed/{id}", operation_id = "sealed.read", tag = "sealed",
    params(
        ("id" = String, Path, description = "The commitment in hexadecimal digits (events carry it in base64)"),
        ("purpose" = Option<String>, Query, description = "What it is read for; recorded. Needed here or in the header `x-indelible-purpose`"),
    ),
    responses(
        (status = 200, description = "The content as it was sealed, compared with its commitment; `x-indelible-event` names its event", body = Vec<u8>),
        (status = 404, description = "Not kept here: only its hash was, or it was lost before it was acknowledged", body = inline(crate::problem::Document<'static>)),
        (status = 410, description = "Its key was destroyed", body = inline(crate::problem::Document<'static>)),
    )
)]
pub(crate) async fn unseal(call: &Arc<Call>) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["purpose"])?;
    let header = call.parts.headers.get(PURPOSE_HEADER).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    let purpose = text("purpose", parameters.get("purpose").or(header).unwrap_or_default())?;
    let commitment = commitment("id", call.path_part("id"))?;
    let store = store(call)?;
    let place = place(&call.app.queries, "queries")?;
    let checked = Arc::clone(&store);
    let info = blocking(move || checked.reader().check(&commitment)).await?.map_err(problem)?;
    let (event_id, id) = (info.event.to_string(), commitment.to_string());
    let carrier = carrier(call, info.event, &commitment).await;
    let log = carrier.as_ref().map_or_else(|| call.log_or_default(None), |carrier| call.log(carrier.log.name()))?;
    let event = call
        .event()
        .purpose(&purpose)
        .resource("sealed", &id)
        .resource("event", &event_id)
        .attribute("bytes", count(info.bytes));
    let mark = call.record(log, event).await?;
    let media_type = carrier.and_then(|carrier| carrier.media_type).unwrap_or("application/octet-stream");
    let (pieces, body) = channel();
    let shown = Arc::clone(call);
    tokio::task::spawn_blocking(move || {
        send(&shown, &store, &commitment, &pieces);
        drop(place);
    });
    Ok(Answer::new(response(body, media_type, info, &id, &event_id), mark))
}

fn response(body: Body, media_type: &'static str, info: SealedInfo, id: &str, event: &str) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(info.bytes));
    // What was sealed came from outside: no browser shall run it in our name.
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{id}\"")) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    if let Ok(event) = HeaderValue::from_str(event) {
        headers.insert("x-indelible-event", event);
    }
    response
}

/// Sends a content that was checked, piece by piece; what fails now breaks the body off.
fn send(call: &Call, store: &SealedStore, commitment: &Commitment, pieces: &super::streaming::Pieces) {
    let time = call.app.config.limits.body_time.duration();
    let runtime = tokio::runtime::Handle::current();
    let send = |piece| runtime.block_on(pieces.send_timeout(piece, time)).is_ok();
    let read = store.reader().read(commitment, &mut |content| {
        content.is_empty() || (!call.app.is_stopping() && send(Ok(Bytes::copy_from_slice(content))))
    });
    if let Err(error) = read {
        let told = send(Err(BrokenOff));
        tracing::error!(request_id = call.id.as_str(), %error, told, "a content could not be shown to its end");
    }
}

/// The event that carries a commitment.
struct Carrier {
    log: Arc<LogHandle>,
    media_type: Option<&'static str>,
}

/// Looks for the event in the logs that the caller may use. The index is a view: without it the content is told as bytes.
async fn carrier(call: &Call, event: EventId, commitment: &Commitment) -> Option<Carrier> {
    let committed = STANDARD.encode(commitment.0);
    for log in call.app.logs.iter().filter(|log| call.log(log.name()).is_ok()) {
        let Ok(index) = log.index() else { continue };
        let Ok(query) = filter(&format!("id:{event}"), None, None) else { continue };
        if let Err(problem) = refresh(&call.app, log, index).await {
            tracing::debug!(cause = problem.cause(), "the event of a content was not looked for");
            continue;
        }
        let mut request = SearchRequest::new(query);
        request.limit = 1;
        request.time = call.app.config.limits.query_time.duration();
        let Ok(page) = index.search(request).await else { continue };
        let indexes: Vec<u64> = page.hits.iter().map(|hit| hit.index).collect();
        let reader = Arc::clone(&log.reader);
        let Ok(Ok(found)) = blocking(move || fetch(&*reader, &indexes, 1)).await else { continue };
        let Some((_, entry)) = found.first() else { continue };
        let Ok(view) = EventView::parse(entry) else { continue };
        let Some(sealed) = view.sealed.iter().find(|sealed| sealed.commitment.as_deref() == Some(&committed)) else {
            continue;
        };
        return Some(Carrier { log: Arc::clone(log), media_type: inert(sealed.media_type.as_deref()) });
    }
    None
}

fn inert(media_type: Option<&str>) -> Option<&'static str> {
    let plain = media_type?.split(';').next()?.trim();
    INERT.into_iter().find(|inert| inert.eq_ignore_ascii_case(plain))
}

/// What to erase: one of the three, and why.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgetRequest {
    /// All content about this subject (an actor's id).
    subject: Option<String>,
    /// All content of this event (its id).
    event: Option<String>,
    /// One content (its commitment in hexadecimal digits).
    sealed: Option<String>,
    /// Why; recorded.
    reason: String,
}

/// What was erased.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ForgetAnswer {
    /// Contents whose keys were destroyed.
    contents: u64,
    /// Their lengths together.
    bytes: u64,
    /// Matching contents that had been erased before.
    already: u64,
    /// Key slots that are damaged: nobody can read their contents, and nobody knows whether they match.
    unreadable: u64,
}

/// Erases sealed content by destroying its keys.
#[utoipa::path(
    post, path = "/v1/forget", operation_id = "sealed.forget", tag = "sealed",
    request_body = inline(ForgetRequest),
    responses((status = 200, description = "The keys are destroyed, durably; events and proofs stand", body = inline(ForgetAnswer)))
)]
pub(crate) async fn forget(call: &Arc<Call>, body: Body) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let body = small(&call.app, &call.parts.headers, body).await?;
    let asked: ForgetRequest = serde_json::from_slice(&body).map_err(|error| {
        let words = format!("the body is not `{{\"subject\" | \"event\" | \"sealed\": …, \"reason\": …}}`: {error}");
        wrong("", "wrong-body", words)
    })?;
    let order = order(&asked)?;
    let store = store(call)?;
    let call = Arc::clone(call);
    // A client that goes away does not stop what it has begun, nor its record.
    let done = tokio::spawn(async move { erase(&call, store, order).await });
    done.await.map_err(|error| Problem::internal(format!("an erasure ended early: {error}")))?
}

async fn erase(call: &Call, store: Arc<SealedStore>, order: Order) -> Result<Answer, Problem> {
    let log = call.log_or_default(None)?;
    let event = || call.event().resource(order.kind, &order.id).attribute("why", order.reason.as_str());
    let _begun = call.record(log, event().phase(OutcomePhase::Intent)).await?;
    let erase = order.erase.clone();
    let erased = blocking(move || store.erase(&erase)).await?;
    let outcome = event().phase(OutcomePhase::Outcome);
    match erased {
        Ok(erased) => {
            let answer = ForgetAnswer {
                contents: erased.contents,
                bytes: erased.bytes,
                already: erased.already,
                unreadable: erased.unreadable,
            };
            let outcome = outcome
                .attribute("contents", count(answer.contents))
                .attribute("bytes", count(answer.bytes))
                .attribute("already", count(answer.already))
                .attribute("unreadable", count(answer.unreadable));
            let mark = call.record(log, outcome).await?;
            Answer::json(&answer, mark)
        }
        Err(error) => {
            let _mark = call.record(log, outcome.result(OutcomeResult::Failed).reason("the disk refused")).await?;
            let detail = "the erasure was not finished: some keys may be destroyed. restart the server and ask again";
            Err(Problem::new(Kind::Unavailable, detail).with_internal(format!("{error}: {}", error.source)))
        }
    }
}

/// An erasure that was asked for.
struct Order {
    kind: &'static str,
    id: String,
    erase: Erase,
    reason: String,
}

fn order(asked: &ForgetRequest) -> Result<Order, Problem> {
    let reason = text("reason", &asked.reason)?;
    let (kind, id, erase) = what(asked)?;
    Ok(Order { kind, id, erase, reason })
}

fn what(asked: &ForgetRequest) -> Result<(&'static str, String, Erase), Problem> {
    match (&asked.subject, &asked.event, &asked.sealed) {
        (Some(subject), None, None) => {
            let subject = text("subject", subject)?;
            Ok(("subject", subject.clone(), Erase::Subject(subject)))
        }
        (None, Some(event), None) => {
            let id = EventId::parse(event.as_bytes())
                .ok_or_else(|| wrong("event", "wrong-value", "`event` is an event's id, a UUID".to_owned()))?;
            Ok(("event", id.to_string(), Erase::Event(id)))
        }
        (None, None, Some(sealed)) => {
            let commitment = commitment("sealed", sealed)?;
            Ok(("sealed", commitment.to_string(), Erase::Content(commitment)))
        }
        _ => Err(wrong("", "wrong-body", "name exactly one of `subject`, `event` and `sealed`".to_owned())),
    }
}

/// A text that must be there and is recorded as it is.
fn text(field: &'static str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(wrong(field, "missing", format!("`{field}` is needed; it is recorded")));
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(wrong(field, "too-long", format!("`{field}` is longer than {TEXT_BYTES_MAX} bytes")));
    }
    Ok(bounded(text))
}

fn commitment(field: &'static str, text: &str) -> Result<Commitment, Problem> {
    let words = "a content's id is its commitment in 64 hexadecimal digits";
    Commitment::parse(text).ok_or_else(|| wrong(field, "wrong-value", words.to_owned()))
}

fn store(call: &Call) -> Result<Arc<SealedStore>, Problem> {
    match &call.app.vault {
        OpenVault::Open(store) => Ok(Arc::clone(store)),
        OpenVault::None => Err(Problem::new(Kind::NotFound, "nothing is sealed here")),
        OpenVault::Unusable(reason) => {
            let detail = "sealed content cannot be used: it could not be opened at the start; the operator finds out why in the \
                          server's log lines";
            Err(Problem::new(Kind::Unavailable, detail).with_internal(reason))
        }
    }
}

fn problem(error: UnsealError) -> Problem {
    match &error {
        UnsealError::Unknown(_) | UnsealError::HashOnly(_) => Problem::new(Kind::NotFound, error.to_string()),
        UnsealError::Erased(_) => Problem::new(Kind::Erased, error.to_string()),
        UnsealError::OtherMaster { .. } => Problem::new(Kind::Unavailable, error.to_string()),
        UnsealError::Damaged { commitment, .. } => {
            Problem::new(Kind::Damaged, format!("the content {commitment} is damaged or altered")).with_internal(error)
        }
        UnsealError::Disk(cause) => {
            let cause = format!("{cause}: {}", cause.source);
            Problem::new(Kind::Unavailable, "the content could not be read").with_internal(cause)
        }
    }
}
