//! Tests of the reader: each refusal, the published vectors, and `serde_json` as an oracle.

use proptest::prelude::*;

use super::*;

fn read(input: &[u8]) -> Result<Value<'_>, JsonError> {
    Tape::default().read(input).map(|document| document.root().to_value())
}

fn canonical(input: &str) -> String {
    let mut out = Vec::new();
    read(input.as_bytes()).unwrap().write_canonical(&mut out);
    String::from_utf8(out).unwrap()
}

/// A refusal with its byte (from 0) and path.
fn refused(input: &[u8], kind: JsonErrorKind, at: usize, path: &str) {
    let expected = JsonError { kind, at, path: path.to_owned() };
    assert_eq!(read(input), Err(expected), "{}", String::from_utf8_lossy(input));
}

#[test]
fn each_refusal_names_its_kind_byte_and_path() {
    use JsonErrorKind as K;
    refused(b"", K::UnexpectedEnd, 0, "");
    refused(b"{\"a\":[1,{\"b\":\"x", K::UnexpectedEnd, 15, "a[1].b");
    refused(b"{\"a\":tru}", K::UnexpectedByte, 8, "a");
    refused(b"{\"a\" 1}", K::UnexpectedByte, 5, "");
    refused(b"{a:1}", K::UnexpectedByte, 1, "");
    refused(b"[1,]", K::UnexpectedByte, 3, "[1]");
    refused(b"{\"a\":1,}", K::UnexpectedByte, 7, "");
    refused(b"[1}", K::UnexpectedByte, 2, "");
    refused(b"{\"a\":\"x\xff\"}", K::InvalidUtf8, 7, "a");
    refused(b"[1] \xff", K::InvalidUtf8, 4, "");
    refused(b"\xef\xbb\xbf{}", K::ByteOrderMark, 0, "");
    refused(br#"{"a":1,"b":{"c":1,"c":2}}"#, K::DuplicateKey, 18, "b.c");
    refused(br#"{"a":1,"\u0061":2}"#, K::DuplicateKey, 7, "a");
    refused(br#"{"a":NaN}"#, K::NotANumber, 5, "a");
    refused(br#"[Infinity]"#, K::NotANumber, 1, "[0]");
    refused(br#"[-Infinity]"#, K::NotANumber, 1, "[0]");
    refused(br#"[0,1.5]"#, K::Float, 3, "[1]");
    refused(br#"[1e3]"#, K::Float, 1, "[0]");
    refused(br#"[-0]"#, K::Float, 1, "[0]");
    refused(br#"[01]"#, K::LeadingZero, 1, "[0]");
    refused(br#"[-007]"#, K::LeadingZero, 1, "[0]");
    refused(br#"[9007199254740992]"#, K::IntegerOutOfRange, 1, "[0]");
    refused(br#"[-9007199254740992]"#, K::IntegerOutOfRange, 1, "[0]");
    refused(b"[99999999999999999999999999]", K::IntegerOutOfRange, 1, "[0]");
    refused(b"[-]", K::UnexpectedByte, 2, "[0]");
    refused(b"[\"a\nb\"]", K::ControlCharacter, 3, "[0]");
    refused(b"[\"12345678\\n\x00\"]", K::ControlCharacter, 12, "[0]");
    refused(br#"["\x"]"#, K::BadEscape, 2, "[0]");
    refused(br#"["\u12g4"]"#, K::BadEscape, 2, "[0]");
    refused(br#"["\ud83d"]"#, K::LoneSurrogate, 2, "[0]");
    refused(br#"["\ude00"]"#, K::LoneSurrogate, 2, "[0]");
    refused(br#"["\ud83d\u0041"]"#, K::LoneSurrogate, 2, "[0]");
    refused(b"{} {}", K::TrailingBytes, 3, "");
}

#[test]
fn depth_is_limited_at_32() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(nested(32).as_bytes()).is_ok());
    let error = read(nested(33).as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.at), (JsonErrorKind::TooDeep, 32));
    let error = read("[".repeat(1_000_000).as_bytes()).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::TooDeep);
}

#[test]
fn length_is_limited_at_512_kib_and_no_character_is_cut() {
    let list = |length: usize| format!("[\"{}\"]", "é".repeat((length - 4) / 2));
    assert_eq!(list(DOCUMENT_BYTES_MAX).len(), DOCUMENT_BYTES_MAX);
    assert!(DOCUMENT_BYTES_MAX == 524_288 && JsonErrorKind::TooLong.reason().contains("524,288"));
    assert!(read(list(DOCUMENT_BYTES_MAX).as_bytes()).is_ok());
    for extra in [1, 2, 3, 4, 5, 100] {
        let text = format!("{}{}", " ".repeat(extra), list(DOCUMENT_BYTES_MAX));
        assert_eq!(read(text.as_bytes()).unwrap_err().kind, JsonErrorKind::TooLong, "{extra}");
    }
}

#[test]
fn the_largest_integers_are_exact() {
    assert_eq!(read(b"9007199254740991"), Ok(Value::Integer(9_007_199_254_740_991)));
    assert_eq!(read(b"-9007199254740991"), Ok(Value::Integer(-9_007_199_254_740_991)));
    assert_eq!(read(b" 0 "), Ok(Value::Integer(0)));
}

#[test]
fn a_duplicate_among_many_keys_is_found() {
    let keys: Vec<String> = (0..200).map(|n| format!("\"key-{n}\":{n}")).collect();
    assert!(read(format!("{{{}}}", keys.join(",")).as_bytes()).is_ok());
    for repeated in [0, 63, 64, 65, 199] {
        let text = format!("{{{},\"key-{repeated}\":0}}", keys.join(","));
        let error = read(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind, JsonErrorKind::DuplicateKey);
        assert_eq!(error.path, format!("key-{repeated}"));
        assert_eq!(error.at, text.rfind("\"key-").unwrap());
    }
}

/// RFC 8785, section 3.2.3: the property names that only UTF-16 code units sort right.
#[test]
fn keys_sort_as_in_rfc_8785() {
    let input = r#"{
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let expected = "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
        \"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\
        \"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}";
    assert_eq!(canonical(input), expected);
}

/// RFC 8785, section 3.2.2: the sample object, but for its numbers, which are no integers.
#[test]
fn strings_and_literals_are_written_as_in_rfc_8785() {
    let input = r#"{
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    assert_eq!(canonical(input), r#"{"literals":[null,true,false],"string":"€$\u000f\nA'B\"\\\\\"/"}"#);
}

#[test]
fn every_control_character_has_its_one_escape() {
    let all: String = (0u8..0x20).map(char::from).chain("\u{7f}\u{80}\u{2028}".chars()).collect();
    let mut out = Vec::new();
    write_text(all.as_bytes(), &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f\
         \\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f\
         \u{7f}\u{80}\u{2028}\""
    );
}

fn same(ours: &Value<'_>, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Boolean(a), serde_json::Value::Bool(b)) => a == b,
        (Value::Integer(a), serde_json::Value::Number(b)) => b.as_i64() == Some(*a),
        (Value::Text(a), serde_json::Value::String(b)) => a == b,
        (Value::List(a), serde_json::Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), serde_json::Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ak, av), (bk, bv))| ak == bk && same(av, bv))
        }
        _ => false,
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_.]{0,12}",
        proptest::collection::vec(
            prop_oneof![
                any::<char>(),
                proptest::char::range('\0', '\u{7f}'),
                proptest::char::range('\u{d000}', '\u{10fff}')
            ],
            0..20
        )
        .prop_map(String::from_iter),
    ]
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (-9_007_199_254_740_991i64..=9_007_199_254_740_991).prop_map(Into::into),
        (-20i64..=20).prop_map(Into::into),
        any_text().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            proptest::collection::vec((any_text(), inner), 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// RFC 8785 written a second time, on another reader's values: sort by UTF-16, write strings by `serde_json`.
fn canonical_by_serde(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical_by_serde).collect::<Vec<_>>().join(","))
        }
        serde_json::Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(key, _)| key.encode_utf16().collect::<Vec<_>>());
            let written: Vec<_> = sorted
                .into_iter()
                .map(|(key, value)| format!("{}:{}", serde_json::Value::from(key.as_str()), canonical_by_serde(value)))
                .collect();
            format!("{{{}}}", written.join(","))
        }
        leaf => leaf.to_string(),
    }
}

/// Refusals that are ours alone: `serde_json` takes such documents.
fn stricter_than_serde(kind: JsonErrorKind) -> bool {
    matches!(
        kind,
        JsonErrorKind::DuplicateKey
            | JsonErrorKind::Float
            | JsonErrorKind::IntegerOutOfRange
            | JsonErrorKind::TooDeep
            | JsonErrorKind::TooLong
    )
}

fn agrees_with_serde(input: &[u8]) -> Result<(), TestCaseError> {
    match (read(input), serde_json::from_slice::<serde_json::Value>(input)) {
        (Ok(ours), Ok(theirs)) => prop_assert!(same(&ours, &theirs)),
        (Ok(_), Err(theirs)) => prop_assert!(false, "we accept, serde_json says {theirs}"),
        (Err(ours), Ok(_)) => prop_assert!(stricter_than_serde(ours.kind), "serde_json accepts, we say {ours}"),
        (Err(ours), Err(_)) => prop_assert!(ours.at <= input.len()),
    }
    Ok(())
}

proptest! {
    #[test]
    fn valid_json_means_what_serde_json_says(value in any_json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let ours = read(text.as_bytes()).unwrap();
        prop_assert!(same(&ours, &value));
        let mut written = Vec::new();
        ours.write_canonical(&mut written);
        let written = String::from_utf8(written).unwrap();
        prop_assert_eq!(&written, &canonical_by_serde(&value));
        prop_assert_eq!(&canonical(&written), &written, "canonical form is idempotent");
        prop_assert_eq!(is_canonical(written.as_bytes()), Ok(true));
        prop_assert_eq!(is_canonical(text.as_bytes()), Ok(text == written));
    }

    #[test]
    fn damaged_json_is_accepted_only_where_serde_json_accepts_it(
        value in any_json(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        let mut text = serde_json::to_vec(&value).unwrap();
        for (place, byte, how) in damage {
            let at = place.index(text.len() + 1);
            match how {
                0 if at < text.len() => text[at] = byte,
                1 if at < text.len() => { text.remove(at); }
                _ => text.insert(at, byte),
            }
        }
        agrees_with_serde(&text)?;
    }

    #[test]
    fn json_like_bytes_are_accepted_only_where_serde_json_accepts_them(
        text in proptest::collection::vec(prop::sample::select(
            vec!["{", "}", "[", "]", ":", ",", "\"", "\"a\"", "\"b\"", "\\", "\\u", "d83d", "\\ude00", "0", "1", "-", ".", "e",
                 "true", "null", " ", "\n", "NaN", "é"]), 0..24)
    ) {
        agrees_with_serde(text.concat().as_bytes())?;
    }

    #[test]
    fn arbitrary_bytes_never_panic(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        agrees_with_serde(&input)?;
    }

    #[test]
    fn utf8_compares_as_its_utf16_code_units(a in any_text(), b in any_text()) {
        let expected = a.encode_utf16().collect::<Vec<_>>().cmp(&b.encode_utf16().collect());
        prop_assert_eq!(utf16_order(a.as_bytes(), b.as_bytes()), expected);
    }

    #[test]
    fn a_plain_run_ends_at_the_first_byte_that_needs_care(
        bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), any::<u8>(), 0x1eu8..0x24], 0..40), from in 0usize..40,
    ) {
        let from = from.min(bytes.len());
        let slow = bytes.iter().skip(from).position(|b| *b == b'"' || *b == b'\\' || *b < 0x20);
        prop_assert_eq!(plain_run(&bytes, from), slow.map_or(bytes.len(), |at| from + at));
    }
}
