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
    let mut made_up = Vec::new();
    // a file holds at most 64 rules
    for file in 0..RULES.div_ceil(50) {
        let mut yaml = String::new();
        for n in 0..50 {
            write_rule(&mut yaml, file * 50 + n)?;
        }
        made_up.push(RuleSource::Text { name: format!("made-up-{file}"), yaml });
    }
    measure("made up alone", &made_up)?;
    measure("built in alone", &[RuleSource::BuiltIn])?;
    made_up.push(RuleSource::BuiltIn);
    measure("both", &made_up)
}

fn measure(what: &str, sources: &[RuleSource]) -> Result<(), Box<dyn std::error::Error>> {
    let Loaded { set, skipped } = RuleSet::load(sources);
    let entries: Vec<Vec<u8>> = (0..10_000).map(entry).collect();
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
    let bytes = entries.iter().map(Vec::len).sum::<usize>() / entries.len();
    let rate = |time: std::time::Duration| EVENTS as f64 / time.as_secs_f64();
    println!(
        "{what}: {} rules ({} skipped), {bytes} bytes an entry: {:.0} entries/s with reading, {:.0} without; {found} findings",
        set.len(),
        skipped.len(),
        rate(taken),
        rate(taken.saturating_sub(reading))
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

/// Of ten entries three are answers of models, two tool calls, three reads of data, one is a log-in and one a look into the log.
fn entry(n: usize) -> Vec<u8> {
    let who = n % 397;
    let (ip, at) = (n % 250, n + 1);
    let person = format!(
        r#""actor":{{"id":"user-{who}@example.com","ip":"192.0.2.{ip}","roles":["analyst"],"session":"s-{n}","type":"human"}}"#
    );
    let agent = format!(r#""actor":{{"id":"agent-{who}","ip":"192.0.2.{ip}","roles":["gateway"],"type":"agent"}}"#);
    let behind = format!(r#""on_behalf_of":[{{"id":"user-{who}@example.com","type":"human"}}]"#);
    let common = format!(r#""recorded":"2026-11-23T10:{:02}:{:02}.000000000Z""#, n / 60 % 60, n % 60);
    let end = r#""schema":"indelible.event.v1""#;
    let time = r#""time":"2026-11-23T10:00:00Z""#;
    let id = format!(r#""id":"00000000-0000-7000-8000-{n:012x}""#);
    match n % 10 {
        0..3 => format!(
            r#"{{"action":"infer",{agent},"ai":{{"conversation":"c-{who}","finish_reasons":["stop"],"input_tokens":{},"operation":"chat","output_tokens":120,"provider":"openai","request_model":"large-1","response_model":"large-1-2026"}},"attributes":{{"bytes_sent":4021,"http.status":200,"indelible.stream":true,"indelible.system_prompt_hash":"9f2c"}},{id},{behind},"operation":"chat.completions","outcome":{{"code":"200","duration_ms":812,"phase":"outcome","request":"r-{n}","result":"allowed"}},{common},"resources":[{{"id":"large-1","type":"model"}}],{end},"source":{{"id":"gateway/openai","kind":"gateway","seq":{at}}},{time}}}"#,
            200 + n % 900,
        ),
        3..5 => format!(
            r#"{{"action":"execute",{agent},"attributes":{{"mcp.protocol":"2025-11-25","mcp.server":"orders","tool.name":"lookup","tool.read_only":true}},{id},{behind},"operation":"tools/call","outcome":{{"duration_ms":35,"phase":"outcome","request":"r-{n}","result":"allowed"}},{common},"resources":[{{"id":"orders/lookup","type":"tool"}}],{end},"source":{{"id":"gateway/orders","kind":"gateway","seq":{at}}},{time}}}"#
        ),
        5..8 => format!(
            r#"{{"action":"read",{person},"attributes":{{"image":"C:\\tools\\tool{}.com","region":"eu-west-1"}},{id},"operation":"orders.lookup","outcome":{{"code":"200","phase":"single","result":"allowed"}},{common},"resources":[{{"count":{},"fields":["email","name"],"id":"orders/{n}","labels":["internal"],"type":"table"}}],{end},"source":{{"id":"orders","kind":"api","seq":{at}}},{time}}}"#,
            n % 1_000,
            n % 50,
        ),
        8 => format!(
            r#"{{"action":"login",{person},"attributes":{{"mfa":true}},{id},"operation":"login","outcome":{{"result":"allowed"}},{common},"resources":[{{"id":"portal","type":"application"}}],{end},"source":{{"id":"idp","kind":"application","seq":{at}}},{time}}}"#
        ),
        _ => format!(
            r#"{{"action":"read",{person},"attributes":{{"rows":20,"token":"tok_1"}},{id},"operation":"events.search","outcome":{{"result":"allowed"}},{common},"resources":[{{"id":"main","type":"log"}}],{end},"source":{{"id":"indelible-server/1","kind":"indelible","seq":{at}}},{time}}}"#
        ),
    }
    .into_bytes()
}
