//! Precision and recall of the content scanner on the set in `tests/data/labels.jsonl`, pinned label by label.
//!
//! Each line is a text and the labels a careful reader would give it; lines that the scanner is known to miss are in it as well.
//! The sign `¦` is taken out before scanning: it keeps these invented secrets from alarming the scanners of code hosts.

use std::collections::BTreeMap;

use indelible_gateway::labels::{LABELS, Scanner};
use serde_json::Value;

const SET: &str = include_str!("data/labels.jsonl");

#[derive(Default, Clone, Copy)]
struct Count {
    right: u32,
    wrong: u32,
    missed: u32,
}

#[test]
fn precision_and_recall_are_what_the_guide_says() {
    let scanner = Scanner::new();
    let mut counts: BTreeMap<&str, Count> = LABELS.iter().map(|(label, _)| (*label, Count::default())).collect();
    let mut lines = 0;
    for line in SET.lines() {
        let case: Value = serde_json::from_str(line).expect("each line is a case");
        let text = case["text"].as_str().expect("a text").replace('¦', "");
        let expected: Vec<&str> = case["labels"].as_array().expect("labels").iter().filter_map(Value::as_str).collect();
        assert!(
            expected.iter().all(|label| counts.contains_key(label)),
            "a label that is not in the list: {expected:?}"
        );
        let found = scanner.scan(&text);
        for (label, count) in &mut counts {
            match (found.contains(label), expected.contains(label)) {
                (true, true) => count.right += 1,
                (true, false) => count.wrong += 1,
                (false, true) => count.missed += 1,
                (false, false) => {}
            }
        }
        if std::env::var_os("LABELS_SHOW").is_some() && found != expected {
            println!("{found:?} instead of {expected:?}: {text}");
        }
        lines += 1;
    }
    let mut table = String::new();
    for (label, _) in LABELS {
        let Count { right, wrong, missed } = counts[label];
        table.push_str(&format!("{label}: {right} right, {wrong} wrong, {missed} missed\n"));
    }
    println!("{lines} texts\n{table}");
    assert!(lines >= 300);
    assert_eq!(table, include_str!("data/labels.counts.txt"), "the figures changed: judge why, then write them down");
}
