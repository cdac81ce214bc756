//! Events that the server writes about itself. They take the same way as everyone's: JSON, the same checks, the same canonical
//! writer. `source.kind` is always `indelible`.

use crate::batch::EventBatch;
use crate::fault::Fault;
use crate::id::EventId;
use crate::json::Value;
use crate::prepare::{Defaults, prepare};
use crate::shape::OWN_SOURCE_KIND;
use crate::time::RecordedTime;
use crate::words::{Action, ActorType, OutcomePhase, OutcomeResult};

/// An event being put together.
#[derive(Clone, Debug)]
pub struct EventBuilder<'a> {
    time: RecordedTime,
    action: Action,
    operation: &'a str,
    actor: Members<'a>,
    outcome: Members<'a>,
    resources: Vec<Value<'a>>,
    attributes: Members<'a>,
    duration_ns: Option<i64>,
    seq: Option<u64>,
    trace: Members<'a>,
}

type Members<'a> = Vec<(std::borrow::Cow<'a, str>, Value<'a>)>;

impl<'a> EventBuilder<'a> {
    /// An event that was allowed: at `time`, `actor` did `action`, which the server calls `operation` (such as `events.search`).
    #[must_use]
    pub fn new(
        time: RecordedTime,
        action: Action,
        operation: &'a str,
        actor_type: ActorType,
        actor_id: &'a str,
    ) -> Self {
        Self {
            time,
            action,
            operation,
            actor: vec![("id".into(), text(actor_id)), ("type".into(), text(actor_type.as_str()))],
            outcome: vec![("result".into(), text(OutcomeResult::Allowed.as_str()))],
            resources: Vec::new(),
            attributes: Vec::new(),
            duration_ns: None,
            seq: None,
            trace: Vec::new(),
        }
    }

    /// The actor's name for people.
    #[must_use]
    pub fn actor_name(mut self, name: &'a str) -> Self {
        self.actor.push(("name".into(), text(name)));
        self
    }

    /// A role that the actor used.
    #[must_use]
    pub fn actor_role(mut self, role: &'a str) -> Self {
        self.actor.push(("roles".into(), Value::List(vec![text(role)])));
        self
    }

    /// The address that the actor came from.
    #[must_use]
    pub fn actor_ip(mut self, ip: std::net::IpAddr) -> Self {
        self.actor.push(("ip".into(), Value::Text(ip.to_string().into())));
        self
    }

    /// The program that the actor used; passed over when empty.
    #[must_use]
    pub fn actor_user_agent(mut self, user_agent: &'a str) -> Self {
        if !user_agent.is_empty() {
            self.actor.push(("user_agent".into(), text(user_agent)));
        }
        self
    }

    /// How the actor's identity was proven, such as `token`.
    #[must_use]
    pub fn actor_auth(mut self, auth: &'a str) -> Self {
        self.actor.push(("auth".into(), text(auth)));
        self
    }

    /// How it ended, if not allowed.
    #[must_use]
    pub fn result(mut self, result: OutcomeResult) -> Self {
        self.outcome.retain(|(name, _)| name != "result");
        self.outcome.push(("result".into(), text(result.as_str())));
        self
    }

    /// Which part of the access this tells of, if not the whole.
    #[must_use]
    pub fn phase(mut self, phase: OutcomePhase) -> Self {
        self.outcome.push(("phase".into(), text(phase.as_str())));
        self
    }

    /// A code, such as an HTTP status.
    #[must_use]
    pub fn code(mut self, code: &'a str) -> Self {
        self.outcome.push(("code".into(), text(code)));
        self
    }

    /// Why it ended so.
    #[must_use]
    pub fn reason(mut self, reason: &'a str) -> Self {
        self.outcome.push(("reason".into(), text(reason)));
        self
    }

    /// The request id.
    #[must_use]
    pub fn request(mut self, request: &'a str) -> Self {
        self.outcome.push(("request".into(), text(request)));
        self
    }

    /// Something that was touched.
    #[must_use]
    pub fn resource(mut self, resource_type: &'a str, id: &'a str) -> Self {
        self.resources.push(Value::Object(vec![("id".into(), text(id)), ("type".into(), text(resource_type))]));
        self
    }

    /// Something that was touched, and how many parts of it.
    #[must_use]
    pub fn resource_count(mut self, resource_type: &'a str, id: &'a str, count: u64) -> Self {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.resources.push(Value::Object(vec![
            ("count".into(), Value::Integer(count)),
            ("id".into(), text(id)),
            ("type".into(), text(resource_type)),
        ]));
        self
    }

    /// How long it took, in nanoseconds.
    #[must_use]
    pub fn duration_ns(mut self, duration_ns: i64) -> Self {
        self.duration_ns = Some(duration_ns);
        self
    }

    /// The server's own number for the event, from 1.
    #[must_use]
    pub fn seq(mut self, seq: u64) -> Self {
        self.seq = Some(seq);
        self
    }

    /// W3C trace and span id.
    #[must_use]
    pub fn trace(mut self, trace_id: &'a str, span_id: &'a str) -> Self {
        self.trace = vec![("span_id".into(), text(span_id)), ("trace_id".into(), text(trace_id))];
        self
    }

    /// A value of the event's own: a text, an integer or a boolean. The last one of a name counts.
    #[must_use]
    pub fn attribute(mut self, name: &'a str, value: impl Into<Value<'a>>) -> Self {
        self.attributes.retain(|(known, _)| known != name);
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Checks the event and appends it to a batch under `id`, with `source_id` as the server's name.
    ///
    /// # Errors
    /// The faults of the event, as for anyone's; the batch is then as it was.
    pub fn push(self, id: EventId, source_id: &'a str, batch: &mut EventBatch) -> Result<(), Vec<Fault>> {
        let mut json = Vec::with_capacity(512);
        self.into_value(id, source_id).write_canonical(&mut json);
        let defaults = Defaults { source_id, source_kind: OWN_SOURCE_KIND };
        prepare(&json, &defaults, &mut || id, batch).map(|_| ())
    }

    fn into_value(self, id: EventId, source_id: &'a str) -> Value<'a> {
        let time = self.time.write();
        let mut source = vec![("id".into(), text(source_id)), ("kind".into(), text(OWN_SOURCE_KIND))];
        if let Some(seq) = self.seq {
            source.push(("seq".into(), Value::Integer(i64::try_from(seq).unwrap_or(i64::MAX))));
        }
        let mut event: Members<'a> = vec![
            ("action".into(), text(self.action.as_str())),
            ("actor".into(), Value::Object(self.actor)),
            ("id".into(), Value::Text(id.to_string().into())),
            ("operation".into(), text(self.operation)),
            ("outcome".into(), Value::Object(self.outcome)),
            ("source".into(), Value::Object(source)),
            ("time".into(), Value::Text(String::from_utf8_lossy(&time).into_owned().into())),
        ];
        if let Some(duration_ns) = self.duration_ns {
            event.push(("duration_ns".into(), Value::Integer(duration_ns)));
        }
        if !self.resources.is_empty() {
            event.push(("resources".into(), Value::List(self.resources)));
        }
        if !self.attributes.is_empty() {
            event.push(("attributes".into(), Value::Object(self.attributes)));
        }
        if !self.trace.is_empty() {
            event.push(("trace".into(), Value::Object(self.trace)));
        }
        Value::Object(event)
    }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.into())
}
