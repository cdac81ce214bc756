//! Completeness as it happens: which sources there are, whether their numbers have gaps, whether they fell silent, came late,
//! slowed down, or keep another time than we do.
//!
//! Promises: time is the log's own (`recorded`), so that the same entries give the same findings; memory is bounded by
//! [`SOURCES_MAX`] sources, and what is not followed is counted. [`Sources::tick`] may be called only when all entries recorded
//! before its time were seen. Never: takes the server's own earlier starts for sources that fell silent.

mod clock;
mod one;
mod rate;
mod report;
mod state;
mod told;

use std::collections::BTreeMap;

use indelible_event::OWN_SOURCE_KIND;
use indelible_event::completeness::{GAPS_ALL_MAX, SOURCES_MAX};
use serde::{Deserialize, Serialize};

use crate::finding::{Evidence, Finding, Severity};
use crate::seen::Seen;

use one::Source;
pub use report::{GapRange, SourceReport, SourceVerdict};
pub use state::SnapshotError;
use told::Teller;

const SECOND_NS: i64 = 1_000_000_000;
/// Most bytes of a source's id that are kept; the events of sources with longer ids are not followed.
const ID_BYTES_MAX: usize = 1_024;

/// What is expected of sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSettings {
    /// How long a missing number may still come, in seconds of recorded time, before it is a gap.
    pub gap_grace_seconds: u32,
    /// How long after the time it states an event may be recorded, in seconds, before it is late.
    pub late_seconds: u32,
    /// How far a source's clock may be off, in seconds.
    pub skew_seconds: u32,
    /// From which sources events are expected, and how often; none unless the operator says so.
    pub expected: Vec<ExpectedSource>,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self { gap_grace_seconds: 60, late_seconds: 3_600, skew_seconds: 60, expected: Vec::new() }
    }
}

/// Sources that send something at least so often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedSource {
    /// The id of one source, or with a `*` at its end the beginning of the ids of several. An exact id is expected even when the
    /// source was never seen.
    pub id: String,
    /// The longest time between two events, in seconds. It is silent when twice this time has gone by.
    pub heartbeat_seconds: u32,
}

impl ExpectedSource {
    fn covers(&self, id: &str) -> bool {
        self.id.strip_suffix('*').map_or(self.id == id, |start| id.starts_with(start))
    }

    fn patience_ns(&self) -> i64 {
        i64::from(self.heartbeat_seconds) * 2 * SECOND_NS
    }
}

/// The sources of one log.
#[derive(Debug)]
pub struct Sources {
    teller: Teller,
    settings: SourceSettings,
    state: State,
}

/// What is kept over a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    sources: BTreeMap<Box<str>, Source>,
    /// Gaps kept by all of them.
    gaps: usize,
    /// When the first entry was recorded.
    first_ns: Option<i64>,
    /// The newest time known of.
    now_ns: i64,
    /// When this server started last, as its own events say: before that, nobody could send anything.
    started_ns: i64,
    /// When all of them were looked at last.
    looked_ns: i64,
    /// When something may be due next that time alone shows.
    due_ns: i64,
    /// Events of sources that are not followed.
    not_followed: u64,
    /// Sources expected by their id that never came, and were told of.
    never_came: Vec<Box<str>>,
}

impl Sources {
    /// None seen yet.
    #[must_use]
    pub fn new(log: &str, settings: SourceSettings) -> Self {
        Self { teller: Teller::new(log), settings, state: State::default() }
    }

    /// Takes the next entry.
    pub fn see(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let recorded_ns = seen.recorded_unix_ns();
        let Some(id) = seen.view.source.id.as_deref() else { return };
        let own = seen.view.source.kind.as_deref() == Some(OWN_SOURCE_KIND);
        let known = self.state.sources.contains_key(id);
        if own && !known {
            self.state.started_ns = recorded_ns;
        }
        self.state.first_ns.get_or_insert(recorded_ns);
        self.advance(recorded_ns, findings);
        if !known && (id.len() > ID_BYTES_MAX || (self.state.sources.len() >= SOURCES_MAX && !self.drop_an_ended_one()))
        {
            self.state.not_followed = self.state.not_followed.saturating_add(1);
            return;
        }
        let room = GAPS_ALL_MAX.saturating_sub(self.state.gaps);
        let source = self.state.sources.entry(id.into()).or_insert_with(|| Source::new(own));
        let expected = expected(&self.settings, id);
        let (started_ns, about) = (self.state.started_ns, self.teller.about(id));
        // Its own next event finds it as time alone has made it, whenever the last look at all sources was.
        if known {
            source.advance(recorded_ns, expected, started_ns, &self.settings, &about, findings);
        }
        let before = source.numbers.gaps.len();
        source.see(seen, room, &self.settings, &about, findings);
        self.state.gaps = (self.state.gaps + source.numbers.gaps.len()).saturating_sub(before);
        let due = source.due_ns(expected, started_ns, &self.settings);
        self.state.due_ns = self.state.due_ns.min(due.max(self.state.looked_ns.saturating_add(SECOND_NS)));
    }

    /// What time alone shows: gaps nobody filled, silence, hours with too few events.
    pub fn tick(&mut self, now_unix_ns: i64, findings: &mut Vec<Finding>) {
        self.advance(now_unix_ns, findings);
    }

    /// What is known of each source at this time, by id.
    #[must_use]
    pub fn report(&self, now_unix_ns: i64) -> Vec<SourceReport> {
        let silent_ns = |id: &str, source: &Source| {
            expected(&self.settings, id)
                .filter(|expected| source.is_silent(now_unix_ns, expected.patience_ns(), self.state.started_ns))
                .map(|expected| expected.heartbeat_seconds)
        };
        let known = self.state.sources.iter();
        let known = known.map(|(id, source)| report::of(id, source, silent_ns(id, source).is_some()));
        let never = self.state.never_came.iter().filter(|id| !self.state.sources.contains_key(*id));
        let mut reports: Vec<SourceReport> = known.chain(never.map(|id| SourceReport::never_seen(id))).collect();
        reports.sort_by(|a, b| a.id.cmp(&b.id));
        reports
    }

    /// Events of sources beyond those that can be followed.
    #[must_use]
    pub fn events_not_followed(&self) -> u64 {
        self.state.not_followed
    }

    /// The state, to go on from after a restart.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        state::write(&self.state)
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// [`SnapshotError`] when the bytes are of another version or damaged; the state is then as it was.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.state = state::read(bytes)?;
        // what is expected may have changed since
        self.state.due_ns = 0;
        Ok(())
    }

    /// Looks at all sources, but only when something may be due.
    fn advance(&mut self, now_ns: i64, findings: &mut Vec<Finding>) {
        self.state.now_ns = self.state.now_ns.max(now_ns);
        let now_ns = self.state.now_ns;
        if now_ns < self.state.due_ns {
            return;
        }
        let (settings, started_ns) = (&self.settings, self.state.started_ns);
        let mut due_ns = i64::MAX;
        for (id, source) in &mut self.state.sources {
            let expected = expected(settings, id);
            source.advance(now_ns, expected, started_ns, settings, &self.teller.about(id), findings);
            due_ns = due_ns.min(source.due_ns(expected, started_ns, settings));
        }
        due_ns = due_ns.min(self.never_came(now_ns, findings));
        self.state.looked_ns = now_ns;
        // Never more than one look in a second of the log's time.
        self.state.due_ns = due_ns.max(now_ns.saturating_add(SECOND_NS));
    }

    /// Tells of sources that are expected by their id and never came; when the next one is due.
    fn never_came(&mut self, now_ns: i64, findings: &mut Vec<Finding>) -> i64 {
        let Some(first_ns) = self.state.first_ns else { return i64::MAX };
        let from_ns = first_ns.max(self.state.started_ns);
        let mut due_ns = i64::MAX;
        for expected in self.settings.expected.iter().filter(|expected| !expected.id.ends_with('*')) {
            let id = expected.id.as_str();
            let told = self.state.never_came.iter().any(|told| **told == *id);
            if told || self.state.sources.contains_key(id) {
                continue;
            }
            let due = from_ns.saturating_add(expected.patience_ns());
            if now_ns < due {
                due_ns = due_ns.min(due);
                continue;
            }
            self.state.never_came.push(id.into());
            let summary = format!(
                "source `{id}` is expected to send at least every {} s and was never seen",
                expected.heartbeat_seconds
            );
            findings.push(self.teller.about(id).tell(told::SILENCE, Severity::High, "never", due, &summary, None, 0));
        }
        due_ns
    }

    /// Makes room by dropping an earlier start of the server that has nothing to tell. Whether there was one.
    fn drop_an_ended_one(&mut self) -> bool {
        let started_ns = self.state.started_ns;
        let ended = |source: &Source| source.own && source.last_recorded_ns < started_ns && source.numbers.missing == 0;
        let ended = self.state.sources.iter().find(|(_, source)| ended(source)).map(|(id, _)| id.clone());
        ended.is_some_and(|id| self.state.sources.remove(&id).is_some())
    }
}

/// What is expected of a source; the first entry that covers it counts.
fn expected<'a>(settings: &'a SourceSettings, id: &str) -> Option<&'a ExpectedSource> {
    settings.expected.iter().find(|expected| expected.covers(id))
}

/// The one event that shows something.
fn evidence(seen: &Seen<'_>) -> Option<Evidence> {
    Some(seen.evidence())
}

#[cfg(test)]
mod tests;
