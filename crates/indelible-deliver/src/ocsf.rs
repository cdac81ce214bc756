//! OCSF (Open Cybersecurity Schema Framework) 1.6.0, class API Activity (6003): what a SIEM reads without a mapping of its own.
//!
//! Fields that the class has no place for stand in `unmapped` under our names; the log's index stands there too, so that
//! every line leads back to its entry and proof.

use std::borrow::Cow;

use indelible_event::view::{ActorView, EventView, ResourceView, SealedView};
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
    serde_json::to_writer(&mut *out, &event(log, index, &view))
        .map_err(|source| ExportError::Document { index, source })?;
    out.push(b'\n');
    Ok(())
}

/// `activity_id` of API Activity and its caption; what is none of the four is other, under its own word.
fn activity(action: Option<&str>) -> (u64, &str) {
    match action {
        Some("write") => (1, "Create"),
        Some("read" | "export") => (2, "Read"),
        Some("modify" | "configure" | "grant" | "revoke") => (3, "Update"),
        Some("delete") => (4, "Delete"),
        Some(other) => (99, other),
        None => (0, "Unknown"),
    }
}

/// `status_id`, and `action_id` of the security control profile: denied is not the same as failed.
fn outcome(result: Option<&str>) -> (u64, &'static str, u64, &'static str) {
    match result {
        Some("allowed") => (1, "Success", 1, "Allowed"),
        Some("denied") => (2, "Failure", 2, "Denied"),
        Some("failed") => (2, "Failure", 1, "Allowed"),
        _ => (0, "Unknown", 0, "Unknown"),
    }
}

/// `type_id` of a user and its caption.
fn user_type(kind: &str) -> (u64, &str) {
    match kind {
        "human" => (1, "User"),
        "system" => (3, "System"),
        "service" => (4, "Service"),
        other => (99, other),
    }
}

fn event(log: &str, index: u64, view: &EventView<'_>) -> Value {
    let action = view.action.as_deref();
    let (activity_id, activity_name) = activity(action);
    let (status_id, status, action_id, action_name) = outcome(view.outcome.result.as_deref());
    let milliseconds = |nanoseconds: Option<i64>| nanoseconds.map(|nanoseconds| nanoseconds.div_euclid(1_000_000));
    let profiles =
        if view.trace_id.is_some() { json!(["security_control", "trace"]) } else { json!(["security_control"]) };
    let mut event = json!({
        "category_uid": 6,
        "category_name": "Application Activity",
        "class_uid": CLASS_UID,
        "class_name": "API Activity",
        "activity_id": activity_id,
        "activity_name": activity_name,
        "type_uid": CLASS_UID * 100 + activity_id,
        "severity_id": 1,
        "severity": "Informational",
        "status_id": status_id,
        "status": status,
        "action_id": action_id,
        "action": action_name,
        "time": milliseconds(view.time_unix_ns.or(view.recorded_unix_ns)).unwrap_or_default(),
        "metadata": {
            "version": OCSF_VERSION,
            "profiles": profiles,
            "uid": view.id,
            "correlation_uid": optional(view.outcome.request.as_ref()),
            "log_name": log,
            "log_provider": "Indelible",
            "sequence": index,
            "logged_time": milliseconds(view.recorded_unix_ns),
            "original_time": view.time,
            "product": {"name": "Indelible", "vendor_name": "Indelible", "feature": {"name": optional(view.source.id.as_ref())}},
        },
        "actor": actor(&view.actor),
        "src_endpoint": {"ip": address(&view.actor), "name": view.source.id.as_deref().unwrap_or("unknown")},
        "api": {
            "operation": view.operation.as_deref().or(action).unwrap_or("unknown"),
            "service": {"name": optional(view.source.kind.as_ref())},
            "response": {
                "code": view.outcome.code.as_deref().and_then(|code| code.parse::<i64>().ok()),
                "message": optional(view.outcome.reason.as_ref()),
            },
        },
        "policy": {"name": optional(view.outcome.policy.as_ref())},
        "trace": {"uid": optional(view.trace_id.as_ref())},
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
    let (type_id, kind) = user_type(actor.kind.as_deref().unwrap_or("unknown"));
    json!({
        "user": {
            "uid": actor.id.as_deref().unwrap_or("unknown"),
            "name": optional(actor.name.as_ref().or(actor.id.as_ref())),
            "type_id": type_id,
            "type": kind,
            "groups": actor.groups.iter().map(|group| json!({"name": group})).collect::<Vec<Value>>(),
        },
        "session": {"uid": optional(actor.session.as_ref())},
        "authorizations": actor.roles.iter().map(|role| json!({"policy": {"name": role}})).collect::<Vec<Value>>(),
    })
}

/// The actor's address, if it is one.
fn address<'a>(actor: &'a ActorView<'_>) -> Option<&'a str> {
    actor.ip.as_deref().filter(|ip| ip.parse::<std::net::IpAddr>().is_ok())
}

fn resource(resource: &ResourceView<'_>) -> Value {
    let name = [&resource.name, &resource.id, &resource.kind].into_iter().find_map(|text| text.as_deref());
    json!({
        "uid": optional(resource.id.as_ref()),
        "name": name.unwrap_or("unknown"),
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
        "source_seq": view.source.seq,
        "actor": {"auth": optional(view.actor.auth.as_ref()), "ip": optional(view.actor.ip.as_ref()), "user_agent": optional(view.actor.user_agent.as_ref())},
        "on_behalf_of": view.on_behalf_of.iter().map(actor).collect::<Vec<Value>>(),
        "purpose": optional(view.purpose.as_ref()),
        "legal_basis": optional(view.legal_basis.as_ref()),
        "span_id": optional(view.span_id.as_ref()),
        "sealed": view.sealed.iter().map(sealed).collect::<Vec<Value>>(),
        "ai": {
            "provider": optional(ai.provider.as_ref()),
            "operation": optional(ai.operation.as_ref()),
            "request_model": optional(ai.request_model.as_ref()),
            "response_model": optional(ai.response_model.as_ref()),
            "input_tokens": ai.input_tokens,
            "output_tokens": ai.output_tokens,
            "finish_reasons": ai.finish_reasons,
            "conversation": optional(ai.conversation.as_ref()),
            "agent": optional(ai.agent.as_ref()),
            "tool_name": optional(ai.tool_name.as_ref()),
            "tool_call_id": optional(ai.tool_call_id.as_ref()),
        },
        "attributes": attributes,
    })
}

fn sealed(sealed: &SealedView<'_>) -> Value {
    json!({
        "name": optional(sealed.name.as_ref()),
        "media_type": optional(sealed.media_type.as_ref()),
        "bytes": sealed.bytes,
        "commitment": optional(sealed.commitment.as_ref()),
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
    use crate::testing::WHOLE_EVENT;

    fn line(entry: &str) -> Value {
        let mut line = Vec::new();
        ocsf_line("main", 3, entry.as_bytes(), &mut line).unwrap();
        assert_eq!(line.pop(), Some(b'\n'));
        serde_json::from_slice(&line).unwrap()
    }

    const DENIED: &str = concat!(
        r#"{"action":"read","actor":{"id":"ana","ip":"10.0.0.1","type":"human"},"attributes":{"k":1},"#,
        r#""id":"00000000-0000-7000-8000-000000000000","operation":"SELECT","outcome":{"result":"denied"},"#,
        r#""recorded":"2026-01-01T00:00:00.000000000Z","resources":[{"id":"customers","type":"table"}],"#,
        r#""source":{"id":"pg","kind":"api"},"time":"2026-01-01T01:00:00.5+01:00"}"#
    );

    #[test]
    fn an_event_becomes_api_activity_with_what_the_class_requires() {
        assert_eq!(
            line(DENIED),
            json!({
                "category_uid": 6, "category_name": "Application Activity", "class_uid": 6003, "class_name": "API Activity",
                "activity_id": 2, "activity_name": "Read", "type_uid": 600_302, "severity_id": 1, "severity": "Informational",
                "status_id": 2, "status": "Failure", "action_id": 2, "action": "Denied", "time": 1_767_225_600_500_i64,
                "metadata": {
                    "version": "1.6.0", "profiles": ["security_control"], "uid": "00000000-0000-7000-8000-000000000000",
                    "log_name": "main", "log_provider": "Indelible", "sequence": 3, "logged_time": 1_767_225_600_000_i64,
                    "original_time": "2026-01-01T01:00:00.5+01:00",
                    "product": {"name": "Indelible", "vendor_name": "Indelible", "feature": {"name": "pg"}},
                },
                "actor": {"user": {"uid": "ana", "name": "ana", "type_id": 1, "type": "User"}},
                "src_endpoint": {"ip": "10.0.0.1", "name": "pg"},
                "api": {"operation": "SELECT", "service": {"name": "api"}},
                "resources": [{"uid": "customers", "name": "customers", "type": "table"}],
                "unmapped": {"index": 3, "action": "read", "result": "denied", "actor": {"ip": "10.0.0.1"}, "attributes": {"k": 1}},
            })
        );
    }

    #[test]
    fn every_value_of_an_event_is_somewhere_in_the_line() {
        fn leaves(value: &Value, into: &mut Vec<String>) {
            match value {
                Value::Object(fields) => fields.values().for_each(|value| leaves(value, into)),
                Value::Array(items) => items.iter().for_each(|value| leaves(value, into)),
                Value::String(text) => into.push(text.clone()),
                other => into.push(other.to_string()),
            }
        }
        let (mut given, mut told) = (Vec::new(), Vec::new());
        leaves(&serde_json::from_str(WHOLE_EVENT).unwrap(), &mut given);
        leaves(&line(WHOLE_EVENT), &mut told);
        // In other words: types of actors, times and durations in milliseconds; and the schema's name.
        let elsewhere = ["human", "service", "1500000000", "2026-11-23T09:15:31.000000000Z", "indelible.event/1"];
        given.retain(|value| !told.contains(value) && !elsewhere.contains(&value.as_str()));
        assert_eq!(given, [""; 0]);
        assert_eq!(line(WHOLE_EVENT)["duration"], 1_500);
    }

    /// Needs a Python with `ocsf-json-schema` and `jsonschema`, named by `INDELIBLE_TEST_PYTHON`.
    #[test]
    fn lines_follow_the_schema() {
        const SCRIPT: &str = r"
import json, sys
try:
    import jsonschema, ocsf_json_schema
except ImportError:
    sys.exit(77)
for line in sys.stdin:
    event = json.loads(line)
    schema = ocsf_json_schema.OcsfJsonSchemaEmbedded(ocsf_json_schema.get_ocsf_schema(event['metadata']['version']))
    schema = schema.get_class_schema(class_name='api_activity', profiles=event['metadata']['profiles'])
    jsonschema.validate(event, schema)
";
        let Ok(python) = std::env::var("INDELIBLE_TEST_PYTHON") else {
            println!("not run: INDELIBLE_TEST_PYTHON does not name a Python with ocsf-json-schema and jsonschema");
            return;
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines =
            [line(DENIED), line(WHOLE_EVENT), line(r#"{"action":"train"}"#)].map(|line| line.to_string()).join("\n");
        std::fs::write(file.path(), lines).unwrap();
        let input = std::fs::File::open(file.path()).unwrap();
        let run = std::process::Command::new(python).args(["-c", SCRIPT]).stdin(input).output().unwrap();
        if run.status.code() == Some(77) {
            println!("not run: ocsf-json-schema or jsonschema is not installed for INDELIBLE_TEST_PYTHON");
            return;
        }
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }
}
