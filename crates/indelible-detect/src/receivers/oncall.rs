//! PagerDuty (Events API v2), Opsgenie (Alert API v2), Prometheus Alertmanager (API v2): who wakes people. All of them know an
//! alert by our id, so that a repeat is none and an end ends it.
//!
//! Sources: PagerDuty, "Send an alert event" (summary of 1,024 characters, `dedup_key` of 255); Opsgenie, "Alert API" (message of
//! 130, description of 15,000, entity of 512 characters); Alertmanager, `api/v2/openapi.yaml`.

use indelible_event::time::RecordedTime;
use serde_json::{Map, Value, json};

use super::fields::{facts, is_over, short, time, title};
use crate::finding::Severity;
use crate::notice::{Notice, NoticeReason};

/// The event for PagerDuty.
pub(super) fn pagerduty(notice: &Notice, routing_key: &str) -> Value {
    let alert = &notice.alert;
    let action = match notice.reason {
        NoticeReason::Acknowledged => "acknowledge",
        NoticeReason::Closed => "resolve",
        NoticeReason::Opened | NoticeReason::Raised | NoticeReason::Escalated | NoticeReason::Test => "trigger",
    };
    let mut event = json!({"routing_key": routing_key, "event_action": action, "dedup_key": alert.id.as_str()});
    if action != "trigger" {
        return event;
    }
    let severity = match alert.severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "info",
    };
    let details: Map<String, Value> =
        facts(notice).into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let more = json!({
        "client": "Indelible",
        "payload": {
            "summary": short(&title(notice), 1_024),
            "source": short(&alert.log, 255),
            "severity": severity,
            "timestamp": time(alert.last_unix_ns),
            "component": short(&alert.entity.id, 255),
            "group": short(&alert.log, 255),
            "class": short(&alert.rule.id, 255),
            "custom_details": details,
        },
    });
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more);
        if let Some(link) = &notice.link {
            event.insert("client_url".to_owned(), json!(link));
            event.insert("links".to_owned(), json!([{"href": link, "text": "Look at it"}]));
        }
    }
    event
}

/// The path after `/v2/alerts`, and the body for Opsgenie.
pub(super) fn opsgenie(notice: &Notice) -> (String, Value) {
    let alert = &notice.alert;
    let of_alert = |verb: &str| format!("/{}/{verb}?identifierType=alias", alert.id);
    match notice.reason {
        NoticeReason::Acknowledged => {
            let who = alert.owner.as_deref().unwrap_or("somebody");
            (of_alert("acknowledge"), json!({"source": "Indelible", "note": short(&format!("taken by {who}"), 25_000)}))
        }
        NoticeReason::Closed => {
            let why = alert.reason.as_deref().unwrap_or_default();
            (of_alert("close"), json!({"source": "Indelible", "note": short(why, 25_000)}))
        }
        NoticeReason::Opened | NoticeReason::Raised | NoticeReason::Escalated | NoticeReason::Test => {
            let priority = match alert.severity {
                Severity::Critical => "P1",
                Severity::High => "P2",
                Severity::Medium => "P3",
                Severity::Low => "P4",
                Severity::Informational => "P5",
            };
            let mut details: Map<String, Value> =
                facts(notice).into_iter().map(|(name, value)| (name.to_owned(), json!(short(&value, 1_000)))).collect();
            if let Some(link) = &notice.link {
                details.insert("Link".to_owned(), json!(link));
            }
            let tags: Vec<String> = alert.latest.tags.iter().take(20).map(|tag| short(tag, 50)).collect();
            let body = json!({
                "message": short(&title(notice), 130),
                "alias": alert.id.as_str(),
                "description": short(&alert.latest.summary, 15_000),
                "entity": short(&alert.entity.id, 512),
                "source": "Indelible",
                "priority": priority,
                "tags": tags,
                "details": details,
            });
            (String::new(), body)
        }
    }
}

/// How long Alertmanager holds an alert that it hears nothing more of: longer than anybody leaves one, for we tell when it ends.
const ALERTMANAGER_DAYS: i64 = 30;

/// The alerts for Alertmanager. Labels are what it groups by; the rest are annotations.
pub(super) fn alertmanager(notice: &Notice) -> Value {
    let alert = &notice.alert;
    let ends = if is_over(notice) {
        alert.last_unix_ns
    } else {
        alert.last_unix_ns.saturating_add(ALERTMANAGER_DAYS * 86_400_000_000_000)
    };
    let mut one = json!({
        "labels": {
            "alertname": alert.rule.title,
            "alert": alert.id.as_str(),
            "severity": alert.severity.as_str(),
            "log": alert.log,
            "rule": alert.rule.id,
            "entity": alert.entity.id,
            "entity_kind": alert.entity.kind,
        },
        "annotations": {
            "summary": title(notice),
            "description": alert.latest.summary,
            "findings": alert.findings.to_string(),
            "state": alert.state.as_str(),
        },
        "startsAt": time(alert.opened_unix_ns),
        "endsAt": RecordedTime(ends).to_string(),
    });
    if let (Some(link), Some(one)) = (&notice.link, one.as_object_mut()) {
        one.insert("generatorURL".to_owned(), json!(link));
    }
    json!([one])
}
