//! The rules in force: read at the start, and again when a file changes. Shared by all logs.
//!
//! Promises: a rule that cannot be used is named, in the log lines, in `GET /v1/rules` and by an alert; the others run. Never:
//! leaves the rules of before in force half and the new ones half.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use indelible_detect::finding::{Entity, Finding, FindingId, FindingKind, RuleName, Severity, bounded};
use indelible_detect::rules::{Lists, Loaded, RuleSet, RuleSource, Skipped};

use crate::config::DetectConfig;

/// The rules in force.
#[derive(Debug)]
pub(crate) struct RulesInForce {
    sources: Vec<RuleSource>,
    lists: Option<PathBuf>,
    loaded: RwLock<Arc<Loaded>>,
}

impl RulesInForce {
    /// Reads the rules that the settings name. Blocks on the disk and on compiling.
    pub(crate) fn load(config: &DetectConfig) -> Self {
        let mut sources = Vec::new();
        if config.enabled && config.built_in {
            sources.push(RuleSource::BuiltIn);
        }
        if config.enabled {
            sources.extend(config.rules.iter().cloned().map(RuleSource::Path));
        }
        let loaded = read(&sources, config.lists.as_deref());
        Self { sources, lists: config.lists.clone(), loaded: RwLock::new(Arc::new(loaded)) }
    }

    /// What is in force now.
    pub(crate) fn now(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the rules again when a file has changed; gives what is in force then. Blocks.
    pub(crate) fn reload(&self) -> Option<Arc<Loaded>> {
        if !self.now().set.changed() {
            return None;
        }
        let loaded = Arc::new(read(&self.sources, self.lists.as_deref()));
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&loaded);
        Some(loaded)
    }
}

/// Reads everything. Lists that cannot be used are named like a rule; the rules that need them do not run then.
fn read(sources: &[RuleSource], lists: Option<&Path>) -> Loaded {
    let (lists, fault) = match lists.map(Lists::read).transpose() {
        Ok(lists) => (lists.unwrap_or_default(), None),
        Err(error) => (Lists::default(), Some(error)),
    };
    let mut loaded = RuleSet::load_with(sources, &lists);
    if let Some(error) = fault {
        let file = "lists".to_owned();
        loaded.skipped.push(Skipped { file, line: None, rule: None, reason: bounded(&error.to_string()) });
    }
    for skipped in &loaded.skipped {
        tracing::warn!(rule = %skipped, "a rule is not used");
    }
    for inactive in loaded.set.inactive() {
        tracing::debug!(rule = inactive.title, lists = inactive.lists.join(", "), "a rule waits for a list");
    }
    loaded
}

/// A finding for each rule that is not used; the same one as long as it is wrong in the same way.
pub(crate) fn skipped_findings(log: &str, skipped: &[Skipped], now_unix_ns: i64) -> Vec<Finding> {
    let finding = |skipped: &Skipped| {
        let entity = Entity::new("rule", &format!("{}#{}", skipped.file, skipped.rule.as_deref().unwrap_or_default()));
        let rule = RuleName { id: "health/rule".to_owned(), title: "Rule is not used".to_owned() };
        Finding {
            id: FindingId::of(log, &rule.id, &entity, &skipped.reason),
            kind: FindingKind::Health,
            log: log.to_owned(),
            severity: Severity::Medium,
            entity,
            time_unix_ns: now_unix_ns,
            summary: bounded(&format!("{skipped}; the other rules run")),
            usual: None,
            seen: None,
            evidence: Vec::new(),
            evidence_total: 0,
            tags: Vec::new(),
            false_positives: Vec::new(),
            rule,
        }
    };
    skipped.iter().map(finding).collect()
}
