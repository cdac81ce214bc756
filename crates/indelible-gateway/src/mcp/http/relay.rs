//! The server's streams on their way to the client, event by event.
//!
//! Promises: an event is passed on byte for byte as soon as what it holds is on record, and not before; when the stream ends without
//! an answer to what was asked, the client is told and the outcome says so. A stream that can be taken up again hands its open
//! requests to the session instead.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming as Upstream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::headers::{self, media_type};
use super::sessions::{Key, Session};
use super::split::{Event, Splitter};
use super::{Call, Fault, Inner, NAMED, own};
use crate::body::{BodyCut, ResponseBody};
use crate::draft::Text;
use crate::mcp::answer;
use crate::mcp::flow::{Back, Onward, Party, Transport, Waiting};
use crate::mcp::message::Incoming;
use crate::mcp::method::Side;
use crate::mcp::table::Table;

/// Where a stream comes from.
pub(super) enum Source {
    /// It answers a GET.
    Listen,
    /// It answers a POST.
    Answer {
        /// What the POST asked.
        scope: Table,
        /// Refusals that the client gets first.
        back: Vec<Back>,
    },
}

/// An answer without messages in it, or one that the client sees as it is: a status with a short text.
pub(super) async fn plain(response: Response<Upstream>, max: usize) -> Response<ResponseBody> {
    let (mut head, body) = response.into_parts();
    headers::for_client(&mut head.headers);
    let limited = http_body_util::Limited::new(body, max).map_err(|_| BodyCut::Upstream);
    Response::from_parts(head, limited.boxed_unsync())
}

/// Passes a stream on.
pub(super) fn relay(
    inner: &Arc<Inner>,
    call: Call,
    response: Response<Upstream>,
    source: Source,
) -> Response<ResponseBody> {
    let (mut head, body) = response.into_parts();
    headers::for_client(&mut head.headers);
    if media_type(&head.headers) != "text/event-stream" || !head.status.is_success() {
        let limited = http_body_util::Limited::new(body, inner.settings.message_bytes_max);
        return Response::from_parts(head, limited.map_err(|_| BodyCut::Upstream).boxed_unsync());
    }
    let (scope, back) = match source {
        Source::Listen => (None, Vec::new()),
        Source::Answer { scope, back } => (Some(scope), back),
    };
    let relay = Relay {
        splitter: Splitter::new(inner.settings.message_bytes_max),
        inner: Arc::clone(inner),
        party: call.party,
        session: call.session,
        scope,
        upstream: body,
        ready: back.iter().map(|back| own::event(None, &back.text)).collect(),
        resumable: false,
        endpoint: false,
        inbox: None,
        over: false,
    };
    let events = stream::unfold(relay, |mut relay| async move { Some((relay.next().await?, relay)) });
    Response::from_parts(head, StreamBody::new(events).boxed_unsync())
}

/// One stream.
struct Relay {
    inner: Arc<Inner>,
    party: Party,
    session: Arc<Session>,
    scope: Option<Table>,
    upstream: Upstream,
    splitter: Splitter,
    ready: VecDeque<Bytes>,
    /// Whether the server has numbered an event, so that the stream may be taken up again.
    resumable: bool,
    /// Whether the server has named an endpoint: then this stream is the session.
    endpoint: bool,
    inbox: Option<mpsc::Receiver<Bytes>>,
    over: bool,
}

/// What comes next on a stream.
enum Next {
    Bytes(Bytes),
    Own(Bytes),
    End(Fault),
    Late,
}

impl Relay {
    async fn next(&mut self) -> Option<Result<Frame<Bytes>, BodyCut>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(Ok(Frame::data(bytes)));
            }
            if self.over {
                return None;
            }
            match self.wait().await {
                Next::Bytes(bytes) => self.take(&bytes).await,
                Next::Own(event) => self.ready.push_back(event),
                Next::End(fault) => self.end(fault).await,
                Next::Late => self.late().await,
            }
        }
    }

    /// Waits for the server, for words of the gateway's own, or for a request's time to be over.
    async fn wait(&mut self) -> Next {
        let deadline = self.scope.as_ref().and_then(Table::first_deadline);
        let inbox = async {
            match &mut self.inbox {
                Some(inbox) => inbox.recv().await,
                None => None,
            }
        };
        let late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            frame = self.upstream.frame() => match frame {
                Some(Ok(frame)) => frame.into_data().map_or(Next::Bytes(Bytes::new()), Next::Bytes),
                Some(Err(_)) => Next::End(Fault::Cut),
                None => Next::End(Fault::Cut),
            },
            Some(event) = inbox => Next::Own(event),
            () = late => Next::Late,
        }
    }

    async fn take(&mut self, bytes: &[u8]) {
        let Ok(events) = self.splitter.feed(bytes) else { return self.end(Fault::TooLong).await };
        for event in events {
            self.event(event).await;
        }
    }

    async fn event(&mut self, event: Event) {
        self.resumable |= !event.id.is_empty();
        let Some(data) = event.data.as_deref().filter(|data| !data.is_empty()) else {
            return self.ready.push_back(event.raw);
        };
        if event.name == "endpoint" && self.scope.is_none() {
            return self.name_endpoint(data).await;
        }
        let incoming = match Incoming::read(data) {
            Ok(incoming) => incoming,
            Err(fault) => {
                // What cannot be read cannot be decided about: it goes no further, and that is on record.
                drop(self.inner.flow.unreadable(&self.party, Side::Server, fault).await);
                return;
            }
        };
        let waiting = Waiting { scope: self.scope.as_ref(), session: &self.session.waiting };
        let sorted = self.inner.flow.pass(&self.party, Side::Server, &incoming, waiting).await;
        for back in sorted.back {
            drop(tokio::spawn(Arc::clone(&self.inner).tell_server(Arc::clone(&self.session), back.text)));
        }
        match sorted.onward {
            Onward::AsCame => self.ready.push_back(event.raw),
            Onward::Part(text) => self.ready.push_back(own::event(Some(&event.id), &text)),
            Onward::Nothing => {}
        }
    }

    /// HTTP+SSE: the server says where messages are to be sent. The client is told a place under the mount.
    async fn name_endpoint(&mut self, data: &[u8]) {
        let named = std::str::from_utf8(data).ok().and_then(|text| self.inner.upstream.resolve(text));
        let Some(path) = named.filter(|_| !self.endpoint) else {
            tracing::warn!(route = self.inner.settings.name, "the tool server named an endpoint on another host");
            return self.end(Fault::Redirects).await;
        };
        let key = Key::Endpoint(path.as_str().into());
        let mut caller = (*self.party.caller).clone();
        if caller.session.is_none() {
            caller.session = key.public();
        }
        self.party = Party { caller: Arc::new(caller), transport: Transport::Sse, version: Text::default() };
        match self.inner.sessions.enter(key, &self.party, &self.session.headers()) {
            Ok(session) => {
                self.endpoint = true;
                self.inbox = Some(session.open_inbox());
                self.session = session;
                let mount = &self.inner.settings.mount;
                self.ready.push_back(Bytes::from(format!("event: endpoint\ndata: {mount}{NAMED}{path}\n\n")));
            }
            Err(_) => self.end(Fault::Redirects).await,
        }
    }

    /// The stream is over. What was asked on it and is not answered ends, or waits for the stream to be taken up again.
    async fn end(&mut self, fault: Fault) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if self.endpoint {
            let waiting = self.session.waiting.take_all();
            self.inner.flow.end_all(waiting, &fault.code().into(), &fault.reason().into()).await;
            self.inner.sessions.forget(&self.session.key);
            return;
        }
        if fault == Fault::Cut && self.can_resume() {
            return self.hand_over();
        }
        let Some(scope) = &self.scope else { return };
        let ended = self.inner.flow.end_all(scope.take_all(), &fault.code().into(), &fault.reason().into()).await;
        for (id, _) in ended {
            let text = answer::error(Some(&id), fault.json_rpc(), fault.reason(), None);
            self.ready.push_back(own::event(None, &text));
        }
    }

    async fn late(&mut self) {
        let Some(scope) = &self.scope else { return };
        let late = scope.take_late(Instant::now());
        for (_, text) in self.inner.flow.end_late(&self.party, late).await {
            self.ready.push_back(own::event(None, &text));
        }
        // Nothing is waited for any more: an answer that came now would be withheld.
        self.over |= scope.is_empty();
    }

    fn can_resume(&self) -> bool {
        self.resumable && matches!(self.session.key, Key::Id(_))
    }

    /// Lets the session wait for what this stream has not answered.
    fn hand_over(&self) {
        let Some(scope) = &self.scope else { return };
        for (id, pending) in scope.take_all() {
            // One that finds no place ends as it is dropped.
            drop(self.session.waiting.insert(id, pending));
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if self.endpoint {
            self.inner.sessions.forget(&self.session.key);
            drop(self.session.waiting.take_all());
        } else if self.can_resume() {
            self.hand_over();
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("over", &self.over).finish_non_exhaustive()
    }
}
