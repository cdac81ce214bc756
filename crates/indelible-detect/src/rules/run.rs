//! Rules put to the entries of one log, one after the other.
//!
//! Promises: JSON is built only for entries that a rule could match; what correlations count can be saved with the cursor and
//! restored. Never: two findings of one correlation for one group within one window.

use std::fmt;
use std::sync::Arc;

use rsigma_eval::{CorrelationBody, CorrelationEngine, CorrelationSnapshot, EvaluationResult, evaluate_rule};
use serde::{Deserialize, Serialize};

use super::event::LogEvent;
use super::prefilter::Scratch;
use super::source::Fields;
use super::tree::Tree;
use super::{RuleInfo, RuleSet, correlate};
use crate::finding::{Entity, Finding, FindingId, FindingKind, RuleName, bounded};
use crate::seen::Seen;

/// How often groups whose windows have passed are let go, in seconds of recording.
const SWEEP_SECONDS: i64 = 60;
const SNAPSHOT_VERSION: u32 = 1;
const NANOSECONDS: i64 = 1_000_000_000;

/// The detector: a set of rules over one log.
pub struct Rules {
    log: String,
    set: Arc<RuleSet>,
    engine: CorrelationEngine,
    scratch: Scratch,
    swept: i64,
}

/// Why a saved state cannot be used; start from history again.
#[derive(Debug, thiserror::Error)]
#[error("the saved state of the rules cannot be used: {reason}; it is counted anew from the log")]
pub struct RestoreError {
    /// What is wrong with it.
    reason: String,
}

#[derive(Serialize)]
struct SavedRef<'a> {
    version: u32,
    correlations: &'a CorrelationSnapshot,
}

#[derive(Deserialize)]
struct Saved {
    version: u32,
    correlations: CorrelationSnapshot,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("log", &self.log).field("rules", &self.set.len()).finish_non_exhaustive()
    }
}

impl Rules {
    /// Rules over `log`, with nothing seen yet.
    #[must_use]
    pub fn new(log: &str, set: Arc<RuleSet>) -> Self {
        let engine = correlate::engine(&set.correlations, set.threshold);
        Self { log: log.to_owned(), set, engine, scratch: Scratch::default(), swept: 0 }
    }

    /// Takes other rules; what correlations with the same ids have counted is kept.
    pub fn replace(&mut self, set: Arc<RuleSet>) {
        let counted = self.engine.export_state();
        self.engine = correlate::engine(&set.correlations, set.threshold);
        self.engine.import_state(counted);
        self.set = set;
        self.scratch = Scratch::default();
    }

    /// The rules in force.
    #[must_use]
    pub fn set(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// Puts the rules to the next entry.
    pub fn see(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let seconds = seen.recorded_unix_ns().div_euclid(NANOSECONDS);
        if seconds.saturating_sub(self.swept) >= SWEEP_SECONDS {
            self.engine.evict_expired(seconds.clamp(0, i64::MAX / 2));
            self.swept = seconds;
        }
        let set = Arc::clone(&self.set);
        let mut scratch = std::mem::take(&mut self.scratch);
        let candidates = set.prefilter.candidates(seen.bytes, &mut scratch);
        self.judge(&set, candidates, seen, seconds, findings);
        self.scratch = scratch;
    }

    fn judge(&mut self, set: &RuleSet, candidates: &[u32], seen: &Seen<'_>, seconds: i64, findings: &mut Vec<Finding>) {
        let kind = seen.view.source.kind.as_deref();
        let rules = candidates.iter().filter_map(|rule| set.rules.get(usize::try_from(*rule).ok()?));
        let mut rules = rules.filter(|rule| rule.source.fits(kind)).peekable();
        if rules.peek().is_none() {
            return;
        }
        let Some(tree) = Tree::parse(seen.bytes) else { return };
        let mut counted = Vec::new();
        let mut counted_fields = Fields::Own;
        for rule in rules {
            let event = LogEvent { tree: &tree, seen, fields: rule.source.fields };
            let Some(result) = evaluate_rule(&rule.compiled, &event) else { continue };
            if rule.alerts
                && let Some(info) = set.infos.get(&rule.key)
            {
                findings.push(self.found(info, seen));
            }
            if rule.feeds {
                counted.push(result);
                counted_fields = rule.source.fields;
            }
        }
        if !counted.is_empty() {
            let event = LogEvent { tree: &tree, seen, fields: counted_fields };
            self.count(&event, counted, seconds, findings);
        }
    }

    fn count(
        &mut self,
        event: &LogEvent<'_>,
        matched: Vec<EvaluationResult>,
        seconds: i64,
        findings: &mut Vec<Finding>,
    ) {
        let results = self.engine.process_with_detections(event, matched, seconds);
        for result in &results {
            let (Some(body), Some(key)) = (result.as_correlation(), result.header.rule_id.as_ref()) else { continue };
            let info = self.set.infos.get(key).filter(|info| info.alerts);
            if let Some(info) = info {
                findings.push(self.correlated(info, body, event.seen, seconds));
            }
        }
    }

    fn found(&self, info: &RuleInfo, seen: &Seen<'_>) -> Finding {
        let view = &seen.view;
        let entity = match (&view.actor.id, &view.source.id) {
            (Some(actor), _) => Entity::new("actor", actor),
            (None, Some(source)) => Entity::new("source", source),
            (None, None) => Entity::new("log", &self.log),
        };
        let id = FindingId::of(&self.log, &info.id, &entity, &seen.index.to_string());
        Finding {
            id,
            kind: FindingKind::Rule,
            summary: bounded(&format!("{}: {}", info.title, in_words(seen))),
            evidence: vec![seen.evidence()],
            evidence_total: 1,
            ..self.finding(info, entity, seen)
        }
    }

    fn correlated(&self, info: &RuleInfo, body: &CorrelationBody, seen: &Seen<'_>, seconds: i64) -> Finding {
        let join = |parts: Vec<&str>| parts.join(",");
        let kind = join(body.group_key.iter().map(|(field, _)| field.as_str()).collect());
        let group = join(body.group_key.iter().map(|(_, value)| value.as_str()).collect());
        let entity = if kind.is_empty() { Entity::new("log", &self.log) } else { Entity::new(&kind, &group) };
        let width = i64::try_from(body.timespan_secs).unwrap_or(i64::MAX).max(1);
        let window = seconds.div_euclid(width).saturating_mul(width);
        let references = body.event_refs.as_deref().unwrap_or_default();
        let mut evidence: Vec<_> = references.iter().filter_map(correlate::evidence).collect();
        // one event may feed a correlation by several rules
        evidence.dedup();
        if evidence.is_empty() {
            evidence.push(seen.evidence());
        }
        let kind = body.correlation_type.as_str();
        let counted = if kind == "event_count" { whole(body.aggregated_value) } else { 0 };
        let known = u64::try_from(evidence.len()).unwrap_or(u64::MAX);
        let value = body.aggregated_value;
        let about = if group.is_empty() { String::new() } else { format!(" for {group}") };
        let words =
            format!("{}: {kind} {value} within {} s{about}; last: {}", info.title, body.timespan_secs, in_words(seen));
        Finding {
            id: FindingId::of(&self.log, &info.id, &entity, &format!("window {window}")),
            kind: FindingKind::Correlation,
            summary: bounded(&words),
            evidence_total: counted.max(known),
            evidence,
            ..self.finding(info, entity, seen)
        }
    }

    /// What all findings of a rule share.
    fn finding(&self, info: &RuleInfo, entity: Entity, seen: &Seen<'_>) -> Finding {
        Finding {
            id: FindingId::of(&self.log, &info.id, &entity, ""),
            kind: FindingKind::Rule,
            log: self.log.clone(),
            rule: RuleName { id: info.id.clone(), title: info.title.clone() },
            severity: info.severity,
            entity,
            time_unix_ns: seen.recorded_unix_ns(),
            summary: String::new(),
            usual: None,
            seen: None,
            evidence: Vec::new(),
            evidence_total: 0,
            tags: info.tags.clone(),
            false_positives: info.false_positives.clone(),
        }
    }

    /// Nothing: rules see by entries alone, so that the clock changes no finding.
    pub fn tick(&mut self, _now_unix_ns: i64, _findings: &mut Vec<Finding>) {}

    /// What correlations have counted, to be kept with the cursor.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let saved = SavedRef { version: SNAPSHOT_VERSION, correlations: &self.engine.export_state() };
        serde_json::to_vec(&saved).unwrap_or_default()
    }

    /// Takes up what was saved; of correlations that are there no more nothing.
    ///
    /// # Errors
    /// When it is no snapshot of this version. Nothing has changed then.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let refuse = |reason: String| RestoreError { reason };
        let saved: Saved = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
        if saved.version != SNAPSHOT_VERSION {
            return Err(refuse(format!("it has version {}, not {SNAPSHOT_VERSION}", saved.version)));
        }
        let mut engine = correlate::engine(&self.set.correlations, self.set.threshold);
        if !engine.import_state(saved.correlations) {
            return Err(refuse("the engine's part has another version".to_owned()));
        }
        self.engine = engine;
        Ok(())
    }
}

/// A count that the engine gives as a float.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what a u64 holds; a count has no fraction"
)]
fn whole(value: f64) -> u64 {
    if value.is_finite() { value.clamp(0.0, 9_007_199_254_740_992.0) as u64 } else { 0 }
}

/// Who did what to what.
fn in_words(seen: &Seen<'_>) -> String {
    let view = &seen.view;
    let actor = view.actor.id.as_deref().unwrap_or("somebody");
    let action = view.action.as_deref().unwrap_or("did something");
    let mut words = format!("{actor}: {action}");
    if let Some(operation) = &view.operation {
        words.push_str(&format!(" ({operation})"));
    }
    if let Some(resource) = view.resources.first() {
        let (kind, id) = (resource.kind.as_deref().unwrap_or("resource"), resource.id.as_deref().unwrap_or("?"));
        words.push_str(&format!(" on {kind} {id}"));
        if view.resources.len() > 1 {
            words.push_str(&format!(" and {} more", view.resources.len() - 1));
        }
    }
    if let Some(result) = &view.outcome.result {
        words.push_str(&format!(", {result}"));
    }
    words
}
