//! Rules as a whole: what is found, what is skipped, what is kept, and that leaving rules out early loses nothing.

use indelible_event::doors::EntryIndex;
use indelible_event::view::EventView;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::finding::{Finding, FindingKind};
use crate::rules::cases::{Report, run_cases};
use crate::seen::Seen;

const RULES: &str = "
title: Secret read
id: 5f5b6a54-0000-4000-8000-000000000001
name: secret_read
level: high
tags: [attack.t1552]
falsepositives: [rotation]
logsource: {product: indelible}
detection:
  selection:
    action: read
    resources.type: secret
  condition: selection
---
title: Denied
name: denied
logsource: {product: indelible}
detection:
  selection: {outcome.result: denied}
  condition: selection
---
title: Denied often
id: 5f5b6a54-0000-4000-8000-000000000002
level: critical
correlation:
  type: event_count
  rules: [denied]
  group-by: [actor.id]
  timespan: 10m
  condition: {gte: 3}
";

fn load(yaml: &str) -> Loaded {
    RuleSet::load(&[RuleSource::Text { name: "test.yml".to_owned(), yaml: yaml.to_owned() }])
}

fn event(index: u64, seconds: u32, more: &serde_json::Value) -> Vec<u8> {
    let time = format!("2026-11-23T10:{:02}:{:02}.000000000Z", seconds / 60, seconds % 60);
    let mut event = json!({"id": format!("00000000-0000-7000-8000-{index:012x}"), "time": time, "recorded": time,
        "source": {"id": "s", "kind": "api"}, "actor": {"id": "bob", "type": "agent"}});
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    serde_json::to_vec(&event).unwrap()
}

fn see(rules: &mut Rules, index: u64, bytes: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let view = EventView::parse(bytes).unwrap();
    rules.see(&Seen { index: EntryIndex(index), bytes, view }, &mut findings);
    findings
}

#[test]
fn a_match_is_a_finding_about_the_actor_with_the_event_behind_it() {
    let loaded = load(RULES);
    assert_eq!(loaded.skipped, []);
    let mut rules = Rules::new("main", loaded.set);
    let secret =
        event(7, 0, &json!({"action": "read", "resources": [{"type": "table"}, {"type": "secret", "id": "db"}]}));
    let findings = see(&mut rules, 7, &secret);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.kind, finding.severity), (FindingKind::Rule, Severity::High));
    assert_eq!((finding.entity.kind.as_str(), finding.entity.id.as_str()), ("actor", "bob"));
    assert_eq!(finding.evidence[0].index, EntryIndex(7));
    assert_eq!((finding.tags[0].as_str(), finding.false_positives[0].as_str()), ("attack.t1552", "rotation"));
    assert_eq!(see(&mut rules, 7, &secret)[0].id, finding.id);
    assert!(
        see(&mut rules, 8, &event(8, 1, &json!({"action": "update", "resources": [{"type": "secret"}]}))).is_empty()
    );
}

#[test]
fn a_correlation_is_found_once_a_window_with_its_events_and_survives_a_restart() {
    let loaded = load(RULES);
    let denied = json!({"outcome": {"result": "denied"}});
    let mut rules = Rules::new("main", Arc::clone(&loaded.set));
    assert!(see(&mut rules, 0, &event(0, 0, &denied)).is_empty());
    assert!(see(&mut rules, 1, &event(1, 5, &denied)).is_empty());
    let saved = rules.save();
    let mut restarted = Rules::new("main", Arc::clone(&loaded.set));
    restarted.restore(&saved).unwrap();
    let findings = see(&mut restarted, 2, &event(2, 10, &denied));
    assert_eq!(findings, see(&mut rules, 2, &event(2, 10, &denied)));
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.kind, finding.severity), (FindingKind::Correlation, Severity::Critical));
    assert_eq!((finding.entity.kind.as_str(), finding.entity.id.as_str()), ("actor.id", "bob"));
    let behind: Vec<u64> = finding.evidence.iter().map(|evidence| evidence.index.0).collect();
    assert_eq!((behind, finding.evidence_total), (vec![0, 1, 2], 3));
    assert!(see(&mut restarted, 3, &event(3, 11, &denied)).is_empty(), "told already");
    // other rules come, what was counted stays
    let mut replaced = Rules::new("main", Arc::clone(&loaded.set));
    replaced.restore(&saved).unwrap();
    replaced.replace(load(RULES).set);
    assert_eq!(see(&mut replaced, 2, &event(2, 10, &denied)), findings);
    assert!(replaced.restore(b"{\"version\":9}").is_err());
    assert!(replaced.restore(b"\x00").is_err());
}

#[test]
fn what_cannot_be_used_is_named_and_the_rest_runs() {
    let broken = "
title: Bad expression
logsource: {product: indelible}
detection:
  selection: {actor.id|re: '(unclosed'}
  condition: selection
---
title: Unknown reference
correlation: {type: event_count, rules: [nothing], timespan: 1m, condition: {gte: 2}}
---
title: Round
name: round
correlation: {type: event_count, rules: [round], timespan: 1m, condition: {gte: 2}}
";
    let loaded = load(&format!("{RULES}---{broken}"));
    assert_eq!(loaded.set.len(), 3);
    let mut named: Vec<_> = loaded.skipped.iter().map(|skipped| skipped.rule.clone().unwrap_or_default()).collect();
    named.sort();
    assert_eq!(named, ["Bad expression", "Round", "Unknown reference"]);
    assert!(loaded.skipped.iter().all(|skipped| skipped.line.is_some()), "{:?}", loaded.skipped);
    assert_eq!(load("title: [").set.len(), 0);
    assert_eq!(load(&" ".repeat(300 * 1024)).skipped.len(), 1);
}

#[test]
fn a_catastrophic_expression_costs_no_more_than_the_text_is_long() {
    let yaml = "
title: Catastrophe
logsource: {product: indelible}
detection:
  selection: {operation|re: '^(a+)+$'}
  condition: selection
";
    let mut rules = Rules::new("main", load(yaml).set);
    let long = event(0, 0, &json!({"operation": format!("{}!", "a".repeat(30_000))}));
    // an engine that backtracks would not come back
    assert!(see(&mut rules, 0, &long).is_empty());
    assert_eq!(see(&mut rules, 1, &event(1, 0, &json!({"operation": "aaaa"}))).len(), 1);
}

#[test]
fn rules_of_a_later_source_replace_those_with_their_id_and_a_changed_folder_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let text = RuleSource::Text { name: "pack".to_owned(), yaml: RULES.to_owned() };
    std::fs::write(folder.path().join("own.yml"), RULES.replace("level: high", "level: low")).unwrap();
    let loaded = RuleSet::load(&[text, RuleSource::Path(folder.path().to_owned())]);
    let info = loaded.set.infos().into_iter().find(|info| info.title == "Secret read").unwrap().clone();
    assert_eq!(info.severity, Severity::Low);
    assert!(!loaded.set.changed());
    std::fs::write(folder.path().join("more.yml"), "title: x").unwrap();
    assert!(loaded.set.changed());
}

#[test]
fn names_from_kubernetes_mean_our_fields() {
    let yaml = "
title: Secrets listed
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: list, objectRef.resource: secrets, username|startswith: 'system:'}
  condition: selection
";
    let mut rules = Rules::new("main", load(yaml).set);
    let listed = json!({"source": {"id": "k", "kind": "kubernetes"}, "actor": {"id": "system:anonymous"},
        "operation": "list", "resources": [{"type": "secrets"}]});
    assert_eq!(see(&mut rules, 0, &event(0, 0, &listed)).len(), 1);
    let mut elsewhere = listed;
    elsewhere["source"]["kind"] = json!("api");
    assert!(see(&mut rules, 1, &event(1, 0, &elsewhere)).is_empty());
}

#[test]
fn cases_say_what_must_be_found_and_what_must_not() {
    let cases = "
match:
  - name: thrice denied
    events:
      - {actor: {id: bob, type: agent}, outcome: {result: denied}, times: 3, every: 10s}
no_match:
  - name: too far apart
    events:
      - {actor: {id: bob, type: agent}, outcome: {result: denied}}
      - {actor: {id: bob, type: agent}, outcome: {result: denied}, after: 9m}
      - {actor: {id: bob, type: agent}, outcome: {result: denied}, after: 9m}
  - name: wrong on purpose
    events:
      - {actor: {id: bob, type: agent}, outcome: {result: denied}, times: 4}
";
    let mut report = Report::default();
    run_cases("x.test.yml", cases, &load(RULES).set, &mut report);
    assert_eq!(report.skipped, []);
    let right: Vec<bool> = report.outcomes.iter().map(cases::Outcome::right).collect();
    assert_eq!(right, [true, true, false]);
}

#[test]
fn every_rule_of_the_pack_can_be_used() {
    let loaded = RuleSet::load(&[RuleSource::BuiltIn]);
    assert!(loaded.skipped.is_empty(), "{:#?}", loaded.skipped);
    assert!(loaded.set.len() >= 20, "the pack is embedded: {}", loaded.set.len());
}

#[test]
fn the_cases_of_the_pack_hold() {
    let report = cases::run(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules"));
    assert!(report.skipped.is_empty(), "{:#?}", report.skipped);
    assert_eq!(report.untested, Vec::<String>::new());
    assert!(report.outcomes.len() >= 40, "{}", report.outcomes.len());
    let wrong: Vec<_> = report.outcomes.iter().filter(|outcome| !outcome.right()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The same rules, none left out early.
fn unfiltered(set: &RuleSet, yaml: &str) -> Arc<RuleSet> {
    let Loaded { set: copy, .. } = load(yaml);
    let mut copy = Arc::try_unwrap(copy).unwrap();
    copy.prefilter = prefilter::Prefilter::new(&vec![Vec::new(); set.rules.len()]);
    Arc::new(copy)
}

fn word() -> impl Strategy<Value = String> + Clone {
    let words = [
        "read",
        "Read",
        "true",
        "1",
        "12",
        "k",
        "\u{212a}",
        "s\u{17f}",
        "a\"b",
        "a\\\\b",
        "\u{130}nk",
        "prod/db",
        "x*y",
        "e",
        "İ",
        "-1",
        "tab\tx",
    ];
    prop_oneof![proptest::sample::select(words.to_vec()).prop_map(str::to_owned), "[a-c*?k]{1,4}"]
}

fn rule() -> impl Strategy<Value = serde_json::Value> + Clone {
    let modifiers = ["", "|contains", "|startswith", "|endswith", "|contains|all", "|re", "|cased", "|exists"];
    let field = ["operation", "resources.id", "attributes.a", "resources.labels", "derived.human"];
    let item = (
        proptest::sample::select(field.to_vec()),
        proptest::sample::select(modifiers.to_vec()),
        prop::collection::vec(word(), 1..3),
    );
    let item = item.prop_map(|(field, modifier, values)| match modifier {
        "|exists" => json!({format!("{field}{modifier}"): true}),
        "|re" => json!({format!("{field}{modifier}"): "[a-k]+"}),
        _ => json!({format!("{field}{modifier}"): values}),
    });
    let selection = prop_oneof![
        item.clone(),
        prop::collection::vec(item, 1..3).prop_map(serde_json::Value::Array),
        prop::collection::vec(word(), 1..3).prop_map(|words| json!(words)),
    ];
    let conditions = [
        "a",
        "a and b",
        "a or b",
        "not a",
        "a and not b",
        "1 of them",
        "all of them",
        "a or not b",
        "not (a or b)",
        "1 of b*",
    ];
    (selection.clone(), selection, proptest::sample::select(conditions.to_vec())).prop_map(|(a, b, condition)| {
        json!({"title": "t", "logsource": {"product": "indelible"}, "detection": {"a": a, "b": b, "condition": condition}})
    })
}

fn values() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        word().prop_map(|word| json!(word)),
        (-20i64..20).prop_map(|n| json!(n)),
        any::<bool>().prop_map(|b| json!(b))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn leaving_rules_out_early_loses_no_match(
        rules in prop::collection::vec(rule(), 1..5),
        operation in word(), id in word(), label in word(), attribute in values(),
    ) {
        let yaml: String = rules.iter().map(|rule| format!("---\n{rule}\n")).collect();
        let set = load(&yaml).set;
        let plain = unfiltered(&set, &yaml);
        let bytes = event(0, 0, &json!({"operation": operation, "resources": [{"id": id, "labels": [label]}],
            "attributes": {"a": attribute}}));
        let filtered = see(&mut Rules::new("main", set), 0, &bytes);
        prop_assert_eq!(filtered, see(&mut Rules::new("main", plain), 0, &bytes));
    }
}
