//! Tests of the validator: each refusal with its code and field, and events made from the tables themselves.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::shape::{Absent, EVENT, Rule, SCHEMA, Shape};
use crate::time::{RECORDED_BYTES, RecordedTime};

const DEFAULTS: Defaults<'_> = Defaults { source_id: "token \"one\"", source_kind: "api" };
const NEW_ID: EventId = EventId([0x5a; 16]);
const COMMITMENT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// One event prepared alone: its canonical text, `recorded` stamped as the epoch.
fn entry_of(event: &[u8]) -> Result<String, Vec<Fault>> {
    let mut batch = EventBatch::new();
    prepare(event, &DEFAULTS, &mut || NEW_ID, &mut batch)?;
    batch.stamp(RecordedTime(0));
    let (slot, entry) = batch.entries().next().unwrap();
    assert_eq!(slot.id, EventId::parse(value_of(entry)["id"].as_str().unwrap().as_bytes()).unwrap());
    Ok(String::from_utf8(entry.to_vec()).unwrap())
}

fn value_of(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

fn least() -> Value {
    json!({"time": "2026-11-23T10:15:30Z", "actor": {"id": "ana", "type": "human"}, "action": "read",
           "outcome": {"result": "allowed"}})
}

/// The least event with one value set, by a path such as `actor.id` or `resources.0.count`.
fn with(path: &str, value: Value) -> Value {
    let mut event = least();
    let mut place = &mut event;
    for step in path.split('.') {
        place = match step.parse::<usize>() {
            Ok(position) => {
                if !place.is_array() {
                    *place = json!([]);
                }
                while place.as_array().unwrap().len() <= position {
                    place.as_array_mut().unwrap().push(json!({}));
                }
                &mut place[position]
            }
            Err(_) => &mut place[step],
        };
    }
    *place = value;
    event
}

fn codes(event: &Value) -> Vec<(String, FaultCode)> {
    match entry_of(event.to_string().as_bytes()) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(|fault| (fault.field, fault.code)).collect(),
    }
}

#[test]
fn the_least_event_is_filled_in() {
    let entry = entry_of(least().to_string().as_bytes()).unwrap();
    assert_eq!(
        entry,
        "{\"action\":\"read\",\"actor\":{\"id\":\"ana\",\"type\":\"human\"},\
         \"id\":\"5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a\",\"outcome\":{\"phase\":\"single\",\"result\":\"allowed\"},\
         \"recorded\":\"1970-01-01T00:00:00.000000000Z\",\"schema\":\"indelible.event/1\",\
         \"source\":{\"id\":\"token \\\"one\\\"\",\"kind\":\"api\"},\"time\":\"2026-11-23T10:15:30Z\"}"
    );
}

#[test]
fn a_partial_source_is_completed_and_a_given_id_is_kept() {
    let mut event = with("source", json!({"seq": 7}));
    event["id"] = json!("01937B5E-8D3C-7CC0-B9A1-4B3F6F2A1D00");
    let mut batch = EventBatch::new();
    let prepared = prepare(event.to_string().as_bytes(), &DEFAULTS, &mut || NEW_ID, &mut batch).unwrap();
    assert!(!prepared.id_assigned);
    let entry = value_of(batch.entries().next().unwrap().1);
    assert_eq!(entry["id"], "01937b5e-8d3c-7cc0-b9a1-4b3f6f2a1d00");
    assert_eq!(entry["source"], json!({"id": "token \"one\"", "kind": "api", "seq": 7}));
}

#[test]
fn each_refusal_has_its_code_and_field() {
    use FaultCode as C;
    let long = "x".repeat(1_025);
    let cases = [
        ("schema", json!("indelible.event/2"), C::UnknownSchema),
        ("schema", json!(1), C::WrongType),
        ("id", json!("42"), C::BadId),
        ("id", json!({"commitment": COMMITMENT}), C::WrongType),
        ("recorded", json!("2026-11-23T10:15:30.000000000Z"), C::SetByServer),
        ("time", json!("2026-11-23T10:15:30"), C::TimeWithoutOffset),
        ("time", json!("2026-11-23T10:15:30[Europe/Berlin]"), C::TimeWithoutOffset),
        ("time", json!("yesterday"), C::BadTime),
        ("time", json!("2026-11-23T10:15:30+01:00[Europe/Atlantis]"), C::UnknownTimeZone),
        ("time", json!("2026-11-23T10:15:30+02:00[Europe/Berlin]"), C::OffsetContradictsZone),
        ("time", json!("1492-10-12T07:00:00Z"), C::TimeOutOfRange),
        ("time", json!(1_700_000_000), C::WrongType),
        ("source.kind", json!("indelible"), C::Reserved),
        ("source.id", json!(""), C::EmptyText),
        ("source.id", json!({"commitment": COMMITMENT}), C::WrongType),
        ("source.seq", json!(0), C::NumberTooSmall),
        ("actor", json!("ana"), C::WrongType),
        ("actor.id", json!(long), C::TextTooLong),
        ("actor.id", json!({"commitment": "AAAA"}), C::WrongType),
        ("actor.type", json!("person"), C::UnknownValue),
        ("actor.type", json!({"commitment": COMMITMENT}), C::WrongType),
        ("actor.name", Value::Null, C::WrongType),
        ("actor.roles", json!("admin"), C::WrongType),
        ("actor.roles[1]", json!(["a", 7]), C::WrongType),
        ("actor.roles", json!(vec!["r"; 1_001]), C::ListTooLong),
        ("actor.ip", json!("192.0.2.1:443"), C::BadIp),
        ("actor.ip", json!("localhost"), C::BadIp),
        ("actor.ip", json!(""), C::BadIp),
        ("action", json!("look"), C::UnknownValue),
        ("outcome.result", json!("ok"), C::UnknownValue),
        ("outcome.phase", json!("middle"), C::UnknownValue),
        ("outcome.code", json!(403), C::WrongType),
        ("duration_ns", json!(-1), C::NumberTooSmall),
        ("duration_ns", json!("1s"), C::WrongType),
        ("resources[0].count", json!([{"count": -1}]), C::NumberTooSmall),
        ("resources[1].colour", json!([{}, {"colour": "red"}]), C::UnknownField),
        ("resources[0]", json!(["table"]), C::WrongType),
        ("on_behalf_of[0].type", json!([{"id": "x"}]), C::MissingField),
        ("trace.trace_id", json!("4BF92F3577B34DA6A3CE929D0E0E4736"), C::BadTraceId),
        ("trace.trace_id", json!("0".repeat(32)), C::BadTraceId),
        ("trace.span_id", json!("00f067aa0ba902b"), C::BadTraceId),
        ("sealed[0].commitment", json!([{"name": "prompt", "commitment": "AAAA"}]), C::BadCommitment),
        ("sealed[0].name", json!([{"commitment": COMMITMENT}]), C::MissingField),
        ("attributes", json!([]), C::WrongType),
        ("attributes.a", json!({"a": null}), C::WrongType),
        ("attributes.a[0]", json!({"a": [[1]]}), C::WrongType),
        ("attributes.", json!({"": 1}), C::EmptyText),
        ("atcion", json!("read"), C::UnknownField),
        ("purpose.commitment", json!({"commitment": 7}), C::WrongType),
    ];
    for (path, value, code) in cases {
        // A path with a position names a part of the value that is set.
        let set = path.split(['[']).next().unwrap();
        let set = if set.starts_with("attributes") || set.starts_with("purpose") {
            set.split('.').next().unwrap()
        } else {
            set
        };
        let event = with(set, value);
        let expected = match (path, code) {
            ("actor.id", C::WrongType) => vec![("actor.id.commitment".to_owned(), C::BadCommitment)],
            _ => vec![(path.to_owned(), code)],
        };
        assert_eq!(codes(&event), expected, "{event}");
    }
}

#[test]
fn what_must_be_there_is_named() {
    let needed = |path: &str| (path.to_owned(), FaultCode::MissingField);
    assert_eq!(codes(&json!({})), ["action", "actor", "outcome", "time"].map(needed));
    assert_eq!(codes(&with("actor", json!({}))), ["actor.id", "actor.type"].map(needed));
    assert_eq!(codes(&with("outcome", json!({}))), ["outcome.result"].map(needed));
}

#[test]
fn all_faults_of_an_event_are_reported_in_its_order() {
    let event =
        br#"{"actor":{"type":"humn","id":"a","nme":"b"},"time":"now","outcome":{"result":"allowed"},"extra":1}"#;
    let faults = entry_of(event).unwrap_err();
    let told: Vec<_> = faults.iter().map(|fault| (fault.column, fault.field.as_str(), fault.code.as_str())).collect();
    assert_eq!(
        told,
        [
            (Some(1), "action", "missing-field"),
            (Some(18), "actor.type", "unknown-value"),
            (Some(34), "actor.nme", "unknown-field"),
            (Some(52), "time", "bad-time"),
            (Some(89), "extra", "unknown-field"),
        ]
    );
    assert_eq!(faults[1].hint.as_deref(), Some("did you mean `human`?"));
    assert_eq!(faults[2].hint.as_deref(), Some("did you mean `actor.name`?"));
    assert_eq!(faults[4].hint.as_deref(), Some("values of your own belong in `attributes`"));
}

#[test]
fn faults_are_listed_up_to_a_limit_and_show_no_values() {
    let unknown: serde_json::Map<_, _> =
        (0..500).map(|n| (format!("field-{n}-{}", "n".repeat(100)), json!("secret"))).collect();
    let faults = entry_of(Value::Object(unknown).to_string().as_bytes()).unwrap_err();
    assert_eq!(faults.len(), crate::limits::FAULTS_LISTED_MAX);
    assert!(faults.iter().all(|fault| fault.field.len() < 80));
    let faults = entry_of(with("actor.ip", json!("secret")).to_string().as_bytes()).unwrap_err();
    assert!(!format!("{faults:?}").contains("secret"));
}

#[test]
fn values_that_are_not_objects_are_refused_as_events() {
    for event in ["[]", "1", "null", "\"x\""] {
        assert_eq!(entry_of(event.as_bytes()).unwrap_err()[0].code, FaultCode::NotAnObject, "{event}");
    }
}

#[test]
fn an_entry_may_be_65535_bytes_long_and_no_longer() {
    let spare = ENTRY_BYTES_MAX - entry_of(with("purpose", json!("")).to_string().as_bytes()).unwrap().len();
    let of_length = |length: usize| entry_of(with("purpose", json!("p".repeat(length))).to_string().as_bytes());
    assert_eq!(of_length(spare).unwrap().len(), ENTRY_BYTES_MAX);
    let faults = of_length(spare + 1).unwrap_err();
    assert_eq!((faults.len(), faults[0].code), (1, FaultCode::EntryTooLong));
}

#[test]
fn a_refused_event_leaves_the_batch_as_it_was() {
    let mut batch = EventBatch::new();
    let good = least().to_string();
    prepare(good.as_bytes(), &DEFAULTS, &mut || NEW_ID, &mut batch).unwrap();
    let before = batch.clone();
    for bad in [with("time", json!("now")), with("purpose", json!("p".repeat(70_000)))] {
        prepare(bad.to_string().as_bytes(), &DEFAULTS, &mut || NEW_ID, &mut batch).unwrap_err();
        assert_eq!(batch, before);
    }
}

#[test]
fn limits_hold_at_their_edge() {
    let attributes = |count: usize| -> Value {
        (0..count).map(|n| (n.to_string(), json!(n))).collect::<serde_json::Map<_, _>>().into()
    };
    assert_eq!(codes(&with("attributes", attributes(256))), []);
    assert_eq!(codes(&with("attributes", attributes(257))), [("attributes".to_owned(), FaultCode::TooManyAttributes)]);
    assert_eq!(codes(&with("actor.id", json!("x".repeat(1_024)))), []);
    assert_eq!(codes(&with("actor.id", json!("é".repeat(512)))), []);
    assert_eq!(codes(&with("actor.id", json!("é".repeat(513)))).len(), 1);
    assert_eq!(codes(&with("actor.roles", json!(vec!["r"; 1_000]))), []);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z@. ]{1,30}",
        "\\PC{1,12}",
        proptest::collection::vec(any::<char>(), 1..12).prop_map(String::from_iter)
    ]
}

fn any_commitment() -> impl Strategy<Value = Value> {
    "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=".prop_map(Value::from)
}

fn any_text_value() -> impl Strategy<Value = Value> {
    prop_oneof![9 => any_text().prop_map(Value::from), 1 => any_commitment().prop_map(|text| json!({"commitment": text}))]
}

fn any_attribute() -> impl Strategy<Value = Value> {
    prop_oneof![any_text_value(), any::<bool>().prop_map(Value::from), any_integer(-9_007_199_254_740_991)]
}

fn any_integer(least: i64) -> impl Strategy<Value = Value> {
    prop_oneof![least..=least.saturating_add(1_000), least..=9_007_199_254_740_991].prop_map(Value::from)
}

fn any_of(words: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop::sample::select(words).prop_map(Value::from).boxed()
}

fn any_by(rule: Rule) -> BoxedStrategy<Value> {
    let list = |item: BoxedStrategy<Value>| proptest::collection::vec(item, 0..4).prop_map(Value::from).boxed();
    match rule {
        Rule::Schema => Just(json!(SCHEMA)).boxed(),
        Rule::Id => any::<[u8; 16]>().prop_map(|bytes| json!(EventId(bytes).to_string())).boxed(),
        Rule::Recorded => Just(Value::Null).boxed(),
        Rule::Time => any_of(&[
            "2026-11-23T10:15:30.123456789+01:00[Europe/Berlin]",
            "2026-11-23T10:15:30Z",
            "2026-02-28T23:59:59.5-08:00[America/Los_Angeles]",
            "1999-12-31T00:00:00+05:45",
        ]),
        Rule::Word(words) => any_of(words),
        Rule::ClearIdentifier | Rule::SourceKind => any_text().prop_map(Value::from).boxed(),
        Rule::Identifier | Rule::Text => any_text_value().boxed(),
        Rule::Identifiers => list(any_text_value().boxed()),
        Rule::Ip => any_of(&["192.0.2.1", "2001:db8::1", "::1"]),
        Rule::Hex(digits) => proptest::collection::vec(prop::sample::select(&b"123456789abcdef"[..]), digits)
            .prop_map(|digits| json!(String::from_utf8(digits).unwrap()))
            .boxed(),
        Rule::Integer(least) => any_integer(least).boxed(),
        Rule::Commitment => any_commitment().boxed(),
        Rule::Object(shape) => any_object(shape),
        Rule::Objects(shape) => list(any_object(shape)),
        Rule::Attributes => proptest::collection::vec(
            (any_text(), prop_oneof![any_attribute().boxed(), list(any_attribute().boxed())]),
            0..6,
        )
        .prop_map(|members| Value::Object(members.into_iter().collect()))
        .boxed(),
    }
}

/// Any object of a shape, its members in any order.
fn any_object(shape: &'static Shape) -> BoxedStrategy<Value> {
    let fields: Vec<_> = shape
        .fields
        .iter()
        .filter(|field| !matches!(field.rule, Rule::Recorded))
        .map(|field| {
            let value = any_by(field.rule).prop_map(|value| (field.name, value));
            if field.absent == Absent::Fault { value.prop_map(Some).boxed() } else { prop::option::of(value).boxed() }
        })
        .collect();
    fields
        .prop_flat_map(|members| Just(members.into_iter().flatten().collect::<Vec<_>>()).prop_shuffle())
        .prop_map(|members| {
            Value::Object(members.into_iter().map(|(name, value): (&str, Value)| (name.to_owned(), value)).collect())
        })
        .boxed()
}

/// RFC 8785 written a second time: sort by UTF-16 code units, leave strings to `serde_json`.
fn canonical_by_serde(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(canonical_by_serde).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(key, _)| key.encode_utf16().collect::<Vec<_>>());
            let written: Vec<_> = sorted
                .into_iter()
                .map(|(key, value)| format!("{}:{}", json!(key), canonical_by_serde(value)))
                .collect();
            format!("{{{}}}", written.join(","))
        }
        leaf => leaf.to_string(),
    }
}

fn filled(event: &Value) -> Value {
    let mut event = event.clone();
    let mut fill = |path: &[&str], value: &str| {
        let place = path.iter().fold(&mut event, |place, step| &mut place[step]);
        if place.is_null() {
            *place = json!(value);
        }
    };
    fill(&["schema"], SCHEMA);
    fill(&["id"], &NEW_ID.to_string());
    fill(&["recorded"], "1970-01-01T00:00:00.000000000Z");
    fill(&["source", "id"], DEFAULTS.source_id);
    fill(&["source", "kind"], DEFAULTS.source_kind);
    fill(&["outcome", "phase"], "single");
    event
}

/// Every non-ASCII character and every quote as an escape, as some writers do.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04X}"));
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn any_valid_event_has_the_one_canonical_form(event in any_object(&EVENT), style in 0..3) {
        let text = match style {
            0 => serde_json::to_string(&event).unwrap(),
            1 => serde_json::to_string_pretty(&event).unwrap(),
            _ => escaped(&serde_json::to_string(&event).unwrap()),
        };
        let entry = entry_of(text.as_bytes()).map_err(|faults| TestCaseError::fail(format!("{faults:?}")))?;
        prop_assert_eq!(&entry, &canonical_by_serde(&filled(&event)));

        // Sent again as it was stored, but for `recorded`, it comes out the same.
        let mut again = value_of(entry.as_bytes());
        again.as_object_mut().unwrap().remove("recorded");
        prop_assert_eq!(&entry_of(again.to_string().as_bytes()).unwrap(), &entry);
    }

    #[test]
    fn a_damaged_event_never_panics_and_never_passes_as_non_canonical(
        event in any_object(&EVENT),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        let mut text = event.to_string().into_bytes();
        for (place, byte, how) in damage {
            let at = place.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => { text.remove(at); }
                _ => text.insert(at, byte),
            }
        }
        match entry_of(&text) {
            Ok(entry) => prop_assert_eq!(&entry, &canonical_by_serde(&value_of(entry.as_bytes()))),
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                prop_assert!(faults.iter().all(|fault| fault.column.is_none_or(|column| (1..=text.len() + 1).contains(&column))));
            }
        }
    }

    #[test]
    fn the_recorded_slot_is_where_the_batch_says(events in proptest::collection::vec(any_object(&EVENT), 1..4), recorded in 0i64..i64::MAX) {
        let mut batch = EventBatch::new();
        for event in &events {
            prepare(event.to_string().as_bytes(), &DEFAULTS, &mut || NEW_ID, &mut batch).unwrap();
        }
        batch.stamp(RecordedTime(recorded));
        for (slot, entry) in batch.entries() {
            let at = usize::from(slot.recorded_at);
            prop_assert_eq!(&entry[at..at + RECORDED_BYTES], &RecordedTime(recorded).write()[..]);
            prop_assert_eq!(value_of(entry)["recorded"].as_str().and_then(RecordedTime::parse), Some(RecordedTime(recorded)));
        }
    }

    #[test]
    fn the_view_reads_what_the_event_says(event in any_object(&EVENT)) {
        let entry = entry_of(event.to_string().as_bytes()).unwrap();
        let view = crate::view::EventView::parse(entry.as_bytes()).unwrap();
        let event = filled(&event);
        prop_assert_eq!(&crate::view::tests::as_json(&view), &crate::view::tests::without_commitments(&event));
        let brief = crate::view::EntryBrief::parse(entry.as_bytes()).unwrap();
        prop_assert_eq!(brief.recorded, Some(RecordedTime(0)));
        prop_assert_eq!(brief.source_id.as_deref(), event["source"]["id"].as_str());
        prop_assert_eq!(brief.source_kind.as_deref(), event["source"]["kind"].as_str());
        prop_assert_eq!(brief.seq, event["source"]["seq"].as_u64());
    }
}
