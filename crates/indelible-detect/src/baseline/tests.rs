//! People who do what they always do, and then something else.

use indelible_event::doors::EntryIndex;
use indelible_event::time::RecordedTime;
use indelible_event::view::EventView;
use proptest::prelude::*;

use super::*;
use crate::finding::FindingKind;

/// 2026-11-02, a Monday, 00:00 UTC.
const START_S: i64 = 1_793_577_600;
const DAY_S: i64 = 86_400;

fn small() -> BaselineSettings {
    BaselineSettings { actors_max: 100, others_max: 100, values_max: 10_000, ..BaselineSettings::default() }
}

/// A log in the making.
struct Log {
    baselines: Baselines,
    entries: u64,
    findings: Vec<Finding>,
}

/// What an event says.
#[derive(Clone, Copy)]
struct Event<'a> {
    actor: &'a str,
    ip: &'a str,
    resource: &'a str,
    label: &'a str,
    result: &'a str,
}

const USUAL: Event<'static> =
    Event { actor: "ana", ip: "10.1.2.3", resource: "orders", label: "internal", result: "allowed" };

impl Log {
    fn new() -> Self {
        Self { baselines: Baselines::new("main", small()), entries: 0, findings: Vec::new() }
    }

    fn event(&mut self, at_s: i64, event: Event<'_>) {
        let Event { actor, ip, resource, label, result } = event;
        let time = RecordedTime::from_unix_seconds(START_S + at_s);
        let entry = format!(
            concat!(
                r#"{{"action":"read","actor":{{"id":"{}","ip":"{}","roles":["analyst"],"type":"human"}},"id":"e{}","#,
                r#""operation":"SELECT","outcome":{{"result":"{}"}},"recorded":"{}","#,
                r#""resources":[{{"id":"{}","labels":["{}"],"type":"table"}}]}}"#
            ),
            actor, ip, self.entries, result, time, resource, label
        );
        let view = EventView::parse(entry.as_bytes()).unwrap();
        let seen = Seen { index: EntryIndex(self.entries), bytes: entry.as_bytes(), view };
        self.baselines.see(&seen, &mut self.findings);
        self.entries += 1;
    }

    /// Working weeks of an analyst: ten reads a day of three tables from one network.
    fn weeks(&mut self, weeks: i64) {
        for day in (0..weeks * 7).filter(|day| day % 7 < 5) {
            for n in 0..10 {
                let resource = ["orders", "invoices", "customers"][usize::try_from(n).unwrap() % 3];
                self.event(day * DAY_S + (9 + n % 8) * 3_600 + n, Event { resource, ..USUAL });
            }
        }
    }

    /// Rules of the findings so far.
    fn rules(&self) -> Vec<&str> {
        self.findings.iter().map(|finding| finding.rule.id.as_str()).collect()
    }
}

#[test]
fn usual_work_is_told_of_by_nothing() {
    let mut log = Log::new();
    log.weeks(12);
    assert_eq!(log.rules(), [""; 0]);
    assert_eq!(log.baselines.report().actors, 1);
}

#[test]
fn a_new_network_at_night_is_told_once_in_words_with_the_event() {
    let mut log = Log::new();
    log.weeks(12);
    let night = 84 * DAY_S + 2 * 3_600;
    for n in 0..20 {
        log.event(night + n, Event { ip: "203.0.113.9", ..USUAL });
    }
    assert_eq!(log.rules(), ["baseline/new-address"]);
    let finding = &log.findings[0];
    assert_eq!(finding.kind, FindingKind::Baseline);
    assert_eq!(finding.seen.as_deref(), Some("a new network: 203.0.113.0/24; active at 2 h"));
    let usual = finding.usual.as_deref().unwrap();
    assert!(usual.contains("on Mon–Fri between 9 and 17 h"), "{usual}");
    assert!(usual.contains("; 1 network, "), "{usual}");
    assert_eq!(finding.evidence[0].event.as_ref(), "e600");
}

#[test]
fn nothing_is_told_before_the_warm_up_is_over() {
    let mut log = Log::new();
    log.weeks(1);
    for n in 0..2_000 {
        let resource = format!("table-{n}");
        log.event(7 * DAY_S + n, Event { ip: "203.0.113.9", resource: &resource, ..USUAL });
    }
    assert_eq!(log.rules(), [""; 0]);
}

#[test]
fn many_reads_in_an_hour_are_told_as_a_rate() {
    let mut log = Log::new();
    log.weeks(8);
    for n in 0..418 {
        log.event(56 * DAY_S + 10 * 3_600 + n, USUAL);
    }
    assert_eq!(log.rules(), ["baseline/unusual-rate"]);
    assert!(log.findings[0].seen.as_deref().unwrap().contains("events in this hour"));
}

#[test]
fn many_new_resources_are_told_and_refusals_count_but_teach_nothing() {
    for result in ["allowed", "denied"] {
        let mut log = Log::new();
        log.weeks(8);
        for n in 0..25 {
            let resource = format!("secret-{n}");
            log.event(56 * DAY_S + 10 * 3_600 + n, Event { resource: &resource, label: "secret", result, ..USUAL });
        }
        assert_eq!(log.rules(), ["baseline/new-resource"], "{result}");
        let profile = log.baselines.actors.find(log.baselines.facts.actor).unwrap();
        assert_eq!(profile.news(Dimension::Resource) == 0.0, result == "denied");
    }
}

#[test]
fn who_comes_back_after_months_from_elsewhere_is_told() {
    let mut log = Log::new();
    log.weeks(8);
    log.event(200 * DAY_S + 10 * 3_600, Event { ip: "198.51.100.7", ..USUAL });
    assert_eq!(log.rules(), ["baseline/dormant-actor"]);
}

#[test]
fn a_restart_changes_no_finding() {
    let (mut through, mut restarted) = (Log::new(), Log::new());
    for log in [&mut through, &mut restarted] {
        log.weeks(9);
        log.event(63 * DAY_S + 3_600, Event { ip: "203.0.113.9", result: "denied", resource: "x", ..USUAL });
        log.event(63 * DAY_S + 3_601, Event { resource: "y", ..USUAL });
    }
    let kept = restarted.baselines.save();
    restarted.baselines = Baselines::new("main", small());
    restarted.baselines.restore(&kept).unwrap();
    assert_eq!(restarted.baselines.save(), kept);
    for log in [&mut through, &mut restarted] {
        for n in 0..100 {
            let resource = format!("t{n}");
            log.event(63 * DAY_S + 7_200 + n, Event { ip: "203.0.113.9", resource: &resource, ..USUAL });
        }
    }
    assert!(!through.findings.is_empty());
    assert_eq!(through.findings, restarted.findings);
    assert_eq!(through.baselines.save(), restarted.baselines.save());
}

#[test]
fn labels_weigh_with_what_stands_after_them() {
    let settings = BaselineSettings::default();
    for (label, sensitive) in [("pii", true), ("pii.email", true), ("secret.aws", true), ("piiano", false), ("", false)]
    {
        assert_eq!(settings.is_sensitive(label), sensitive, "{label}");
    }
}

#[test]
fn another_version_or_size_is_an_error() {
    let mut log = Log::new();
    log.weeks(1);
    let kept = log.baselines.save();
    let mut other = Baselines::new("main", BaselineSettings { values_max: 20_000, ..small() });
    assert!(matches!(other.restore(&kept), Err(BaselineError::Damaged { .. })));
    let mut newer = kept;
    newer[8] = 9;
    assert!(matches!(log.baselines.restore(&newer), Err(BaselineError::Version { version: 9 })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_state_survives_and_any_damage_is_an_error(
        events in prop::collection::vec((0i64..4_000_000, 0u8..40, 0u8..60, any::<bool>()), 0..300),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let mut log = Log::new();
        let mut events = events;
        events.sort_unstable();
        for (time, actor, resource, allowed) in events {
            let (actor, resource) = (format!("a{actor}"), format!("r{resource}"));
            let result = if allowed { "allowed" } else { "denied" };
            log.event(time, Event { actor: &actor, resource: &resource, result, ..USUAL });
        }
        let kept = log.baselines.save();
        let mut again = Baselines::new("main", small());
        again.restore(&kept).unwrap();
        prop_assert_eq!(again.save(), kept.clone());
        let mut damaged = kept.clone();
        damaged[at.index(kept.len())] ^= 1 << bit;
        prop_assert!(again.restore(&damaged).is_err());
        prop_assert!(again.restore(&kept[..at.index(kept.len())]).is_err());
        prop_assert_eq!(again.save(), kept);
    }
}
