//! The committing thread: takes what has come together, commits it with one sync, answers.

use std::thread::sleep;
use std::time::Duration;

use indelible_event::batch::EventBatch;
use indelible_event::doors::RecordError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::commit::{Committed, Committer, GROUP_BYTES_MAX};

use super::state::{Side, StateCell};

/// Most acknowledged entries that no checkpoint covers yet: about a second of the fastest recording. Beyond it recording waits
/// for sealing, so that a checkpoint never lags further behind, however much is sent.
const UNSEALED_MAX: u64 = 262_144;
/// How long recording rests before it looks whether sealing has caught up.
const REST: Duration = Duration::from_millis(2);

/// What the committing thread is asked for.
pub(super) enum Message {
    /// Record a batch; the permit bounds the bytes that wait and goes with the answer.
    Record { batch: EventBatch, answer: oneshot::Sender<Result<Committed, RecordError>>, room: OwnedSemaphorePermit },
    /// Nobody needs entries before this index from the journal any more.
    Trim(u64),
    /// End after what came before.
    Close,
}

/// Runs until closed, or until the outcome of a commit is unknown.
pub(super) fn run_committer(mut committer: Committer, mut messages: mpsc::Receiver<Message>, state: &StateCell) {
    let mut closing = false;
    while !closing {
        let Some(first) = messages.blocking_recv() else { break };
        let mut batches = Vec::new();
        let mut answers = Vec::new();
        let mut rooms = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Record { batch, answer, room } => {
                    bytes += batch.byte_len();
                    batches.push(batch);
                    answers.push(answer);
                    rooms.push(room);
                }
                Message::Trim(index) => {
                    if let Err(error) = committer.trim(index) {
                        tracing::warn!(%error, "old journal segments could not be removed");
                    }
                    if state.is_full(Side::Committing) && committer.has_room() {
                        state.set_full(Side::Committing, false);
                    }
                }
                Message::Close => closing = true,
            }
            let full = bytes >= GROUP_BYTES_MAX;
            next = if full || closing { None } else { messages.try_recv().ok() };
        }
        if batches.is_empty() {
            continue;
        }
        while state.unsealed() > UNSEALED_MAX {
            sleep(REST);
        }
        let outcomes = committer.commit(batches);
        let full = outcomes.iter().any(|outcome| matches!(outcome, Err(RecordError::Full)));
        state.set_full(Side::Committing, full);
        state.change(|state| state.durable_size = state.durable_size.max(committer.size()));
        if let Some(reason) = committer.stopped() {
            tracing::error!(reason, "the journal has stopped");
            state.stop(reason.to_owned());
            closing = true;
        }
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // a client that has gone away needs no answer; what it sent is recorded
            if answer.send(outcome).is_err() {
                tracing::debug!("a client left before its answer");
            }
        }
    }
    messages.close();
}
