//! A body that follows a script: sends, waits, breaks off.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// One step of a body.
#[derive(Debug)]
pub(crate) enum Step {
    /// These bytes.
    Send(Bytes),
    /// Nothing for a while.
    Wait(Duration),
    /// Nothing any more, without an end.
    Forever,
    /// The connection breaks.
    Cut,
}

impl Step {
    /// What it sends.
    #[must_use]
    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Send(bytes) => Some(bytes),
            Self::Wait(_) | Self::Forever | Self::Cut => None,
        }
    }
}

/// A body that follows a script.
#[derive(Debug)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Script {
    /// A body of these steps.
    #[must_use]
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        Self { steps: steps.into(), wait: None }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if let Some(wait) = &mut self.wait {
                if wait.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.wait = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Send(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Wait(pause)) => self.wait = Some(Box::pin(tokio::time::sleep(pause))),
                Some(Step::Forever) => {
                    self.steps.push_front(Step::Forever);
                    return Poll::Pending;
                }
                Some(Step::Cut) => return Poll::Ready(Some(Err(io::Error::other("cut on purpose")))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.wait.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        // Only a body in one piece has a length: the others are streams, or break off.
        match (self.steps.len(), self.steps.front()) {
            (0, _) => SizeHint::with_exact(0),
            (1, Some(Step::Send(bytes))) => SizeHint::with_exact(bytes.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
