//! Tests of bodies: the three forms read alike, and a fault in one event hides nothing of another.

use proptest::prelude::*;

use super::*;
use crate::fault::FaultCode;
use crate::limits::{FAULTS_LISTED_MAX, REQUEST_EVENTS_MAX};

const DEFAULTS: Defaults<'_> = Defaults { source_id: "token", source_kind: "api" };

fn read(body: impl AsRef<[u8]>, format: BodyFormat) -> Result<BodyOutcome, BodyFault> {
    let mut count = 0;
    let mut new_id = || {
        count += 1;
        EventId::version_7(count, [0; 10])
    };
    read_body(body.as_ref(), format, REQUEST_EVENTS_MAX, &DEFAULTS, &mut new_id)
}

fn event(actor: &str) -> String {
    format!(
        r#"{{"time":"2026-11-23T10:15:30Z","actor":{{"id":"{actor}","type":"human"}},"action":"read","outcome":{{"result":"allowed"}}}}"#
    )
}

fn actors(outcome: &BodyOutcome) -> Vec<String> {
    assert_eq!(outcome.ids.len(), outcome.batch.len());
    let actor = |entry: &[u8]| {
        serde_json::from_slice::<serde_json::Value>(entry).unwrap()["actor"]["id"].as_str().map(str::to_owned)
    };
    outcome.batch.entries().map(|(_, entry)| actor(entry).unwrap()).collect()
}

fn told(outcome: &BodyOutcome) -> Vec<(Option<u64>, Option<usize>, FaultCode)> {
    assert_eq!(outcome.faults.len(), outcome.faults_total.min(FAULTS_LISTED_MAX));
    outcome.faults.iter().map(|fault| (fault.line, fault.column, fault.code)).collect()
}

#[test]
fn the_three_forms_give_the_same_entries() {
    let (a, b) = (event("a"), event("b"));
    let pretty = a.replace(',', ",\n  ");
    let bodies = [
        (format!("[{a},{b}]"), BodyFormat::Json),
        (format!("[{a},{b}]"), BodyFormat::Auto),
        (format!(" \n[ {a} ,\n {pretty_b} ]\n", pretty_b = b.replace(',', " ,\n ")), BodyFormat::Auto),
        (format!("{a}\n{b}"), BodyFormat::Ndjson),
        (format!("{a}\r\n\r\n  \n{b}\r\n"), BodyFormat::Auto),
    ];
    for (body, format) in bodies {
        let outcome = read(&body, format).unwrap();
        assert_eq!((actors(&outcome), outcome.events_total), (vec!["a".to_owned(), "b".to_owned()], 2), "{body}");
        assert_eq!(outcome.batch, read(format!("{a}\n{b}"), BodyFormat::Ndjson).unwrap().batch);
    }
    for (body, format) in
        [(&a, BodyFormat::Json), (&a, BodyFormat::Auto), (&pretty, BodyFormat::Auto), (&pretty, BodyFormat::Json)]
    {
        assert_eq!(actors(&read(body, format).unwrap()), ["a"], "{body}");
    }
}

#[test]
fn the_line_of_each_event_is_known_whatever_stands_between() {
    let (a, bad) = (event("a"), "{}");
    let lines = |body: &str| {
        let outcome = read(body, BodyFormat::Auto).unwrap();
        (0..outcome.batch.len()).map(|position| outcome.lines.of(position)).collect::<Vec<_>>()
    };
    assert_eq!(lines(&format!("{a}\n{a}\n")), [Some(1), Some(2)]);
    assert_eq!(lines(&format!("\n{a}\n\n{bad}\n{a}\n{a}\n\n{a}")), [Some(2), Some(5), Some(6), Some(8)]);
    assert_eq!(lines(&format!("[{a},{bad},{a}]")), [Some(1), Some(3)]);
    assert_eq!(lines(&a), [None]);
}

#[test]
fn an_empty_body_is_refused_in_every_form() {
    for body in ["", " \r\n\t", "[]", " [ ] "] {
        for format in [BodyFormat::Json, BodyFormat::Auto] {
            assert_eq!(read(body, format).unwrap_err(), BodyFault::Empty, "{body}");
        }
    }
    assert_eq!(read("\n\n", BodyFormat::Ndjson).unwrap_err(), BodyFault::Empty);
}

#[test]
fn too_many_events_are_refused_at_the_limit() {
    let (mut new_id, max) = (|| EventId([0; 16]), 3);
    for (count, fine) in [(3, true), (4, false)] {
        let events = vec![event("a"); count];
        for body in [events.join("\n"), format!("[{}]", events.join(","))] {
            let result = read_body(body.as_bytes(), BodyFormat::Auto, max, &DEFAULTS, &mut new_id);
            assert_eq!(result.map(|outcome| outcome.events_total).ok(), fine.then_some(3));
        }
    }
}

#[test]
fn each_bad_line_is_told_and_the_good_ones_are_kept() {
    let (a, b) = (event("a"), event("b"));
    let late = event("c").replace("2026-11-23T10:15:30Z", "now");
    let body = format!("{a}\n{{\"x\":1.5}}\n\n{late}\r\n{{\n{b}");
    let outcome = read(body, BodyFormat::Ndjson).unwrap();
    assert_eq!((actors(&outcome), outcome.events_total), (vec!["a".to_owned(), "b".to_owned()], 5));
    assert_eq!(
        told(&outcome),
        [
            (Some(2), Some(6), FaultCode::Float),
            (Some(4), Some(9), FaultCode::BadTime),
            (Some(5), Some(2), FaultCode::UnexpectedEnd)
        ]
    );
}

#[test]
fn a_line_that_is_no_utf8_is_the_fault_of_that_line_alone() {
    let mut body = format!("{}\n", event("a")).into_bytes();
    body.extend_from_slice(b"{\"time\":\"\xff\"}\n");
    body.extend_from_slice(event("b").as_bytes());
    let outcome = read(body, BodyFormat::Auto).unwrap();
    assert_eq!(actors(&outcome), ["a", "b"]);
    assert_eq!(told(&outcome), [(Some(2), Some(10), FaultCode::InvalidUtf8)]);
}

#[test]
fn an_array_goes_on_after_an_event_whose_end_is_known() {
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    let long = format!("{{\"x\":\"]}},{{\\\"{}\"}}", "y".repeat(600_000));
    let bad = [
        (r#"{"x":1,"x":"]}"}"#, FaultCode::DuplicateKey),
        (r#"{"x":[1.5,"\"}]"]}"#, FaultCode::Float),
        (r#"{"x":NaN}"#, FaultCode::NotANumber),
        ("{\"x\":\"\n\"}", FaultCode::ControlCharacter),
        (r#"{"x":"\q\\"}"#, FaultCode::BadEscape),
        (r#"{"x":"\u12"}"#, FaultCode::BadEscape),
        (r#"{"x":"\ud800"}"#, FaultCode::LoneSurrogate),
        (r#"{"x":007}"#, FaultCode::LeadingZero),
        (r#"99999999999999999999"#, FaultCode::IntegerOutOfRange),
        (deep.as_str(), FaultCode::TooDeep),
        (long.as_str(), FaultCode::EventTooLong),
        (r#"{"x":1}"#, FaultCode::MissingField),
    ];
    for (text, code) in bad {
        let body = format!("[{},\n{text} , {}]", event("a"), event("b"));
        let outcome = read(&body, BodyFormat::Auto).unwrap();
        assert_eq!((actors(&outcome), outcome.events_total), (vec!["a".to_owned(), "b".to_owned()], 3), "{text:.100}");
        assert_eq!((outcome.faults[0].line, outcome.faults[0].code), (Some(2), code), "{text:.100}");
    }
}

#[test]
fn an_array_that_is_not_json_gives_no_event() {
    let a = event("a");
    let cases = [
        (format!("[{a}"), FaultCode::UnexpectedEnd),
        (format!("[{a},"), FaultCode::UnexpectedEnd),
        (format!("[{a},]"), FaultCode::UnexpectedByte),
        (format!("[{a}}}"), FaultCode::UnexpectedByte),
        (format!("[{a} {a}]"), FaultCode::UnexpectedByte),
        (format!("[{a},{{\"x\":}}]"), FaultCode::UnexpectedByte),
        (format!("[{a},{{\"x\":1.5]"), FaultCode::Float),
        (format!("[{a}]]"), FaultCode::TrailingBytes),
        (format!("[{a}]\n{a}"), FaultCode::TrailingBytes),
    ];
    for (body, code) in cases {
        let outcome = read(&body, BodyFormat::Auto).unwrap();
        assert_eq!((actors(&outcome), told(&outcome).len(), outcome.faults[0].code), (vec![], 1, code), "{body}");
    }
    for body in [[format!("[{a},\"").as_bytes(), b"\xff\"]"].concat(), [format!("[{a}]").as_bytes(), b"\xff"].concat()]
    {
        let outcome = read(&body, BodyFormat::Auto).unwrap();
        assert_eq!((actors(&outcome), outcome.faults[0].code), (vec![], FaultCode::InvalidUtf8));
    }
}

#[test]
fn a_byte_order_mark_has_its_own_fault_in_every_form() {
    for body in [format!("\u{feff}{}", event("a")), format!("\u{feff}[{}]", event("a"))] {
        for format in [BodyFormat::Json, BodyFormat::Ndjson, BodyFormat::Auto] {
            let outcome = read(&body, format).unwrap();
            assert_eq!((outcome.batch.len(), outcome.faults[0].code), (0, FaultCode::ByteOrderMark));
        }
    }
}

#[test]
fn faults_beyond_the_limit_are_counted() {
    let outcome = read("{}\n".repeat(50), BodyFormat::Ndjson).unwrap();
    assert_eq!((outcome.faults.len(), outcome.faults_total, outcome.events_total), (100, 200, 50));
    assert_eq!(outcome.faults.last().and_then(|fault| fault.line), Some(25));
}

proptest! {
    #[test]
    fn arbitrary_bodies_never_panic(
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..100),
            proptest::collection::vec(
                prop::sample::select(vec![event("a"), "[".into(), "]".into(), ",".into(), "\n".into(), "{".into(), "\"".into(),
                    "\\".into(), "{\"x\":1.5}".into(), " ".into(), "\u{feff}".into()]), 0..10)
                .prop_map(|parts| parts.concat().into_bytes()),
        ],
        format in prop::sample::select(vec![BodyFormat::Json, BodyFormat::Ndjson, BodyFormat::Auto]),
    ) {
        if let Ok(outcome) = read(&body, format) {
            prop_assert_eq!(outcome.ids.len(), outcome.batch.len());
            prop_assert!(outcome.batch.len() <= outcome.events_total);
            // Nothing is passed over in silence: a body is whole, or a fault says why not.
            prop_assert!(outcome.batch.len() == outcome.events_total || outcome.faults_total > 0);
        }
    }

    #[test]
    fn an_array_is_accepted_whole_only_if_serde_json_accepts_it(
        parts in proptest::collection::vec(prop::sample::select(
            vec![event("a"), "[".into(), "]".into(), ",".into(), "\n".into(), "{".into(), "}".into(), " ".into()]), 0..8),
    ) {
        let body = format!("[{}", parts.concat());
        if let Ok(outcome) = read(&body, BodyFormat::Json)
            && outcome.faults_total == 0
        {
            let theirs: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(theirs.len(), outcome.batch.len());
        }
    }
}
