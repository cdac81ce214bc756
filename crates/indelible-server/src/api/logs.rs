//! The logs there are, single entries and their proofs.

use std::sync::Arc;

use indelible_event::doors::EntryIndex;
use serde::Serialize;

use super::{blocking, count};
use crate::call::{Answer, Call};
use crate::guard::Integrity;
use crate::logs::LogHandle;
use crate::problem::{Kind, Problem};
use crate::query_string::wrong;

/// Bytes asked for when one entry is read: room for the longest.
const ENTRY_READ_BYTES: usize = indelible_event::limits::ENTRY_BYTES_MAX + 1;

/// One log.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct LogAnswer {
    /// Its name in paths.
    name: String,
    /// The origin in its checkpoints.
    origin: String,
    /// The verifier key.
    vkey: String,
    /// Whether the published log needs no token.
    public: bool,
    /// Entries that are durable.
    size: u64,
    /// Entries that the newest checkpoint covers.
    published_size: u64,
    /// When the newest checkpoint was signed, or last confirmed to stand since (RFC 3339): at most the log's
    /// `idle_checkpoint_interval` ago while all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint_confirmed: Option<String>,
    /// Entries that the search index holds; younger ones are taken in before each query.
    indexed_size: u64,
    /// `recording`, `full` or `stopped`.
    state: &'static str,
    /// Why it stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// `running`; `stopped` when the log did not hold: no checkpoint is signed until a person has looked. What was found stands in
    /// `/v1/logs/{name}/integrity`.
    signing: &'static str,
}

/// All logs that the caller may use.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct LogsAnswer {
    logs: Vec<LogAnswer>,
}

/// Lists the logs.
#[utoipa::path(
    get, path = "/v1/logs", operation_id = "logs.list", tag = "logs",
    responses((status = 200, description = "The logs the token may use", body = inline(LogsAnswer)))
)]
pub(crate) async fn list(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let may_use = |log: &LogHandle| call.identity.as_ref().is_some_and(|identity| identity.may_use_log(log.name()));
    let logs: Vec<LogAnswer> = call.app.logs.iter().filter(|log| may_use(log)).map(|log| answer(log)).collect();
    let first = Arc::clone(call.app.logs.first());
    let mark = call.record(&first, call.event().attribute("logs", count(logs.len() as u64))).await?;
    Answer::json(&LogsAnswer { logs }, mark)
}

/// Describes one log.
#[utoipa::path(
    get, path = "/v1/logs/{name}", operation_id = "logs.describe", tag = "logs",
    params(("name" = String, Path, description = "The log")),
    responses((status = 200, description = "The log", body = inline(LogAnswer)))
)]
pub(crate) async fn describe(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let log = call.log(call.path_part("name"))?;
    let mark = call.record(log, call.event().resource("log", log.name())).await?;
    Answer::json(&answer(log), mark)
}

/// How the integrity of a log stands: what its guard verified, kept and found.
#[utoipa::path(
    get, path = "/v1/logs/{name}/integrity", operation_id = "logs.integrity", tag = "logs",
    params(("name" = String, Path, description = "The log")),
    responses((status = 200, description = "How it stands", body = inline(Integrity)))
)]
pub(crate) async fn integrity(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let log = call.log(call.path_part("name"))?;
    let integrity = call.app.guarded.of(log.name());
    let event = call.event().resource("log", log.name()).attribute("findings", count(integrity.findings_total));
    let mark = call.record(log, event).await?;
    Answer::json(&integrity, mark)
}

/// One entry: the canonical bytes, exactly as they are hashed.
#[utoipa::path(
    get, path = "/v1/logs/{name}/entries/{index}", operation_id = "entries.read", tag = "logs",
    params(("name" = String, Path, description = "The log"), ("index" = u64, Path, description = "The entry's place, from 0")),
    responses((status = 200, description = "The event as it is stored and hashed", body = serde_json::Value))
)]
pub(crate) async fn entry(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let log = Arc::clone(call.log(call.path_part("name"))?);
    let index = index(call)?;
    let entry = read_entry(&log, index).await?;
    let event = call.event().resource("log", log.name()).attribute("index", count(index.0));
    let mark = call.record(&log, event).await?;
    Ok(Answer::bytes("application/json", entry, mark))
}

/// The bytes of an entry.
pub(crate) async fn read_entry(log: &Arc<LogHandle>, index: EntryIndex) -> Result<Vec<u8>, Problem> {
    let source = Arc::clone(log);
    let entries = blocking(move || source.reader.read(index, 1, ENTRY_READ_BYTES)).await??;
    match entries.iter().next() {
        Some((_, bytes)) => Ok(bytes.to_vec()),
        None => {
            let size = log.reader.size();
            Err(Problem::new(Kind::NotFound, format!("entry {index} is not in the log, which has {size} entries")))
        }
    }
}

/// The proof that an entry stands in the published log.
#[utoipa::path(
    get, path = "/v1/logs/{name}/entries/{index}/proof", operation_id = "entries.prove", tag = "logs",
    params(("name" = String, Path, description = "The log"), ("index" = u64, Path, description = "The entry's place, from 0")),
    responses(
        (status = 200, description = "A proof with its checkpoint (C2SP tlog-proof)", body = String, content_type = "text/plain"),
        (status = 503, description = "No checkpoint covers the entry yet; within a second one does", body = inline(crate::problem::Document<'static>)),
    )
)]
pub(crate) async fn proof(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let log = Arc::clone(call.log(call.path_part("name"))?);
    let index = index(call)?;
    let source = Arc::clone(&log);
    let Some(text) = blocking(move || source.published.proof(index)).await?? else {
        let size = log.reader.size();
        if index.0 >= size {
            return Err(Problem::new(
                Kind::NotFound,
                format!("entry {index} is not in the log, which has {size} entries"),
            ));
        }
        if log.state().signing_stopped.is_some() {
            let detail = format!(
                "no checkpoint covers entry {index}: the log did not hold, and signs none until a person has looked"
            );
            return Err(Problem::new(Kind::Unavailable, detail));
        }
        let detail = format!("no checkpoint covers entry {index} yet; the next one does");
        return Err(Problem::new(Kind::Unavailable, detail).with_retry_after_ms(1_000));
    };
    let event = call.event().resource("log", log.name()).attribute("index", count(index.0));
    let mark = call.record(&log, event).await?;
    Ok(Answer::bytes("text/plain; charset=utf-8", text, mark))
}

/// The place that the path names.
pub(crate) fn index(call: &Call) -> Result<EntryIndex, Problem> {
    let text = call.path_part("index");
    let canonical = text.len() == 1 || !text.starts_with('0');
    match text.parse::<u64>() {
        Ok(index) if canonical && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(EntryIndex(index)),
        _ => Err(wrong("index", "wrong-value", "an index is a number from 0, without leading zeros".to_owned())),
    }
}

fn answer(log: &LogHandle) -> LogAnswer {
    let progress = log.state();
    let state = match (&progress.stopped, progress.full) {
        (Some(_), _) => "stopped",
        (None, true) => "full",
        (None, false) => "recording",
    };
    LogAnswer {
        name: log.name().to_owned(),
        origin: log.origin().to_owned(),
        vkey: log.published.vkey(),
        public: log.is_public(),
        size: progress.durable_size,
        published_size: progress.published_size,
        checkpoint_confirmed: progress.confirmed.map(|time| time.to_string()),
        indexed_size: log.indexed(),
        state,
        // The cause may name files of this machine; the operator has it in the log lines.
        reason: progress.stopped.map(|_| "see the server's log lines".to_owned()),
        signing: if progress.signing_stopped.is_some() { "stopped" } else { "running" },
    }
}
