//! Tests of the query language: what a query means, where an error points, and that printing keeps the meaning.

use proptest::prelude::*;

use super::*;

fn check(text: &str, printed: &str) {
    let query = parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    assert_eq!(query.to_string(), printed, "{text}");
    assert_eq!(parse(printed).as_ref(), Ok(&query), "{printed}");
}

fn fails(text: &str, column: usize, length: usize, message: &str) {
    let fault = parse(text).expect_err(text);
    assert_eq!((fault.column, fault.length, fault.fault.to_string().as_str()), (column, length, message), "{text}");
}

#[test]
fn the_example_of_the_manual_is_read() {
    check(
        r#"actor:ana@example.com action:read,infer resource:customers outcome:denied time:>2026-11-01 -source:batch "free text""#,
        r#"actor:ana@example.com action:read,infer resource:customers outcome:denied time:>=2026-11-02T00:00:00.000000000Z -source:batch "free text""#,
    );
}

#[test]
fn words_join_as_people_expect() {
    check("", "*");
    check("  * ", "*");
    check("a b or c", r#"("a" "b") or "c""#);
    check("a and b OR NOT c", r#"("a" "b") or -"c""#);
    check("a (b or c)", r#""a" ("b" or "c")"#);
    check("((a b) c)", r#""a" "b" "c""#);
    check("-(actor:x or -actor:y)", "-(actor:x or -actor:y)");
    check("actor:a*,\"b *\"*,* ", "actor:a*,\"b *\"*,*");
    check(r#""a \"quoted\" \\ thing""#, r#""a \"quoted\" \\ thing""#);
    check("ana* caf\u{e9},x", "\"ana\" \"caf\u{e9},x\"");
    check("Actor.Id:x outcome.result:DENIED action:READ", "actor_id:x outcome_result:denied action:read");
    check("trace:ABCD id:0199*", "trace:abcd id:0199*");
    check(
        "resource:s3://b/k.csv attributes.http.status:200,>499,5..9 attributes.Ab-c:tr*",
        "resource:s3://b/k.csv attributes.http.status:200,>=500,5..9 attributes.Ab-c:tr*",
    );
}

#[test]
fn numbers_and_durations_make_ranges() {
    check("input_tokens:>1000", "input_tokens:>=1001");
    check("output_tokens:10..20,30,<5,<=7,*", "output_tokens:10..20,30,<=4,<=7,*");
    check("index:5.. count:..7", "index:>=5 count:<=7");
    check("duration:>=1500ms duration:<2m", "duration:>=1500000000 duration:<=119999999999");
}

#[test]
fn a_time_stands_for_the_whole_of_its_unit() {
    let span = |text: &str| {
        let span = parse_time(text).unwrap();
        let show = |ns: Option<i64>| jiff::Timestamp::from_nanosecond(i128::from(ns.unwrap())).unwrap().to_string();
        (show(span.least), show(span.most))
    };
    let is =
        |text: &str, least: &str, most: &str| assert_eq!(span(text), (least.to_owned(), most.to_owned()), "{text}");
    is("2026", "2026-01-01T00:00:00Z", "2026-12-31T23:59:59.999999999Z");
    is("2024-02", "2024-02-01T00:00:00Z", "2024-02-29T23:59:59.999999999Z");
    is("2026-12-31", "2026-12-31T00:00:00Z", "2026-12-31T23:59:59.999999999Z");
    is("2026-11-23T10:15", "2026-11-23T10:15:00Z", "2026-11-23T10:15:59.999999999Z");
    is("2026-11-23T10:15:30+01:00", "2026-11-23T09:15:30Z", "2026-11-23T09:15:30.999999999Z");
    is("2026-11-23 10:15:30.25", "2026-11-23T10:15:30.25Z", "2026-11-23T10:15:30.259999999Z");
    is("1969-12-31T23:59:59.000000001z", "1969-12-31T23:59:59.000000001Z", "1969-12-31T23:59:59.000000001Z");
    for bad in [
        "",
        "26",
        "2026-13",
        "2026-02-30",
        "2026-11-23T24:00",
        "2026-11-23T10:15:30.1234567890",
        "1500",
        "2026-1-1",
        "2026-11-23T10:15Z[UTC]",
        "9999",
    ] {
        assert!(parse_time(bad).is_err(), "{bad}");
    }
    check("time:2026-11-01..2026-11-02", "time:2026-11-01T00:00:00.000000000Z..2026-11-02T23:59:59.999999999Z");
    check(
        "recorded:<2026-11-01,\"2026-11-05 10:00\"",
        "recorded:<=2026-10-31T23:59:59.999999999Z,2026-11-05T10:00:00.000000000Z..2026-11-05T10:00:59.999999999Z",
    );
}

#[test]
fn errors_point_at_the_column() {
    fails("acotr:ana", 1, 5, "there is no field `acotr`");
    assert_eq!(
        parse("acotr:ana").unwrap_err().hint().unwrap(),
        "did you mean `actor`? To search for the text itself, quote it"
    );
    fails("é https://x", 3, 5, "there is no field `https`");
    fails(
        "action:raed",
        8,
        4,
        "`raed` is not a value of `action`, which is one of read, write, modify, delete, execute, infer, train, export, share, approve, grant, revoke, login, logout, configure",
    );
    assert_eq!(parse("action:raed").unwrap_err().hint().unwrap(), "did you mean `read`?");
    fails("actor: x", 7, 1, "expected a value after `actor:`");
    fails("actor:a,", 9, 0, "expected a value after `actor:`");
    fails("time:yesterday", 6, 9, "`yesterday` is not a time");
    fails("time:2026-11-02..2026-11-01", 6, 22, "the range ends before it begins");
    fails("index:many", 7, 4, "`many` is not a whole number");
    fails("actor:>5", 7, 2, "`actor` is a text, and ranges are for times and numbers");
    fails("actor:a*b", 7, 3, "`*` stands for anything only at the end of a value");
    fails("a \"b", 3, 2, "the quoted text has no closing `\"`");
    fails("\"a\\n\"", 3, 2, "in a quoted text a backslash stands only before `\"` or `\\`");
    fails("(a or b", 1, 1, "the parenthesis is not closed");
    fails("a )", 3, 1, "there is no parenthesis to close");
    fails("a or", 5, 0, "expected a term (`field:value`, a word or a quoted text), found the end of the query");
    fails("or b", 1, 3, "expected a term (`field:value`, a word or a quoted text), found `or`");
    fails("attributes.:x", 1, 11, "there is no field `attributes.`");
}

#[test]
fn size_depth_and_values_are_bounded() {
    assert!(parse(&"a".repeat(QUERY_BYTES_MAX)).is_ok());
    assert!(parse(&"a".repeat(QUERY_BYTES_MAX + 1)).is_err());
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(QUERY_DEPTH_MAX)).is_ok());
    assert_eq!(parse(&nested(QUERY_DEPTH_MAX + 1)).unwrap_err().fault, QueryFault::TooDeep);
    assert_eq!(parse(&"-".repeat(QUERY_BYTES_MAX)).unwrap_err().fault, QueryFault::TooDeep);
    let values = |count: usize| format!("actor:{}", vec!["a"; count].join(","));
    assert!(parse(&values(QUERY_VALUES_MAX)).is_ok());
    assert_eq!(parse(&values(QUERY_VALUES_MAX + 1)).unwrap_err().fault, QueryFault::TooManyValues);
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![Just(Pattern::Present), ".{0,8}".prop_map(Pattern::Exact), ".{1,8}".prop_map(Pattern::Prefix)]
}

fn span() -> impl Strategy<Value = Span> {
    (any::<i64>(), any::<i64>(), 0..4u8).prop_map(|(a, b, shape)| Span {
        least: (shape & 1 == 0).then_some(a.min(b)),
        most: (shape & 2 == 0).then_some(a.max(b)),
    })
}

fn leaf() -> impl Strategy<Value = Node> {
    let text = (0..FIELDS.len(), prop::collection::vec(pattern(), 1..3)).prop_filter_map("text", |(at, any)| {
        (FIELDS[at].rule == Rule::Text).then(|| Node::Text { field: &FIELDS[at], any })
    });
    let span_field = (0..FIELDS.len(), prop::collection::vec(span(), 1..3)).prop_filter_map("span", |(at, any)| {
        matches!(FIELDS[at].rule, Rule::Number | Rule::Duration | Rule::Time)
            .then(|| Node::Span { field: &FIELDS[at], any })
    });
    let value = prop_oneof![
        pattern().prop_map(AttributeValue::Text),
        span().prop_filter("open", |span| span.least.is_some() || span.most.is_some()).prop_map(AttributeValue::Span)
    ];
    let attribute = ("[a-zA-Z0-9_.é/-]{1,9}", prop::collection::vec(value, 1..3))
        .prop_map(|(key, any)| Node::Attribute { key, any });
    prop_oneof![Just(Node::All), ".{1,9}".prop_map(Node::Free), text, span_field, attribute]
}

/// One shape for each query, as the parser makes it.
fn joined(nodes: Vec<Node>, and: bool) -> Node {
    let mut flat = Vec::new();
    for node in nodes {
        match node {
            Node::And(inner) if and => flat.extend(inner),
            Node::Or(inner) if !and => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if flat.len() == 1 {
        return flat.remove(0);
    }
    if and { Node::And(flat) } else { Node::Or(flat) }
}

fn node() -> impl Strategy<Value = Node> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|node| Node::Not(Box::new(node))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|nodes| joined(nodes, true)),
            prop::collection::vec(inner, 1..4).prop_map(|nodes| joined(nodes, false)),
        ]
    })
}

proptest! {
    #[test]
    fn printing_and_parsing_again_is_the_same(root in node()) {
        let query = Query { root };
        let printed = query.to_string();
        prop_assert_eq!(parse(&printed).map_err(|fault| format!("{printed}: {fault}")), Ok(query));
    }

    #[test]
    fn no_input_panics_and_what_is_read_prints_back(text in ".{0,80}") {
        if let Ok(query) = parse(&text) {
            prop_assert_eq!(parse(&query.to_string()), Ok(query));
        }
    }

    #[test]
    fn signs_of_the_language_never_panic(text in r#"[-()"*:.,<>a0 \\orand]{0,40}"#) {
        if let Ok(query) = parse(&text) {
            prop_assert_eq!(parse(&query.to_string()), Ok(query));
        }
    }
}
