//! Messages as the gateway reads them, and those that two readers may read differently.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Message<'_>, MessageFault> {
    Incoming::read(text.as_bytes()).map(|mut incoming| incoming.messages.remove(0))
}

#[test]
fn the_three_kinds_are_told_apart() {
    for (text, kind, id) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}"#, Kind::Request, Some("1")),
        (r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#, Kind::Request, Some("\"a\"")),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, Kind::Notification, None),
        (r#"{"jsonrpc":"2.0","id":1.0,"result":{}}"#, Kind::Answer, Some("1")),
        (r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#, Kind::Answer, None),
        (r#"{"jsonrpc":"2.0","id":1e400,"result":{}}"#, Kind::Answer, Some("1e400")),
    ] {
        let message = read(text).unwrap();
        assert_eq!((message.kind, message.id.map(|id| id.json()).as_deref()), (kind, id), "{text}");
    }
}

#[test]
fn what_two_readers_may_read_differently_is_refused() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","paramſ":{},"params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","NAME":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"tools/call"}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","params":7}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":""}"#,
        "[]",
        "7",
        r#"[{"jsonrpc":"2.0","id":1,"method":"a"},7]"#,
    ] {
        assert!(matches!(Incoming::read(text.as_bytes()), Err(MessageFault::Shape(_))), "{text}");
    }
    assert_eq!(Incoming::read(b"{").unwrap_err().code(), -32700);
}

#[test]
fn a_batch_keeps_its_order_and_is_bounded() {
    let one = r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#;
    let two = format!(r#"[{one} , {{"jsonrpc":"2.0","method":"b"}}]"#);
    let batch = Incoming::read(two.as_bytes()).unwrap();
    assert!(batch.batch && batch.has_request());
    assert_eq!(batch.messages.iter().map(|message| message.method.as_ref()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(batch.messages[0].raw.as_str(), one);
    let many = format!("[{}]", vec![one; BATCH_MAX + 1].join(","));
    assert!(Incoming::read(many.as_bytes()).is_err());
}

#[test]
fn progress_tokens_are_found_on_both_sides() {
    let asked = read(r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"progressToken":"t"}}}"#).unwrap();
    let told = read(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t"}}"#).unwrap();
    assert_eq!(asked.progress_token(), told.progress_token());
    assert!(asked.progress_token().is_some());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        drop(Incoming::read(text.as_bytes()));
    }

    #[test]
    fn ids_survive_being_written_and_read(id in prop_oneof![any::<i64>().prop_map(Id::Number), ".{0,20}".prop_map(|text| Id::Text(text.into()))]) {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{},"result":0}}"#, id.json());
        prop_assert_eq!(read(&text).unwrap().id, Some(id));
    }
}
