//! An answer on its way to the client: each piece is passed on as it comes, and the last one is held until the outcome is durable.
//!
//! What is held is what completes the answer for its reader: the last event of a stream, the last bytes of a body whose length was
//! told, else the end of the body itself. Dropped before that, the client went away, and that is the outcome.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::call::{Call, How};
use super::refused::stream_error;
use super::settings::Format;
use crate::body::BodyCut;
use crate::exchange::Finish;
use crate::refusal::Refusal;

/// How long the end of the body may come after its last event, and how much with it. What comes later or beyond is not passed on:
/// nothing reaches the client that is not on record.
const CLOSING: Duration = Duration::from_millis(250);
const CLOSING_BYTES: usize = 64 * 1024;

/// An answer on its way.
pub(super) struct AnswerBody {
    upstream: Incoming,
    /// There until the outcome is being recorded.
    call: Option<Box<Call>>,
    state: State,
    timer: Pin<Box<Sleep>>,
    idle: Duration,
    /// What of the answer's declared length has not come yet.
    left: Option<u64>,
    /// What of it has not been passed on yet.
    to_pass: Option<u64>,
    held: VecDeque<Frame<Bytes>>,
    held_bytes: usize,
}

enum State {
    Passing,
    /// The last event is held; the end of the body is to follow.
    Closing,
    /// The outcome is being recorded; then, unless that fails, the answer ends so.
    Ending(Finish, Result<(), BodyCut>, Shape),
    /// Then, whether the server had a turn to write out what it got before an error ends the connection.
    Releasing(Result<(), BodyCut>, bool),
    Over,
}

/// What the client expects, for the word that the end is withheld.
#[derive(Clone, Copy, Debug)]
struct Shape {
    events: bool,
    format: Format,
}

impl AnswerBody {
    pub(super) fn new(upstream: Incoming, call: Box<Call>, idle: Duration) -> Self {
        let length = upstream.size_hint().exact();
        Self {
            upstream,
            call: Some(call),
            state: State::Passing,
            timer: Box::pin(tokio::time::sleep(idle)),
            idle,
            left: length,
            to_pass: length,
            held: VecDeque::new(),
            held_bytes: 0,
        }
    }

    /// Begins to record the outcome.
    fn conclude(&mut self, how: &How) {
        let Some(call) = self.call.take() else {
            self.state = State::Over;
            return;
        };
        let shape = Shape { events: call.is_events(), format: call.gateway().format };
        let (finish, refusal) = call.conclude(how);
        let then = match (how, refusal) {
            (_, Some(refusal)) => Err(withheld(&refusal)),
            (How::Cut, None) => Err(BodyCut::Upstream),
            (How::Silent, None) => Err(BodyCut::Silent),
            (How::NotSealed, None) => Err(BodyCut::Withheld { reason: "the answer could not be sealed".to_owned() }),
            (How::Complete | How::ClientGone, None) => Ok(()),
        };
        self.state = State::Ending(finish, then, shape);
    }

    /// Something came from upstream. Gives what can be passed on at once.
    fn take(&mut self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let bytes = match frame.into_data() {
            Ok(bytes) => bytes,
            // Trailers come last: they are held with the end.
            Err(frame) => {
                self.held.push_back(frame);
                return None;
            }
        };
        if bytes.is_empty() {
            return None;
        }
        self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
        let call = self.call.as_mut()?;
        let Ok(held_from) = call.take(&bytes) else {
            // What could not be sealed is not passed on, and nothing after it.
            self.conclude(&How::NotSealed);
            return None;
        };
        let closing = matches!(self.state, State::Closing);
        let held_from = match held_from {
            _ if closing || self.left == Some(0) => Some(0),
            place => place,
        };
        let Some(place) = held_from else { return Some(Frame::data(bytes)) };
        let now = bytes.slice(..place.min(bytes.len()));
        let later = bytes.slice(place.min(bytes.len())..);
        self.held_bytes += later.len();
        self.held.push_back(Frame::data(later));
        if self.left == Some(0) || self.held_bytes > CLOSING_BYTES {
            self.conclude(&How::Complete);
        } else if !closing {
            self.state = State::Closing;
            self.timer.as_mut().reset(Instant::now() + CLOSING);
        }
        (!now.is_empty()).then(|| Frame::data(now))
    }

    /// Waits for upstream; gives what can be passed on, or nothing when the state has changed.
    fn poll_upstream(&mut self, context: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        let closing = matches!(self.state, State::Closing);
        match Pin::new(&mut self.upstream).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let now = self.take(frame);
                if matches!(self.state, State::Passing) {
                    self.timer.as_mut().reset(Instant::now() + self.idle);
                }
                Poll::Ready(now)
            }
            Poll::Ready(None) => {
                self.conclude(&How::Complete);
                Poll::Ready(None)
            }
            // After the last event a broken connection takes nothing from the answer.
            Poll::Ready(Some(Err(_))) => {
                self.conclude(if closing { &How::Complete } else { &How::Cut });
                Poll::Ready(None)
            }
            Poll::Pending => match self.timer.as_mut().poll(context) {
                Poll::Ready(()) => {
                    self.conclude(if closing { &How::Complete } else { &How::Silent });
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }

    /// The outcome is durable, or not.
    fn ended(&mut self, recorded: Result<(), Refusal>) {
        let State::Ending(_, then, shape) = std::mem::replace(&mut self.state, State::Over) else { return };
        let then = match recorded {
            Ok(()) => then,
            Err(refusal) => Err(withheld(&refusal)),
        };
        if let Err(BodyCut::Withheld { reason }) = &then {
            self.held.clear();
            // A reader of events can be told; with a declared length there is no room for words.
            if shape.events && self.to_pass.is_none() {
                self.held.push_back(Frame::data(stream_error(shape.format, "not_recorded", reason).into()));
            }
        }
        self.state = State::Releasing(then, false);
    }
}

fn withheld(refusal: &Refusal) -> BodyCut {
    BodyCut::Withheld { reason: refusal.to_string() }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyCut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyCut>>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Passing | State::Closing => match this.poll_upstream(context) {
                    Poll::Ready(Some(frame)) => return Poll::Ready(Some(Ok(this.passed(frame)))),
                    Poll::Ready(None) => {}
                    Poll::Pending => return Poll::Pending,
                },
                State::Ending(finish, ..) => match Pin::new(finish).poll(context) {
                    Poll::Ready(recorded) => this.ended(recorded),
                    Poll::Pending => return Poll::Pending,
                },
                State::Releasing(then, written) => {
                    if let Some(frame) = this.held.pop_front() {
                        return Poll::Ready(Some(Ok(this.passed(frame))));
                    }
                    if then.is_err() && !std::mem::replace(written, true) {
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    let then = then.clone();
                    this.state = State::Over;
                    return Poll::Ready(then.err().map(Err));
                }
                State::Over => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn size_hint(&self) -> SizeHint {
        self.to_pass.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl AnswerBody {
    fn passed(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let length = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
        self.to_pass = self.to_pass.map(|left| left.saturating_sub(length));
        frame
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if self.call.is_some() {
            self.conclude(&How::ClientGone);
        }
    }
}
