//! What every form says of a notice, in words.

use indelible_event::time::RecordedTime;

use super::headline;
use crate::finding::Severity;
use crate::notice::{Notice, NoticeReason};

/// Most events that are named in a message for people.
const EVENTS_NAMED: usize = 5;

/// `[high] New alert: A table was dropped (bob)`.
pub(super) fn title(notice: &Notice) -> String {
    let alert = &notice.alert;
    format!("[{}] {}: {} ({})", alert.severity, headline(notice.reason), alert.rule.title, alert.entity.id)
}

/// RFC 3339, as in the log.
pub(super) fn time(unix_ns: i64) -> String {
    RecordedTime(unix_ns).to_string()
}

/// Names and values, in the order people read them.
pub(super) fn facts(notice: &Notice) -> Vec<(&'static str, String)> {
    let alert = &notice.alert;
    let finding = &alert.latest;
    let mut facts = vec![
        ("About", format!("{} {}", alert.entity.kind, alert.entity.id)),
        ("Severity", alert.severity.to_string()),
        ("State", alert.state.to_string()),
        ("Findings", alert.findings.to_string()),
        ("Last seen", time(alert.last_unix_ns)),
        ("Log", alert.log.clone()),
    ];
    let also = [
        ("Owner", alert.owner.clone()),
        ("Reason", alert.reason.clone()),
        ("Usual", finding.usual.clone()),
        ("Seen", finding.seen.clone()),
        ("Events", Some(events(notice)).filter(|events| !events.is_empty())),
        ("Tags", Some(finding.tags.join(", ")).filter(|tags| !tags.is_empty())),
        ("Could also be", Some(finding.false_positives.join("; ")).filter(|text| !text.is_empty())),
    ];
    facts.extend(also.into_iter().filter_map(|(name, value)| Some((name, value?))));
    facts.push(("Alert", alert.id.to_string()));
    facts
}

/// The places in the log of the events behind it.
fn events(notice: &Notice) -> String {
    let finding = &notice.alert.latest;
    let named: Vec<String> =
        finding.evidence.iter().take(EVENTS_NAMED).map(|event| format!("#{}", event.index)).collect();
    let total = usize::try_from(finding.evidence_total).unwrap_or(usize::MAX);
    match total.saturating_sub(named.len()) {
        0 => named.join(", "),
        more if named.is_empty() => format!("{more}"),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// `text`, cut to so many characters; what was cut is marked.
pub(super) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Whether the alert is over.
pub(super) fn is_over(notice: &Notice) -> bool {
    notice.reason == NoticeReason::Closed
}

/// The colour of a severity, for what shows colours beside words.
pub(super) fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "attention",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "default",
    }
}
