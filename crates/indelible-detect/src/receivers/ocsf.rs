//! OCSF (Open Cybersecurity Schema Framework) 1.6.0, class Detection Finding (2004): what a SIEM reads without a mapping.

use serde_json::{Value, json};

use super::fields::title;
use crate::alert::AlertState;
use crate::finding::{FindingKind, Severity};
use crate::notice::{Notice, NoticeReason};

const VERSION: &str = "1.6.0";
const CLASS: i64 = 2004;

/// The finding.
pub(super) fn detection_finding(notice: &Notice) -> Value {
    let alert = &notice.alert;
    let finding = &alert.latest;
    let activity = match notice.reason {
        NoticeReason::Opened | NoticeReason::Test => 1,
        NoticeReason::Raised | NoticeReason::Escalated | NoticeReason::Acknowledged => 2,
        NoticeReason::Closed => 3,
    };
    let severity = match alert.severity {
        Severity::Informational => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    };
    // New, In Progress, Resolved
    let status = match alert.state {
        AlertState::Open => 1,
        AlertState::Acknowledged => 2,
        AlertState::Closed => 4,
    };
    // Rule, Behavioral, Statistical
    let analytic = match finding.kind {
        FindingKind::Rule | FindingKind::Correlation => 1,
        FindingKind::Baseline => 2,
        FindingKind::Completeness | FindingKind::Integrity | FindingKind::Health => 3,
    };
    let events: Vec<Value> = finding
        .evidence
        .iter()
        .map(|event| json!({"data": {"log": finding.log, "index": event.index.0, "event": event.event, "recorded": event.time}}))
        .collect();
    let mut body = json!({
        "class_uid": CLASS,
        "category_uid": 2,
        "activity_id": activity,
        "type_uid": CLASS * 100 + activity,
        "severity_id": severity,
        "status_id": status,
        "time": milliseconds(alert.last_unix_ns),
        "message": title(notice),
        "count": alert.findings,
        "metadata": {
            "version": VERSION,
            "uid": notice.key,
            "product": {"name": "Indelible", "vendor_name": "Indelible", "version": env!("CARGO_PKG_VERSION")},
            "log_name": alert.log,
        },
        "finding_info": {
            "uid": alert.id.as_str(),
            "title": alert.rule.title,
            "desc": finding.summary,
            "created_time": milliseconds(alert.opened_unix_ns),
            "first_seen_time": milliseconds(alert.opened_unix_ns),
            "last_seen_time": milliseconds(alert.last_unix_ns),
            "types": finding.tags,
            "analytic": {"uid": alert.rule.id, "name": alert.rule.title, "type_id": analytic},
        },
        "evidences": events,
        "unmapped": {"entity_kind": alert.entity.kind, "entity": alert.entity.id},
    });
    let Some(object) = body.as_object_mut() else { return body };
    if events.is_empty() {
        object.remove("evidences");
    }
    if let Some(reason) = &alert.reason {
        object.insert("comment".to_owned(), json!(reason));
    }
    if let Some(link) = &notice.link {
        object.insert("src_url".to_owned(), json!(link));
    }
    body
}

fn milliseconds(unix_ns: i64) -> i64 {
    unix_ns.div_euclid(1_000_000)
}
