//! Long answers: a producer on its own task or thread, a small queue, a body. The access is on record before the first byte
//! (its intent) and before the last (its outcome); when the outcome cannot be recorded, the body breaks off and is seen to.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use indelible_event::words::{OutcomePhase, OutcomeResult};
use tokio::sync::mpsc;

use super::count;
use super::find::Asked;
use crate::call::Call;
use crate::logs::LogHandle;
use crate::problem::Problem;
use crate::trail::Mark;

/// Pieces that wait for a slow client.
const QUEUE_PIECES: usize = 4;
/// Bytes gathered before they are sent.
pub(crate) const PIECE_BYTES: usize = 128 * 1024;

/// Where a producer puts its pieces. An error in place of a piece breaks the body off.
pub(crate) type Pieces = mpsc::Sender<Result<Bytes, BrokenOff>>;

/// The answer could not be finished; the client sees a broken transfer, never a short one.
#[derive(Debug, thiserror::Error)]
#[error("the answer was broken off")]
pub(crate) struct BrokenOff;

/// A queue and the body that is fed from it.
pub(crate) fn channel() -> (Pieces, Body) {
    let (sender, receiver) = mpsc::channel(QUEUE_PIECES);
    let pieces = stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    });
    (sender, Body::from_stream(pieces))
}

/// How a long answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All was sent.
    Whole,
    /// The client left.
    ClientLeft,
    /// The server is stopping.
    Stopping,
    /// Something failed.
    Failed,
}

impl End {
    /// In words.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Whole => "all was sent",
            Self::ClientLeft => "the client left",
            Self::Stopping => "the server stopped",
            Self::Failed => "it could not be finished",
        }
    }
}

/// Puts on record that a long answer begins.
pub(crate) async fn begin(call: &Call, log: &LogHandle, asked: &Asked, format: &'static str) -> Result<Mark, Problem> {
    let event = call.event().resource("log", log.name()).phase(OutcomePhase::Intent).attribute("format", format);
    call.record(log, asked.describe(event)).await
}

/// Puts on record how a long answer ended: the same request id as at its beginning, how many events, how many bytes.
pub(crate) async fn end(call: &Call, log: &LogHandle, sent: &Sent, end: End) -> Result<Mark, Problem> {
    let result = if end == End::Failed { OutcomeResult::Failed } else { OutcomeResult::Allowed };
    let event = call
        .event()
        .resource_count("log", log.name(), sent.events)
        .phase(OutcomePhase::Outcome)
        .result(result)
        .reason(end.reason())
        .attribute("events", count(sent.events))
        .attribute("bytes", count(sent.bytes))
        .duration_ns(u64::try_from(call.began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    call.record(log, event).await
}

/// What has been sent so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

/// Records the outcome of a long answer and ends its body: whole only if all was sent and the outcome is on record.
pub(crate) async fn finish(call: &Call, log: &LogHandle, pieces: Pieces, sent: Sent, how: End) {
    let on_record = match end(call, log, &sent, how).await {
        Ok(_mark) => true,
        Err(problem) => {
            tracing::error!(request_id = call.id.as_str(), cause = problem.cause(), "an outcome could not be recorded");
            false
        }
    };
    if !on_record || matches!(how, End::Failed) {
        let told = pieces.send_timeout(Err(BrokenOff), Duration::from_secs(1)).await;
        tracing::debug!(told = told.is_ok(), "a long answer was broken off");
    }
}

/// Runs a producer that blocks; it gives back how it ended. Its place among the queries is given up at the very end.
pub(crate) fn produce(
    call: &Arc<Call>,
    log: &Arc<LogHandle>,
    place: tokio::sync::OwnedSemaphorePermit,
    pieces: Pieces,
    work: impl FnOnce(&Pieces, &mut Sent) -> End + Send + 'static,
) {
    let (call, log) = (Arc::clone(call), Arc::clone(log));
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut sent = Sent::default();
        let how = work(&pieces, &mut sent);
        runtime.block_on(finish(&call, &log, pieces, sent, how));
        drop(place);
    });
}
