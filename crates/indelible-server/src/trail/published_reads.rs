//! Reads of the published log, on record in sums: an event before the first answer to a reader in a minute, and one with the
//! sums when the minute is over. A mirror fetches thousands of tiles; one event each would grow the log faster than it reads.
//! Never: an answer to a reader whose minute has no event yet.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indelible_access::Role;
use indelible_event::build::EventBuilder;
use indelible_event::time::RecordedTime;
use indelible_event::words::{Action, ActorType, OutcomePhase};

use crate::logs::{LogHandle, LogSet};
use crate::problem::Problem;
use crate::trail::{Mark, Trail};

/// How long the reads of one reader are summed.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// Most readers summed at once; the reads of further ones have an event each.
pub(crate) const READERS_MAX: usize = 4_096;
/// The word in the events.
const OPERATION: &str = "published.read";

/// Who reads which log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reader {
    /// The log's name.
    pub(crate) log: String,
    /// Name and role of the token; `None` on a public log.
    pub(crate) actor: Option<(String, Role, ActorType)>,
    /// The client's address.
    pub(crate) ip: Option<IpAddr>,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    /// The entries that an entry bundle holds: first index and the one after the last.
    pub(crate) entries: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    began: Option<RecordedTime>,
    resources: u64,
    entries: Option<(u64, u64)>,
}

impl Sum {
    fn add(&mut self, read: Read) {
        self.resources += 1;
        self.entries = match (self.entries, read.entries) {
            (Some((from, to)), Some((also_from, also_to))) => Some((from.min(also_from), to.max(also_to))),
            (one, other) => one.or(other),
        };
    }
}

/// The sums of the readers of this minute.
#[derive(Debug, Default)]
pub(crate) struct PublishedReads {
    sums: Mutex<HashMap<Reader, Sum>>,
}

impl PublishedReads {
    /// Puts a read on record: in the reader's running sum, or with an event that begins one.
    ///
    /// # Errors
    /// When the event cannot be recorded; then there is no answer.
    pub(crate) async fn record(
        &self,
        trail: &Trail,
        log: &LogHandle,
        reader: &Reader,
        path: &str,
        read: Read,
    ) -> Result<Mark, Problem> {
        if let Some(sum) = self.sums().get_mut(reader) {
            sum.add(read);
            return Ok(Mark::not_needed("the reader's minute has an event, and this read is in its sum"));
        }
        let now = trail.now();
        let event = begin(reader, now).resource("resource", path).resource("log", &reader.log);
        let mark = trail.record(log, event.phase(OutcomePhase::Intent)).await?;
        let mut sums = self.sums();
        let room = sums.len() < READERS_MAX;
        match sums.get_mut(reader) {
            // Another request of the same reader was as quick: both have an event, one sum goes on.
            Some(sum) => sum.add(read),
            None if room => {
                let mut sum = Sum { began: Some(now), ..Sum::default() };
                sum.add(read);
                sums.insert(reader.clone(), sum);
            }
            None => {}
        }
        Ok(mark)
    }

    /// Writes the sums of the minutes that are over, or of all at the end. What cannot be written is summed on.
    pub(crate) async fn flush(&self, trail: &Trail, logs: &LogSet, all: All) {
        let now = trail.now();
        let window = i64::try_from(WINDOW.as_nanos()).unwrap_or(i64::MAX);
        let over = |sum: &Sum| all == All::Yes || sum.began.is_none_or(|began| now.0 - began.0 >= window);
        let ended: Vec<(Reader, Sum)> = self.sums().extract_if(|_, sum| over(sum)).collect();
        for (reader, sum) in ended {
            // The beginning told of the only resource.
            if sum.resources < 2 {
                continue;
            }
            let Some(log) = logs.get(&reader.log) else { continue };
            if let Err(problem) = trail.record(log, end(&reader, now, &sum)).await {
                tracing::warn!(log = log.name(), cause = problem.cause(), "sums of reads wait to be recorded");
                self.sums().entry(reader).or_insert(sum);
            }
        }
    }

    fn sums(&self) -> MutexGuard<'_, HashMap<Reader, Sum>> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether minutes that are not over are ended too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum All {
    /// At the end of the server.
    Yes,
    /// While it runs.
    No,
}

fn begin(reader: &Reader, now: RecordedTime) -> EventBuilder<'_> {
    let (actor_type, id) = match &reader.actor {
        Some((name, _, actor_type)) => (*actor_type, name.as_str()),
        None => (ActorType::Anonymous, "anonymous"),
    };
    let mut event = EventBuilder::new(now, Action::Read, OPERATION, actor_type, id);
    if let Some((_, role, _)) = &reader.actor {
        event = event.actor_role(role.word()).actor_auth("token");
    }
    match reader.ip {
        Some(ip) => event.actor_ip(ip),
        None => event,
    }
}

fn end<'a>(reader: &'a Reader, now: RecordedTime, sum: &Sum) -> EventBuilder<'a> {
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut event = begin(reader, now)
        .phase(OutcomePhase::Outcome)
        .resource_count("log", &reader.log, sum.resources)
        .attribute("resources", count(sum.resources));
    if let Some(began) = sum.began {
        event = event.attribute("since", began.to_string());
    }
    if let Some((from, to)) = sum.entries {
        event = event.attribute("first_index", count(from)).attribute("end_index", count(to));
    }
    event
}
