//! The book over a real file: findings, silences, time that goes by, receivers that fail.

use std::time::Duration;

use super::*;
use crate::alert::AlertState;
use crate::finding::{Entity, Finding, FindingId, FindingKind, RuleName};
use crate::notice::NoticeReason;

const SECOND: i64 = 1_000_000_000;
const NOW: i64 = 1_795_000_000 * SECOND;

struct Fixture {
    folder: tempfile::TempDir,
    book: Book,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::open(&folder.path().join("alerts.sqlite"), BookSettings::default()).unwrap();
    Fixture { folder, book }
}

impl Fixture {
    fn restart(self) -> Self {
        let Self { folder, book } = self;
        drop(book);
        let book = Book::open(&folder.path().join("alerts.sqlite"), BookSettings::default()).unwrap();
        Self { folder, book }
    }

    fn notices(&self) -> Vec<Due> {
        let mut all = Vec::new();
        while let Ok(due) = self.book.due("pager", NOW + 90_000 * SECOND).unwrap() {
            self.book.delivered("pager", due.number, NOW).unwrap();
            all.push(due);
        }
        all
    }

    fn reasons(&self) -> Vec<NoticeReason> {
        self.notices().into_iter().map(|due| due.notice.reason).collect()
    }
}

fn pager(_alert: &Alert) -> Vec<String> {
    vec!["pager".to_owned()]
}

fn finding(rule: &str, actor: &str, occasion: &str, severity: Severity) -> Finding {
    let entity = Entity::new("actor", actor);
    Finding {
        id: FindingId::of("main", rule, &entity, occasion),
        kind: FindingKind::Rule,
        log: "main".to_owned(),
        rule: RuleName { id: rule.to_owned(), title: format!("Rule {rule}") },
        severity,
        entity,
        time_unix_ns: NOW,
        summary: format!("{actor} did it"),
        usual: None,
        seen: None,
        evidence: Vec::new(),
        evidence_total: 1,
        tags: Vec::new(),
        false_positives: Vec::new(),
    }
}

#[test]
fn a_finding_counts_once_and_its_alert_is_told_once() {
    let it = fixture();
    let first = finding("r", "ana", "1", Severity::High);
    assert_eq!(it.book.take(std::slice::from_ref(&first), NOW, &pager).unwrap(), 1);
    // the same again, as after a crash, and another one of the same kind
    let more = [first.clone(), finding("r", "ana", "2", Severity::High)];
    assert_eq!(it.book.take(&more, NOW, &pager).unwrap(), 0);
    let it = it.restart();
    assert_eq!(it.book.take(&more, NOW, &pager).unwrap(), 0);
    let page = it.book.alerts(&AlertFilter::default(), None, 10).unwrap();
    assert_eq!(page.alerts.len(), 1);
    let alert = &page.alerts[0];
    assert_eq!((alert.findings, alert.state, alert.id.as_str()), (2, AlertState::Open, first.id.as_str()));
    assert_eq!(it.reasons(), [NoticeReason::Opened]);
    let changes = it.book.changes(10).unwrap();
    assert_eq!(changes.iter().map(|change| change.what).collect::<Vec<_>>(), [ChangeKind::Opened]);
    it.book.recorded(changes[0].number).unwrap();
    assert_eq!(it.book.changes(10).unwrap(), []);
}

#[test]
fn an_alert_goes_its_way_and_who_was_told_is_told_of_it() {
    let it = fixture();
    it.book.take(&[finding("r", "ana", "1", Severity::Medium)], NOW, &pager).unwrap();
    it.book.take(&[finding("r", "ana", "2", Severity::Critical)], NOW, &pager).unwrap();
    let id = it.book.alerts(&AlertFilter::default(), None, 1).unwrap().alerts[0].id.clone();
    let taken = it.book.acknowledge(&id, "bo@example.com", NOW).unwrap();
    assert_eq!((taken.state, taken.owner.as_deref()), (AlertState::Acknowledged, Some("bo@example.com")));
    // who took it is not woken again
    assert_eq!(it.book.tick(NOW + 100_000 * SECOND, &pager).unwrap(), 0);
    assert_eq!(it.book.close(&id, "a drill", NOW).unwrap().reason.as_deref(), Some("a drill"));
    assert!(matches!(it.book.close(&id, "again", NOW), Err(DecideError::Closed { .. })));
    let unknown = AlertId::parse(&"0".repeat(32)).unwrap();
    assert!(matches!(it.book.acknowledge(&unknown, "bo", NOW), Err(DecideError::NotFound { .. })));
    use NoticeReason::{Acknowledged, Closed, Opened, Raised};
    assert_eq!(it.reasons(), [Opened, Raised, Acknowledged, Closed]);
    // what comes after the end is another alert
    assert_eq!(it.book.take(&[finding("r", "ana", "3", Severity::Low)], NOW, &pager).unwrap(), 1);
}

#[test]
fn nobody_is_told_of_what_is_silenced_until_the_silence_ends() {
    let it = fixture();
    let silence = Silence {
        id: "sil_1".to_owned(),
        log: None,
        rule: Some("r".to_owned()),
        entity: Some("ana".to_owned()),
        reason: "a migration".to_owned(),
        by: "bo".to_owned(),
        since_unix_ns: NOW,
        until_unix_ns: NOW + 3_600 * SECOND,
    };
    it.book.silence(&silence).unwrap();
    let everything = Silence { rule: None, entity: None, ..silence };
    assert!(matches!(it.book.silence(&everything), Err(SilenceError::Everything)));
    it.book.take(&[finding("r", "ana", "1", Severity::High)], NOW, &pager).unwrap();
    it.book.take(&[finding("r", "bea", "1", Severity::High)], NOW, &pager).unwrap();
    let told = it.notices();
    assert_eq!(told.iter().map(|due| due.notice.alert.entity.id.as_str()).collect::<Vec<_>>(), ["bea"]);
    assert_eq!(it.book.tick(NOW + 60 * SECOND, &pager).unwrap(), 0);
    it.book.tick(NOW + 3_600 * SECOND, &pager).unwrap();
    assert!(it.notices().iter().any(|due| due.notice.alert.entity.id == "ana" && !due.notice.alert.silenced));
    assert!(matches!(it.book.unsilence("sil_1", NOW + 4_000 * SECOND), Err(SilenceError::NotFound { .. })));
}

#[test]
fn what_nobody_takes_is_told_again_once() {
    let it = fixture();
    it.book.take(&[finding("r", "ana", "1", Severity::High)], NOW, &pager).unwrap();
    it.book.take(&[finding("r", "bea", "1", Severity::Low)], NOW, &pager).unwrap();
    assert_eq!(it.book.tick(NOW + 3_599 * SECOND, &pager).unwrap(), 0);
    assert_eq!(it.book.tick(NOW + 3_600 * SECOND, &pager).unwrap(), 1);
    assert_eq!(it.book.tick(NOW + 9_000 * SECOND, &pager).unwrap(), 0);
    use NoticeReason::{Escalated, Opened};
    assert_eq!(it.reasons(), [Opened, Opened, Escalated]);
}

#[test]
fn a_rule_that_finds_something_about_everybody_goes_on_as_one_alert() {
    let it = fixture();
    for actor in 0..500 {
        it.book.take(&[finding("r", &format!("actor-{actor}"), "1", Severity::High)], NOW, &pager).unwrap();
    }
    let page = it.book.alerts(&AlertFilter::default(), None, 1_000).unwrap();
    assert_eq!(page.alerts.len(), usize::try_from(STORM_ALERTS).unwrap() + 1);
    let gathered = page.alerts.iter().find(|alert| alert.entity.kind == "rule").unwrap();
    assert_eq!(gathered.findings, 500 - u64::from(STORM_ALERTS));
}

#[test]
fn a_receiver_that_is_down_gets_everything_later_in_order_or_it_is_dead_and_told() {
    let it = fixture();
    it.book.take(&[finding("r", "ana", "1", Severity::High)], NOW, &pager).unwrap();
    let id = it.book.alerts(&AlertFilter::default(), None, 1).unwrap().alerts[0].id.clone();
    it.book.close(&id, "done", NOW).unwrap();
    let mut now = NOW;
    let mut tries = 0;
    // down for an hour: tried again and again, ever more seldom, and never the end before the beginning
    while now < NOW + 3_600 * SECOND {
        match it.book.due("pager", now).unwrap() {
            Ok(due) => {
                assert_eq!(due.notice.reason, NoticeReason::Opened);
                it.book.failed("pager", due.number, now, Failure::Unreachable(None), "connection refused").unwrap();
                tries += 1;
            }
            Err(next) => now = next.unwrap(),
        }
    }
    assert!((8..20).contains(&tries), "{tries}");
    let failing = it.book.failing_receivers("main").unwrap();
    assert_eq!(failing.len(), 1);
    assert_eq!(failing[0].entity, Entity::new("receiver", "pager"));
    assert_eq!(it.book.receiver("pager").unwrap().waiting, 2);
    assert_eq!(it.reasons(), [NoticeReason::Opened, NoticeReason::Closed]);
    assert!(it.book.failing_receivers("main").unwrap().is_empty());

    // down for longer than a day
    it.book.take(&[finding("r", "bea", "1", Severity::High)], NOW, &pager).unwrap();
    let mut now = NOW;
    loop {
        match it.book.due("pager", now).unwrap() {
            Ok(due) => it.book.failed("pager", due.number, now, Failure::Refused, "400").unwrap(),
            Err(Some(next)) => now = next,
            Err(None) => break,
        }
    }
    assert!(now - NOW >= 24 * 3_600 * SECOND);
    assert_eq!(it.book.receiver("pager").unwrap().dead, 1);
    let changes = it.book.changes(100).unwrap();
    let last = changes.last().unwrap();
    assert_eq!((last.what, last.receiver.as_deref()), (ChangeKind::Undelivered, Some("pager")));
}

#[test]
fn a_receiver_that_asks_for_time_gets_it() {
    let it = fixture();
    it.book.take(&[finding("r", "ana", "1", Severity::High)], NOW, &pager).unwrap();
    let due = it.book.due("pager", NOW).unwrap().unwrap();
    let asked = Failure::Unreachable(Some(Duration::from_secs(120)));
    it.book.failed("pager", due.number, NOW, asked, "429").unwrap();
    assert_eq!(it.book.due("pager", NOW + 119 * SECOND).unwrap(), Err(Some(NOW + 120 * SECOND)));
    assert_eq!(it.book.due("pager", NOW + 120 * SECOND).unwrap().unwrap().notice.key, due.notice.key);
}

#[test]
fn alerts_are_read_by_pages_and_only_in_the_logs_one_may_see() {
    let it = fixture();
    for actor in 0..25 {
        it.book.take(&[finding("r", &format!("actor-{actor}"), "1", Severity::High)], NOW, &pager).unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = it.book.alerts(&AlertFilter::default(), after.as_ref(), 10).unwrap();
        seen.extend(page.alerts.into_iter().map(|alert| alert.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 25);
    let elsewhere = AlertFilter { visible: Some(vec!["other".to_owned()]), ..AlertFilter::default() };
    assert!(it.book.alerts(&elsewhere, None, 10).unwrap().alerts.is_empty());
    assert_eq!((it.book.count(&AlertFilter::default()).unwrap(), it.book.count(&elsewhere).unwrap()), (25, 0));
    assert_eq!(it.book.open_by_severity().unwrap(), [0, 0, 0, 25, 0]);
}

#[test]
fn what_was_there_before_the_book_is_history() {
    let it = fixture();
    assert_eq!(it.book.told_from("main", 1_000).unwrap(), 1_000);
    let it = it.restart();
    assert_eq!(it.book.told_from("main", 5_000).unwrap(), 1_000);
}
