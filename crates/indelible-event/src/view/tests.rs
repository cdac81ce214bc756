//! Tests of the view. That it reads every field of any valid event is tested beside `prepare`, with the events made there.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::json::Value;

fn text(text: &Option<Cow<'_, str>>) -> Json {
    text.as_deref().map_or(Json::Null, Json::from)
}

fn texts(texts: &[Cow<'_, str>]) -> Json {
    texts.iter().map(|text| text.as_ref()).collect()
}

fn object(members: Vec<(&str, Json)>) -> Json {
    let empty = |value: &Json| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    Json::Object(
        members.into_iter().filter(|(_, value)| !empty(value)).map(|(key, value)| (key.to_owned(), value)).collect(),
    )
}

fn value(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => json!(value),
        Value::Integer(value) => json!(value),
        Value::Text(text) => json!(text),
        Value::List(items) => items.iter().map(self::value).collect(),
        Value::Object(members) => Json::Object(members.iter().map(|(k, v)| (k.to_string(), self::value(v))).collect()),
    }
}

fn actor(actor: &ActorView<'_>) -> Json {
    object(vec![
        ("auth", text(&actor.auth)),
        ("groups", texts(&actor.groups)),
        ("id", text(&actor.id)),
        ("ip", text(&actor.ip)),
        ("name", text(&actor.name)),
        ("roles", texts(&actor.roles)),
        ("session", text(&actor.session)),
        ("type", text(&actor.kind)),
        ("user_agent", text(&actor.user_agent)),
    ])
}

fn resource(resource: &ResourceView<'_>) -> Json {
    object(vec![
        ("bytes", json!(resource.bytes)),
        ("count", json!(resource.count)),
        ("fields", texts(&resource.fields)),
        ("id", text(&resource.id)),
        ("labels", texts(&resource.labels)),
        ("name", text(&resource.name)),
        ("type", text(&resource.kind)),
    ])
}

fn outcome(outcome: &OutcomeView<'_>) -> Json {
    object(vec![
        ("code", text(&outcome.code)),
        ("phase", text(&outcome.phase)),
        ("policy", text(&outcome.policy)),
        ("reason", text(&outcome.reason)),
        ("request", text(&outcome.request)),
        ("result", text(&outcome.result)),
    ])
}

fn ai(ai: &AiView<'_>) -> Json {
    object(vec![
        ("agent", text(&ai.agent)),
        ("conversation", text(&ai.conversation)),
        ("finish_reasons", texts(&ai.finish_reasons)),
        ("input_tokens", json!(ai.input_tokens)),
        ("operation", text(&ai.operation)),
        ("output_tokens", json!(ai.output_tokens)),
        ("provider", text(&ai.provider)),
        ("request_model", text(&ai.request_model)),
        ("response_model", text(&ai.response_model)),
        ("tool_call_id", text(&ai.tool_call_id)),
        ("tool_name", text(&ai.tool_name)),
    ])
}

fn sealed(sealed: &SealedView<'_>) -> Json {
    object(vec![
        ("bytes", json!(sealed.bytes)),
        ("commitment", text(&sealed.commitment)),
        ("media_type", text(&sealed.media_type)),
        ("name", text(&sealed.name)),
    ])
}

/// The view written back as JSON; what it does not have is left out, and so are empty lists and objects.
pub(crate) fn as_json(view: &EventView<'_>) -> Json {
    let attributes: Map<_, _> = view.attributes.iter().map(|(k, v)| (k.to_string(), value(v))).collect();
    let source = &view.source;
    without_empty(object(vec![
        ("action", text(&view.action)),
        ("actor", actor(&view.actor)),
        ("ai", ai(&view.ai)),
        ("attributes", Json::Object(attributes)),
        ("duration_ns", json!(view.duration_ns)),
        ("id", json!(view.id)),
        ("legal_basis", text(&view.legal_basis)),
        ("on_behalf_of", view.on_behalf_of.iter().map(actor).collect()),
        ("operation", text(&view.operation)),
        ("outcome", outcome(&view.outcome)),
        ("purpose", text(&view.purpose)),
        ("recorded", json!(view.recorded)),
        ("resources", view.resources.iter().map(resource).collect()),
        ("schema", text(&view.schema)),
        ("sealed", view.sealed.iter().map(sealed).collect()),
        ("source", object(vec![("id", text(&source.id)), ("kind", text(&source.kind)), ("seq", json!(source.seq))])),
        ("time", json!(view.time)),
        ("trace", object(vec![("span_id", text(&view.span_id)), ("trace_id", text(&view.trace_id))])),
    ]))
}

fn without_empty(mut event: Json) -> Json {
    let fields = event.as_object_mut().unwrap();
    fields.retain(|_, value| !value.as_object().is_some_and(Map::is_empty));
    event
}

/// An event as the view is to see it: committed texts are absent (except among attributes, which keep any shape), and so are empty
/// lists and objects.
pub(crate) fn without_commitments(event: &Json) -> Json {
    fn committed(value: &Json) -> bool {
        value.as_object().is_some_and(|members| members.len() == 1 && members.contains_key("commitment"))
    }
    fn stripped(value: &Json) -> Json {
        match value {
            Json::Object(members) => Json::Object(
                members
                    .iter()
                    .filter(|(_, value)| !committed(value))
                    .map(|(key, value)| (key.clone(), stripped(value)))
                    .filter(|(_, value)| !value.as_array().is_some_and(Vec::is_empty))
                    .collect(),
            ),
            Json::Array(items) => items.iter().filter(|item| !committed(item)).map(stripped).collect(),
            leaf => leaf.clone(),
        }
    }
    let mut seen = stripped(event);
    if let Some(attributes) = event.get("attributes") {
        seen["attributes"] = attributes.clone();
    }
    without_empty(seen)
}

#[test]
fn times_are_read_as_instants() {
    let entry = br#"{"recorded":"2026-11-23T10:15:31.000000001Z","time":"2026-11-23T11:15:30.5+01:00[Europe/Berlin]"}"#;
    let view = EventView::parse(entry).unwrap();
    assert_eq!(view.time_unix_ns, Some(1_795_428_930_500_000_000));
    assert_eq!(view.recorded_unix_ns, Some(1_795_428_931_000_000_001));
}

#[test]
fn unknown_fields_and_unexpected_types_are_passed_over() {
    let view =
        EventView::parse(br#"{"actor":[1],"future":{"x":[null]},"id":7,"resources":{"a":1},"trace":"t","time":""}"#);
    assert_eq!(view, Ok(EventView::default()));
}

#[test]
fn entries_that_are_no_objects_are_refused() {
    assert_eq!(EventView::parse(b" []").unwrap_err().kind, JsonErrorKind::UnexpectedByte);
    assert_eq!(EventView::parse(b"{}{}").unwrap_err().kind, JsonErrorKind::TrailingBytes);
}

#[test]
fn a_brief_is_not_fooled_by_nested_or_quoted_names() {
    let entry = br#"{"attributes":{"recorded":"x","source":{"id":"no"}},"purpose":"\",\"recorded\":\"","recorded":"1970-01-01T00:00:00.000000007Z","source":{"id":"a\nb","kind":"k","seq":9}}"#;
    let brief = EntryBrief::parse(entry).unwrap();
    assert_eq!(brief.recorded, Some(RecordedTime(7)));
    assert_eq!(
        (brief.source_id.as_deref(), brief.source_kind.as_deref(), brief.seq),
        (Some("a\nb"), Some("k"), Some(9))
    );
    let twice = EntryBrief::parse(br#"{"source":{"seq":1},"source":{"seq":2}}"#).unwrap_err();
    assert_eq!((twice.kind, twice.at), (JsonErrorKind::DuplicateKey, 20));
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(
        entry in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..100),
            proptest::collection::vec(prop::sample::select(
                vec!["{", "}", "[", "]", ":", ",", "\"", "\"recorded\":", "\"source\":{", "\"id\":\"", "\\", "0", "-", "\"attributes\":"]), 0..20)
                .prop_map(|parts| parts.concat().into_bytes()),
        ],
    ) {
        let view = EventView::parse(&entry);
        let brief = EntryBrief::parse(&entry);
        if let (Ok(view), Ok(brief)) = (view, brief) {
            prop_assert_eq!((view.source.id, view.source.kind, view.source.seq), (brief.source_id, brief.source_kind, brief.seq));
            prop_assert_eq!(view.recorded_unix_ns, brief.recorded.map(|recorded| recorded.0));
        }
    }
}
