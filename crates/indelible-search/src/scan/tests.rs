//! The same queries, answered by the index and by reading every event: the answers must be the same, whether rows are in files,
//! in memory, merged, or looked at one by one.

use std::sync::Arc;

use indelible_event::doors::{EntryIndex, EntryReader};
use indelible_event::json::Value;
use indelible_event::view::EventView;
use proptest::prelude::*;

use super::*;
use crate::index::{GROUP_ROWS, Index};
use crate::live::Matcher;
use crate::query::{AttributeValue, FIELDS, Node, Pattern, Query, Rule, Span, parse};
use crate::search::{SearchRequest, filter};
use crate::testing::{DAY, MemoryLog, SECOND, id, index, sample};

/// All values that an event has in a column, read without any of the index's code.
fn values(view: &EventView<'_>, column: Column) -> Vec<String> {
    let one = |value: &Option<std::borrow::Cow<'_, str>>| value.iter().map(ToString::to_string).collect::<Vec<_>>();
    let number = |value: Option<i64>| value.iter().map(ToString::to_string).collect();
    let all = |values: &[std::borrow::Cow<'_, str>]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    let sum = |of: &dyn Fn(&indelible_event::view::ResourceView<'_>) -> Option<i64>| {
        let known: Vec<i64> = view.resources.iter().filter_map(of).collect();
        if known.is_empty() { Vec::new() } else { vec![known.iter().sum::<i64>().to_string()] }
    };
    match column {
        Column::Index => Vec::new(),
        Column::Id => vec![view.id.to_string()],
        Column::Time => number(view.time_unix_ns),
        Column::Recorded => number(view.recorded_unix_ns),
        Column::SourceId => one(&view.source.id),
        Column::SourceKind => one(&view.source.kind),
        Column::SourceSeq => view.source.seq.iter().map(ToString::to_string).collect(),
        Column::ActorId => one(&view.actor.id),
        Column::ActorType => one(&view.actor.kind),
        Column::ActorName => one(&view.actor.name),
        Column::ActorRoles => all(&view.actor.roles),
        Column::ActorGroups => all(&view.actor.groups),
        Column::ActorSession => one(&view.actor.session),
        Column::ActorIp => one(&view.actor.ip),
        Column::ActorUserAgent => one(&view.actor.user_agent),
        Column::ActorAuth => one(&view.actor.auth),
        Column::OnBehalfOf => view.on_behalf_of.iter().flat_map(|actor| one(&actor.id)).collect(),
        Column::Action => one(&view.action),
        Column::Operation => one(&view.operation),
        Column::ResourceTypes => view.resources.iter().flat_map(|resource| one(&resource.kind)).collect(),
        Column::ResourceIds => view.resources.iter().flat_map(|resource| one(&resource.id)).collect(),
        Column::ResourceNames => view.resources.iter().flat_map(|resource| one(&resource.name)).collect(),
        Column::ResourceLabels => view.resources.iter().flat_map(|resource| all(&resource.labels)).collect(),
        Column::ResourceFields => view.resources.iter().flat_map(|resource| all(&resource.fields)).collect(),
        Column::ResourceCount => sum(&|resource| resource.count),
        Column::ResourceBytes => sum(&|resource| resource.bytes),
        Column::OutcomeResult => one(&view.outcome.result),
        Column::OutcomePhase => one(&view.outcome.phase),
        Column::OutcomeCode => one(&view.outcome.code),
        Column::OutcomeReason => one(&view.outcome.reason),
        Column::OutcomePolicy => one(&view.outcome.policy),
        Column::Request => one(&view.outcome.request),
        Column::DurationNs => number(view.duration_ns),
        Column::Purpose => one(&view.purpose),
        Column::LegalBasis => one(&view.legal_basis),
        Column::AiProvider => one(&view.ai.provider),
        Column::AiOperation => one(&view.ai.operation),
        Column::AiRequestModel => one(&view.ai.request_model),
        Column::AiResponseModel => one(&view.ai.response_model),
        Column::AiInputTokens => number(view.ai.input_tokens),
        Column::AiOutputTokens => number(view.ai.output_tokens),
        Column::AiFinishReasons => all(&view.ai.finish_reasons),
        Column::AiConversation => one(&view.ai.conversation),
        Column::AiAgent => one(&view.ai.agent),
        Column::AiToolName => one(&view.ai.tool_name),
        Column::AiToolCallId => one(&view.ai.tool_call_id),
        Column::TraceId => one(&view.trace_id),
        Column::SpanId => one(&view.span_id),
        Column::SealedNames => view.sealed.iter().flat_map(|sealed| one(&sealed.name)).collect(),
        Column::Attributes => Vec::new(),
    }
}

fn attribute(value: &Value<'_>) -> Vec<String> {
    match value {
        Value::Text(text) => vec![text.to_string()],
        Value::Integer(number) => vec![number.to_string()],
        Value::Boolean(truth) => vec![truth.to_string()],
        Value::List(items) => items.iter().flat_map(attribute).collect(),
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

/// Whether an event matches, by the words of the manual.
fn holds(node: &Node, index: u64, entry: &[u8]) -> bool {
    let view = EventView::parse(entry).unwrap();
    let of = |column: &Column| match column {
        Column::Index => vec![index.to_string()],
        other => values(&view, *other),
    };
    match node {
        Node::All => true,
        Node::And(all) => all.iter().all(|node| holds(node, index, entry)),
        Node::Or(any) => any.iter().any(|node| holds(node, index, entry)),
        Node::Not(inner) => !holds(inner, index, entry),
        Node::Free(text) => {
            let texts = FREE_TEXT_COLUMNS.iter().flat_map(of).chain([raw_attributes(entry)]);
            texts.into_iter().any(|value| value.to_lowercase().contains(&text.to_lowercase()))
        }
        Node::Text { field, any } => {
            field.columns.iter().flat_map(of).any(|value| any.iter().any(|pattern| pattern.matches(&value)))
        }
        Node::Span { field, any } => field.columns.iter().flat_map(of).any(|value| {
            let value: i64 = value.parse().unwrap();
            any.iter()
                .any(|span| span.least.is_none_or(|least| least <= value) && span.most.is_none_or(|most| value <= most))
        }),
        Node::Attribute { key, any } => view.attributes.iter().filter(|(name, _)| name == key).any(|(_, value)| {
            any.iter().any(|wanted| match wanted {
                AttributeValue::Text(pattern) => attribute(value).iter().any(|text| pattern.matches(text)),
                AttributeValue::Span(span) => match value {
                    Value::Integer(number) => span.contains(*number),
                    _ => false,
                },
            })
        }),
    }
}

fn raw_attributes(entry: &[u8]) -> String {
    let entry = std::str::from_utf8(entry).unwrap();
    match (entry.find("\"attributes\":"), entry.find(",\"duration_ns\"")) {
        (Some(from), Some(until)) => entry.get(from + 13..until).unwrap().to_owned(),
        _ => String::new(),
    }
}

fn naive(query: &Query, log: &MemoryLog) -> Vec<u64> {
    (0..log.size()).filter(|index| holds(&query.root, *index, &log.entry(*index))).collect()
}

fn scanned(index: &Arc<Index>, query: &Query, order: Order) -> Vec<u64> {
    index.hits(query, order, Patience::endless()).collect::<Result<_, _>>().unwrap()
}

/// An index with rows in a merged file, in a small file and in memory.
fn mixed() -> (tempfile::TempDir, Arc<Index>, MemoryLog) {
    let (folder, index) = index();
    let log = MemoryLog::default();
    for _ in 0..8 {
        log.grow_from(60, DAY, 600 * SECOND);
        index.refresh(&log).unwrap();
        index.flush().unwrap();
    }
    index.maintain(indelible_event::time::RecordedTime(DAY)).unwrap();
    log.grow_from(40, DAY, 600 * SECOND);
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    log.grow_from(30, DAY, 600 * SECOND);
    index.refresh(&log).unwrap();
    assert!(index.state().files > 1 && index.state().in_files < log.size());
    (folder, index, log)
}

#[test]
fn queries_are_answered_as_if_every_event_were_read() {
    let (_folder, index, log) = mixed();
    let queries = [
        "",
        "actor:user-7",
        "actor:user-1*",
        "actor:user-7,user-8,user-9,user-10,user-11,user-12,user-13,user-14,user-15",
        "action:read,delete -actor:user-1*",
        "resource:customers or resource:\"Doc 12\" or resource:Größen",
        "label:phi outcome:denied",
        "reason:* -label:*",
        "größen",
        "ÄRZTE",
        "ärzte or no*",
        "\"doc 1\"",
        "attributes.region:eu-1",
        "attributes.region:us*",
        "attributes.cost:1 or attributes.retry:true",
        "attributes.tags:b2",
        "-attributes.region:*",
        "input_tokens:>4000 or output_tokens:<10",
        "-input_tokens:*",
        "time:2026-11-24",
        "time:>2026-11-24",
        "time:2026-11-23T10:00..2026-11-23T12:30",
        "recorded:<2026-11-24T05:00 -recorded:2026-11-23",
        "index:5..20,100 -index:7",
        "behalf:user-3 or type:agent",
        "-(action:read or action:infer) source:batch",
        "model:claude-5 provider:acme conversation:conv-1*",
        "duration:>4s",
        "nothing_like_this",
        "seq:1..3",
    ];
    for text in queries {
        let query = parse(text).unwrap();
        let expected = naive(&query, &log);
        assert_eq!(scanned(&index, &query, Order::OldestFirst), expected, "{text}");
        let mut newest = scanned(&index, &query, Order::NewestFirst);
        newest.reverse();
        assert_eq!(newest, expected, "{text}");
        let entries = log.read(EntryIndex(0), usize::MAX, usize::MAX).unwrap();
        assert_eq!(Matcher::new(&query).matching(&entries).unwrap(), expected, "{text}");
    }
}

/// The values of one cell as texts.
fn cell(array: &datafusion::arrow::array::ArrayRef, row: usize) -> Vec<String> {
    use datafusion::arrow::array::{Array, AsArray};
    use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampNanosecondType};
    if array.is_null(row) {
        return Vec::new();
    }
    match array.data_type() {
        DataType::Utf8 => vec![array.as_string::<i32>().value(row).to_owned()],
        DataType::Int64 => vec![array.as_primitive::<Int64Type>().value(row).to_string()],
        DataType::Timestamp(_, _) => vec![array.as_primitive::<TimestampNanosecondType>().value(row).to_string()],
        _ => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).flat_map(|item| cell(&items, item)).collect()
        }
    }
}

#[test]
fn rows_say_what_the_view_of_an_entry_says() {
    let log = MemoryLog::default();
    log.grow(300);
    for odd in [
        "{}",
        r#"{"action":{"commitment":"x"},"actor":{"id":{"commitment":"x"},"name":5,"roles":["a",7,"b\n\"c\""]},"purpose":"\u00e9"}"#,
        r#"{"actor":[],"ai":7,"attributes":[],"on_behalf_of":[{"id":"a"},{"type":"human"},5],"outcome":"no","resources":{}}"#,
        r#"{"attributes":{},"resources":[{"bytes":5,"count":"x","labels":[]},{"bytes":9007199254740991,"fields":["f"],"name":"n"}]}"#,
        r#"{"future":{"id":"x"},"sealed":[{"name":"prompt"},{"bytes":1}],"source":{"id":"s","seq":-1},"time":"2026-11-23T10:15:30.5+01:00[Europe/Berlin]"}"#,
        r#"{"recorded":"2026-11-23T10:15:30Z","time":"yesterday","trace":{"trace_id":"t"}}"#,
    ] {
        log.push(odd);
    }
    let entries = log.read(EntryIndex(0), usize::MAX, usize::MAX).unwrap();
    let mut filler = crate::index::Filler::new(0);
    let mut chunks = Vec::new();
    filler.take(&entries, &mut chunks).unwrap();
    chunks.extend(filler.seal().unwrap());
    assert_eq!(chunks.last().unwrap().end, log.size());
    for chunk in &chunks {
        for row in 0..chunk.rows.num_rows() {
            let entry = log.entry(chunk.first + row as u64);
            let view = EventView::parse(&entry).unwrap();
            for spec in crate::columns::COLUMNS {
                let skipped = matches!(spec.column, Column::Index | Column::Attributes)
                    || (spec.column == Column::Recorded && view.recorded_unix_ns.is_none())
                    || (spec.column == Column::Id && view.id.is_empty());
                if !skipped {
                    let kept = cell(chunk.rows.column(spec.column as usize), row);
                    assert_eq!(
                        kept,
                        values(&view, spec.column),
                        "{} of {}",
                        spec.name,
                        String::from_utf8_lossy(&entry)
                    );
                }
            }
        }
    }
}

/// Queries whose values do occur.
fn node() -> impl Strategy<Value = Node> {
    let words = prop::sample::select(vec![
        "user-7",
        "user-1",
        "infer",
        "read",
        "customers",
        "doc-12",
        "claude-5",
        "gateway-1",
        "pii",
        "agent",
        "200",
        "a",
        "op-3",
        "",
    ]);
    let pattern = prop_oneof![
        Just(Pattern::Present),
        words.clone().prop_map(|word| Pattern::Exact(word.to_owned())),
        words.clone().prop_map(|word| Pattern::Prefix(word.to_owned())),
    ];
    let span = (0..5_000i64, 0..5_000i64, 0..4u8).prop_map(|(a, b, open)| Span {
        least: (open & 1 == 0).then_some(a.min(b)),
        most: (open & 2 == 0).then_some(a.max(b)),
    });
    let time = (0..600i64, 0..600i64).prop_map(|(a, b)| Span {
        least: Some(DAY + a.min(b) * 600 * SECOND),
        most: Some(DAY + a.max(b) * 600 * SECOND),
    });
    let of = |rules: fn(&Rule) -> bool| {
        (0..FIELDS.len())
            .prop_filter("rule", move |at| rules(&FIELDS[*at].rule) && FIELDS[*at].name != "attributes")
            .prop_map(|at| &FIELDS[at])
    };
    let leaf = prop_oneof![
        (
            of(|rule| matches!(rule, Rule::Text | Rule::LowerCase | Rule::OneOf(_))),
            prop::collection::vec(pattern.clone(), 1..3)
        )
            .prop_map(|(field, any)| Node::Text { field, any }),
        (of(|rule| matches!(rule, Rule::Number | Rule::Duration)), prop::collection::vec(span, 1..3))
            .prop_map(|(field, any)| Node::Span { field, any }),
        (of(|rule| matches!(rule, Rule::Time)), prop::collection::vec(time, 1..3))
            .prop_map(|(field, any)| Node::Span { field, any }),
        words.prop_filter("empty", |word| !word.is_empty()).prop_map(|word| Node::Free(word.to_uppercase())),
        (prop::sample::select(vec!["region", "tags", "retry", "none"]), pattern).prop_map(|(key, pattern)| {
            Node::Attribute { key: key.to_owned(), any: vec![AttributeValue::Text(pattern)] }
        }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|node| Node::Not(Box::new(node))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Node::And),
            prop::collection::vec(inner, 2..4).prop_map(Node::Or),
        ]
    })
}

#[test]
fn any_query_is_answered_as_if_every_event_were_read() {
    let (_folder, index, log) = mixed();
    let config = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let done = runner.run(&node(), |root| {
        let query = Query { root };
        prop_assert_eq!(scanned(&index, &query, Order::OldestFirst), naive(&query, &log), "{}", query);
        Ok(())
    });
    done.unwrap();
}

#[test]
fn pages_follow_one_another_while_the_log_grows_and_files_change() {
    let (_folder, index, log) = mixed();
    let query = parse("action:read,infer").unwrap();
    let expected = naive(&query, &log);
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let mut request = SearchRequest { order, limit: 7, ..SearchRequest::new(query.clone()) };
        let mut seen = Vec::new();
        loop {
            let page = index.search_blocking(&request).unwrap();
            seen.extend(page.hits.iter().map(|hit| hit.index));
            log.grow_from(3, DAY, 600 * SECOND);
            index.refresh(&log).unwrap();
            index.flush().unwrap();
            index.maintain(indelible_event::time::RecordedTime(DAY)).unwrap();
            match page.next_cursor {
                Some(cursor) => request.cursor = Some(cursor),
                None => break,
            }
        }
        if order == Order::NewestFirst {
            seen.reverse();
            assert_eq!(seen, expected);
        } else {
            // The first pass added events before this one began.
            assert_eq!(seen[..expected.len()], expected);
        }
    }
}

#[test]
fn a_cursor_of_another_search_is_refused() {
    let (_folder, index, _log) = mixed();
    let first = SearchRequest { limit: 2, ..SearchRequest::new(parse("action:read").unwrap()) };
    let cursor = index.search_blocking(&first).unwrap().next_cursor;
    let fault = |request: SearchRequest| index.search_blocking(&request).unwrap_err().to_string();
    let other = SearchRequest { cursor: cursor.clone(), ..SearchRequest::new(parse("action:infer").unwrap()) };
    assert_eq!(
        fault(other),
        "the cursor does not belong to this query: the query or its times have changed; start again without a cursor"
    );
    let turned = SearchRequest { cursor, order: Order::OldestFirst, ..first.clone() };
    assert!(fault(turned).contains("the order has changed"));
    for bad in ["", "x", "AQ", "////"] {
        assert!(fault(SearchRequest { cursor: Some(bad.to_owned()), ..first.clone() }).contains("cursor"), "{bad}");
    }
    assert_eq!(fault(SearchRequest { limit: 0, ..first.clone() }), "limit must be between 1 and 1000");
    assert_eq!(fault(SearchRequest { limit: 1001, ..first }), "limit must be between 1 and 1000");
}

#[test]
fn from_and_to_narrow_a_query_by_event_time() {
    let (_folder, index, log) = mixed();
    let query = filter("action:read or action:infer", Some("2026-11-24"), Some("2026-11-24")).unwrap();
    assert_eq!(
        scanned(&index, &query, Order::OldestFirst),
        naive(&parse("(action:read or action:infer) time:2026-11-24").unwrap(), &log)
    );
    assert_eq!(filter("", Some("soon"), None).unwrap_err().to_string(), "`from`: `soon` is not a time");
}

#[test]
fn look_ups_open_few_row_groups() {
    let (_folder, index) = index();
    let log = MemoryLog::default();
    let rows = GROUP_ROWS as u64;
    log.grow_from(3 * rows, DAY, 1_000);
    log.push(sample(3 * rows, DAY + 24 * 3_600 * SECOND));
    log.push(sample(3 * rows + 1, DAY + 48 * 3_600 * SECOND));
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    let counts = |q: &str| {
        let page = index.search_blocking(&SearchRequest::new(parse(q).unwrap())).unwrap();
        (page.hits.len(), page.counts)
    };
    let (hits, opened) = counts(&format!("id:{}", id(rows + 5)));
    assert_eq!((hits, opened.groups_read), (1, 1), "{opened:?}");
    let (hits, opened) = counts("conversation:no-such-conversation");
    assert_eq!((hits, opened.groups_read), (0, 0), "{opened:?}");
    let (hits, opened) = counts("actor:user-1000");
    assert_eq!((hits, opened.groups_read), (0, 0), "{opened:?}");
    assert!(opened.groups_pruned_by_bloom >= 3, "{opened:?}");
    let (hits, opened) = counts("recorded:2026-11-24");
    assert_eq!((hits, opened.groups_read, opened.groups_taken_whole, opened.files_opened), (1, 0, 1, 1), "{opened:?}");
    let (hits, opened) = counts("index:3");
    assert_eq!((hits, opened.groups_read), (1, 1), "{opened:?}");
    // A page of the newest needs no more than the newest.
    let (hits, opened) = counts("");
    assert_eq!((hits, opened.groups_read), (100, 0), "{opened:?}");
    let (hits, opened) = counts("action:read");
    assert_eq!(hits, 100);
    assert!(opened.groups_read <= 3, "{opened:?}");
}

#[test]
fn a_search_ends_when_its_time_is_over_or_nobody_waits() {
    let (_folder, index, _log) = mixed();
    let request = SearchRequest { time: Duration::ZERO, ..SearchRequest::new(parse("action:read").unwrap()) };
    let fault = index.search_blocking(&request).unwrap_err();
    assert_eq!(fault.to_string(), "the search took longer than 0 s; narrow it by time or by a field");
    let patience = Patience::endless();
    patience.abandon();
    let mut hits = index.hits(&parse("action:read").unwrap(), Order::OldestFirst, patience);
    assert!(matches!(hits.next(), Some(Err(FindError::Abandoned))));
    assert!(hits.next().is_none());
}
