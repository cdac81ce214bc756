//! OCSF (Open Cybersecurity Schema Framework) 1.6.0, class API Activity (6003): what a SIEM reads without a mapping of its own.
//!
//! Fields that the class has no place for stand in `unmapped` under our names; the log's index stands there too, so that
//! every line leads back to its entry and proof.

use std::borrow::Cow;

use indelible_event::view::{ActorView, EventView, ResourceView};
use serde_json::{Map, Value, json};

use crate::{ExportError, read};

/// The version of the schema that the lines follow.
pub const OCSF_VERSION: &str = "1.6.0";

const CLASS_UID: u64 = 6003;

/// Appends one entry as an OCSF event, one line.
///
/// # Errors
/// [`ExportError`] with the entry's index.
pub fn ocsf_line(log: &str, index: u64, entry: &[u8], out: &mut Vec<u8>) -> Result<(), ExportError> {
    let view = read(index, entry)?;
    serde_json::to_writer(&mut *out, &event(log, index, &view)).map_err(|source| ExportError::Document { index, source })?;
    out.push(b'\n');
    Ok(())
}

/// `activity_id` of API Activity: 1 create, 2 read, 3 update, 4 delete, 99 other with the word in `activity_name`.
fn activity(action: Option<&str>) -> u64 {
    match action {
        Some("write") => 1,
        Some("read" | "export") => 2,
        Some("modify" | "configure" | "grant" | "revoke") => 3,
        Some("delete") => 4,
        _ => 99,
    }
}

fn event(log: &str, index: u64, view: &EventView<'_>) -> Value {
    let action = view.action.as_deref();
    let activity_id = activity(action);
    let (status_id, status) = match view.outcome.result.as_deref() {
        Some("allowed") => (1, "Success"),
        Some("denied" | "failed") => (2, "Failure"),
        _ => (0, "Unknown"),
    };
    let milliseconds = |nanoseconds: Option<i64>| nanoseconds.map(|nanoseconds| nanoseconds.div_euclid(1_000_000));
    let mut event = json!({
        "category_uid": 6,
        "category_name": "Application Activity",
        "class_uid": CLASS_UID,
        "class_name": "API Activity",
        "activity_id": activity_id,
        "activity_name": action.unwrap_or("unknown"),
        "type_uid": CLASS_UID * 100 + activity_id,
        "severity_id": 1,
        "severity": "Informational",
        "status_id": status_id,
        "status": status,
        "time": milliseconds(view.time_unix_ns),
        "metadata": {
            "version": OCSF_VERSION,
            "uid": view.id,
            "log_name": log,
            "sequence": index,
            "logged_time": milliseconds(view.recorded_unix_ns),
            "original_time": view.time,
            "product": {"name": "Indelible", "vendor_name": "Indelible", "feature": {"name": optional(view.source.id.as_ref())}},
        },
        "actor": actor(&view.actor),
        "src_endpoint": {"ip": optional(view.actor.ip.as_ref()), "name": optional(view.source.id.as_ref())},
        "api": {
            "operation": view.operation.as_deref().or(action).unwrap_or("unknown"),
            "service": {"name": optional(view.source.kind.as_ref())},
            "response": {"code": view.outcome.code.as_deref().and_then(|code| code.parse::<i64>().ok()), "message": optional(view.outcome.reason.as_ref())},
        },
        "resources": view.resources.iter().map(resource).collect::<Vec<Value>>(),
        "status_code": optional(view.outcome.code.as_ref()),
        "status_detail": optional(view.outcome.reason.as_ref()),
        "duration": milliseconds(view.duration_ns),
        "unmapped": unmapped(index, view),
    });
    prune(&mut event);
    event
}

fn actor(actor: &ActorView<'_>) -> Value {
    json!({
        "user": {
            "uid": optional(actor.id.as_ref()),
            "name": optional(actor.name.as_ref().or(actor.id.as_ref())),
            "type": optional(actor.kind.as_ref()),
            "groups": actor.groups.iter().map(|group| json!({"name": group})).collect::<Vec<Value>>(),
        },
        "session": {"uid": optional(actor.session.as_ref())},
        "authorizations": actor.roles.iter().map(|role| json!({"policy": {"name": role}})).collect::<Vec<Value>>(),
    })
}

fn resource(resource: &ResourceView<'_>) -> Value {
    json!({
        "uid": optional(resource.id.as_ref()),
        "name": optional(resource.name.as_ref().or(resource.id.as_ref())),
        "type": optional(resource.kind.as_ref()),
        "labels": resource.labels,
        "data": {"fields": resource.fields, "count": resource.count, "bytes": resource.bytes},
    })
}

fn unmapped(index: u64, view: &EventView<'_>) -> Value {
    let ai = &view.ai;
    let mut attributes = Map::new();
    for (name, value) in &view.attributes {
        let mut bytes = Vec::new();
        value.write_canonical(&mut bytes);
        attributes.insert(name.to_string(), serde_json::from_slice(&bytes).unwrap_or(Value::Null));
    }
    json!({
        "index": index,
        "action": optional(view.action.as_ref()),
        "result": optional(view.outcome.result.as_ref()),
        "phase": optional(view.outcome.phase.as_ref()),
        "policy": optional(view.outcome.policy.as_ref()),
        "request": optional(view.outcome.request.as_ref()),
        "source_seq": view.source.seq,
        "on_behalf_of": view.on_behalf_of.iter().map(actor).collect::<Vec<Value>>(),
        "purpose": optional(view.purpose.as_ref()),
        "legal_basis": optional(view.legal_basis.as_ref()),
        "trace_id": optional(view.trace_id.as_ref()),
        "span_id": optional(view.span_id.as_ref()),
        "ai": {
            "provider": optional(ai.provider.as_ref()),
            "operation": optional(ai.operation.as_ref()),
            "request_model": optional(ai.request_model.as_ref()),
            "response_model": optional(ai.response_model.as_ref()),
            "input_tokens": ai.input_tokens,
            "output_tokens": ai.output_tokens,
            "conversation": optional(ai.conversation.as_ref()),
            "tool_name": optional(ai.tool_name.as_ref()),
        },
        "attributes": attributes,
    })
}

fn optional(text: Option<&Cow<'_, str>>) -> Value {
    text.map_or(Value::Null, |text| Value::String(text.to_string()))
}

/// Takes out what is null or empty: OCSF leaves absent attributes out.
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(prune);
            fields.retain(|_, value| !is_empty(value));
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_becomes_api_activity_with_what_the_class_requires() {
        let entry = "{\"action\":\"read\",\"actor\":{\"id\":\"ana\",\"ip\":\"10.0.0.1\",\"type\":\"human\"},\"attributes\":{\"k\":1},\
                     \"id\":\"00000000-0000-7000-8000-000000000000\",\"operation\":\"SELECT\",\"outcome\":{\"result\":\"denied\"},\
                     \"recorded\":\"2026-01-01T00:00:00.000000000Z\",\"resources\":[{\"id\":\"customers\",\"type\":\"table\"}],\
                     \"source\":{\"id\":\"pg\",\"kind\":\"api\"},\"time\":\"2026-01-01T01:00:00.5+01:00\"}";
        let mut line = Vec::new();
        ocsf_line("main", 3, entry.as_bytes(), &mut line).unwrap();
        let event: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(
            event,
            json!({
                "category_uid": 6, "category_name": "Application Activity", "class_uid": 6003, "class_name": "API Activity",
                "activity_id": 2, "activity_name": "read", "type_uid": 600_302, "severity_id": 1, "severity": "Informational",
                "status_id": 2, "status": "Failure", "time": 1_767_225_600_500_i64,
                "metadata": {
                    "version": "1.6.0", "uid": "00000000-0000-7000-8000-000000000000", "log_name": "main", "sequence": 3,
                    "logged_time": 1_767_225_600_000_i64, "original_time": "2026-01-01T01:00:00.5+01:00",
                    "product": {"name": "Indelible", "vendor_name": "Indelible", "feature": {"name": "pg"}},
                },
                "actor": {"user": {"uid": "ana", "name": "ana", "type": "human"}},
                "src_endpoint": {"ip": "10.0.0.1", "name": "pg"},
                "api": {"operation": "SELECT", "service": {"name": "api"}},
                "resources": [{"uid": "customers", "name": "customers", "type": "table"}],
                "unmapped": {"index": 3, "action": "read", "result": "denied", "attributes": {"k": 1}},
            })
        );
    }
}
