//! Sigma rules from outside: read or named, then put to an event.

use std::collections::BTreeMap;

use indelible_detect::rules::{Lists, RuleSet, RuleSource, Rules};
use indelible_detect::seen::Seen;
use indelible_event::doors::EntryIndex;
use indelible_event::view::EventView;

const EVENT: &[u8] = br#"{"action":"read","actor":{"id":"bot","ip":"192.0.2.7","type":"agent"},"attributes":{"a":1,"b":[true,"x"]},"id":"00000000-0000-7000-8000-000000000000","on_behalf_of":[{"id":"ana","type":"human"}],"operation":"tools/call","outcome":{"phase":"single","result":"denied"},"recorded":"2026-11-23T10:00:00.000000000Z","resources":[{"count":3,"id":"prod/db","labels":["pii.email"],"type":"secret"}],"schema":"indelible.event.v1","source":{"id":"s","kind":"api"},"time":"2026-11-23T10:00:00Z"}"#;

/// A rule file: whatever it holds, each rule is used or named, and what is used can see events and be saved and restored.
pub fn sigma_rule(data: &[u8]) {
    let Ok(yaml) = std::str::from_utf8(data) else { return };
    let values = ["bot", "a*", "192.0.2.0/24"].map(str::to_owned).to_vec();
    let lists = BTreeMap::from([("full".to_owned(), values), ("empty".to_owned(), Vec::new())]);
    let lists = Lists::try_from(lists).expect("lists within bounds");
    let source = [RuleSource::Text { name: "fuzz".to_owned(), yaml: yaml.to_owned() }];
    let loaded = RuleSet::load_with(&source, &lists);
    assert!(loaded.skipped.iter().all(|skipped| !skipped.reason.is_empty()));
    assert!(loaded.set.inactive().iter().all(|rule| !rule.lists.is_empty()));
    let mut rules = Rules::new("fuzz", loaded.set.clone());
    let mut findings = Vec::new();
    let view = EventView::parse(EVENT).expect("an event");
    for index in 0..3 {
        rules.see(&Seen { index: EntryIndex(index), bytes: EVENT, view: view.clone() }, &mut findings);
    }
    let saved = rules.save();
    Rules::new("fuzz", loaded.set).restore(&saved).expect("its own snapshot");
}
