//! What the scanner accepts and refuses.

use proptest::prelude::*;

use super::*;

const EVENT: &str = r#"{"a":[],"b":{"x":[1,-2,{}],"y":null},"recorded":"2026-11-23T10:15:30.123456789Z","source":{"id":"pg","kind":"postgres","seq":7},"z":"é\n\u001f\\"}"#;

#[test]
fn the_fields_of_a_canonical_event_are_found() {
    let fields = scan(EVENT.as_bytes()).unwrap();
    assert_eq!(fields.recorded, b"2026-11-23T10:15:30.123456789Z");
    assert_eq!((fields.source, fields.seq), (&br#""pg""#[..], Some(7)));
    // Fields of the same name further in or further out are others.
    let decoy = EVENT.replace(r#"{"x""#, r#"{"recorded":"no","seq":0,"source":{"id":1},"x""#);
    assert_eq!(scan(decoy.as_bytes()).unwrap(), fields);
    let committed = EVENT.replace(r#""id":"pg""#, r#""id":{"commitment":"c"}"#).replace(r#","seq":7"#, "");
    let fields = scan(committed.as_bytes()).unwrap();
    assert_eq!((fields.source, fields.seq), (&br#"{"commitment":"c"}"#[..], None));
}

#[test]
fn everything_but_the_one_canonical_form_is_refused() {
    let change = |from: &str, to: &str| EVENT.replacen(from, to, 1);
    for (entry, what) in [
        (change("{\"a\"", "{ \"a\""), "name should stand"),
        (change("[]", "[,]"), "value should stand"),
        (change("[]", "[1,]"), "value should stand"),
        (change("[]", "[1 ,2]"), "comma or the end"),
        (change("[]", "[}"), "value should stand"),
        (change("[]", "01"), "integer"),
        (change("[]", "-0"), "integer"),
        (change("[]", "1.5"), "integer"),
        (change("[]", "1e3"), "integer"),
        (change("[]", "-"), "integer"),
        (change("[]", "9007199254740992"), "integer"),
        (change("[]", "99999999999999999999"), "integer"),
        (change("[]", "truer"), "comma or the end"),
        (change("[]", "nul"), "value should stand"),
        (change("\"b\"", "\"a\""), "out of order or twice"),
        (change("\"b\"", "\"A\""), "out of order or twice"),
        (change("\"y\"", "\"x\""), "out of order or twice"),
        (change("\\n", "\n"), "control character"),
        (change("\\n", "\\u000a"), "escape"),
        (change("\\u001f", "\\u001F"), "escape"),
        (change("\\u001f", "\\u0041"), "escape"),
        (change("\\u001f", "\\/"), "escape"),
        (change("10:15", "10-15"), "no time"),
        (change("Z\"", "+\""), "no time"),
        (change("789Z", "78Z"), "no time"),
        (change("recorded", "recordee"), "`recorded` is missing"),
        (change("\"id\"", "\"ie\""), "`source.id` is missing"),
        (change(":{\"id\":\"pg\",\"kind\":\"postgres\",\"seq\":7}", ":\"pg\""), "`source.id` is missing"),
        (change("\"seq\":7", "\"seq\":0"), "number from 1"),
        (change("\"seq\":7", "\"seq\":-7"), "number from 1"),
        (change("\"seq\":7", "\"seq\":\"7\""), "number from 1"),
        (format!("{EVENT} "), "something follows"),
        (format!("[{EVENT}]"), "no object"),
        (String::new(), "no object"),
        ("{}".to_owned(), "missing"),
        (format!("{}{}", "{\"a\":".repeat(40), "0"), "nested"),
        (format!("{{\"a\":{}", "[".repeat(60_000)), "nested"),
    ] {
        let fault = scan(entry.as_bytes()).unwrap_err();
        assert!(fault.what.contains(what), "{entry}: {fault}");
    }
    let mut bytes = EVENT.as_bytes().to_vec();
    bytes[5] = 0xff;
    assert_eq!(scan(&bytes).unwrap_err(), ScanFault { at: 5, what: "the entry is not UTF-8" });
}

#[test]
fn fields_stand_in_the_order_of_utf_16() {
    // U+1F600 begins with the unit D83D and so stands before U+FB33, although its UTF-8 bytes are greater.
    let with = |a: &str, b: &str| EVENT.replacen("\"z\"", &format!("\"{a}\":0,\"{b}\""), 1);
    assert!(scan(with("\u{1f600}", "\u{fb33}").as_bytes()).is_ok());
    assert!(scan(with("\u{fb33}", "\u{1f600}").as_bytes()).is_err());
    assert!(scan(with("z\\n", "z0").as_bytes()).is_ok());
    assert!(scan(with("z0", "z\\n").as_bytes()).is_err());
}

#[test]
fn every_cut_is_refused() {
    for cut in 0..EVENT.len() {
        assert!(scan(&EVENT.as_bytes()[..cut]).is_err(), "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn a_changed_byte_never_panics_and_what_is_accepted_is_json(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(), long in 0usize..300,
    ) {
        let mut bytes = EVENT.replacen("[]", &format!("\"{}\"", "x".repeat(long)), 1).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if scan(&bytes).is_ok() {
            let value: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
            prop_assert!(value.is_ok());
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(scan(&bytes).is_err());
    }

    #[test]
    fn long_strings_end_where_they_end(before in 0usize..200, text in "[a-z\u{e9}]{0,150}") {
        let entry = EVENT.replacen("[]", &format!("[\"{}\",\"{text}\"]", "y".repeat(before)), 1);
        prop_assert!(scan(entry.as_bytes()).is_ok());
    }
}
