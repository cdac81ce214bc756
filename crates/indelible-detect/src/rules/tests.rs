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
      - {actor: {id: bob, type: agent}, action: read, outcome: {result: denied}, times: 3, every: 10s}
no_match:
  - name: too far apart
    events:
      - {actor: {id: bob, type: agent}, action: read, outcome: {result: denied}}
      - {actor: {id: bob, type: agent}, action: read, outcome: {result: denied}, after: 9m}
      - {actor: {id: bob, type: agent}, action: read, outcome: {result: denied}, after: 9m}
  - name: wrong on purpose
    events:
      - {actor: {id: bob, type: agent}, action: read, outcome: {result: denied}, times: 4}
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
fn no_rule_of_the_pack_is_looked_at_for_every_entry() {
    let set = RuleSet::load(&[RuleSource::BuiltIn]).set;
    let costly = set.prefilter.always().iter().filter_map(|rule| set.rules.get(usize::try_from(*rule).unwrap()));
    let costly: Vec<&str> = costly.map(|rule| set.infos[&rule.key].title.as_str()).collect();
    assert_eq!(costly, Vec::<&str>::new());
}

#[test]
fn rules_of_the_pack_say_what_an_analyst_needs() {
    let set = RuleSet::load(&[RuleSource::BuiltIn]).set;
    let alerting: Vec<&RuleInfo> = set.infos().into_iter().filter(|info| info.alerts).collect();
    assert!(alerting.len() + set.inactive().len() >= 140, "{} and {}", alerting.len(), set.inactive().len());
    for info in alerting {
        let families = ["attack.t", "atlas.aml-t", "owasp-llm.llm", "owasp-agentic.asi"];
        let known = |tag: &String| families.iter().any(|family| tag.starts_with(family));
        assert!(!info.tags.is_empty() && info.tags.iter().all(known), "{}: {:?}", info.file, info.tags);
        assert!(!info.description.is_empty() && !info.false_positives.is_empty(), "{}", info.file);
        assert!(info.id.len() == 36 && info.id.split('-').count() == 5, "{}: {}", info.file, info.id);
    }
    let lists: std::collections::BTreeSet<&String> = set.inactive().iter().flat_map(|rule| &rule.lists).collect();
    let guide = include_str!("../../../../docs/rules.md");
    for list in lists {
        assert!(guide.contains(&format!("| `{list}` |")), "docs/rules.md does not tell of the list `{list}`");
    }
}

#[test]
fn a_rule_whose_list_is_not_given_waits_and_what_it_would_count_stays_silent() {
    let yaml = "
title: Base
name: base
logsource: {product: indelible}
detection:
  selection: {action: read}
  condition: selection
---
title: Left
name: left
logsource: {product: indelible}
detection:
  selection: {actor.id|expand: '%departed_actors%'}
  condition: selection
---
title: Both
correlation: {type: temporal, rules: [base, left], group-by: [source.id], timespan: 1m}
---
title: Not of the list
id: 5f5b6a54-0000-4000-8000-000000000009
logsource: {product: indelible}
detection:
  selection: {action: infer}
  of_it: {ai.request_model|expand: '%approved_models%'}
  condition: selection and not of_it
";
    let source = [RuleSource::Text { name: "x.yml".to_owned(), yaml: yaml.to_owned() }];
    let lists = |json: serde_json::Value| -> Lists { serde_json::from_value(json).unwrap() };
    let read = event(0, 0, &json!({"action": "read"}));
    let infer = |model: &str| event(1, 1, &json!({"action": "infer", "ai": {"request_model": model}}));

    let none = RuleSet::load(&source);
    assert_eq!(none.skipped, []);
    let waiting: Vec<_> = none.set.inactive().iter().map(|rule| (rule.title.as_str(), rule.lists.join(","))).collect();
    let expected = [("Left", "departed_actors"), ("Not of the list", "approved_models"), ("Both", "departed_actors")];
    assert_eq!(waiting, expected.map(|(title, list)| (title, list.to_owned())));
    let mut rules = Rules::new("main", none.set);
    assert!(see(&mut rules, 0, &read).is_empty(), "only a correlation was to count it");

    let given = lists(json!({"departed_actors": ["bob"], "approved_models": ["gpt-4o", "own-*"]}));
    let loaded = RuleSet::load_with(&source, &given);
    assert!(loaded.skipped.is_empty() && loaded.set.inactive().is_empty());
    let mut rules = Rules::new("main", loaded.set);
    assert_eq!(see(&mut rules, 0, &read).len(), 1);
    assert_eq!(see(&mut rules, 1, &infer("gpt-4o")).len() + see(&mut rules, 1, &infer("own-7b")).len(), 0);
    assert_eq!(see(&mut rules, 1, &infer("gpt-4o-mini")).len(), 1);

    let empty = RuleSet::load_with(&source, &lists(json!({"departed_actors": [], "approved_models": []})));
    let mut rules = Rules::new("main", empty.set);
    assert_eq!(see(&mut rules, 0, &read), []);
    assert_eq!(see(&mut rules, 1, &infer("gpt-4o")).len(), 1, "nothing is approved");
    assert!(serde_json::from_value::<Lists>(json!({"a b": []})).is_err());
}

#[test]
fn the_cases_of_the_pack_hold() {
    let report = cases::run(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules"));
    assert!(report.skipped.is_empty(), "{:#?}", report.skipped);
    assert_eq!(report.untested, Vec::<String>::new());
    assert!(report.outcomes.len() >= 40, "{}", report.outcomes.len());
    let wrong = report.outcomes.iter().filter(|outcome| !outcome.right());
    let wrong: Vec<_> = wrong.map(|case| (&case.file, &case.name, &case.found, &case.fault)).collect();
    assert!(wrong.is_empty(), "{}", wrong.iter().map(|case| format!("{case:?}\n")).collect::<String>());
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
    let modifiers = [
        "",
        "|contains",
        "|startswith",
        "|endswith",
        "|contains|all",
        "|re",
        "|cased",
        "|exists",
        "|absent",
        "|gte",
        "|lt",
        "|neq",
        "|null",
        "|fieldref",
    ];
    let field = [
        "operation",
        "resources.id",
        "attributes.a",
        "attributes.b.c",
        "resources.labels",
        "resources.count",
        "derived.human",
        "derived.chain_length",
        "derived.resource_count",
        "derived.acts_for_human",
        "derived.ip_network",
    ];
    let item = (
        proptest::sample::select(field.to_vec()),
        proptest::sample::select(modifiers.to_vec()),
        prop::collection::vec(word(), 1..3),
    );
    let item = item.prop_map(|(field, modifier, values)| match modifier {
        "|exists" => json!({format!("{field}{modifier}"): true}),
        "|absent" => json!({format!("{field}|exists"): false}),
        "|gte" | "|lt" => json!({format!("{field}{modifier}"): values.len()}),
        "|null" => json!({field: null}),
        "|fieldref" => json!({format!("{field}{modifier}"): "operation"}),
        "" if field == "derived.acts_for_human" => json!({field: values.len() == 1}),
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
        operation in word(), id in word(), label in word(), attribute in values(), more in 0u8..32,
    ) {
        let yaml: String = rules.iter().map(|rule| format!("---\n{rule}\n")).collect();
        let set = load(&yaml).set;
        let plain = unfiltered(&set, &yaml);
        let mut whole = json!({"operation": operation, "resources": [{"id": id, "labels": [label]}]});
        let parts = [
            ("attributes", json!({"a": attribute})), ("attributes", json!({"b.c": attribute})),
            ("resources", json!([{"id": id, "count": 3}])), ("on_behalf_of", json!([{"id": "k", "type": "human"}])),
            ("actor", json!({"id": "bob", "type": "agent", "ip": "192.0.2.7"})),
        ];
        for (n, (name, part)) in parts.into_iter().enumerate() {
            if more & (1 << n) != 0 {
                whole[name] = part;
            }
        }
        let bytes = event(0, 0, &whole);
        let filtered = see(&mut Rules::new("main", set), 0, &bytes);
        prop_assert_eq!(filtered, see(&mut Rules::new("main", plain), 0, &bytes));
    }
}
