//! MCP over the pipes of a child process: one message a line, both ways.
//!
//! Promises: as `mcp`. Lines keep their order, but for a request that waits for a person's approval: what comes after it goes on.
//! Never: starts a process or touches a file of its own; whoever calls it owns the pipes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::Instant;

use super::answer;
use super::definitions::Definitions;
use super::flow::{Flow, Onward, Party, Transport, Waiting};
use super::message::{Incoming, MessageFault};
use super::method::Side;
use super::rules::Rules;
use super::table::Table;
use crate::caller::Caller;
use crate::draft::Text;
use crate::refusal::Refusal;
use crate::route::Route;
use crate::surroundings::Surroundings;

/// Longest line, unless set otherwise.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long the lines after a message wait for it: longer than recording takes, shorter than a person.
const IN_ORDER: Duration = Duration::from_millis(250);
/// Most messages that wait for a person at once; then the lines after them wait too.
const HELD_MAX: usize = 64;
/// How often it is looked for requests that have waited too long.
const SWEEP: Duration = Duration::from_secs(1);

/// A line as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// With its end, if it has one.
    Bytes(Bytes),
    /// It was longer than a message may be; its bytes are gone.
    TooLong,
}

/// The four ends of two pipes. Each is bounded by its channel.
#[derive(Debug)]
pub struct Pipes {
    /// What the client writes; closed when it is done.
    pub from_client: Receiver<Line>,
    /// What the server writes; closed when it has ended.
    pub from_server: Receiver<Line>,
    /// What the client reads.
    pub to_client: Sender<Bytes>,
    /// What the server reads; dropped when the client is done.
    pub to_server: Sender<Bytes>,
}

/// The gateway between a client and its child process.
pub struct StdioGateway {
    flow: Flow,
    party: Party,
    waiting: Table,
}

/// Where one direction leads.
struct Way<'a> {
    from: Side,
    onward: &'a Outlet,
    back: &'a Outlet,
}

/// A way out that can be closed while others hold it.
struct Outlet(Mutex<Option<Sender<Bytes>>>);

impl Outlet {
    fn new(sender: Sender<Bytes>) -> Self {
        Self(Mutex::new(Some(sender)))
    }

    /// False when nobody reads any more.
    async fn send(&self, bytes: Bytes) -> bool {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match sender {
            Some(sender) => sender.send(bytes).await.is_ok(),
            None => false,
        }
    }

    fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// What is to be written because of a line.
#[derive(Default)]
struct Output {
    onward: Option<Bytes>,
    back: Option<Bytes>,
}

impl StdioGateway {
    /// A gateway for one child process on behalf of `caller`.
    #[must_use]
    pub fn new(
        surroundings: Arc<Surroundings>,
        route: Arc<Route>,
        rules: Rules,
        definitions: Definitions,
        caller: Caller,
    ) -> Self {
        let party = Party { caller: Arc::new(caller), transport: Transport::Stdio, version: Text::default() };
        let flow = Flow::new(surroundings, route, rules, Arc::new(definitions));
        Self { flow, party, waiting: Table::default() }
    }

    /// Passes lines until the server's end is closed; then everything that is open has ended.
    ///
    /// # Errors
    /// [`Refusal`] when the end of the session could not be recorded.
    pub async fn run(&self, pipes: Pipes) -> Result<(), Refusal> {
        let Pipes { from_client, from_server, to_client, to_server } = pipes;
        let (to_client, to_server) = (Outlet::new(to_client), Outlet::new(to_server));
        let down = Way { from: Side::Client, onward: &to_server, back: &to_client };
        let up = Way { from: Side::Server, onward: &to_client, back: &to_server };
        let client = async {
            self.pump(from_client, &down).await;
            to_server.close();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = client => {}
            () = self.sweep(&to_client, &to_server) => {}
            () = self.pump(from_server, &up) => {}
        }
        let (code, reason) = ("upstream_gone".into(), "the tool server ended".into());
        for (id, from) in self.flow.end_all(self.waiting.take_all(), &code, &reason).await {
            if from == Side::Client {
                let text = answer::error(Some(&id), answer::UPSTREAM, "the tool server ended", None);
                to_client.send(line(&text)).await;
            }
        }
        self.flow.ended(&self.party, Text::default()).await
    }

    /// One direction, until its source is closed.
    async fn pump(&self, mut lines: Receiver<Line>, way: &Way<'_>) {
        let mut held = FuturesUnordered::new();
        loop {
            let output = tokio::select! {
                came = lines.recv(), if held.len() < HELD_MAX => {
                    // Whoever waits for a person and is gone has that on record as it is dropped.
                    let Some(came) = came else { return };
                    let mut work = Box::pin(self.take(came, way.from));
                    match tokio::time::timeout(IN_ORDER, &mut work).await {
                        Ok(output) => output,
                        Err(_) => {
                            held.push(work);
                            continue;
                        }
                    }
                }
                Some(output) = held.next(), if !held.is_empty() => output,
            };
            if let Some(bytes) = output.back {
                way.back.send(bytes).await;
            }
            if let Some(bytes) = output.onward
                && !way.onward.send(bytes).await
                && way.from == Side::Client
            {
                // The server reads no more; it is about to end.
                return;
            }
        }
    }

    async fn take(&self, came: Line, from: Side) -> Output {
        let bytes = match came {
            Line::Bytes(bytes) => bytes,
            Line::TooLong => return self.unreadable(from, MessageFault::Shape("the line is too long")).await,
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Output { onward: Some(bytes), back: None };
        }
        let incoming = match Incoming::read(&bytes) {
            Ok(incoming) => incoming,
            Err(fault) => return self.unreadable(from, fault).await,
        };
        let waiting = Waiting { scope: None, session: &self.waiting };
        let sorted = self.flow.pass(&self.party, from, &incoming, waiting).await;
        let back = sorted.back_text().map(|text| line(&text));
        let onward = match sorted.onward {
            Onward::AsCame => Some(bytes.clone()),
            Onward::Part(text) => Some(line(&text)),
            Onward::Nothing => None,
        };
        Output { onward, back }
    }

    /// What cannot be read goes no further; a client is told so, a server that prints something else is not.
    async fn unreadable(&self, from: Side, fault: MessageFault) -> Output {
        drop(self.flow.unreadable(&self.party, from, fault).await);
        let back = (from == Side::Client).then(|| line(&answer::unreadable(fault)));
        Output { onward: None, back }
    }

    async fn sweep(&self, to_client: &Outlet, to_server: &Outlet) {
        loop {
            tokio::time::sleep(SWEEP).await;
            let late = self.waiting.take_late(Instant::now());
            for (asked, text) in self.flow.end_late(&self.party, late).await {
                let outlet = if asked == Side::Client { to_client } else { to_server };
                outlet.send(line(&text)).await;
            }
        }
    }
}

/// A message of the gateway's own as a line. A part of a batch may hold line ends between its values, which mean nothing there.
fn line(text: &str) -> Bytes {
    Bytes::from(format!("{}\n", text.replace(['\n', '\r'], " ")))
}

impl fmt::Debug for StdioGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioGateway").field("flow", &self.flow).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
