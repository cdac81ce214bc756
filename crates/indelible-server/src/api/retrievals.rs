//! `POST /v1/retrievals`: what a search for context brought back (RAG), as one event that links to the model call it was for.
//!
//! Promises: durable when answered; documents beyond what an event holds are counted, not dropped silently; scores are kept as
//! thousandths, for events hold no fractions; the query is sealed where the server has a vault (gateways, or content that is there).
//! Never: writes the query's text into the event.

use axum::body::Body;
use axum::http::StatusCode;
use base64::Engine as _;
use indelible_access::Identity;
use indelible_event::body::{BodyFormat, BodyOutcome};
use indelible_event::limits::LIST_ITEMS_MAX;
use indelible_event::vault::{ContentAbout, Keep, SealedContent, VaultError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::body::small;
use super::record::{not_recorded, read};
use crate::call::{Answer, Call, json_response};
use crate::problem::{Kind, Problem, Wrong};
use crate::query_string::wrong;
use crate::trail::Mark;
use crate::vault::OpenVault;

/// Documents named in an event; the index itself is a resource too.
const DOCUMENTS_NAMED_MAX: usize = LIST_ITEMS_MAX - 1;
/// Scores beyond this are no scores.
const SCORE_MAX: f64 = 1e9;

/// A retrieval.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retrieval {
    /// What was searched for. Kept sealed where content is sealed, otherwise only its length; never in the event.
    query: Option<String>,
    /// Where it was searched: an index, collection or store.
    index: String,
    /// What came back, best first.
    documents: Vec<Document>,
    /// The conversation it was for (`ai.conversation`).
    conversation: Option<String>,
    /// W3C Trace Context of the call it was for: `trace_id`, `span_id`.
    #[schema(value_type = Option<Object>)]
    trace: Option<Value>,
    /// The model that made the query's vector.
    model: Option<String>,
    /// For whom, nearest first: actors as in an event.
    #[schema(value_type = Option<Vec<Object>>)]
    on_behalf_of: Option<Value>,
    /// The application that searched.
    application: Option<String>,
    /// What for.
    purpose: Option<String>,
    /// When, RFC 9557; now when missing.
    time: Option<String>,
    /// The log; the first one when missing.
    log: Option<String>,
}

/// A document that came back.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    /// Which.
    id: String,
    /// Where it is from: an address, file or collection.
    source: Option<String>,
    /// How well it fits: a number or a decimal in a text; kept as thousandths. All documents have one, or none.
    #[schema(value_type = Option<String>)]
    score: Option<Value>,
    /// Its classification.
    #[serde(default)]
    labels: Vec<String>,
}

/// What was recorded.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RetrievalAnswer<'a> {
    /// Which log.
    log: &'a str,
    /// The event's index.
    index: u64,
    /// The event's id.
    id: String,
    /// When, by the server's clock, in UTC.
    recorded: &'a str,
    /// The signed receipt: a note (C2SP signed-note).
    receipt: &'a str,
}

/// Records a retrieval.
#[utoipa::path(
    post, path = "/v1/retrievals", operation_id = "retrievals.record", tag = "events",
    request_body = inline(Retrieval),
    responses(
        (status = 200, description = "Durable", body = inline(RetrievalAnswer<'static>)),
        (status = 400, description = "The body is wrong", body = inline(crate::problem::Document<'static>)),
        (status = 422, description = "A field is wrong; nothing was recorded", body = inline(crate::problem::Document<'static>)),
        (status = 507, description = "The disk is full", body = inline(crate::problem::Document<'static>)),
    )
)]
pub(crate) async fn record(call: &Call, body: Body) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let body = small(&call.app, &call.parts.headers, body).await?;
    let told: Retrieval = serde_json::from_slice(&body)
        .map_err(|error| wrong("", "wrong-body", format!("the body is not a retrieval: {error}")))?;
    let identity = call.identity.as_ref().ok_or_else(|| Problem::internal("a recording call without an identity"))?;
    let log = call.log_or_default(told.log.as_deref())?;
    let scores = scores(&told.documents)?;
    let mut event = event(call, identity, &told, &scores);
    let mut outcome = judged(&event, call, identity)?;
    // Only for an event that can be recorded: what is sealed for none would lie there unnamed.
    let sealed = match &told.query {
        Some(query) => seal(call, &told, identity.name.as_str(), query, &mut event)?,
        None => None,
    };
    if sealed.is_some() {
        outcome = judged(&event, call, identity)?;
    }
    let durable = async { sealed.map_or_else(|| Box::pin(async { Ok(()) }) as _, |sealed| sealed.durable).await };
    // Side by side: the answer is given only when event and query are both on stable storage.
    let (kept, recorded) = tokio::join!(durable, log.recorder.record(outcome.batch));
    let recorded = recorded.map_err(|error| not_recorded(error, &outcome.lines))?;
    kept.map_err(not_sealed)?;
    call.app.metrics.events.inc_by(recorded.count);
    let time = recorded.recorded.write();
    let id = outcome.ids.first().map(|(id, _)| id.to_string()).unwrap_or_default();
    let answer = RetrievalAnswer {
        log: log.name(),
        index: recorded.first_index.0,
        id,
        recorded: std::str::from_utf8(&time).unwrap_or_default(),
        receipt: &recorded.receipt,
    };
    let body = serde_json::to_vec(&answer).map_err(Problem::internal)?;
    Ok(Answer::new(json_response(StatusCode::OK, body), Mark::not_needed("what was recorded is the record")))
}

/// The event as what is recorded, or all that is wrong with it.
fn judged(event: &Value, call: &Call, identity: &Identity) -> Result<BodyOutcome, Problem> {
    let bytes = serde_json::to_vec(event).map_err(Problem::internal)?;
    let outcome = read(&bytes, BodyFormat::Auto, 1, identity, &call.app.environment)?;
    if outcome.faults_total > 0 || outcome.batch.is_empty() {
        let rejected: Vec<Wrong> = outcome.faults.into_iter().map(Wrong::from).collect();
        let detail = "the retrieval does not make an event; fields are named as in the event; nothing was recorded";
        return Err(Problem::new(Kind::InvalidEvents, detail).with_errors(rejected, outcome.faults_total));
    }
    Ok(outcome)
}

/// Seals the query for the event, which gets its id here because the vault is told it; `None` where nothing is sealed.
fn seal(
    call: &Call,
    told: &Retrieval,
    actor: &str,
    query: &str,
    event: &mut Value,
) -> Result<Option<SealedContent>, Problem> {
    if matches!(call.app.vault, OpenVault::None) {
        return Ok(None);
    }
    let id = call.app.environment.new_event_id().map_err(Problem::internal)?;
    // Whom it is about: the last of the chain, as for the gateways.
    let last = told.on_behalf_of.as_ref().and_then(Value::as_array).and_then(|chain| chain.last());
    let subject = last.and_then(|person| person.get("id")).and_then(Value::as_str).unwrap_or(actor).to_owned();
    let about = ContentAbout { event: id, subject, keep: Keep::Sealed };
    let mut writer = call.app.vault.door().begin(about).map_err(not_sealed)?;
    writer.write(query.as_bytes()).map_err(not_sealed)?;
    let sealed = writer.finish().map_err(not_sealed)?;
    event["id"] = json!(id.to_string());
    event["sealed"] = json!([{
        "name": "query",
        "media_type": "text/plain; charset=utf-8",
        "bytes": sealed.bytes,
        "commitment": base64::engine::general_purpose::STANDARD.encode(sealed.commitment.0),
    }]);
    Ok(Some(sealed))
}

fn not_sealed(error: VaultError) -> Problem {
    let kind = match error {
        VaultError::Full => Kind::Full,
        VaultError::Busy { .. } => Kind::Busy,
        VaultError::Stopped { .. } => Kind::Unavailable,
    };
    Problem::new(kind, "the query could not be sealed, so the retrieval is not acknowledged").with_internal(error)
}

/// The event, as a client would send it.
fn event(call: &Call, identity: &Identity, told: &Retrieval, scores: &[i64]) -> Value {
    let mut resources = vec![json!({"type": "index", "id": told.index, "count": told.documents.len()})];
    for document in told.documents.iter().take(DOCUMENTS_NAMED_MAX) {
        let mut resource = json!({"type": "document", "id": document.id});
        if let Some(source) = &document.source {
            resource["name"] = json!(source);
        }
        if !document.labels.is_empty() {
            resource["labels"] = json!(document.labels);
        }
        resources.push(resource);
    }
    let mut ai = json!({"operation": "retrieval"});
    let mut attributes = Map::new();
    let mut event = json!({
        "actor": {"id": identity.name.as_str(), "type": identity.holder.actor_type().as_str(), "auth": "token"},
        "action": "read", "operation": "retrieval", "resources": resources,
        "outcome": {"result": "allowed", "request": call.id.as_str()},
    });
    if let Some(ip) = call.ip {
        event["actor"]["ip"] = json!(ip.to_string());
    }
    event["time"] = match &told.time {
        Some(time) => json!(time),
        None => json!(call.app.trail.now().to_string()),
    };
    set(&mut ai, "conversation", told.conversation.as_ref());
    set(&mut ai, "request_model", told.model.as_ref());
    set(&mut event, "purpose", told.purpose.as_ref());
    set(&mut event, "trace", told.trace.as_ref());
    set(&mut event, "on_behalf_of", told.on_behalf_of.as_ref());
    if let Some(application) = &told.application {
        attributes.insert("indelible.application".to_owned(), json!(application));
    }
    if let Some(query) = &told.query {
        attributes.insert("retrieval.query_bytes".to_owned(), json!(query.len()));
    }
    if !scores.is_empty() {
        attributes.insert("retrieval.scores_thousandths".to_owned(), json!(scores));
    }
    if !attributes.is_empty() {
        event["attributes"] = Value::Object(attributes);
    }
    event["ai"] = ai;
    event
}

fn set<T: Serialize>(object: &mut Value, name: &str, value: Option<&T>) {
    if let Some(value) = value {
        object[name] = json!(value);
    }
}

/// The documents' scores in thousandths, in their order; none when no document has one.
fn scores(documents: &[Document]) -> Result<Vec<i64>, Problem> {
    let scored = documents.iter().filter(|document| document.score.is_some()).count();
    if scored == 0 {
        return Ok(Vec::new());
    }
    let named = documents.iter().take(DOCUMENTS_NAMED_MAX).enumerate();
    named
        .map(|(at, document)| {
            document.score.as_ref().and_then(thousandths).ok_or_else(|| {
                let reason = "a score is a number or a decimal in a text, and all documents have one or none";
                wrong(&format!("documents[{at}].score"), "wrong-score", reason.to_owned())
            })
        })
        .collect()
}

/// A score in thousandths, rounded.
fn thousandths(score: &Value) -> Option<i64> {
    let number: f64 = match score {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    if !number.is_finite() || number.abs() > SCORE_MAX {
        return None;
    }
    format!("{number:.3}").replace('.', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_thousandths_whichever_way_they_are_written() {
        let cases = [
            (json!(0.873), Some(873)),
            (json!("0.8734"), Some(873)),
            (json!(1), Some(1000)),
            (json!("-12.5"), Some(-12_500)),
            (json!("0.0004"), Some(0)),
            (json!(1e-9), Some(0)),
            (json!("NaN"), None),
            (json!("1e300"), None),
            (json!("high"), None),
            (json!(null), None),
        ];
        for (score, expected) in cases {
            assert_eq!(thousandths(&score), expected, "{score}");
        }
    }
}
