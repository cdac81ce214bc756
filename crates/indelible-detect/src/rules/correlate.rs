//! Correlations: which rules they mean, what they may keep, and the events behind what they find.
//!
//! Promises: a name means the rule in the same file first; a correlation that means no rule, or itself, is named and left out;
//! what is kept for all groups together is bounded by [`GROUPS_MAX`], [`REFERENCES_MAX`] and the largest threshold.

use std::collections::{HashMap, HashSet};

use indelible_event::doors::EntryIndex;
use rsigma_eval::{CorrelationConfig, CorrelationEngine, CorrelationEventMode, EventRef, TimestampFallback};
use rsigma_parser::{
    ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, SigmaCollection,
    SigmaRule,
};

use super::Skipped;
use super::load::Read;
use crate::finding::Evidence;

/// Most groups that are counted at a time, all correlations together; the stalest give way.
pub(super) const GROUPS_MAX: usize = 20_000;
/// Most events remembered for each group as evidence, the newest.
pub(super) const REFERENCES_MAX: usize = 20;
/// Most values kept for each group, unless a condition counts further.
const ENTRIES: usize = 1_000;
/// For each of the different values that a condition asks for, how many values are kept.
const VALUES_EACH: usize = 32;
/// Most rules that are put in order.
const ORDERED_MAX: usize = 8;
/// By the number of rules that are put in order, how many events of each are kept: some ten thousand orders at most.
const ORDERED_ENTRIES: [usize; ORDERED_MAX + 1] = [128, 128, 128, 32, 12, 8, 5, 4, 3];
/// The most that a condition may count to.
const THRESHOLD_MAX: u64 = 100_000;
/// Longest window: 31 days.
const WINDOW_SECONDS_MAX: u64 = 31 * 86_400;

/// Correlations with their references resolved.
#[derive(Debug, Default)]
pub(super) struct Linked {
    /// Those that can be used; rules are named by key.
    pub(super) correlations: Vec<Read<CorrelationRule>>,
    /// Keys of what a correlation counts.
    pub(super) feeding: HashSet<String>,
    /// Keys of what is only counted (`generate: false`), and makes no finding itself.
    pub(super) silent: HashSet<String>,
    /// The highest threshold.
    pub(super) threshold: usize,
}

/// Resolves what each correlation means. One that counts another correlation comes after it.
pub(super) fn link(
    rules: &[Read<SigmaRule>],
    correlations: Vec<Read<CorrelationRule>>,
    skipped: &mut Vec<Skipped>,
) -> Linked {
    let mut names = Names::default();
    for read in rules {
        names.add(read, read.rule.name.as_deref());
    }
    let mut linked = Linked::default();
    let mut waiting = correlations;
    loop {
        let before = waiting.len();
        let mut still = Vec::new();
        for mut read in waiting {
            let meant: Option<Vec<String>> =
                read.rule.rules.iter().map(|name| names.find(&read.file, name).map(str::to_owned)).collect();
            let Some(meant) = meant else {
                still.push(read);
                continue;
            };
            let name = read.rule.name.clone();
            match adopt(&mut read, &meant) {
                Err(reason) => {
                    // what it was to count was not meant to be told by itself
                    if !read.rule.generate {
                        linked.silent.extend(meant);
                    }
                    skipped.push(read.skip(&read.rule.title, reason));
                }
                Ok(threshold) => {
                    linked.threshold = linked.threshold.max(threshold);
                    if !read.rule.generate {
                        linked.silent.extend(meant.iter().cloned());
                    }
                    linked.feeding.extend(meant);
                    names.add(&read, name.as_deref());
                    linked.correlations.push(read);
                }
            }
        }
        waiting = still;
        if waiting.is_empty() || waiting.len() == before {
            break;
        }
    }
    for read in waiting {
        let missing = read.rule.rules.iter().find(|name| names.find(&read.file, name).is_none());
        let missing = missing.map(String::as_str).unwrap_or_default();
        if !read.rule.generate {
            let there = read.rule.rules.iter().filter_map(|name| names.find(&read.file, name));
            linked.silent.extend(there.map(str::to_owned));
        }
        let reason = format!("it counts `{missing}`, which is no rule that can be used, or counts this one in turn");
        skipped.push(read.skip(&read.rule.title, reason));
    }
    linked
}

/// Ids and names of rules.
#[derive(Default)]
struct Names {
    here: HashMap<(String, String), String>,
    anywhere: HashMap<String, String>,
}

impl Names {
    fn add<T>(&mut self, read: &Read<T>, name: Option<&str>) {
        for called in [Some(read.key.as_str()), name].into_iter().flatten() {
            self.here.entry((read.file.clone(), called.to_owned())).or_insert_with(|| read.key.clone());
            self.anywhere.entry(called.to_owned()).or_insert_with(|| read.key.clone());
        }
    }

    fn find(&self, file: &str, name: &str) -> Option<&str> {
        let here = self.here.get(&(file.to_owned(), name.to_owned()));
        here.or_else(|| self.anywhere.get(name)).map(String::as_str)
    }
}

/// Puts keys for names and our limits for the engine's; gives the threshold.
fn adopt(read: &mut Read<CorrelationRule>, meant: &[String]) -> Result<usize, String> {
    let rule = &mut read.rule;
    if rule.timespan.seconds > WINDOW_SECONDS_MAX {
        return Err(format!("its timespan is longer than {} days", WINDOW_SECONDS_MAX / 86_400));
    }
    let keys: HashMap<String, String> = rule.rules.iter().cloned().zip(meant.iter().cloned()).collect();
    let several = meant.iter().collect::<HashSet<_>>().len();
    if rule.correlation_type == CorrelationType::TemporalOrdered && several > ORDERED_MAX {
        return Err(format!("it puts more than {ORDERED_MAX} rules in order"));
    }
    let threshold = match &mut rule.condition {
        // without a condition all of them are meant; the parser puts down that one is enough
        CorrelationCondition::Threshold { predicates, field: None, .. }
            if rule.correlation_type == CorrelationType::Temporal && *predicates == [(ConditionOperator::Gte, 1)] =>
        {
            *predicates = vec![(ConditionOperator::Gte, u64::try_from(several).unwrap_or(u64::MAX))];
            0
        }
        CorrelationCondition::Threshold { predicates, .. } => {
            let most = predicates.iter().map(|(_, count)| *count).max().unwrap_or(0);
            let counted = matches!(rule.correlation_type.as_str(), "event_count" | "value_count");
            if counted && most > THRESHOLD_MAX {
                return Err(format!("it counts further than {THRESHOLD_MAX}"));
            }
            if counted { usize::try_from(most).unwrap_or(usize::MAX) } else { 0 }
        }
        CorrelationCondition::Extended(expression) => {
            rename(expression, &keys)?;
            0
        }
    };
    rule.rules = meant.to_vec();
    for alias in &mut rule.aliases {
        let mapping = std::mem::take(&mut alias.mapping);
        alias.mapping =
            mapping.into_iter().map(|(name, field)| (keys.get(&name).cloned().unwrap_or(name), field)).collect();
    }
    rule.id = Some(read.key.clone());
    rule.name = None;
    rule.custom_attributes.clear();
    // told once a window, not again for every further event in it
    let window = yaml_serde::Value::String(format!("{}s", rule.timespan.seconds));
    rule.custom_attributes.insert("rsigma.suppress".to_owned(), window);
    if let Some(entries) = entries(rule.correlation_type, several, threshold) {
        let entries = yaml_serde::Value::String(entries.to_string());
        rule.custom_attributes.insert("rsigma.max_group_entries".to_owned(), entries);
    }
    let mut trial = CorrelationEngine::new(CorrelationConfig::default());
    trial.add_correlation(rule).map_err(|error| error.to_string())?;
    Ok(threshold)
}

/// How many values are kept for each group where the engine goes through all of them at each event: for an order through all
/// ways to put them in one, for different values through all to count them.
fn entries(kind: CorrelationType, rules: usize, threshold: usize) -> Option<usize> {
    match kind {
        CorrelationType::TemporalOrdered => ORDERED_ENTRIES.get(rules).copied(),
        CorrelationType::ValueCount => {
            Some(threshold.saturating_mul(VALUES_EACH).min(ENTRIES).max(threshold.saturating_add(1)))
        }
        _ => None,
    }
}

fn rename(expression: &mut ConditionExpr, keys: &HashMap<String, String>) -> Result<(), String> {
    match expression {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            parts.iter_mut().try_for_each(|part| rename(part, keys))
        }
        ConditionExpr::Not(part) => rename(part, keys),
        ConditionExpr::Identifier(name) => {
            let key = keys.get(name).ok_or_else(|| format!("its condition names `{name}`, its `rules` do not"))?;
            name.clone_from(key);
            Ok(())
        }
        ConditionExpr::Selector { .. } => Err("its condition says `of`; name the rules".to_owned()),
    }
}

/// An engine over these correlations, with nothing counted yet.
pub(super) fn engine(collection: &SigmaCollection, threshold: usize) -> CorrelationEngine {
    let config = CorrelationConfig {
        timestamp_fields: Vec::new(),
        timestamp_fallback: TimestampFallback::Skip,
        max_state_entries: GROUPS_MAX,
        max_group_entries: Some(threshold.saturating_add(1).max(ENTRIES)),
        correlation_event_mode: CorrelationEventMode::Refs,
        max_correlation_events: REFERENCES_MAX,
        ..CorrelationConfig::default()
    };
    let mut engine = CorrelationEngine::new(config.clone());
    if let Err(error) = engine.add_collection(collection) {
        // each was tried by itself when it was read
        tracing::error!(%error, "the correlations cannot be used together; only rules on single events run");
        return CorrelationEngine::new(config);
    }
    engine
}

/// The event that a reference of the engine means: what [`super::event::LogEvent`] gave it as its id.
pub(super) fn evidence(reference: &EventRef) -> Option<Evidence> {
    let mut parts = reference.id.as_deref()?.splitn(3, ' ');
    let index = EntryIndex(parts.next()?.parse().ok()?);
    Some(Evidence { index, event: parts.next()?.into(), time: parts.next()?.into() })
}
