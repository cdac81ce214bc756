//! A server's log as the way in: `POST /v1/events`, and nothing passes before its answer says that the events are durable.

use std::sync::Arc;

use indelible_event::batch::EventBatch;
use indelible_event::doors::{BoxFuture, EntryIndex, RecordError, Recorded, Recorder};
use indelible_event::time::RecordedTime;
use indelible_event::vault::{ContentAbout, ContentWriter, Vault, VaultError};
use serde_json::Value;

use crate::client::Client;
use crate::exit::CliError;

/// When a server that cannot be reached is tried again.
const RETRY_AFTER_MS: u64 = 1_000;

/// Records through a server.
#[derive(Debug)]
pub(crate) struct ServerRecorder {
    client: Arc<Client>,
    log: Option<String>,
}

impl ServerRecorder {
    /// Records through the server that `client` talks to, into its first log or the one named.
    pub(crate) fn new(client: Client, log: Option<&str>) -> Self {
        Self { client: Arc::new(client), log: log.map(str::to_owned) }
    }
}

impl Recorder for ServerRecorder {
    fn record(&self, batch: EventBatch) -> BoxFuture<'_, Result<Recorded, RecordError>> {
        let (client, log) = (Arc::clone(&self.client), self.log.clone());
        Box::pin(async move {
            let name = log.clone().unwrap_or_default();
            let stopped = |reason: String| RecordError::Stopped { log: name.clone(), reason };
            let body = lines(&batch).map_err(|error| stopped(error.to_string()))?;
            let query: Vec<(&str, String)> = log.iter().map(|log| ("log", log.clone())).collect();
            let sent =
                tokio::task::spawn_blocking(move || client.post("/v1/events", &query, "application/x-ndjson", &body));
            match sent.await {
                Ok(Ok(answer)) => {
                    recorded(&answer).ok_or_else(|| stopped("the server's answer names no index".to_owned()))
                }
                Ok(Err(error)) => Err(refused(&error, &name)),
                Err(error) => Err(stopped(error.to_string())),
            }
        })
    }
}

/// The events, one a line. When they were recorded is the server's to say.
fn lines(batch: &EventBatch) -> Result<Vec<u8>, serde_json::Error> {
    let mut body = Vec::with_capacity(batch.byte_len() + batch.len());
    for (_, entry) in batch.entries() {
        let mut event: serde_json::Map<String, Value> = serde_json::from_slice(entry)?;
        event.remove("recorded");
        serde_json::to_writer(&mut body, &event)?;
        body.push(b'\n');
    }
    Ok(body)
}

fn recorded(answer: &Value) -> Option<Recorded> {
    Some(Recorded {
        first_index: EntryIndex(answer.get("first_index")?.as_u64()?),
        count: answer.get("count")?.as_u64()?,
        indexes: None,
        recorded: answer
            .get("recorded")
            .and_then(Value::as_str)
            .and_then(RecordedTime::parse)
            .unwrap_or(RecordedTime(0)),
        receipt: answer.get("receipt").and_then(Value::as_str).unwrap_or_default().into(),
    })
}

/// What may pass is tried again; what will not is told.
fn refused(error: &CliError, log: &str) -> RecordError {
    match error.status() {
        Some(507) => RecordError::Full,
        None | Some(429 | 500..=599) => RecordError::Busy { retry_after_ms: RETRY_AFTER_MS },
        Some(_) => RecordError::Stopped { log: log.to_owned(), reason: error.to_string() },
    }
}

/// No vault: whoever records through a server keeps no content.
#[derive(Debug)]
pub(crate) struct NoVault;

impl Vault for NoVault {
    fn begin(&self, _about: ContentAbout) -> Result<Box<dyn ContentWriter>, VaultError> {
        Err(VaultError::Stopped { reason: "there is no vault without a data folder of its own".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use indelible_event::id::EventId;
    use indelible_event::prepare::{Defaults, prepare};

    use super::*;

    #[test]
    fn events_are_sent_as_they_are_but_for_when_they_were_recorded() {
        let event = br#"{"time":"2026-11-23T10:15:30Z","actor":{"id":"a","type":"agent"},"action":"read",
            "outcome":{"result":"allowed"},"attributes":{"n":9007199254740991}}"#;
        let mut batch = EventBatch::new();
        let defaults = Defaults { source_id: "gateway/x", source_kind: "gateway" };
        prepare(event, &defaults, &mut || EventId([7; 16]), &mut batch).unwrap();
        let sent = lines(&batch).unwrap();
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        assert_eq!((sent.get("recorded"), &sent["source"]["id"]), (None, &"gateway/x".into()));
        assert_eq!(sent["attributes"]["n"], 9_007_199_254_740_991_u64);
        let mut again = EventBatch::new();
        prepare(sent.to_string().as_bytes(), &defaults, &mut || EventId([8; 16]), &mut again).unwrap();
        assert_eq!(again, batch, "the server makes the same entry of it");
    }
}
