//! What happens to each message of a session, whatever carries it: requests become exchanges, answers end them, news is recorded.
//!
//! Promises: a request is let on only when its intent is durable, its answer only when the outcome is; what answers nothing that is
//! open is withheld, and that is on record. Never: knows HTTP or pipes.

mod ask;
mod close;
mod plain;
mod single;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::answer;
use super::definitions::Definitions;
use super::json::Raw;
use super::message::{Id, Incoming, Kind, Message};
use super::method::{Side, only_counted};
use super::pending::Pending;
use super::rules::Rules;
use super::table::{NoPlace, Table};
use crate::caller::Caller;
use crate::draft::Text;
use crate::refusal::Refusal;
use crate::route::Route;
use crate::surroundings::Surroundings;

/// What carries the messages, as events say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP.
    Http,
    /// HTTP with a stream of events beside it (2024-11-05).
    Sse,
    /// Pipes of a child process.
    Stdio,
}

impl Transport {
    /// The word in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Sse => "sse",
            Self::Stdio => "stdio",
        }
    }
}

/// Who is on the client's side of a session.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    /// The caller, whose session is the protocol's if it named none.
    pub(crate) caller: Arc<Caller>,
    /// What carries the messages.
    pub(crate) transport: Transport,
    /// The protocol version, if it is known.
    pub(crate) version: Text,
}

/// Where requests wait for their answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting<'a> {
    /// Those of one HTTP request, if there is one: ids of clients without a session may meet.
    pub(crate) scope: Option<&'a Table>,
    /// Those of the session.
    pub(crate) session: &'a Table,
}

/// An answer of the gateway's own to who sent a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Back {
    /// The answer.
    pub(crate) text: String,
    /// Why, as [`Refusal::code`] says it.
    pub(crate) code: &'static str,
    /// Whether it was asked about and denied, and not merely impossible.
    pub(crate) denied: bool,
}

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on as it is.
    Pass,
    /// It goes nowhere.
    Withhold,
    /// It goes nowhere, and who sent it gets this.
    Answer(Back),
    /// This goes on in its place.
    Instead(String),
}

/// What only is counted.
#[derive(Debug, Default)]
pub struct Counts {
    /// Pings, both ways.
    pub pings: AtomicU64,
    /// News of progress.
    pub progress: AtomicU64,
    /// Answers that were withheld.
    pub withheld: AtomicU64,
}

/// The way of messages through one gateway.
pub(crate) struct Flow {
    pub(crate) s: Arc<Surroundings>,
    pub(crate) route: Arc<Route>,
    pub(crate) rules: Rules,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) counts: Counts,
    /// One list of tools at a time is compared and recorded, or the same change would be told twice.
    listing: tokio::sync::Mutex<()>,
}

impl Flow {
    pub(crate) fn new(s: Arc<Surroundings>, route: Arc<Route>, rules: Rules, definitions: Arc<Definitions>) -> Self {
        Self { s, route, rules, definitions, counts: Counts::default(), listing: tokio::sync::Mutex::default() }
    }

    /// Decides about all messages that came together; gives what goes on and what goes back.
    pub(crate) async fn pass(
        &self,
        party: &Party,
        from: Side,
        incoming: &Incoming<'_>,
        waiting: Waiting<'_>,
    ) -> Sorted {
        let judged = incoming.messages.iter().map(|message| self.judge(party, from, message, waiting));
        sort(incoming, futures::future::join_all(judged).await)
    }

    /// Decides about one message, and records it.
    async fn judge(&self, party: &Party, from: Side, message: &Message<'_>, waiting: Waiting<'_>) -> Verdict {
        match (message.kind, &message.id) {
            (Kind::Request, Some(id)) => self.request(party, from, message, id, waiting).await,
            (Kind::Answer, Some(id)) => self.answer(party, from, message, id, waiting).await,
            (Kind::Answer, None) => self.answer_to_none(party, from, message).await,
            (Kind::Notification | Kind::Request, _) => self.news(party, from, message, waiting).await,
        }
    }

    async fn request(
        &self,
        party: &Party,
        from: Side,
        message: &Message<'_>,
        id: &Id,
        waiting: Waiting<'_>,
    ) -> Verdict {
        if only_counted(&message.method) {
            self.counts.pings.fetch_add(1, Ordering::Relaxed);
            return self.ping(from, id, waiting);
        }
        // What the server asks is answered from anywhere in the session.
        let table = if from == Side::Client { waiting.scope.unwrap_or(waiting.session) } else { waiting.session };
        let refusal = match table.place(from, id) {
            Err(NoPlace::IdInUse) => Refusal::BadRequest { reason: "a request with this id is still open" },
            Err(NoPlace::Full) => Refusal::TooManyOpen { retry_after_ms: 1_000 },
            Ok(()) => match self.open(party, from, message).await {
                Ok(pending) => match table.insert(id.clone(), pending) {
                    Ok(()) => return Verdict::Pass,
                    Err(pending) => {
                        self.fail(*pending, "not_forwarded", "its id came twice at the same time").await;
                        Refusal::BadRequest { reason: "a request with this id is still open" }
                    }
                },
                Err(refusal) => refusal,
            },
        };
        Verdict::Answer(Back {
            text: self.refusal(party, id, &message.method, &refusal),
            code: refusal.code(),
            denied: matches!(refusal, Refusal::Denied { .. }),
        })
    }

    /// A refusal as an answer in the protocol's form.
    fn refusal(&self, party: &Party, id: &Id, method: &str, refusal: &Refusal) -> String {
        let request = &party.caller.request;
        if method == "tools/call" {
            return answer::refused_call(id, refusal, request, self.rules.denial, &party.version);
        }
        answer::refused(Some(id), refusal, request)
    }

    /// A ping is let through unrecorded, and so is its answer.
    fn ping(&self, from: Side, id: &Id, waiting: Waiting<'_>) -> Verdict {
        let tables = [waiting.scope, Some(waiting.session)];
        let open = tables.into_iter().flatten().any(|table| table.place(from, id) == Err(NoPlace::IdInUse));
        // An id that a recorded request waits under must not get its answer from a ping.
        if open { Verdict::Withhold } else { Verdict::Pass }
    }

    async fn answer(&self, party: &Party, from: Side, message: &Message<'_>, id: &Id, waiting: Waiting<'_>) -> Verdict {
        let asked = if from == Side::Client { Side::Server } else { Side::Client };
        let found = waiting.scope.and_then(|scope| scope.take(asked, id)).or_else(|| waiting.session.take(asked, id));
        let Some(pending) = found else {
            // Nothing is to be had from a ping: an empty result passes.
            if message.result.is_some_and(|result| result.is_object() && result.members().next().is_none()) {
                return Verdict::Pass;
            }
            return self.answer_to_none(party, from, message).await;
        };
        match self.close(party, pending, message).await {
            Ok(()) => Verdict::Pass,
            Err(refusal) => Verdict::Instead(answer::refused(Some(id), &refusal, &party.caller.request)),
        }
    }

    async fn answer_to_none(&self, party: &Party, from: Side, message: &Message<'_>) -> Verdict {
        // An error without an id says that something could not be read: it gives nothing away, and people need it.
        let code = message.error.and_then(|error| error.member("code")).and_then(Raw::integer);
        let told = message.id.is_none() && code.is_some();
        self.counts.withheld.fetch_add(u64::from(!told), Ordering::Relaxed);
        match self.stray(party, from, message, told).await {
            Ok(()) if told => Verdict::Pass,
            _ => Verdict::Withhold,
        }
    }

    async fn news(&self, party: &Party, from: Side, message: &Message<'_>, waiting: Waiting<'_>) -> Verdict {
        let asked = if from == Side::Client { Side::Server } else { Side::Client };
        let tables = || [waiting.scope, Some(waiting.session)].into_iter().flatten();
        if message.method == "notifications/progress" {
            self.counts.progress.fetch_add(1, Ordering::Relaxed);
            if let Some(token) = message.progress_token() {
                tables().any(|table| table.progress(asked, &token, self.rules.answer_timeout));
            }
            return Verdict::Pass;
        }
        if message.method == "notifications/cancelled"
            && let Some(id) = message.param("requestId").and_then(Id::read)
        {
            tables().any(|table| table.cancel(from, &id));
        }
        match self.notice(party, from, message).await {
            Ok(()) => Verdict::Pass,
            Err(_) => Verdict::Withhold,
        }
    }

    /// Ends what has waited too long; gives the answers that are due to those who asked.
    pub(crate) async fn end_late(&self, party: &Party, late: Vec<(Id, Pending)>) -> Vec<(Side, String)> {
        let ended = late.into_iter().map(|(id, pending)| async move {
            let from = pending.from;
            if pending.cancelled {
                self.fail(pending, "cancelled", "cancelled by who asked; no answer").await;
                return None;
            }
            self.fail(pending, "no_answer", "no answer").await;
            let data = serde_json::json!({ "refused": "no_answer", "request": party.caller.request });
            Some((
                from,
                answer::error(Some(&id), answer::NO_ANSWER, "the other side did not answer in time", Some(data)),
            ))
        });
        futures::future::join_all(ended).await.into_iter().flatten().collect()
    }

    /// Ends everything of a table for one reason.
    pub(crate) async fn end_all(&self, waiting: Vec<(Id, Pending)>, code: &Text, reason: &Text) -> Vec<(Id, Side)> {
        let ended = waiting.into_iter().map(|(id, pending)| async move {
            let from = pending.from;
            if pending.cancelled {
                self.fail(pending, "cancelled", "cancelled by who asked; no answer").await;
            } else {
                self.fail(pending, code.clone(), reason.clone()).await;
            }
            (id, from)
        });
        futures::future::join_all(ended).await
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("route", &self.route.name()).finish_non_exhaustive()
    }
}

/// What goes on of the messages that came together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Onward {
    /// All of it, byte for byte.
    AsCame,
    /// Only this.
    Part(String),
    /// Nothing.
    Nothing,
}

/// What goes on, and what goes back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sorted {
    pub(crate) onward: Onward,
    pub(crate) back: Vec<Back>,
    /// Whether what came was a list, so that what goes back is one too.
    pub(crate) batch: bool,
}

impl Sorted {
    /// What goes back, as one body or line.
    pub(crate) fn back_text(&self) -> Option<String> {
        match self.back.as_slice() {
            [] => None,
            [one] if !self.batch => Some(one.text.clone()),
            many => Some(format!("[{}]", many.iter().map(|one| one.text.as_str()).collect::<Vec<_>>().join(","))),
        }
    }
}

/// Messages that go on keep their bytes; a batch that loses one is put together anew from those of the others.
fn sort(incoming: &Incoming<'_>, verdicts: Vec<Verdict>) -> Sorted {
    let mut back = Vec::new();
    let mut onward = Vec::new();
    let mut whole = true;
    for (message, verdict) in incoming.messages.iter().zip(verdicts) {
        whole &= verdict == Verdict::Pass;
        match verdict {
            Verdict::Pass => onward.push(message.raw.as_str().to_owned()),
            Verdict::Withhold => {}
            Verdict::Answer(answer) => back.push(answer),
            Verdict::Instead(text) => onward.push(text),
        }
    }
    let onward = match (whole, onward.is_empty()) {
        (true, _) => Onward::AsCame,
        (false, true) => Onward::Nothing,
        (false, false) if incoming.batch => Onward::Part(format!("[{}]", onward.join(","))),
        (false, false) => Onward::Part(onward.concat()),
    };
    Sorted { onward, back, batch: incoming.batch }
}
