//! Cases beside rules: events that must be found and events that must not (`*.test.yml`; the format stands in docs/rules.md).

use std::path::Path;

use indelible_event::batch::EventBatch;
use indelible_event::doors::EntryIndex;
use indelible_event::id::EventId;
use indelible_event::prepare::{Defaults, prepare};
use indelible_event::time::{EventTime, RecordedTime};
use indelible_event::view::EventView;
use indelible_event::{OWN_SOURCE_KIND, SCHEMA};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Lists, RuleSet, RuleSource, Rules, Skipped, files, guard};
use crate::seen::Seen;

/// When the first event of a case happens: a Monday morning.
const START: &str = "2026-11-23T10:00:00Z";
/// Most events of one case.
const EVENTS_MAX: u32 = 200_000;
const SECOND: i64 = 1_000_000_000;
/// Faults of an event that are told.
const FAULTS_TOLD: usize = 3;

/// What one case gave.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Outcome {
    /// The file with the case.
    pub file: String,
    /// The case.
    pub name: String,
    /// Whether a finding is expected.
    pub expected: bool,
    /// The titles of the rules that found something.
    pub found: Vec<String>,
    /// Why the case could not be run.
    pub fault: Option<String>,
}

impl Outcome {
    /// Whether it came out as it should.
    #[must_use]
    pub fn right(&self) -> bool {
        self.fault.is_none() && self.expected != self.found.is_empty()
    }
}

/// What all cases gave.
#[derive(Debug, Default)]
pub struct Report {
    /// One for each case.
    pub outcomes: Vec<Outcome>,
    /// Rules that cannot be used, and files that cannot be read.
    pub skipped: Vec<Skipped>,
    /// Rule files without cases.
    pub untested: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    #[serde(default)]
    lists: Lists,
    #[serde(default, rename = "match")]
    matching: Vec<Case>,
    #[serde(default)]
    no_match: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    events: Vec<Map<String, Value>>,
}

/// Runs the cases of every rule file at or under `path`.
#[must_use]
pub fn run(path: &Path) -> Report {
    let mut report = Report::default();
    let rules = files::find(path, files::is_rule, &mut report.skipped);
    for file in &rules {
        let beside = file.with_extension("test.yml");
        let cases = if beside.is_file() { Some(files::read_bounded(&beside, guard::FILE_BYTES_MAX)) } else { None };
        let name = beside.display().to_string();
        let cases = match cases {
            None => {
                report.untested.push(file.display().to_string());
                None
            }
            Some(Err(reason)) => {
                report.skipped.push(fault(&name, None, reason));
                None
            }
            Some(Ok(yaml)) => read(&name, &yaml, &mut report),
        };
        let lists = cases.as_ref().map(|cases| cases.lists.clone()).unwrap_or_default();
        let loaded = RuleSet::load_with(&[RuleSource::Path(file.clone())], &lists);
        report.skipped.extend(loaded.skipped);
        let Some(cases) = cases else { continue };
        for waiting in loaded.set.inactive() {
            let reason = format!(
                "`{}` waits for the list `{}`: give it under `lists:`",
                waiting.title,
                waiting.lists.join("`, `")
            );
            report.skipped.push(fault(&name, None, reason));
        }
        run_all(&name, &cases, &loaded.set, &mut report);
    }
    let cases = files::find(path, files::is_cases, &mut report.skipped);
    for lonely in cases.iter().filter(|cases| !rules.iter().any(|rule| rule.with_extension("test.yml") == **cases)) {
        let reason = "there is no rule file beside it of the same name".to_owned();
        report.skipped.push(fault(&lonely.display().to_string(), None, reason));
    }
    report
}

/// Runs the cases of one text over the rules of `set`, which has been given its lists.
pub fn run_cases(file: &str, yaml: &str, set: &std::sync::Arc<RuleSet>, report: &mut Report) {
    if let Some(cases) = read(file, yaml, report) {
        run_all(file, &cases, set, report);
    }
}

fn read(file: &str, yaml: &str, report: &mut Report) -> Option<Cases> {
    if let Err(error) = guard::check(yaml) {
        report.skipped.push(fault(file, error.line, error.reason));
        return None;
    }
    match yaml_serde::from_str(yaml) {
        Ok(cases) => Some(cases),
        Err(error) => {
            let line = error.location().map(|location| location.line());
            report.skipped.push(fault(file, line, error.to_string()));
            None
        }
    }
}

fn run_all(file: &str, cases: &Cases, set: &std::sync::Arc<RuleSet>, report: &mut Report) {
    let kind = set.rules.iter().find_map(|rule| rule.source.example_kind()).unwrap_or("api");
    for (expected, case) in
        cases.matching.iter().map(|case| (true, case)).chain(cases.no_match.iter().map(|case| (false, case)))
    {
        let mut rules = Rules::new("test", std::sync::Arc::clone(set));
        let (found, fault) = match found(&mut rules, case, kind) {
            Ok(found) => (found, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        report.outcomes.push(Outcome { file: file.to_owned(), name: case.name.clone(), expected, found, fault });
    }
}

fn fault(file: &str, line: Option<usize>, reason: String) -> Skipped {
    Skipped { file: file.to_owned(), line, rule: None, reason }
}

fn found(rules: &mut Rules, case: &Case, kind: &str) -> Result<Vec<String>, String> {
    if case.events.is_empty() {
        return Err("it has no events".to_owned());
    }
    let mut findings = Vec::new();
    let mut now = EventTime::parse(START).map_err(|error| error.to_string())?.unix_ns;
    let mut index = 0u32;
    for event in &case.events {
        let mut event = event.clone();
        let after = take_duration(&mut event, "after")?.unwrap_or(if index == 0 { 0 } else { SECOND });
        let every = take_duration(&mut event, "every")?.unwrap_or(SECOND);
        let times = match event.remove("times") {
            None => 1,
            Some(times) => times.as_u64().and_then(|times| u32::try_from(times).ok()).ok_or("`times` is no number")?,
        };
        now = now.saturating_add(after);
        if let Some(time) = event.get("time").and_then(Value::as_str) {
            now = EventTime::parse(time).map_err(|error| format!("`{time}`: {error}"))?.unix_ns;
        }
        for n in 0..times {
            if index >= EVENTS_MAX {
                return Err(format!("it has more than {EVENTS_MAX} events"));
            }
            now = if n == 0 { now } else { now.saturating_add(every) };
            let bytes = whole_event(&event, index, now, kind)?;
            let view = EventView::parse(&bytes).map_err(|error| format!("event {index} is not an event: {error:?}"))?;
            rules.see(&Seen { index: EntryIndex(u64::from(index)), bytes: &bytes, view }, &mut findings);
            index += 1;
        }
    }
    let mut titles: Vec<String> = findings.into_iter().map(|finding| finding.rule.title).collect();
    titles.sort();
    titles.dedup();
    Ok(titles)
}

/// The event of a case over the base that every event has; one that a log would refuse shows nothing.
fn whole_event(event: &Map<String, Value>, index: u32, now: i64, kind: &str) -> Result<Vec<u8>, String> {
    let now = RecordedTime(now).to_string();
    let mut whole = json!({
        "schema": SCHEMA, "id": format!("00000000-0000-7000-8000-{index:012x}"), "time": now,
        "source": {"id": "test", "kind": kind}, "outcome": {"result": "allowed", "phase": "single"},
    });
    if let Some(members) = whole.as_object_mut() {
        for (key, value) in event {
            match (members.get_mut(key), value) {
                (Some(Value::Object(base)), Value::Object(given)) => {
                    base.extend(given.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
                _ => {
                    members.insert(key.clone(), value.clone());
                }
            }
        }
    }
    check(&whole).map_err(|faults| format!("a log would refuse event {index}: {faults}"))?;
    if let Some(members) = whole.as_object_mut() {
        members.insert("recorded".to_owned(), Value::String(now));
    }
    serde_json::to_vec(&whole).map_err(|error| error.to_string())
}

/// Whether a log would take an event; one of the server's own as if somebody else had sent it.
fn check(whole: &Value) -> Result<(), String> {
    let mut sent = whole.clone();
    if let Some(kind) = sent.pointer_mut("/source/kind").filter(|kind| kind.as_str() == Some(OWN_SOURCE_KIND)) {
        *kind = Value::String("test".to_owned());
    }
    let sent = serde_json::to_vec(&sent).map_err(|error| error.to_string())?;
    let defaults = Defaults { source_id: "test", source_kind: "test" };
    let taken = prepare(&sent, &defaults, &mut || EventId([0; 16]), &mut EventBatch::new());
    taken
        .map(drop)
        .map_err(|faults| faults.iter().take(FAULTS_TOLD).map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Takes a duration such as `30s`, `100ms`, `5m`, `2h` or `1d` out of an event, in nanoseconds.
fn take_duration(event: &mut Map<String, Value>, name: &str) -> Result<Option<i64>, String> {
    let Some(value) = event.remove(name) else { return Ok(None) };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => SECOND / 1_000,
        "s" | "" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3_600 * SECOND,
        "d" => 86_400 * SECOND,
        _ => return Err(format!("`{name}: {text}` is no duration such as 30s")),
    };
    let number: i64 = number.parse().map_err(|_| format!("`{name}: {text}` is no duration such as 30s"))?;
    Ok(Some(number.saturating_mul(unit)))
}
