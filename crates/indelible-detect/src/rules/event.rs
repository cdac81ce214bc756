//! An entry as rules see it: fields by path, lists as "any element", and what is derived from the event.
//!
//! Promises: a path through lists gives every element it reaches, flat; a key that holds dots is found too. Committed texts
//! (`{"commitment": …}`) equal nothing.

use std::borrow::Cow;

use rsigma_eval::{Event, EventValue};
use serde_json::Value;

use super::source::Fields;
use super::tree::{Tree, any_text, borrowed, each_text, member};
use crate::seen::Seen;

/// Most values that one path gives.
const VALUES_MAX: usize = 1_000;

/// An entry as a rule sees it.
#[derive(Debug)]
pub(super) struct LogEvent<'a> {
    pub(super) tree: &'a Tree<'a>,
    pub(super) seen: &'a Seen<'a>,
    pub(super) fields: Fields,
}

impl LogEvent<'_> {
    fn own(&self, path: &str) -> Option<EventValue<'_>> {
        let mut found = Vec::new();
        walk(&self.tree.0, path, &mut found);
        match found.len() {
            0 => None,
            1 => found.pop(),
            _ => Some(EventValue::Array(found)),
        }
    }

    fn derived(&self, name: &str) -> Option<EventValue<'_>> {
        let view = &self.seen.view;
        let number = |n: usize| EventValue::Int(i64::try_from(n).unwrap_or(i64::MAX));
        match name {
            "hour" => Some(EventValue::Int(clock(&view.time)?.hour)),
            "weekday" => Some(EventValue::Int(clock(&view.time)?.weekday)),
            "weekend" => Some(EventValue::Bool(clock(&view.time)?.weekday >= 6)),
            "resource_count" => Some(EventValue::Int(sum(view.resources.iter().map(|resource| resource.count)))),
            "resource_bytes" => Some(EventValue::Int(sum(view.resources.iter().map(|resource| resource.bytes)))),
            "chain_length" => Some(number(view.on_behalf_of.len())),
            "acts_for_human" => {
                let human = view.on_behalf_of.iter().any(|actor| actor.kind.as_deref() == Some("human"));
                Some(EventValue::Bool(human))
            }
            "acts_for_itself" => {
                let itself = view.actor.id.is_some() && view.on_behalf_of.iter().any(|actor| actor.id == view.actor.id);
                Some(EventValue::Bool(itself))
            }
            "human" => {
                let mut chain = std::iter::once(&view.actor).chain(&view.on_behalf_of);
                let human = chain.find(|actor| actor.kind.as_deref() == Some("human"))?;
                human.id.as_deref().map(|id| EventValue::Str(Cow::Borrowed(id)))
            }
            "ip_network" => network(view.actor.ip.as_deref()?).map(|network| EventValue::Str(Cow::Owned(network))),
            _ => None,
        }
    }
}

impl Event for LogEvent<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        if let Some(name) = path.strip_prefix("derived.") {
            return self.derived(name);
        }
        let Fields::Mapped(names) = self.fields else { return self.own(path) };
        if let Some((_, places)) = names.iter().find(|(name, _)| *name == path) {
            return places.iter().find_map(|place| self.own(place));
        }
        let attributes = member(&self.tree.0, "attributes").and_then(|attributes| {
            let mut found = Vec::new();
            walk(attributes, path, &mut found);
            if found.len() > 1 { Some(EventValue::Array(found)) } else { found.pop() }
        });
        attributes.or_else(|| self.own(path))
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        any_text(&self.tree.0, pred)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut texts = Vec::new();
        each_text(&self.tree.0, &mut |text| texts.push(Cow::Owned(text.to_owned())));
        texts
    }

    /// What correlations keep of an event: its place, id and time, see [`super::correlate::evidence`].
    fn to_json(&self) -> Value {
        let view = &self.seen.view;
        serde_json::json!({"id": format!("{} {} {}", self.seen.index, view.id, view.recorded)})
    }
}

/// Every value that `path` reaches in `value`. A key may hold dots: the longest that is there is taken first.
fn walk<'b>(value: &'b EventValue<'_>, path: &str, found: &mut Vec<EventValue<'b>>) {
    match value {
        EventValue::Array(items) => {
            for item in items {
                if found.len() >= VALUES_MAX {
                    return;
                }
                walk(item, path, found);
            }
        }
        EventValue::Map(_) => {
            if let Some(member) = member(value, path) {
                return leaf(member, found);
            }
            for (dot, _) in path.rmatch_indices('.') {
                let (key, rest) = path.split_at(dot);
                if let Some(member) = member(value, key) {
                    return walk(member, rest.trim_start_matches('.'), found);
                }
            }
        }
        _ => {}
    }
}

/// A value at the end of a path; of a list each element.
fn leaf<'b>(value: &'b EventValue<'_>, found: &mut Vec<EventValue<'b>>) {
    let EventValue::Array(items) = value else { return found.push(borrowed(value)) };
    let room = VALUES_MAX.saturating_sub(found.len());
    found.extend(items.iter().take(room).map(borrowed));
}

fn sum(counts: impl Iterator<Item = Option<i64>>) -> i64 {
    counts.flatten().fold(0, i64::saturating_add)
}

struct WallClock {
    hour: i64,
    weekday: i64,
}

/// Hour and weekday (1 is Monday) as written in an RFC 3339 time, by its own offset.
fn clock(time: &str) -> Option<WallClock> {
    let number = |from: usize, to: usize| time.get(from..to)?.parse::<i64>().ok();
    let (year, month, day, hour) = (number(0, 4)?, number(5, 7)?, number(8, 10)?, number(11, 13)?);
    // Sakamoto: the day of the week of a Gregorian date, 0 is Sunday
    let shift = *[0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4].get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    let year = if month < 3 { year - 1 } else { year };
    let sunday_is_0 = (year + year / 4 - year / 100 + year / 400 + shift + day).rem_euclid(7);
    Some(WallClock { hour, weekday: if sunday_is_0 == 0 { 7 } else { sunday_is_0 } })
}

/// The /24 or /48 that an address lies in.
fn network(ip: &str) -> Option<String> {
    match ip.parse().ok()? {
        std::net::IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        std::net::IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            Some(format!("{a:x}:{b:x}:{c:x}::/48"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indelible_event::doors::EntryIndex;
    use indelible_event::view::EventView;

    fn with<T>(json: &str, look: impl FnOnce(&LogEvent<'_>) -> T) -> T {
        let bytes = json.as_bytes();
        let tree = Tree::parse(bytes).unwrap();
        let seen = Seen { index: EntryIndex(3), bytes, view: EventView::parse(bytes).unwrap() };
        look(&LogEvent { tree: &tree, seen: &seen, fields: Fields::Own })
    }

    #[test]
    fn a_path_through_lists_reaches_every_element_and_keys_may_hold_dots() {
        let json = r#"{"resources":[{"labels":["pii.email","x"]},{"labels":["y"]}],"attributes":{"tool.name":"a","tool":{"b":1}}}"#;
        with(json, |event| {
            let EventValue::Array(labels) = event.get_field("resources.labels").unwrap() else { panic!("no list") };
            assert_eq!(labels.len(), 3);
            assert_eq!(event.get_field("attributes.tool.name").unwrap().as_str().as_deref(), Some("a"));
            assert_eq!(event.get_field("attributes.tool.b"), Some(EventValue::Int(1)));
            assert_eq!(event.get_field("attributes.nothing"), None);
        });
    }

    #[test]
    fn derived_fields_follow_from_the_event() {
        let json = r#"{"time":"2026-11-22T03:15:30+01:00","actor":{"id":"bot","type":"agent","ip":"192.0.2.7"},
            "on_behalf_of":[{"id":"ana","type":"human"}],"resources":[{"count":2},{"count":40}]}"#;
        with(json, |event| {
            let text = |name: &str| event.get_field(name).and_then(|value| value.as_str().map(Cow::into_owned));
            assert_eq!(text("derived.hour").as_deref(), Some("3"));
            assert_eq!(text("derived.weekday").as_deref(), Some("7"));
            assert_eq!(text("derived.weekend").as_deref(), Some("true"));
            assert_eq!(text("derived.resource_count").as_deref(), Some("42"));
            assert_eq!(text("derived.human").as_deref(), Some("ana"));
            assert_eq!(text("derived.ip_network").as_deref(), Some("192.0.2.0/24"));
        });
    }
}
