//! How many entries a second one core puts to the built-in rules and 1,000 made-up ones in the manner of public collections.
//!
//! `cargo run --release -p indelible-detect --example rules_speed`

use std::fmt::Write as _;
use std::time::Instant;

use indelible_detect::rules::{Loaded, RuleSet, RuleSource, Rules};
use indelible_detect::seen::Seen;
use indelible_event::doors::EntryIndex;
use indelible_event::view::EventView;

const EVENTS: u64 = 300_000;
const RULES: usize = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut sources = vec![RuleSource::BuiltIn];
    // a file holds at most 64 rules
    for file in 0..RULES.div_ceil(50) {
        let mut yaml = String::new();
        for n in 0..50 {
            write_rule(&mut yaml, file * 50 + n)?;
        }
        sources.push(RuleSource::Text { name: format!("made-up-{file}"), yaml });
    }
    let Loaded { set, skipped } = RuleSet::load(&sources);
    let entries: Vec<Vec<u8>> = (0..1_000).map(entry).collect();
    let mut rules = Rules::new("main", set.clone());
    let mut findings = Vec::new();
    let (mut found, mut reading) = (0, std::time::Duration::ZERO);
    let start = Instant::now();
    for (index, bytes) in (0..EVENTS).zip(entries.iter().cycle()) {
        let read = Instant::now();
        let view = EventView::parse(bytes).map_err(|error| format!("{error:?}"))?;
        reading += read.elapsed();
        rules.see(&Seen { index: EntryIndex(index), bytes, view }, &mut findings);
        found += findings.len();
        findings.clear();
    }
    let taken = start.elapsed();
    let bytes: usize = entries.iter().map(Vec::len).sum();
    println!("{} rules, {} skipped, {} bytes an entry", set.len(), skipped.len(), bytes / entries.len());
    let rate = |time: std::time::Duration| EVENTS as f64 / time.as_secs_f64();
    println!(
        "{:.0} entries/s with reading, {:.0} entries/s without; {found} findings",
        rate(taken),
        rate(taken - reading)
    );
    Ok(())
}

fn write_rule(yaml: &mut String, n: usize) -> std::fmt::Result {
    let source = match n % 4 {
        0 => "{product: indelible}",
        1 => "{product: kubernetes, service: audit}",
        2 => "{category: application}",
        _ => "{product: windows, category: process_creation}",
    };
    writeln!(yaml, "---\ntitle: made up {n}\nlogsource: {source}\ndetection:")?;
    writeln!(yaml, "  selection_image:\n    attributes.image|endswith: ['\\tool{n}.exe', '\\helper{n}.exe']")?;
    writeln!(yaml, "  selection_line:\n    operation|contains|all: ['--switch{n}', 'download']")?;
    writeln!(yaml, "  filter:\n    actor.id: svc-{n}\n  condition: 1 of selection_* and not filter")
}

fn entry(n: usize) -> Vec<u8> {
    let action = ["read", "infer", "invoke", "update"][n % 4];
    format!(
        r#"{{"action":"{action}","actor":{{"id":"user-{n}@example.com","ip":"192.0.2.{}","roles":["analyst","support"],"session":"s-{n}","type":"human"}},"ai":{{"input_tokens":{n},"operation":"chat","output_tokens":120,"provider":"example","request_model":"large-1"}},"attributes":{{"image":"C:\\tools\\tool{}.com","region":"eu-west-1"}},"id":"00000000-0000-7000-8000-{n:012x}","operation":"orders.lookup","outcome":{{"code":"200","phase":"single","result":"allowed"}},"recorded":"2026-11-23T10:00:00.000000000Z","resources":[{{"count":{n},"fields":["email","name"],"id":"orders/{n}","labels":["internal"],"type":"table"}}],"schema":"indelible.event.v1","source":{{"id":"orders","kind":"api","seq":{}}},"time":"2026-11-23T10:00:00Z"}}"#,
        n % 250,
        n % 1_000,
        n + 1,
    )
    .into_bytes()
}
