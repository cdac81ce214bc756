//! From rule files to rules that can be used; what cannot be used is named and left out.

use std::collections::HashMap;
use std::sync::Arc;

use rsigma_eval::compile_rule;
use rsigma_parser::{CorrelationRule, Level, SigmaCollection, SigmaRule, parse_sigma_yaml};

use super::files::{self, RULES_MAX, RuleFile, Stamps};
use super::lists::{self, Lists, Unfilled};
use super::prefilter::{Needs, Prefilter, needs};
use super::source::Source;
use super::{Inactive, Loaded, Rule, RuleInfo, RuleSet, RuleSource, Skipped, correlate, guard};
use crate::finding::{Severity, bounded};

/// A rule as read, with where it was read.
#[derive(Debug)]
pub(super) struct Read<T> {
    pub(super) rule: T,
    /// What it is known by everywhere: its id, or file and name.
    pub(super) key: String,
    pub(super) source: usize,
    pub(super) file: String,
    pub(super) line: Option<usize>,
}

impl<T> Read<T> {
    /// Why this one is not used.
    pub(super) fn skip(&self, title: &str, reason: impl Into<String>) -> Skipped {
        let (file, line) = (self.file.clone(), self.line);
        Skipped { file, line, rule: Some(title.to_owned()), reason: reason.into() }
    }
}

pub(super) fn load(sources: &[RuleSource], lists: &Lists) -> Loaded {
    // taken before the files are read: what changes meanwhile is seen at the next look
    let stamps = Stamps::take(sources, lists.file());
    let mut skipped = Vec::new();
    let (mut rules, mut correlations) = (Vec::new(), Vec::new());
    for file in files::read(sources, &mut skipped) {
        read_file(&file, &mut rules, &mut correlations, &mut skipped);
    }
    let mut rules = newest(rules, |rule: &SigmaRule| &rule.title, &mut skipped);
    let mut correlations = newest(correlations, |rule: &CorrelationRule| &rule.title, &mut skipped);
    for read in rules.drain(RULES_MAX.min(rules.len())..) {
        skipped.push(read.skip(&read.rule.title, format!("there are more than {RULES_MAX} rules")));
    }
    for read in correlations.drain(RULES_MAX.min(correlations.len())..) {
        skipped.push(read.skip(&read.rule.title, format!("there are more than {RULES_MAX} correlations")));
    }
    let mut inactive = fill(&mut rules, lists, &mut skipped);
    let unlinked = inactivate(&rules, &mut correlations, &mut inactive);
    let mut compiled = Vec::with_capacity(rules.len());
    rules.retain(|read| match compile(read) {
        Ok(rule) => {
            compiled.push(rule);
            true
        }
        Err(reason) => {
            skipped.push(read.skip(&read.rule.title, reason));
            false
        }
    });
    let mut linked = correlate::link(&rules, correlations, &mut skipped);
    linked.silent.extend(unlinked);
    let mut infos = HashMap::new();
    for (rule, read) in compiled.iter_mut().zip(&rules) {
        rule.feeds = linked.feeding.contains(&read.key);
        rule.alerts = !linked.silent.contains(&read.key);
        infos.insert(read.key.clone(), rule_info(read, rule.alerts));
    }
    for read in &linked.correlations {
        infos.insert(read.key.clone(), correlation_info(read, !linked.silent.contains(&read.key)));
    }
    let needed: Vec<Needs> = rules.iter().map(|read| needs(&read.rule)).collect();
    let feeding = rules.into_iter().filter(|read| linked.feeding.contains(&read.key));
    let feeding = feeding.map(|read| keyed(read.rule, &read.key)).collect();
    let collection = SigmaCollection {
        rules: feeding,
        correlations: linked.correlations.into_iter().map(|read| read.rule).collect(),
        ..SigmaCollection::new()
    };
    let set = RuleSet {
        rules: compiled,
        infos,
        correlations: collection,
        threshold: linked.threshold,
        prefilter: Prefilter::new(&needed),
        stamps,
        inactive: inactive.into_iter().map(|(_, inactive)| inactive).collect(),
    };
    Loaded { set: Arc::new(set), skipped }
}

/// Rules that wait for a list, each with the names that a correlation may call it by.
type Waiting = Vec<([Option<String>; 2], Inactive)>;

/// Puts the values of lists into rules; those that wait for one are taken out.
fn fill(rules: &mut Vec<Read<SigmaRule>>, lists: &Lists, skipped: &mut Vec<Skipped>) -> Waiting {
    let mut waiting = Waiting::new();
    rules.retain_mut(|read| match lists::fill(&mut read.rule, lists) {
        Ok(()) => true,
        Err(Unfilled::Missing(missing)) => {
            let missing = missing.into_iter().collect();
            let inactive = inactive(&read.key, &read.rule.title, &read.file, missing);
            waiting.push(([Some(read.key.clone()), read.rule.name.clone()], inactive));
            false
        }
        Err(Unfilled::Wrong(reason)) => {
            skipped.push(read.skip(&read.rule.title, bounded(&reason)));
            false
        }
    });
    waiting
}

fn inactive(key: &str, title: &str, file: &str, lists: Vec<String>) -> Inactive {
    Inactive { id: key.to_owned(), title: bounded(title), file: file.to_owned(), lists }
}

/// Takes out the correlations that count a rule which waits for a list, and gives the keys of what only they counted: that was
/// never meant to be told by itself.
fn inactivate(
    rules: &[Read<SigmaRule>],
    correlations: &mut Vec<Read<CorrelationRule>>,
    waiting: &mut Waiting,
) -> Vec<String> {
    let mut silent = Vec::new();
    let mut before = usize::MAX;
    // a correlation may count another one
    while before != waiting.len() {
        before = waiting.len();
        correlations.retain(|read| {
            let counts = |called: &[Option<String>; 2], file: &str| {
                file == read.file && called.iter().flatten().any(|name| read.rule.rules.contains(name))
            };
            let found = waiting.iter().find(|(called, inactive)| counts(called, &inactive.file));
            let Some((_, counted)) = found else { return true };
            let also = inactive(&read.key, &read.rule.title, &read.file, counted.lists.clone());
            if !read.rule.generate {
                let meant =
                    rules.iter().filter(|rule| counts(&[Some(rule.key.clone()), rule.rule.name.clone()], &rule.file));
                silent.extend(meant.map(|rule| rule.key.clone()));
            }
            waiting.push(([Some(read.key.clone()), read.rule.name.clone()], also));
            false
        });
    }
    silent
}

fn read_file(
    file: &RuleFile,
    rules: &mut Vec<Read<SigmaRule>>,
    correlations: &mut Vec<Read<CorrelationRule>>,
    skipped: &mut Vec<Skipped>,
) {
    let mut skip = |line: Option<usize>, rule: Option<String>, reason: String| {
        skipped.push(Skipped { file: file.name.clone(), line, rule, reason: bounded(&reason) });
    };
    if file.yaml.len() as u64 > guard::FILE_BYTES_MAX {
        return skip(None, None, format!("the file is larger than {} bytes; split it", guard::FILE_BYTES_MAX));
    }
    if let Err(fault) = guard::check(&file.yaml) {
        return skip(fault.line, None, fault.reason);
    }
    let collection = match parse_sigma_yaml(&file.yaml) {
        Ok(collection) => collection,
        Err(error) => return skip(None, None, error.to_string()),
    };
    for error in collection.errors {
        skip(None, None, error);
    }
    for filter in collection.filters {
        let line = line_of(&file.yaml, &filter.title);
        skip(line, Some(filter.title), "filters are not supported: put the exception into the rule".to_owned());
    }
    for rule in collection.rules {
        let key = key(&file.name, rule.id.as_deref(), rule.name.as_deref(), &rule.title);
        let line = line_of(&file.yaml, &rule.title);
        rules.push(Read { rule, key, source: file.source, file: file.name.clone(), line });
    }
    for rule in collection.correlations {
        let key = key(&file.name, rule.id.as_deref(), rule.name.as_deref(), &rule.title);
        let line = line_of(&file.yaml, &rule.title);
        correlations.push(Read { rule, key, source: file.source, file: file.name.clone(), line });
    }
}

fn key(file: &str, id: Option<&str>, name: Option<&str>, title: &str) -> String {
    match id {
        Some(id) => bounded(id),
        None => bounded(&format!("{file}#{}", name.unwrap_or(title))),
    }
}

/// The line in which a rule's title stands.
fn line_of(yaml: &str, title: &str) -> Option<usize> {
    let stands = |line: &str| line.trim_start().starts_with("title:") && line.contains(title);
    yaml.lines().position(stands).map(|line| line + 1)
}

/// Of rules with one key the one from the last source; a second one within a source is named.
fn newest<T>(read: Vec<Read<T>>, title: fn(&T) -> &String, skipped: &mut Vec<Skipped>) -> Vec<Read<T>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Read<T>> = Vec::with_capacity(read.len());
    for rule in read {
        match places.get(&rule.key).and_then(|place| kept.get_mut(*place)) {
            None => {
                places.insert(rule.key.clone(), kept.len());
                kept.push(rule);
            }
            Some(before) if before.source < rule.source => *before = rule,
            Some(before) => {
                let reason = format!("its id `{}` is already that of a rule in {}", rule.key, before.file);
                skipped.push(rule.skip(title(&rule.rule), reason));
            }
        }
    }
    kept
}

/// The rule under its key: by that, not by its name, correlations know it.
fn keyed(mut rule: SigmaRule, key: &str) -> SigmaRule {
    rule.id = Some(key.to_owned());
    rule.name = None;
    // attributes of the engine would change its limits
    rule.custom_attributes.clear();
    rule
}

fn compile(read: &Read<SigmaRule>) -> Result<Rule, String> {
    let compiled = compile_rule(&keyed(read.rule.clone(), &read.key)).map_err(|error| bounded(&error.to_string()))?;
    let source = Source::of(&read.rule.logsource);
    Ok(Rule { compiled, source, key: read.key.clone(), alerts: true, feeds: false })
}

fn severity(level: Option<Level>) -> Severity {
    level.and_then(|level| Severity::from_word(level.as_str())).unwrap_or(Severity::Medium)
}

fn short(texts: &[String]) -> Vec<String> {
    const TEXTS_MAX: usize = 32;
    texts.iter().take(TEXTS_MAX).map(|text| bounded(text)).collect()
}

fn rule_info(read: &Read<SigmaRule>, alerts: bool) -> RuleInfo {
    let rule = &read.rule;
    RuleInfo {
        id: read.key.clone(),
        title: bounded(&rule.title),
        description: bounded(rule.description.as_deref().unwrap_or_default()),
        severity: severity(rule.level),
        tags: short(&rule.tags),
        false_positives: short(&rule.falsepositives),
        file: read.file.clone(),
        correlation: false,
        alerts,
    }
}

fn correlation_info(read: &Read<CorrelationRule>, alerts: bool) -> RuleInfo {
    let rule = &read.rule;
    RuleInfo {
        id: read.key.clone(),
        title: bounded(&rule.title),
        description: bounded(rule.description.as_deref().unwrap_or_default()),
        severity: severity(rule.level),
        tags: short(&rule.tags),
        false_positives: short(&rule.falsepositives),
        file: read.file.clone(),
        correlation: true,
        alerts,
    }
}
