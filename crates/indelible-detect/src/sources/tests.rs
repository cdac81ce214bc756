//! Sources that skip, repeat, start anew, fall silent or have a wrong clock, as the follower tells of them.

use indelible_event::doors::EntryIndex;
use indelible_event::time::RecordedTime;
use indelible_event::view::EventView;

use super::*;

/// 2026-11-02, a Monday, 00:00 UTC.
const START_S: i64 = 1_793_577_600;

/// A log in the making.
struct Log {
    sources: Sources,
    entries: u64,
    findings: Vec<Finding>,
}

impl Log {
    fn new(settings: SourceSettings) -> Self {
        Self { sources: Sources::new("main", settings), entries: 0, findings: Vec::new() }
    }

    fn event(&mut self, at_s: i64, stated_s: i64, kind: &str, id: &str, seq: Option<u64>) {
        let time = |seconds: i64| RecordedTime::from_unix_seconds(START_S + seconds).to_string();
        let seq = seq.map_or(String::new(), |seq| format!(",\"seq\":{seq}"));
        let entry = format!(
            "{{\"id\":\"e{}\",\"recorded\":\"{}\",\"source\":{{\"id\":\"{id}\",\"kind\":\"{kind}\"{seq}}},\"time\":\"{}\"}}",
            self.entries,
            time(at_s),
            time(stated_s)
        );
        let view = EventView::parse(entry.as_bytes()).unwrap();
        let seen = Seen { index: EntryIndex(self.entries), bytes: entry.as_bytes(), view };
        self.sources.see(&seen, &mut self.findings);
        self.entries += 1;
    }

    fn numbered(&mut self, at_s: i64, seq: u64) {
        self.event(at_s, at_s, "api", "pg", Some(seq));
    }

    fn tick(&mut self, at_s: i64) {
        self.sources.tick((START_S + at_s) * SECOND_NS, &mut self.findings);
    }

    /// Rules of the findings so far; forgets them.
    fn told(&mut self) -> Vec<String> {
        let rule = |finding: Finding| finding.rule.id.trim_start_matches("completeness/").to_owned();
        std::mem::take(&mut self.findings).into_iter().map(rule).collect()
    }

    fn report(&self, at_s: i64) -> Vec<SourceReport> {
        self.sources.report((START_S + at_s) * SECOND_NS)
    }
}

#[test]
fn a_gap_is_told_when_nobody_filled_it_in_time_and_with_the_same_id_in_a_replay() {
    let mut live = Log::new(SourceSettings::default());
    for (at, seq) in [(0, 1), (1, 2), (2, 5), (10, 4), (20, 6)] {
        live.numbered(at, seq);
    }
    live.tick(61);
    assert_eq!(live.told(), [""; 0], "its grace is not over");
    live.tick(63);
    let told = live.findings.clone();
    assert_eq!(live.told(), ["gap"]);
    assert_eq!(told[0].summary, "number 3 of source `pg` is missing");
    assert_eq!(told[0].evidence[0].index, EntryIndex(2));

    let mut replay = Log::new(SourceSettings::default());
    for (at, seq) in [(0, 1), (1, 2), (2, 5), (10, 4), (20, 6), (500, 7)] {
        replay.numbered(at, seq);
    }
    assert_eq!(replay.findings, told);

    let report = &live.report(63)[0];
    assert_eq!((report.verdict, report.missing, report.events), (SourceVerdict::Gaps, 1, 5));
    assert_eq!(report.gaps, [GapRange { first: 3, last: 3 }]);
}

#[test]
fn numbers_that_only_come_out_of_order_are_no_gap() {
    let mut log = Log::new(SourceSettings::default());
    for (at, seq) in [(0, 3), (5, 1), (40, 2), (200, 4)] {
        log.numbered(at, seq);
    }
    assert_eq!(log.told(), [""; 0]);
    assert_eq!(log.report(200)[0].verdict, SourceVerdict::Complete);
}

#[test]
fn repeats_and_restarts_are_told_once_an_hour_and_a_restart_ends_the_wait_for_a_gap() {
    let mut log = Log::new(SourceSettings::default());
    for (at, seq) in [(0, 1), (1, 2), (2, 2), (3, 2), (4, 5), (5, 1), (6, 1), (4_000, 1)] {
        log.numbered(at, seq);
    }
    assert_eq!(log.told(), ["repeat", "gap", "restart", "restart"]);
    let report = &log.report(4_000)[0];
    assert_eq!((report.repeats, report.restarts, report.missing), (2, 3, 2));
}

#[test]
fn silence_is_told_only_of_sources_that_are_expected_and_its_end_too() {
    let expected = |id: &str| ExpectedSource { id: id.to_owned(), heartbeat_seconds: 30 };
    let settings = SourceSettings { expected: vec![expected("p*"), expected("never")], ..SourceSettings::default() };
    let mut log = Log::new(settings);
    log.event(0, 0, "api", "other", Some(1));
    log.numbered(0, 1);
    log.tick(59);
    assert_eq!(log.told(), [""; 0]);
    log.tick(61);
    log.tick(9_000);
    assert_eq!(log.told(), ["silence", "silence"]);
    let verdicts: Vec<_> = log.report(9_000).into_iter().map(|report| (report.id, report.verdict)).collect();
    let silent = |id: &str| (id.to_owned(), SourceVerdict::Silent);
    assert_eq!(verdicts, [silent("never"), ("other".to_owned(), SourceVerdict::Complete), silent("pg")]);
    log.numbered(9_001, 2);
    assert_eq!(log.told(), ["returned"]);
}

#[test]
fn while_the_server_was_down_nobody_was_silent_and_its_own_starts_end_as_they_should() {
    let expected = vec![ExpectedSource { id: "*".to_owned(), heartbeat_seconds: 30 }];
    let mut log = Log::new(SourceSettings { expected, ..SourceSettings::default() });
    let own = OWN_SOURCE_KIND;
    log.event(0, 0, own, "indelible-server/0000000000000001", Some(1));
    log.numbered(1, 1);
    log.event(50_000, 50_000, own, "indelible-server/0000000000000002", Some(1));
    log.numbered(50_030, 2);
    assert_eq!(log.told(), [""; 0]);
    log.tick(50_200);
    assert_eq!(log.told(), ["silence"]);
}

#[test]
fn a_clock_that_is_off_and_late_events_are_told() {
    let mut log = Log::new(SourceSettings::default());
    for n in 0..40 {
        log.event(n, n + 600, "api", "pg", None);
    }
    log.event(50, 50 - 7_200, "api", "pg", None);
    assert_eq!(log.told(), ["clock-skew", "late"]);
    let report = &log.report(50)[0];
    assert_eq!((report.skew_ms, report.late, report.verdict), (Some(600_000), 1, SourceVerdict::Unknown));
}

#[test]
fn a_saved_state_goes_on_as_if_nothing_had_been_and_a_damaged_one_is_refused() {
    let mut log = Log::new(SourceSettings::default());
    for (at, seq) in [(0, 1), (2, 5), (10, 4)] {
        log.numbered(at, seq);
    }
    let saved = log.sources.save();
    let mut other = Log::new(SourceSettings::default());
    other.sources.restore(&saved).unwrap();
    assert_eq!(other.report(20), log.report(20));
    log.tick(70);
    other.tick(70);
    assert_eq!((log.findings.len(), &log.findings), (1, &other.findings));

    for bytes in [&b""[..], b"{}", b"{\"version\":9}", &saved[..saved.len() / 2]] {
        assert!(other.sources.restore(bytes).is_err());
    }
    assert_eq!(other.report(20), log.report(20), "a refused state changes nothing");
}

#[test]
fn sources_beyond_the_bound_are_counted_and_ended_starts_make_room() {
    let mut log = Log::new(SourceSettings::default());
    let own = OWN_SOURCE_KIND;
    log.event(0, 0, own, "indelible-server/0000000000000001", Some(1));
    log.event(1, 1, own, "indelible-server/0000000000000002", Some(1));
    for n in 0..SOURCES_MAX {
        log.event(2, 2, "api", &format!("s{n}"), Some(1));
    }
    assert_eq!((log.report(3).len(), log.sources.events_not_followed()), (SOURCES_MAX, 1));
}
