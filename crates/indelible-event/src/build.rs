//! Events that the server writes about itself. They take the same way as everyone's: JSON, the same checks, the same canonical
//! writer. `source.kind` is always `indelible`.
//!
//! Promises: text from outside (a user agent, a query) cannot make the event too long or otherwise wrong: an empty one is left
//! out, one that is too long is cut at a character and ends in `…`. Only an empty actor id is a fault.

use std::borrow::Cow;

use crate::batch::EventBatch;
use crate::fault::{Fault, FaultCode};
use crate::id::EventId;
use crate::json::{Value, owned_members};
use crate::limits::{IDENTIFIER_BYTES_MAX, INTEGER_MAX};
use crate::prepare::{Defaults, prepare};
use crate::shape::OWN_SOURCE_KIND;
use crate::time::RecordedTime;
use crate::words::{Action, ActorType, OutcomePhase, OutcomeResult};

/// Longest text that is kept in an event that would not fit otherwise: all of them together, every byte written as an escape of
/// six, take less than an entry.
const TIGHT_TEXT_BYTES: usize = 128;
/// Most resources of one event, and most attributes.
const ITEMS_MAX: usize = 16;

/// An event being put together.
///
/// ```
/// use indelible_event::batch::EventBatch;
/// use indelible_event::build::EventBuilder;
/// use indelible_event::id::EventId;
/// use indelible_event::time::RecordedTime;
/// use indelible_event::words::{Action, ActorType};
///
/// let now = RecordedTime(1_795_425_330_123_456_789);
/// let mut batch = EventBatch::new();
/// EventBuilder::new(now, Action::Read, "events.search", ActorType::Service, "auditor")
///     .resource("log", "main")
///     .seq(1)
///     .push(EventId::version_7(1_795_425_330_123, [7; 10]), "indelible-server", &mut batch)
///     .unwrap();
/// assert_eq!(batch.len(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct EventBuilder<'a> {
    event: Fields<'a>,
    actor: Fields<'a>,
    outcome: Fields<'a>,
    source: Fields<'a>,
    attributes: Fields<'a>,
    resources: Vec<Value<'a>>,
}

/// The members of an object being put together.
#[derive(Clone, Debug, Default)]
struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Fields<'a> {
    /// Sets a field. An empty text says nothing and is left out; a number beyond the exact integers reads as the last of them.
    fn set(&mut self, name: &'a str, value: impl Into<Value<'a>>) {
        self.0.retain(|(known, _)| known != name);
        let value = match value.into() {
            Value::Text(text) if text.is_empty() => return,
            Value::Integer(value) => Value::Integer(value.clamp(-INTEGER_MAX, INTEGER_MAX)),
            value => value,
        };
        self.0.push((Cow::Borrowed(name), value));
    }
}

impl<'a> EventBuilder<'a> {
    /// An event that was allowed: at `time`, the actor did `action`, which the server calls `operation` (such as
    /// `events.search`).
    #[must_use]
    pub fn new(
        time: RecordedTime,
        action: Action,
        operation: &'a str,
        actor_type: ActorType,
        actor_id: &'a str,
    ) -> Self {
        let mut builder = Self {
            event: Fields::default(),
            actor: Fields::default(),
            outcome: Fields::default(),
            source: Fields::default(),
            attributes: Fields::default(),
            resources: Vec::new(),
        };
        builder.event.set("time", time.to_string());
        builder.event.set("action", action.as_str());
        builder.event.set("operation", operation);
        builder.actor.set("type", actor_type.as_str());
        builder.actor.set("id", actor_id);
        builder.result(OutcomeResult::Allowed)
    }

    /// The actor's name for people.
    #[must_use]
    pub fn actor_name(mut self, name: &'a str) -> Self {
        self.actor.set("name", name);
        self
    }

    /// The role that the actor used.
    #[must_use]
    pub fn actor_role(mut self, role: &'a str) -> Self {
        self.actor.set("roles", Value::List(vec![Value::from(role)]));
        self
    }

    /// The address that the actor came from.
    #[must_use]
    pub fn actor_ip(mut self, ip: std::net::IpAddr) -> Self {
        self.actor.set("ip", ip.to_string());
        self
    }

    /// The program that the actor used.
    #[must_use]
    pub fn actor_user_agent(mut self, user_agent: &'a str) -> Self {
        self.actor.set("user_agent", user_agent);
        self
    }

    /// How the actor's identity was proven, such as `token`.
    #[must_use]
    pub fn actor_auth(mut self, auth: &'a str) -> Self {
        self.actor.set("auth", auth);
        self
    }

    /// How it ended, if not allowed.
    #[must_use]
    pub fn result(mut self, result: OutcomeResult) -> Self {
        self.outcome.set("result", result.as_str());
        self
    }

    /// Which part of the access this tells of, if not the whole.
    #[must_use]
    pub fn phase(mut self, phase: OutcomePhase) -> Self {
        self.outcome.set("phase", phase.as_str());
        self
    }

    /// A code, such as an HTTP status.
    #[must_use]
    pub fn code(mut self, code: &'a str) -> Self {
        self.outcome.set("code", code);
        self
    }

    /// Why it ended so.
    #[must_use]
    pub fn reason(mut self, reason: &'a str) -> Self {
        self.outcome.set("reason", reason);
        self
    }

    /// The request id.
    #[must_use]
    pub fn request(mut self, request: &'a str) -> Self {
        self.outcome.set("request", request);
        self
    }

    /// Something that was touched; no more than 16 are kept.
    #[must_use]
    pub fn resource(mut self, resource_type: &'a str, id: &'a str) -> Self {
        self.push_resource(resource_type, id, None);
        self
    }

    /// Something that was touched, and how many parts of it.
    #[must_use]
    pub fn resource_count(mut self, resource_type: &'a str, id: &'a str, count: u64) -> Self {
        self.push_resource(resource_type, id, Some(count));
        self
    }

    fn push_resource(&mut self, resource_type: &'a str, id: &'a str, count: Option<u64>) {
        let mut resource = Fields::default();
        resource.set("type", resource_type);
        resource.set("id", id);
        if let Some(count) = count {
            resource.set("count", integer(count));
        }
        if self.resources.len() < ITEMS_MAX {
            self.resources.push(Value::Object(resource.0));
        }
    }

    /// What for.
    #[must_use]
    pub fn purpose(mut self, purpose: &'a str) -> Self {
        self.event.set("purpose", purpose);
        self
    }

    /// How long it took, in nanoseconds.
    #[must_use]
    pub fn duration_ns(mut self, duration_ns: u64) -> Self {
        self.event.set("duration_ns", integer(duration_ns));
        self
    }

    /// The server's own number for the event, from 1.
    #[must_use]
    pub fn seq(mut self, seq: u64) -> Self {
        self.source.set("seq", integer(seq));
        self
    }

    /// W3C trace and span id, lower-case hex.
    #[must_use]
    pub fn trace(mut self, trace_id: &'a str, span_id: &'a str) -> Self {
        let mut trace = Fields::default();
        trace.set("trace_id", trace_id);
        trace.set("span_id", span_id);
        self.event.set("trace", Value::Object(trace.0));
        self
    }

    /// A value of the event's own: a text, an integer or a boolean. The last one of a name counts; no more than 16 are kept.
    #[must_use]
    pub fn attribute(mut self, name: &'a str, value: impl Into<Value<'a>>) -> Self {
        self.attributes.set(name, value);
        self.attributes.0.truncate(ITEMS_MAX);
        self
    }

    /// The same with its texts copied, so that it can be pushed later and elsewhere.
    #[must_use]
    pub fn into_owned(self) -> EventBuilder<'static> {
        let owned = |fields: Fields<'_>| Fields(owned_members(fields.0));
        EventBuilder {
            event: owned(self.event),
            actor: owned(self.actor),
            outcome: owned(self.outcome),
            source: owned(self.source),
            attributes: owned(self.attributes),
            resources: self.resources.into_iter().map(Value::into_owned).collect(),
        }
    }

    /// Checks the event and appends it to a batch under `id`, with `source_id` as the server's name.
    ///
    /// # Errors
    /// The faults of the event, as for anyone's; the batch is then as it was.
    pub fn push(mut self, id: EventId, source_id: &'a str, batch: &mut EventBatch) -> Result<(), Vec<Fault>> {
        self.event.set("id", id.to_string());
        self.source.set("id", source_id);
        self.source.set("kind", OWN_SOURCE_KIND);
        let mut event = self.event;
        event.set("actor", Value::Object(self.actor.0));
        event.set("outcome", Value::Object(self.outcome.0));
        event.set("source", Value::Object(self.source.0));
        if !self.resources.is_empty() {
            event.set("resources", Value::List(self.resources));
        }
        if !self.attributes.0.is_empty() {
            event.set("attributes", Value::Object(self.attributes.0));
        }
        let mut event = Value::Object(event.0);
        shorten(&mut event, IDENTIFIER_BYTES_MAX);
        match prepare_value(&event, id, source_id, batch) {
            Err(faults) if faults.iter().any(|fault| fault.code == FaultCode::EntryTooLong) => {
                shorten(&mut event, TIGHT_TEXT_BYTES);
                prepare_value(&event, id, source_id, batch)
            }
            result => result,
        }
    }
}

fn prepare_value(event: &Value<'_>, id: EventId, source_id: &str, batch: &mut EventBatch) -> Result<(), Vec<Fault>> {
    let mut json = Vec::with_capacity(512);
    event.write_canonical(&mut json);
    let defaults = Defaults { source_id, source_kind: OWN_SOURCE_KIND };
    prepare(&json, &defaults, &mut || id, batch).map(|_| ())
}

/// Cuts every text to at most `longest` bytes.
fn shorten(value: &mut Value<'_>, longest: usize) {
    const MARK: char = '…';
    match value {
        Value::Text(text) if text.len() > longest => {
            let end = text.floor_char_boundary(longest - MARK.len_utf8());
            let text = text.to_mut();
            text.truncate(end);
            text.push(MARK);
        }
        Value::List(items) => items.iter_mut().for_each(|item| shorten(item, longest)),
        Value::Object(members) => members.iter_mut().for_each(|(_, value)| shorten(value, longest)),
        Value::Text(_) | Value::Integer(_) | Value::Boolean(_) | Value::Null => {}
    }
}

fn integer(count: u64) -> Value<'static> {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::EventView;

    #[test]
    fn the_servers_own_event_is_an_event_like_any() {
        let mut batch = EventBatch::new();
        EventBuilder::new(
            RecordedTime(1_795_425_330_123_456_789),
            Action::Read,
            "events.search",
            ActorType::Service,
            "auditor",
        )
        .actor_ip("192.0.2.7".parse().unwrap())
        .actor_user_agent("")
        .actor_role("read")
        .result(OutcomeResult::Denied)
        .code("403")
        .request("r-1")
        .resource("log", "main")
        .resource_count("event", "main", 12)
        .duration_ns(5)
        .attribute("query", "actor:\"ana\"")
        .attribute("query", "actor:ana")
        .push(EventId([7; 16]), "indelible", &mut batch)
        .unwrap();
        let entry = batch.entries().next().unwrap().1;
        let view = EventView::parse(entry).unwrap();
        assert_eq!(view.time, "2026-11-23T09:15:30.123456789Z");
        assert_eq!(
            (view.source.id.as_deref(), view.source.kind.as_deref()),
            (Some("indelible"), Some(OWN_SOURCE_KIND))
        );
        assert_eq!((view.actor.ip.as_deref(), view.actor.user_agent.as_deref()), (Some("192.0.2.7"), None));
        assert_eq!((view.outcome.result.as_deref(), view.outcome.code.as_deref()), (Some("denied"), Some("403")));
        assert_eq!((view.resources.len(), view.resources[1].count), (2, Some(12)));
        assert_eq!(view.attributes, [("query".into(), Value::from("actor:ana"))]);
    }

    #[test]
    fn texts_from_outside_cannot_make_it_fail() {
        let mut batch = EventBatch::new();
        let long = "\u{1}é".repeat(100_000);
        let mut builder =
            EventBuilder::new(RecordedTime(0), Action::Read, "events.search", ActorType::Anonymous, &long)
                .actor_name(&long)
                .actor_user_agent(&long)
                .reason(&long)
                .code(&long)
                .request("")
                .duration_ns(u64::MAX)
                .attribute("least", i64::MIN);
        let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        for name in &names {
            builder = builder.resource("", &long).attribute(name, long.as_str());
        }
        builder.push(EventId([7; 16]), &long, &mut batch).unwrap();
        let entry = batch.entries().next().unwrap().1;
        let view = EventView::parse(entry).unwrap();
        assert_eq!((view.resources.len(), view.attributes.len()), (16, 16));
        assert!(view.actor.name.is_some_and(|name| name.ends_with('…')));
    }
}
