//! Tests of counting, against counts made one event at a time.

use std::collections::BTreeMap;

use indelible_event::doors::EntryReader;
use indelible_event::view::EventView;
use serde_json::json;

use super::*;
use crate::query::parse;
use crate::testing::{DAY, MemoryLog, SECOND, index};

const HOUR: i64 = 3_600 * SECOND;

fn mixed() -> (tempfile::TempDir, Arc<Index>, MemoryLog) {
    let (folder, index) = index();
    let log = MemoryLog::default();
    log.grow_from(500, DAY, 600 * SECOND);
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    log.grow_from(100, DAY, 600 * SECOND);
    index.refresh(&log).unwrap();
    (folder, index, log)
}

fn request(q: &str, by: &[&str], interval: Option<&str>) -> StatsRequest {
    StatsRequest::new(parse(q).unwrap(), Counting::by(by).each(interval))
}

type Counts = BTreeMap<(Option<i64>, String), u64>;

fn counted(index: &Arc<Index>, request: &StatsRequest) -> Counts {
    let answer = index.stats_blocking(request).unwrap();
    assert!(!answer.truncated);
    let rows = answer.rows.into_iter().map(|row| ((row.time, json!(row.by).to_string()), row.count));
    rows.collect()
}

/// Counts by reading every event; `groups` gives the values of each group an event counts in.
fn naive(log: &MemoryLog, interval: Option<i64>, groups: impl Fn(&EventView<'_>) -> Vec<serde_json::Value>) -> Counts {
    let mut counts = Counts::new();
    for index in 0..log.size() {
        let entry = log.entry(index);
        let view = EventView::parse(&entry).unwrap();
        let time = interval.map(|length| view.time_unix_ns.unwrap().div_euclid(length) * length);
        for group in groups(&view) {
            *counts.entry((time, group.to_string())).or_default() += 1;
        }
    }
    counts
}

#[test]
fn counts_by_fields_and_time_are_exact() {
    let (_folder, index, log) = mixed();
    let model = |view: &EventView<'_>| view.ai.request_model.as_deref().map_or(json!(null), |model| json!(model));
    assert_eq!(
        counted(&index, &request("", &["model"], Some("1d"))),
        naive(&log, Some(24 * HOUR), |view| vec![json!([model(view)])])
    );
    assert_eq!(
        counted(&index, &request("", &["model", "action", "source"], Some("1h"))),
        naive(&log, Some(HOUR), |view| vec![json!([model(view), view.action.as_deref(), view.source.id.as_deref()])])
    );
    let denied = |view: &EventView<'_>| view.outcome.result.as_deref() == Some("denied");
    assert_eq!(
        counted(&index, &request("outcome:denied", &["actor"], None)),
        naive(&log, None, |view| if denied(view) { vec![json!([view.actor.id.as_deref()])] } else { vec![] })
    );
    assert_eq!(counted(&index, &request("", &[], None)), Counts::from([((None, "[]".to_owned()), 600)]));
    assert_eq!(counted(&index, &request("actor:nobody", &[], None)), Counts::new());
    // More values than a table holds.
    assert_eq!(
        counted(&index, &request("", &["request", "id"], None)),
        naive(&log, None, |view| vec![json!([view.outcome.request.as_deref(), view.id])])
    );
}

#[test]
fn an_event_counts_once_for_each_item_of_a_list() {
    let (_folder, index, log) = mixed();
    let labels = |view: &EventView<'_>| {
        let mut labels: Vec<_> =
            view.resources.iter().flat_map(|resource| &resource.labels).map(|label| json!([label])).collect();
        if labels.is_empty() {
            labels.push(json!([null]));
        }
        labels
    };
    let wanted = request("", &["label"], Some("1d"));
    assert_eq!(counted(&index, &wanted), naive(&log, Some(24 * HOUR), labels));
    assert_eq!(index.stats_blocking(&wanted).unwrap().matched, 600);
}

#[test]
fn attributes_and_numbers_can_be_counted_by() {
    let (_folder, index, log) = mixed();
    let region = |view: &EventView<'_>| {
        let found = view.attributes.iter().find(|(key, _)| key == "region");
        found.map_or(json!(null), |(_, value)| match value {
            indelible_event::json::Value::Text(text) => json!(text),
            _ => json!(null),
        })
    };
    assert_eq!(
        counted(&index, &request("", &["attributes.region"], None)),
        naive(&log, None, |view| vec![json!([region(view)])])
    );
    let tokens = |view: &EventView<'_>| vec![json!([view.ai.output_tokens])];
    assert_eq!(counted(&index, &request("", &["output_tokens"], None)), naive(&log, None, tokens));
}

#[test]
fn a_cut_answer_keeps_the_largest_and_says_so() {
    let (_folder, index, _log) = mixed();
    let whole = index.stats_blocking(&request("", &["actor"], None)).unwrap();
    let cut = index.stats_blocking(&StatsRequest::new(parse("").unwrap(), Counting::by(&["actor"]).most(3))).unwrap();
    assert_eq!((cut.rows.as_slice(), cut.truncated, cut.matched), (&whole.rows[..3], true, 600));
    assert!(whole.rows.is_sorted_by(|a, b| a.count >= b.count));
}

#[test]
fn what_cannot_be_counted_by_is_said() {
    let (_folder, index, _log) = mixed();
    let fault = |by: &[&str], interval: Option<&str>| index.stats_blocking(&request("", by, interval)).unwrap_err();
    assert_eq!(fault(&["acotr"], None).to_string(), "cannot count by `acotr`: there is no such field");
    assert_eq!(fault(&["acotr"], None).hint().unwrap(), "did you mean `actor`?");
    assert_eq!(fault(&["time"], None).to_string(), "cannot count by `time`: it is a time; use an interval");
    assert_eq!(
        fault(&[], Some("1 month")).to_string(),
        "`1 month` is not an interval: write a number and s, m, h, d or w, as in 15m"
    );
    assert_eq!(fault(&["actor"; 5], None).to_string(), "the number of fields to count by must be between 0 and 4");
}

#[test]
fn groups_are_bounded() {
    let (_folder, index) = index();
    let log = MemoryLog::default();
    log.grow_from(GROUPS_MAX as u64 + 1, DAY, 1_000);
    index.refresh(&log).unwrap();
    let fault = index.stats_blocking(&request("", &["request"], None)).unwrap_err();
    assert!(matches!(fault, FindError::TooManyGroups { most: GROUPS_MAX }), "{fault}");
    // as they are when asked again, nothing being read
    let counts = || index.stats_blocking(&request("", &["request"], None)).unwrap_err().to_string();
    assert_eq!(counts(), fault.to_string());
    assert!(index.stats_blocking(&request("index:<1000", &["request"], None)).is_ok(), "a narrower question has fewer");
    // and do not keep others from being counted
    let ways = [Counting::by(&["request"]), Counting::by(&["action"])];
    let answers = index.count(&parse("").unwrap(), &ways, &Patience::endless()).unwrap();
    let counted: Vec<Option<u64>> = answers
        .iter()
        .map(|answer| answer.as_ref().ok().map(|answer| answer.rows.iter().map(|row| row.count).sum()))
        .collect();
    assert_eq!(counted, [None, Some(GROUPS_MAX as u64 + 1)]);
}

#[tokio::test]
async fn a_count_can_be_awaited() {
    let (_folder, index, _log) = mixed();
    let answer = index.stats(request("", &[], Some("1w"))).await.unwrap();
    let monday = DAY;
    assert_eq!(
        answer.rows.iter().map(|row| row.time).collect::<Vec<_>>(),
        [Some(monday - 7 * 24 * HOUR), Some(monday)]
    );
    assert_eq!(answer.rows.iter().map(|row| row.count).sum::<u64>(), 600);
}

#[tokio::test]
async fn several_ways_in_one_pass_are_each_as_alone_and_numbers_are_summed() {
    let (_folder, index, log) = mixed();
    let query = parse("outcome:allowed").unwrap();
    let mut tokens = Counting::by(&["model"]);
    tokens.sums = ["input_tokens", "output_tokens"].map(str::to_owned).to_vec();
    let ways = vec![Counting::by(&["actor"]).each(Some("1d")), Counting::by(&["label"]).most(2), tokens];
    let together = index.stats_each(query.clone(), ways.clone(), SEARCH_TIME).await.unwrap();
    let together: Vec<_> = together.into_iter().map(Result::unwrap).collect();
    for (way, answer) in ways.into_iter().zip(&together) {
        assert_eq!(&index.stats_blocking(&StatsRequest::new(query.clone(), way)).unwrap(), answer);
    }
    let mut sums: BTreeMap<String, (u64, i128, i128)> = BTreeMap::new();
    for n in 0..log.size() {
        let entry = log.entry(n);
        let view = EventView::parse(&entry).unwrap();
        if view.outcome.result.as_deref() == Some("allowed") {
            let sum = sums.entry(json!([view.ai.request_model.as_deref()]).to_string()).or_default();
            let number = |tokens: Option<i64>| tokens.map_or(0, i128::from);
            *sum = (sum.0 + 1, sum.1 + number(view.ai.input_tokens), sum.2 + number(view.ai.output_tokens));
        }
    }
    let rows = together[2].rows.iter();
    let found: BTreeMap<_, _> =
        rows.map(|row| (json!(row.by).to_string(), (row.count, row.sums[0], row.sums[1]))).collect();
    assert!(found.values().any(|(_, input, _)| *input > 0));
    assert_eq!(found, sums);

    let mut wrong = Counting::by(&["model"]);
    wrong.sums = vec!["actor".to_owned()];
    let fault = index.stats_blocking(&StatsRequest::new(query, wrong)).unwrap_err();
    assert_eq!(fault.to_string(), "cannot count by `actor`: it is no field with numbers, which could be summed");
}

#[test]
fn what_is_remembered_of_row_groups_is_what_a_count_finds() {
    let (_folder, index) = index();
    let log = MemoryLog::default();
    let rows = PARTIAL_ROWS_MIN as u64;
    log.grow_from(rows, DAY, 2 * SECOND); // within a day: one file
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    let middle = format!("time:>{}", RecordedTime(DAY + 15_000 * SECOND));
    let result = |view: &EventView<'_>| view.outcome.result.as_deref().map(str::to_owned);
    let is_late = |view: &EventView<'_>| view.time_unix_ns > Some(DAY + 15_000 * SECOND);
    for round in 0..3 {
        for wanted in ["denied", "allowed"] {
            let denied = request(&format!("outcome:{wanted}"), &["actor"], Some("1h"));
            assert_eq!(
                counted(&index, &denied),
                naive(&log, Some(HOUR), |view| match result(view) {
                    Some(result) if result == wanted => vec![json!([view.actor.id.as_deref()])],
                    _ => vec![],
                })
            );
        }
        assert_eq!(
            counted(&index, &request(&middle, &["actor"], None)),
            naive(&log, None, |view| if is_late(view) { vec![json!([view.actor.id.as_deref()])] } else { vec![] })
        );
        let labels = request("", &["label", "model"], None);
        let answer = index.stats_blocking(&labels).unwrap();
        assert_eq!(answer.counts.groups_remembered, u64::from(round > 0));
        assert_eq!(answer.matched, rows + round * 100);
        // what comes meanwhile is counted with it
        log.grow_from(100, DAY, 10 * SECOND);
        index.refresh(&log).unwrap();
    }
}
