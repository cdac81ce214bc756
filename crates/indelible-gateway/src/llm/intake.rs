//! A request that is read before it is forwarded: its bytes are kept as they came, and passed on as they came.
//!
//! Promises: what all requests together keep in memory is bounded; one that is too long, too slow or broken off is refused and
//! never forwarded.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Room for all requests that are being read or forwarded, and how it is counted.
pub(super) const ROOM_BYTES: usize = 512 * 1024 * 1024;
const ROOM_UNIT: usize = 64 * 1024;

/// A request as it came.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) pieces: VecDeque<Bytes>,
    pub(super) bytes: u64,
    room: Option<OwnedSemaphorePermit>,
}

/// Why a request was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untaken {
    TooLong,
    Cut,
    TooSlow,
    NoRoom,
}

/// The room for requests.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / ROOM_UNIT)))
    }

    /// Makes room for another unit. The first is free: small requests are bounded by their connections.
    fn more(&self, taken: &mut Taken, length: usize) -> Result<(), Untaken> {
        let held = taken.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let needed = (length / ROOM_UNIT).saturating_sub(held);
        let Ok(needed) = u32::try_from(needed) else { return Err(Untaken::NoRoom) };
        if needed == 0 {
            return Ok(());
        }
        let permit = Arc::clone(&self.0).try_acquire_many_owned(needed).map_err(|_| Untaken::NoRoom)?;
        match &mut taken.room {
            Some(room) => room.merge(permit),
            None => taken.room = Some(permit),
        }
        Ok(())
    }
}

/// Reads a request's body.
///
/// # Errors
/// [`Untaken`].
pub(super) async fn take<B>(mut body: B, max: usize, patience: Duration, room: &Room) -> Result<Taken, Untaken>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > max as u64 {
        return Err(Untaken::TooLong);
    }
    let mut taken = Taken::default();
    let mut length = 0usize;
    loop {
        let frame = timeout(patience, body.frame()).await.map_err(|_| Untaken::TooSlow)?;
        let Some(frame) = frame else { break };
        let Ok(bytes) = frame.map_err(|_| Untaken::Cut)?.into_data() else { continue };
        length = length.saturating_add(bytes.len());
        if length > max {
            return Err(Untaken::TooLong);
        }
        room.more(&mut taken, length)?;
        if !bytes.is_empty() {
            taken.pieces.push_back(bytes);
        }
    }
    taken.bytes = length as u64;
    Ok(taken)
}

impl Body for Taken {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        if let Some(piece) = &piece {
            self.bytes = self.bytes.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes)
    }
}
