//! The published JSON Schema of an event (draft 2020-12), as it stands in `docs/schema`. A test holds it against the tables that
//! the validator reads, so that the two cannot drift apart.

use crate::nearest::nearest;
use crate::shape::{EVENT, Rule, Shape};

/// The JSON Schema document.
pub const EVENT_SCHEMA_JSON: &str = include_str!("../../../docs/schema/event-1.schema.json");

/// The paths of all fields that may stand as a commitment in place of their text, such as `actor.name`; those of objects in a
/// list without a place (`resources.id`). Every text in `attributes` may as well.
#[must_use]
pub fn committable_fields() -> Vec<String> {
    let mut paths = Vec::new();
    collect(&EVENT, "", &mut paths);
    paths
}

fn collect(shape: &Shape, above: &str, paths: &mut Vec<String>) {
    for field in shape.fields {
        let path = format!("{above}{}", field.name);
        match field.rule {
            Rule::Identifier | Rule::Text | Rule::Identifiers | Rule::Ip | Rule::Hex(_) => paths.push(path),
            Rule::Object(inner) | Rule::Objects(inner) => collect(inner, &format!("{path}."), paths),
            Rule::Schema
            | Rule::Id
            | Rule::Recorded
            | Rule::Time
            | Rule::Word(_)
            | Rule::ClearIdentifier
            | Rule::SourceKind
            | Rule::Integer(_)
            | Rule::Commitment
            | Rule::Attributes => {}
        }
    }
}

/// Whether a path names a text that may stand as a commitment.
///
/// ```
/// use indelible_event::schema::is_committable;
///
/// assert_eq!(is_committable("actor.name"), Ok(()));
/// assert_eq!(is_committable("actor.nmae"), Err(Some("actor.name".to_owned())));
/// assert!(is_committable("time").is_err());
/// ```
///
/// # Errors
/// The nearest path that does, if one is near.
pub fn is_committable(path: &str) -> Result<(), Option<String>> {
    if path.strip_prefix("attributes.").is_some_and(|key| !key.is_empty()) {
        return Ok(());
    }
    let fields = committable_fields();
    if fields.iter().any(|field| field == path) {
        return Ok(());
    }
    Err(nearest(path, fields.iter().map(String::as_str)).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::limits::{ATTRIBUTES_MAX, IDENTIFIER_BYTES_MAX, INTEGER_MAX, LIST_ITEMS_MAX};
    use crate::shape::{Absent, SCHEMA, SHAPE_FIELDS_MAX};

    fn definition<'s>(schema: &'s Value, value: &'s Value) -> &'s Value {
        match value["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
            Some(name) => &schema["$defs"][name],
            None => value,
        }
    }

    fn compare(schema: &Value, described: &Value, shape: &Shape, path: &str) {
        let names: Vec<_> = shape.fields.iter().map(|field| field.name).collect();
        assert!(names.is_sorted(), "fields of `{path}` are in canonical order");
        assert!(names.len() <= SHAPE_FIELDS_MAX, "`{path}` fits the validator's table");
        let mut properties: Vec<_> = described["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        properties.sort_unstable();
        assert_eq!(properties, names, "properties of `{path}`");
        assert_eq!(described["additionalProperties"], json!(false), "`{path}` is closed");
        let required: Vec<_> =
            shape.fields.iter().filter(|field| field.absent == Absent::Fault).map(|field| field.name).collect();
        let mut in_schema: Vec<_> =
            described["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        in_schema.sort_unstable();
        assert_eq!(in_schema, required, "required fields of `{path}`");
        for field in shape.fields {
            compare_rule(schema, &described["properties"][field.name], field.rule, &format!("{path}.{}", field.name));
        }
    }

    fn compare_rule(schema: &Value, property: &Value, rule: Rule, path: &str) {
        let reference = property["$ref"].as_str().unwrap_or("");
        match rule {
            Rule::Schema => assert_eq!(property["const"], SCHEMA, "{path}"),
            Rule::Recorded => assert_eq!(property["readOnly"], true, "{path}"),
            Rule::Id | Rule::Time => assert!(property["pattern"].is_string(), "{path}"),
            Rule::Word(words) => assert_eq!(property["enum"], json!(words), "{path}"),
            Rule::ClearIdentifier | Rule::SourceKind => assert_eq!(reference, "#/$defs/clear_identifier", "{path}"),
            Rule::Identifier => assert_eq!(reference, "#/$defs/identifier", "{path}"),
            Rule::Identifiers => assert_eq!(reference, "#/$defs/identifiers", "{path}"),
            Rule::Text => assert_eq!(reference, "#/$defs/text", "{path}"),
            Rule::Commitment => assert_eq!(reference, "#/$defs/base64_of_32_bytes", "{path}"),
            Rule::Attributes => assert_eq!(reference, "#/$defs/attributes", "{path}"),
            Rule::Ip => {
                let formats = json!([{"format": "ipv4"}, {"format": "ipv6"}]);
                assert_eq!(property["anyOf"][0]["anyOf"], formats, "{path}");
            }
            Rule::Hex(digits) => {
                let pattern = property["anyOf"][0]["pattern"].as_str().unwrap();
                assert!(pattern.ends_with(&format!("[0-9a-f]{{{digits}}}$")), "{path}");
            }
            Rule::Integer(least) => {
                assert_eq!(
                    (&property["minimum"], &property["maximum"]),
                    (&json!(least), &json!(INTEGER_MAX)),
                    "{path}"
                );
            }
            Rule::Object(shape) => compare(schema, definition(schema, property), shape, path),
            Rule::Objects(shape) => {
                assert_eq!(property["maxItems"], json!(LIST_ITEMS_MAX), "{path}");
                compare(schema, definition(schema, &property["items"]), shape, path);
            }
        }
    }

    #[test]
    fn the_published_schema_and_the_validator_know_the_same_fields() {
        let schema: Value = serde_json::from_str(EVENT_SCHEMA_JSON).unwrap();
        compare(&schema, &schema, &EVENT, "event");
        let definitions = &schema["$defs"];
        assert_eq!(definitions["clear_identifier"]["maxLength"], json!(IDENTIFIER_BYTES_MAX));
        assert_eq!(definitions["identifiers"]["maxItems"], json!(LIST_ITEMS_MAX));
        assert_eq!(definitions["attributes"]["maxProperties"], json!(ATTRIBUTES_MAX));
    }

    #[test]
    fn texts_may_be_committed_and_other_fields_are_told_from_them() {
        for path in
            ["actor.name", "actor.ip", "on_behalf_of.id", "resources.labels", "trace.trace_id", "attributes.mail"]
        {
            assert_eq!(is_committable(path), Ok(()), "{path}");
        }
        assert_eq!(is_committable("actor.nmae"), Err(Some("actor.name".to_owned())));
        for path in ["time", "action", "source.id", "sealed.commitment", "duration_ns", "attributes", "attributes.", ""]
        {
            assert!(is_committable(path).is_err(), "{path}");
        }
    }
}
