//! One source: what its events showed, and what is due when no event comes.

use indelible_event::completeness::{Gap, Sequence};
use serde::{Deserialize, Serialize};

use super::clock::ClockEstimate;
use super::rate::{HOUR_NS, Rate};
use super::state::{SavedGap, SavedSequence};
use super::told::{self, About, Check};
use super::{ExpectedSource, SECOND_NS, SourceSettings, evidence};
use crate::finding::{Evidence, Finding, Severity};
use crate::seen::Seen;

/// Most gaps of a source that wait for their grace to end; further ones join the last.
const PENDING_MAX: usize = 100;

/// What is known of a source.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Source {
    /// Whether it is a start of this server.
    pub(super) own: bool,
    pub(super) events: u64,
    pub(super) unnumbered: u64,
    #[serde(with = "SavedSequence")]
    pub(super) numbers: Sequence,
    pub(super) first_recorded_ns: i64,
    pub(super) last_recorded_ns: i64,
    pub(super) last_time_ns: Option<i64>,
    pub(super) late: u64,
    pub(super) clock: ClockEstimate,
    rate: Rate,
    last_index: u64,
    pending: Vec<Pending>,
    silence_told: bool,
    told_hours: ToldHours,
}

/// A gap whose numbers may still come.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    #[serde(with = "SavedGap")]
    gap: Gap,
    since_ns: i64,
    /// The event after it.
    evidence: Evidence,
}

/// The hours in which something was told that is told once an hour.
#[derive(Debug, Default, Serialize, Deserialize)]
struct ToldHours {
    repeat: Option<i64>,
    restart: Option<i64>,
    late: Option<i64>,
}

impl Source {
    pub(super) fn new(own: bool) -> Self {
        Self {
            own,
            events: 0,
            unnumbered: 0,
            numbers: Sequence::default(),
            first_recorded_ns: 0,
            last_recorded_ns: 0,
            last_time_ns: None,
            late: 0,
            clock: ClockEstimate::default(),
            rate: Rate::default(),
            last_index: 0,
            pending: Vec::new(),
            silence_told: false,
            told_hours: ToldHours::default(),
        }
    }

    /// Takes its next event; `room`: how many more gaps may be kept.
    pub(super) fn see(
        &mut self,
        seen: &Seen<'_>,
        room: usize,
        settings: &SourceSettings,
        about: &About<'_>,
        findings: &mut Vec<Finding>,
    ) {
        let now_ns = seen.recorded_unix_ns();
        if self.events == 0 {
            self.first_recorded_ns = now_ns;
        } else if std::mem::take(&mut self.silence_told) {
            let seconds = now_ns.saturating_sub(self.last_recorded_ns) / SECOND_NS;
            let summary = format!("source `{}` is back after {seconds} s of silence", about.id());
            let occasion = self.last_index.to_string();
            findings.push(about.tell(
                told::RETURNED,
                Severity::Informational,
                &occasion,
                now_ns,
                &summary,
                evidence(seen),
                1,
            ));
        }
        self.events = self.events.saturating_add(1);
        self.last_recorded_ns = self.last_recorded_ns.max(now_ns);
        self.last_index = seen.index.0;
        self.rate.count(now_ns);
        self.see_number(seen, room, about, findings);
        self.see_time(seen, settings, about, findings);
    }

    fn see_number(&mut self, seen: &Seen<'_>, room: usize, about: &About<'_>, findings: &mut Vec<Finding>) {
        let Some(seq) = seen.view.source.seq else {
            self.unnumbered = self.unnumbered.saturating_add(1);
            return;
        };
        let before = self.numbers.last_seq().unwrap_or_default();
        let first_is_missing = self.numbers.missing_in(Gap { first: 1, last: 1 }).next().is_some();
        if seq == 1 && before > 0 && !first_is_missing {
            // It begins anew: what is waited for cannot come any more.
            let waiting = std::mem::take(&mut self.pending);
            self.tell_gaps(waiting, about, findings);
        }
        let taken = self.numbers.take_run(seq, 1, room);
        if let Some(gap) = taken.gap {
            self.wait_for(gap, seen);
        }
        if taken.restarted {
            let summary = format!(
                "source `{}` began to count anew after number {before}; what it lost just before would not show",
                about.id()
            );
            if once_an_hour(&mut self.told_hours.restart, seen) {
                findings.push(once(told::RESTART, Severity::Low, &summary, seen, about));
            }
        }
        if taken.repeated > 0 && once_an_hour(&mut self.told_hours.repeat, seen) {
            let summary = format!("source `{}` gave number {seq} twice, to events with different ids", about.id());
            findings.push(once(told::REPEAT, Severity::Medium, &summary, seen, about));
        }
    }

    fn see_time(&mut self, seen: &Seen<'_>, settings: &SourceSettings, about: &About<'_>, findings: &mut Vec<Finding>) {
        let Some(time_ns) = seen.view.time_unix_ns else { return };
        self.last_time_ns = Some(self.last_time_ns.map_or(time_ns, |last| last.max(time_ns)));
        let delay_ns = seen.recorded_unix_ns().saturating_sub(time_ns);
        if delay_ns > i64::from(settings.late_seconds) * SECOND_NS {
            self.late = self.late.saturating_add(1);
            if once_an_hour(&mut self.told_hours.late, seen) {
                let seconds = delay_ns / SECOND_NS;
                let summary = format!("source `{}` sent an event {seconds} s after the time it states", about.id());
                findings.push(once(told::LATE, Severity::Low, &summary, seen, about));
            }
        }
        if let Some(skew_ns) = self.clock.take(delay_ns, i64::from(settings.skew_seconds) * SECOND_NS) {
            let (seconds, way) =
                (skew_ns.saturating_abs() / SECOND_NS, if skew_ns > 0 { "ahead of" } else { "behind" });
            let summary =
                format!("the clock of source `{}` is about {seconds} s {way} the time of recording", about.id());
            findings.push(once(told::SKEW, Severity::Medium, &summary, seen, about));
        }
    }

    fn wait_for(&mut self, gap: Gap, seen: &Seen<'_>) {
        let full = self.pending.len() >= PENDING_MAX;
        match self.pending.last_mut() {
            Some(last) if full => last.gap.last = gap.last,
            _ => self.pending.push(Pending { gap, since_ns: seen.recorded_unix_ns(), evidence: seen.evidence() }),
        }
    }

    /// Whether it has sent nothing for longer than is allowed.
    pub(super) fn is_silent(&self, now_ns: i64, patience_ns: i64, started_ns: i64) -> bool {
        !self.own && now_ns >= self.silent_from_ns(patience_ns, started_ns)
    }

    fn silent_from_ns(&self, patience_ns: i64, started_ns: i64) -> i64 {
        self.last_recorded_ns.max(started_ns).saturating_add(patience_ns)
    }

    /// When something may be due that time alone shows.
    pub(super) fn due_ns(&self, expected: Option<&ExpectedSource>, started_ns: i64, settings: &SourceSettings) -> i64 {
        let grace_ns = i64::from(settings.gap_grace_seconds) * SECOND_NS;
        let gap = self.pending.first().map_or(i64::MAX, |pending| pending.since_ns.saturating_add(grace_ns));
        let silence = expected.filter(|_| !self.own && !self.silence_told);
        let silence = silence.map_or(i64::MAX, |expected| self.silent_from_ns(expected.patience_ns(), started_ns));
        gap.min(silence).min(if self.own { i64::MAX } else { self.rate.due_ns() })
    }

    /// What time alone shows.
    pub(super) fn advance(
        &mut self,
        now_ns: i64,
        expected: Option<&ExpectedSource>,
        started_ns: i64,
        settings: &SourceSettings,
        about: &About<'_>,
        findings: &mut Vec<Finding>,
    ) {
        let grace_ns = i64::from(settings.gap_grace_seconds) * SECOND_NS;
        let due = self.pending.iter().take_while(|pending| now_ns >= pending.since_ns.saturating_add(grace_ns)).count();
        let over = self.pending.drain(..due).collect();
        self.tell_gaps(over, about, findings);
        if self.own {
            return;
        }
        if let Some(expected) = expected
            && !self.silence_told
            && self.is_silent(now_ns, expected.patience_ns(), started_ns)
        {
            self.silence_told = true;
            findings.push(self.silence_finding(expected, started_ns, about));
        }
        if let Some(collapse) = self.rate.advance(now_ns, started_ns)
            && !self.silence_told
        {
            let summary = format!(
                "source `{}` sent {} events in an hour in which it usually sends about {}",
                about.id(),
                collapse.count,
                collapse.usual
            );
            let end_ns = collapse.hour.saturating_add(1).saturating_mul(HOUR_NS);
            let occasion = collapse.hour.to_string();
            findings.push(about.tell(
                told::COLLAPSE,
                Severity::Medium,
                &occasion,
                end_ns,
                &summary,
                None,
                collapse.count,
            ));
        }
    }

    /// Tells of those of these gaps that still are.
    fn tell_gaps(&self, over: Vec<Pending>, about: &About<'_>, findings: &mut Vec<Finding>) {
        for pending in over {
            let mut missing = self.numbers.missing_in(pending.gap);
            if let Some(Gap { first, last }) = missing.next() {
                let last = missing.last().map_or(last, |gap| gap.last);
                findings.push(self.gap_finding(&pending, Gap { first, last }, about));
            }
        }
    }

    fn gap_finding(&self, pending: &Pending, missing: Gap, about: &About<'_>) -> Finding {
        let Gap { first, last } = missing;
        let summary = if first == last {
            format!("number {first} of source `{}` is missing", about.id())
        } else {
            format!("numbers of source `{}` between {first} and {last} are missing", about.id())
        };
        let occasion = format!("{}/{first}", self.numbers.restarts);
        let at_ns = pending.since_ns;
        about.tell(
            told::GAP,
            Severity::High,
            &occasion,
            at_ns,
            &summary,
            Some(pending.evidence.clone()),
            missing.count(),
        )
    }

    fn silence_finding(&self, expected: &ExpectedSource, started_ns: i64, about: &About<'_>) -> Finding {
        let summary = format!(
            "source `{}` is expected to send at least every {} s and has been silent since entry {}",
            about.id(),
            expected.heartbeat_seconds,
            self.last_index
        );
        let at_ns = self.silent_from_ns(expected.patience_ns(), started_ns);
        about.tell(told::SILENCE, Severity::High, &self.last_index.to_string(), at_ns, &summary, None, 0)
    }
}

/// Whether this is the first time in its hour.
fn once_an_hour(told: &mut Option<i64>, seen: &Seen<'_>) -> bool {
    let hour = seen.recorded_unix_ns().div_euclid(HOUR_NS);
    told.replace(hour) != Some(hour)
}

/// A finding on one event.
fn once(check: Check, severity: Severity, summary: &str, seen: &Seen<'_>, about: &About<'_>) -> Finding {
    let occasion = seen.index.0.to_string();
    about.tell(check, severity, &occasion, seen.recorded_unix_ns(), summary, evidence(seen), 1)
}
