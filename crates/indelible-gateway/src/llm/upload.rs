//! A request's body that passes through to upstream while it is sealed: what is too long to be read first, or not to be read at all.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use indelible_event::vault::VaultError;

use super::upstream::RequestCut;
use crate::content::Content;
use crate::draft::{Draft, Text};

/// What is known of an upload, shared by the body on its way and the call.
#[derive(Clone)]
pub(super) struct Upload(Arc<Mutex<State>>);

struct State {
    content: Option<Content>,
    media_type: Text,
    bytes: u64,
    complete: bool,
    cut: bool,
    failed: Option<VaultError>,
}

impl Upload {
    pub(super) fn new(content: Content, media_type: Text) -> Self {
        let state = State { content: Some(content), media_type, bytes: 0, complete: false, cut: false, failed: None };
        Self(Arc::new(Mutex::new(state)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that passed so far: whether it goes on.
    pub(super) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Whether the client broke it off.
    pub(super) fn is_cut(&self) -> bool {
        self.lock().cut
    }

    /// Whether it stopped because it could not be sealed.
    pub(super) fn is_not_sealed(&self) -> bool {
        self.lock().failed.is_some()
    }

    /// Ends it: what passed goes into the outcome.
    ///
    /// # Errors
    /// [`VaultError`] when what passed could not be sealed.
    pub(super) fn finish(&self, outcome: &mut Draft) -> Result<(), VaultError> {
        let mut state = self.lock();
        outcome.attribute("http.request.body.size", state.bytes);
        if !state.complete {
            outcome.attribute("indelible.request_incomplete", true);
        }
        if let Some(failed) = state.failed.take() {
            return Err(failed);
        }
        let media_type = std::mem::take(&mut state.media_type);
        let content = state.content.take();
        drop(state);
        content.map_or(Ok(()), |content| content.finish(outcome, media_type))
    }

    fn take(&self, bytes: &[u8]) -> Result<(), RequestCut> {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_add(bytes.len() as u64);
        let written = match &mut state.content {
            Some(content) => content.write(bytes),
            // The call is over: nothing more goes to upstream unseen.
            None => return Err(RequestCut::NotSealed),
        };
        written.map_err(|error| {
            state.content = None;
            state.failed = Some(error);
            RequestCut::NotSealed
        })
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").finish_non_exhaustive()
    }
}

/// The body on its way.
pub(super) struct UploadBody<B> {
    pub(super) body: B,
    pub(super) upload: Upload,
}

impl<B: Body<Data = Bytes> + Unpin> Body for UploadBody<B> {
    type Data = Bytes;
    type Error = RequestCut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestCut>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(match frame {
            Some(Ok(frame)) => match frame.data_ref().map_or(Ok(()), |bytes| self.upload.take(bytes)) {
                Ok(()) => {
                    // With a declared length nobody asks once more after the last bytes.
                    if self.body.is_end_stream() {
                        self.upload.lock().complete = true;
                    }
                    Some(Ok(frame))
                }
                Err(cut) => Some(Err(cut)),
            },
            Some(Err(_)) => {
                self.upload.lock().cut = true;
                Some(Err(RequestCut::Client))
            }
            None => {
                self.upload.lock().complete = true;
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        let over = self.body.is_end_stream();
        if over {
            self.upload.lock().complete = true;
        }
        over
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
