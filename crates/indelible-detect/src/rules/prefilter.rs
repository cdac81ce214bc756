//! Which rules could match an entry at all, by texts that must stand in its bytes: one pass over the bytes for all rules.
//!
//! Promises: never leaves out a rule that would match. What a rule needs is a conjunction of groups, of each of which one text
//! must be there; texts are ASCII, compared without case, as JSON writes them. Where that could mislead (letters outside ASCII
//! that turn into ASCII letters in lower case; escapes that the canonical form does not use) every rule is looked at. Never:
//! decides that a rule matches.

use std::collections::HashMap;

use super::source::{Fields, Source};
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use rsigma_parser::{ConditionExpr, Detection, DetectionItem, Modifier, Quantifier, SigmaRule, SigmaValue, StringPart};

/// Texts in one group; a larger group is left out, which only makes the rule be looked at more often.
const GROUP_TEXTS_MAX: usize = 2_048;
/// Groups of one rule.
const GROUPS_MAX: usize = 8;
/// Longest text compared; of a longer one the beginning.
const TEXT_BYTES_MAX: usize = 64;
/// Up to so many bytes of texts the automaton is a table with a row for each: at most some 50 MiB.
const TABLE_BYTES_MAX: usize = 200_000;
/// How deep conditions are followed.
const DEPTH_MAX: usize = 64;
/// Bytes after which nothing is left out: KELVIN SIGN, LATIN CAPITAL I WITH DOT ABOVE and LATIN SMALL LONG S fold to `k`, `i`
/// and `s`; escapes that another writer of JSON might use.
const MISLEADING: [&str; 5] = ["\u{212a}", "\u{130}", "\u{17f}", "\\u", "\\/"];

/// What stands in so many entries that looking for it tells little.
const COMMON: [&str; 12] = [
    "\"allowed\"",
    "\"outcome\"",
    "\"single\"",
    "\"human\"",
    "\"agent\"",
    "\"service\"",
    "\"read\"",
    "\"infer\"",
    "result\"",
    "phase\"",
    "id\"",
    "type\"",
];

/// One of these must stand in the bytes.
type Group = Vec<String>;
/// What a rule needs: one text of each group. None: nothing is known.
pub(super) type Needs = Vec<Group>;

/// The texts of all rules.
#[derive(Debug)]
pub(super) struct Prefilter {
    texts: Option<AhoCorasick>,
    /// For each text, the rules that wait for it.
    waiting: Vec<Vec<u32>>,
    /// For each rule, the texts of its other groups.
    others: Vec<Vec<Vec<u32>>>,
    /// Rules that need nothing known.
    always: Vec<u32>,
    rules: u32,
}

/// What is reused from entry to entry.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    round: u32,
    seen: Vec<u32>,
    asked: Vec<u32>,
    found: Vec<usize>,
    candidates: Vec<u32>,
}

impl Prefilter {
    pub(super) fn new(needs: &[Needs]) -> Self {
        let mut texts: Vec<&str> = MISLEADING.to_vec();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut always = Vec::new();
        let mut waits: Vec<(usize, u32)> = Vec::new();
        let mut others = Vec::with_capacity(needs.len());
        for (rule, groups) in (0u32..).zip(needs) {
            let mut rest = Vec::new();
            // the rarest group is the one whose shortest text is longest
            let rarest = (0..groups.len()).max_by_key(|n| groups.get(*n).map(rarity));
            if rarest.is_none() {
                always.push(rule);
            }
            for (n, group) in groups.iter().enumerate() {
                let ids: Vec<usize> = group
                    .iter()
                    .map(|text| {
                        *numbers.entry(text).or_insert_with(|| {
                            texts.push(text);
                            texts.len() - 1
                        })
                    })
                    .collect();
                if Some(n) == rarest {
                    waits.extend(ids.iter().map(|id| (*id, rule)));
                } else {
                    rest.push(ids.iter().filter_map(|id| u32::try_from(*id).ok()).collect());
                }
            }
            others.push(rest);
        }
        let mut waiting = vec![Vec::new(); texts.len()];
        for (text, rule) in waits {
            if let Some(rules) = waiting.get_mut(text) {
                rules.push(rule);
            }
        }
        // one look-up a byte; where the table would be too large, the smaller and slower one
        let builder = || {
            let mut builder = AhoCorasickBuilder::new();
            builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard);
            builder
        };
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let kind = (bytes <= TABLE_BYTES_MAX).then_some(AhoCorasickKind::DFA);
        let automaton = builder().kind(kind).build(&texts).or_else(|_| builder().build(&texts));
        let rules = u32::try_from(needs.len()).unwrap_or(u32::MAX);
        Self { texts: automaton.ok(), waiting, others, always, rules }
    }

    /// The rules that are looked at for every entry.
    #[cfg(test)]
    pub(super) fn always(&self) -> &[u32] {
        &self.always
    }

    /// The rules that could match these bytes, in order.
    pub(super) fn candidates<'s>(&self, bytes: &[u8], scratch: &'s mut Scratch) -> &'s [u32] {
        scratch.candidates.clear();
        let Some(texts) = &self.texts else {
            scratch.candidates.extend(0..self.rules);
            return &scratch.candidates;
        };
        scratch.begin(self.waiting.len(), self.others.len());
        for hit in texts.find_overlapping_iter(bytes) {
            let text = hit.pattern().as_usize();
            if text < MISLEADING.len() {
                scratch.candidates.clear();
                scratch.candidates.extend(0..self.rules);
                return &scratch.candidates;
            }
            if let Some(seen) = scratch.seen.get_mut(text)
                && *seen != scratch.round
            {
                *seen = scratch.round;
                scratch.found.push(text);
            }
        }
        let Scratch { round, seen, asked, found, candidates } = scratch;
        candidates.extend(&self.always);
        for rule in found.iter().filter_map(|text| self.waiting.get(*text)).flatten() {
            let place = usize::try_from(*rule).unwrap_or(usize::MAX);
            let (Some(asked), Some(groups)) = (asked.get_mut(place), self.others.get(place)) else { continue };
            if *asked == *round {
                continue;
            }
            *asked = *round;
            let here = |text: &u32| usize::try_from(*text).ok().and_then(|text| seen.get(text)) == Some(&*round);
            if groups.iter().all(|group| group.iter().any(here)) {
                candidates.push(*rule);
            }
        }
        candidates.sort_unstable();
        candidates
    }
}

impl Scratch {
    fn begin(&mut self, texts: usize, rules: usize) {
        if self.seen.len() != texts || self.asked.len() != rules || self.round == u32::MAX {
            (self.seen, self.asked, self.round) = (vec![0; texts], vec![0; rules], 0);
        }
        self.round += 1;
        self.found.clear();
    }
}

fn is_common(group: &Group) -> bool {
    group.iter().any(|text| COMMON.contains(&text.as_str()))
}

/// How seldom a group is there, as far as one can tell beforehand; greater is more seldom.
fn rarity(group: &Group) -> (bool, usize, usize) {
    let shortest = group.iter().map(String::len).min().unwrap_or(0);
    (!is_common(group), shortest, GROUP_TEXTS_MAX.saturating_sub(group.len()))
}

/// What must stand in an entry for `rule` to match it.
pub(super) fn needs(rule: &SigmaRule) -> Needs {
    let fields = Source::of(&rule.logsource).fields;
    let of_conditions: Vec<Needs> =
        rule.detection.conditions.iter().map(|condition| of_condition(condition, rule, fields, DEPTH_MAX)).collect();
    let mut needs = either(of_conditions);
    needs.sort_by_key(|group| std::cmp::Reverse(rarity(group)));
    // what stands nearly everywhere costs more to find than it tells
    if needs.first().is_some_and(|rarest| !is_common(rarest)) {
        needs.retain(|group| !is_common(group));
    }
    needs.truncate(GROUPS_MAX);
    needs
}

fn of_condition(condition: &ConditionExpr, rule: &SigmaRule, fields: Fields, deep: usize) -> Needs {
    let Some(deep) = deep.checked_sub(1) else { return Needs::new() };
    match condition {
        ConditionExpr::And(parts) => parts.iter().flat_map(|part| of_condition(part, rule, fields, deep)).collect(),
        ConditionExpr::Or(parts) => either(parts.iter().map(|part| of_condition(part, rule, fields, deep)).collect()),
        ConditionExpr::Not(_) => Needs::new(),
        ConditionExpr::Identifier(name) => {
            rule.detection.named.get(name).map(|detection| of_detection(detection, fields, deep)).unwrap_or_default()
        }
        ConditionExpr::Selector { quantifier, pattern } => {
            let mut named: Vec<_> = rule.detection.named.iter().collect();
            named.sort_by_key(|(name, _)| name.as_str());
            let meant = named.into_iter().filter(|(name, _)| pattern.matches_detection_name(name));
            let meant: Vec<Needs> = meant.map(|(_, detection)| of_detection(detection, fields, deep)).collect();
            match quantifier {
                Quantifier::All => meant.into_iter().flatten().collect(),
                Quantifier::Any => either(meant),
                Quantifier::Count(0) => Needs::new(),
                Quantifier::Count(_) => either(meant),
            }
        }
    }
}

fn of_detection(detection: &Detection, fields: Fields, deep: usize) -> Needs {
    let Some(deep) = deep.checked_sub(1) else { return Needs::new() };
    match detection {
        Detection::AllOf(items) => items.iter().flat_map(|item| of_item(item, fields)).collect(),
        Detection::AnyOf(parts) => either(parts.iter().map(|part| of_detection(part, fields, deep)).collect()),
        Detection::And(parts) => parts.iter().flat_map(|part| of_detection(part, fields, deep)).collect(),
        Detection::Keywords(values) => either(values.iter().map(|value| one(value, Place::Inside)).collect()),
        Detection::ArrayMatch { .. } | Detection::Conditional { .. } => Needs::new(),
    }
}

/// Where in a text of the entry a value must stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Whole,
    Start,
    End,
    Inside,
}

fn of_item(item: &DetectionItem, fields: Fields) -> Needs {
    let needs = of_values(item);
    if needs.is_empty() && fields == Fields::Own { of_name(item) } else { needs }
}

/// An item that says something of a field matches only where the field is: of its name the last part, as a key ends with it.
fn of_name(item: &DetectionItem) -> Needs {
    let Some(name) = item.field.name.as_deref() else { return Needs::new() };
    let absent = |value: &SigmaValue| match value {
        SigmaValue::Null => true,
        value => item.field.modifiers.contains(&Modifier::Exists) && *value != SigmaValue::Bool(true),
    };
    if item.values.is_empty() || item.values.iter().any(absent) {
        return Needs::new();
    }
    let key = match name.strip_prefix("derived.") {
        None => name.rsplit('.').next().unwrap_or_default(),
        Some(derived) => match derived_from(derived, item) {
            Some(key) => key,
            None => return Needs::new(),
        },
    };
    let plain = key.bytes().all(|byte| (0x20..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\'));
    if key.is_empty() || !plain || key.len() >= TEXT_BYTES_MAX {
        return Needs::new();
    }
    vec![vec![format!("{}\"", key.to_ascii_lowercase())]]
}

/// The key without which a derived field is not what an item asks for.
fn derived_from(name: &str, item: &DetectionItem) -> Option<&'static str> {
    let above_zero = || {
        let more = |value: &SigmaValue| matches!(value, SigmaValue::Integer(number) if *number > 0);
        let modifiers = item.field.modifiers.as_slice();
        matches!(modifiers, [] | [Modifier::Gt | Modifier::Gte]) && item.values.iter().all(more)
    };
    let is_true =
        || item.field.modifiers.is_empty() && item.values.iter().all(|value| *value == SigmaValue::Bool(true));
    match name {
        "chain_length" if above_zero() => Some("on_behalf_of"),
        "acts_for_human" | "acts_for_itself" if is_true() => Some("on_behalf_of"),
        "resource_count" if above_zero() => Some("count"),
        "resource_bytes" if above_zero() => Some("bytes"),
        "ip_network" => Some("ip"),
        _ => None,
    }
}

/// What the values of an item need.
fn of_values(item: &DetectionItem) -> Needs {
    if item.field.name.as_deref().is_some_and(|name| name.starts_with("derived.")) {
        return Needs::new();
    }
    let mut place = Place::Whole;
    let mut all = false;
    for modifier in &item.field.modifiers {
        match modifier {
            Modifier::Contains => place = Place::Inside,
            Modifier::StartsWith => place = Place::Start,
            Modifier::EndsWith => place = Place::End,
            Modifier::All => all = true,
            Modifier::Cased => {}
            _ => return Needs::new(),
        }
    }
    if item.field.name.is_none() {
        place = Place::Inside;
    }
    let values: Vec<Needs> = item.values.iter().map(|value| one(value, place)).collect();
    if all { values.into_iter().flatten().collect() } else { either(values) }
}

/// What a value needs: its longest part without wildcards.
fn one(value: &SigmaValue, place: Place) -> Needs {
    let SigmaValue::String(text) = value else { return Needs::new() };
    if let ([StringPart::Plain(plain)], false) = (text.parts.as_slice(), place == Place::Inside) {
        return written(plain, place).map(|text| vec![vec![text]]).unwrap_or_default();
    }
    let parts = text.parts.iter().filter_map(|part| match part {
        StringPart::Plain(plain) => written(plain, Place::Inside),
        StringPart::Special(_) => None,
    });
    parts.max_by_key(String::len).map(|text| vec![vec![text]]).unwrap_or_default()
}

/// An ASCII text as JSON writes it, with the quotes where it must touch them.
fn written(text: &str, place: Place) -> Option<String> {
    if text.is_empty() || !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return None;
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    let quoted = !could_be_no_text(text);
    let before = if quoted && matches!(place, Place::Whole | Place::Start) { "\"" } else { "" };
    let after = if quoted && matches!(place, Place::Whole | Place::End) { "\"" } else { "" };
    let mut written = format!("{before}{escaped}{after}");
    written.truncate(TEXT_BYTES_MAX); // ASCII only
    Some(written.to_ascii_lowercase())
}

/// Whether a number, `true` or `false` could read so, or begin or end so: those stand without quotes.
fn could_be_no_text(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte));
    number || ["true", "false", "null", "inf", "nan"].iter().any(|word| word.contains(&text))
}

/// What is needed when one of several is: one group that holds a group of each.
fn either(mut all: Vec<Needs>) -> Needs {
    if let [_] = all.as_slice() {
        return all.pop().unwrap_or_default();
    }
    let mut texts: Group = Vec::new();
    for needs in all {
        let Some(rarest) = needs.into_iter().max_by_key(rarity) else { return Needs::new() };
        texts.extend(rarest);
        if texts.len() > GROUP_TEXTS_MAX {
            return Needs::new();
        }
    }
    texts.sort();
    texts.dedup();
    if texts.is_empty() { Needs::new() } else { vec![texts] }
}
