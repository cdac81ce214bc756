//! A stored entry read back, for views: search, detection, export, verification. Text is borrowed where it had no escapes.
//!
//! Promises: any bytes give a view or an error, never a panic; fields that a later version adds, or that hold another type than
//! expected, are passed over. A committed text (`{"commitment": …}`) reads as absent. Never: judges an entry; what is stored
//! was judged when it came in.

mod brief;

use std::borrow::Cow;

pub use brief::EntryBrief;

use crate::id::EventId;
use crate::json::{Item, JsonError, JsonErrorKind, Kind, Value, with_tape};
use crate::time::{RecordedTime, stored_unix_ns};

/// One event as a view sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventView<'a> {
    /// Schema name and version.
    pub schema: Option<Cow<'a, str>>,
    /// The UUID, lower case; empty when the entry has none.
    pub id: Cow<'a, str>,
    /// When it happened, as the source wrote it.
    pub time: Cow<'a, str>,
    /// The same in nanoseconds since 1970-01-01T00:00:00Z.
    pub time_unix_ns: Option<i64>,
    /// When it was recorded.
    pub recorded: Cow<'a, str>,
    /// The same in nanoseconds since 1970-01-01T00:00:00Z.
    pub recorded_unix_ns: Option<i64>,
    /// What reported it.
    pub source: SourceView<'a>,
    /// Who did it.
    pub actor: ActorView<'a>,
    /// For whom, nearest first.
    pub on_behalf_of: Vec<ActorView<'a>>,
    /// What was done, a word of the closed set.
    pub action: Option<Cow<'a, str>>,
    /// What was done, in the source's own word.
    pub operation: Option<Cow<'a, str>>,
    /// What was touched.
    pub resources: Vec<ResourceView<'a>>,
    /// How it ended.
    pub outcome: OutcomeView<'a>,
    /// How long it took, in nanoseconds.
    pub duration_ns: Option<i64>,
    /// What for.
    pub purpose: Option<Cow<'a, str>>,
    /// On which legal basis.
    pub legal_basis: Option<Cow<'a, str>>,
    /// OpenTelemetry GenAI values.
    pub ai: AiView<'a>,
    /// W3C trace id, 32 hex digits.
    pub trace_id: Option<Cow<'a, str>>,
    /// W3C span id, 16 hex digits.
    pub span_id: Option<Cow<'a, str>>,
    /// Content kept outside the entry.
    pub sealed: Vec<SealedView<'a>>,
    /// The source's own fields, in canonical order.
    pub attributes: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// What reported an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceView<'a> {
    /// Which source.
    pub id: Option<Cow<'a, str>>,
    /// What kind of source.
    pub kind: Option<Cow<'a, str>>,
    /// The source's own number for the event, from 1.
    pub seq: Option<u64>,
}

/// Someone or something that acts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActorView<'a> {
    /// Which actor.
    pub id: Option<Cow<'a, str>>,
    /// What kind of actor (`type` in JSON).
    pub kind: Option<Cow<'a, str>>,
    /// The name for people.
    pub name: Option<Cow<'a, str>>,
    /// Roles it had.
    pub roles: Vec<Cow<'a, str>>,
    /// Groups it belonged to.
    pub groups: Vec<Cow<'a, str>>,
    /// Its session.
    pub session: Option<Cow<'a, str>>,
    /// The address it came from.
    pub ip: Option<Cow<'a, str>>,
    /// The program it used.
    pub user_agent: Option<Cow<'a, str>>,
    /// How its identity was proven.
    pub auth: Option<Cow<'a, str>>,
}

/// Something that was touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceView<'a> {
    /// What kind of resource (`type` in JSON).
    pub kind: Option<Cow<'a, str>>,
    /// Which resource.
    pub id: Option<Cow<'a, str>>,
    /// The name for people.
    pub name: Option<Cow<'a, str>>,
    /// Its classification.
    pub labels: Vec<Cow<'a, str>>,
    /// Which of its fields or columns.
    pub fields: Vec<Cow<'a, str>>,
    /// How many rows or documents.
    pub count: Option<i64>,
    /// How many bytes.
    pub bytes: Option<i64>,
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutcomeView<'a> {
    /// `allowed`, `denied` or `failed`.
    pub result: Option<Cow<'a, str>>,
    /// `intent`, `outcome` or `single`.
    pub phase: Option<Cow<'a, str>>,
    /// The source's code, such as an HTTP status.
    pub code: Option<Cow<'a, str>>,
    /// Why.
    pub reason: Option<Cow<'a, str>>,
    /// Under which rule.
    pub policy: Option<Cow<'a, str>>,
    /// What links the outcome to the intent.
    pub request: Option<Cow<'a, str>>,
}

/// OpenTelemetry GenAI values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AiView<'a> {
    /// Who serves the model.
    pub provider: Option<Cow<'a, str>>,
    /// The GenAI operation.
    pub operation: Option<Cow<'a, str>>,
    /// The model that was asked for.
    pub request_model: Option<Cow<'a, str>>,
    /// The model that answered.
    pub response_model: Option<Cow<'a, str>>,
    /// Tokens that went in.
    pub input_tokens: Option<i64>,
    /// Tokens that came out.
    pub output_tokens: Option<i64>,
    /// Why the model stopped.
    pub finish_reasons: Vec<Cow<'a, str>>,
    /// Which conversation.
    pub conversation: Option<Cow<'a, str>>,
    /// Which agent.
    pub agent: Option<Cow<'a, str>>,
    /// Which tool.
    pub tool_name: Option<Cow<'a, str>>,
    /// Which call of the tool.
    pub tool_call_id: Option<Cow<'a, str>>,
}

/// Content kept outside the entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedView<'a> {
    /// What it is called within the event.
    pub name: Option<Cow<'a, str>>,
    /// Its media type.
    pub media_type: Option<Cow<'a, str>>,
    /// Its size in bytes.
    pub bytes: Option<i64>,
    /// The commitment to it, base64 of 32 bytes.
    pub commitment: Option<Cow<'a, str>>,
}

type Member<'a, 't> = (&'t [u8], Item<'a, 't>);

impl<'a> EventView<'a> {
    /// Reads a stored entry.
    ///
    /// # Errors
    /// When the bytes are not strict JSON, or not an object.
    pub fn parse(entry: &'a [u8]) -> Result<Self, JsonError> {
        with_tape(|tape| {
            let document = tape.read(entry)?;
            let root = document.root();
            if root.kind() != Kind::Object {
                return Err(JsonError { kind: JsonErrorKind::UnexpectedByte, at: root.at(), path: String::new() });
            }
            let mut view = EventView::default();
            for (key, value) in members(root) {
                view.read_field(key, value);
            }
            Ok(view)
        })
    }

    /// The id as a value, if it is a UUID.
    #[must_use]
    pub fn event_id(&self) -> Option<EventId> {
        EventId::parse(self.id.as_bytes())
    }

    fn read_field(&mut self, key: &[u8], value: Item<'a, '_>) {
        match key {
            b"action" => self.action = value.cow(),
            b"actor" => self.actor = ActorView::read(value),
            b"ai" => self.ai = AiView::read(value),
            b"attributes" => {
                self.attributes =
                    value.members().map(|(key, value)| (key.cow().unwrap_or_default(), value.to_value())).collect();
            }
            b"duration_ns" => self.duration_ns = value.integer(),
            b"id" => self.id = value.cow().unwrap_or_default(),
            b"legal_basis" => self.legal_basis = value.cow(),
            b"on_behalf_of" => self.on_behalf_of = value.items().map(ActorView::read).collect(),
            b"operation" => self.operation = value.cow(),
            b"outcome" => self.outcome = OutcomeView::read(value),
            b"purpose" => self.purpose = value.cow(),
            b"recorded" => {
                self.recorded = value.cow().unwrap_or_default();
                self.recorded_unix_ns = RecordedTime::parse(&self.recorded).map(|time| time.0);
            }
            b"resources" => self.resources = value.items().map(ResourceView::read).collect(),
            b"schema" => self.schema = value.cow(),
            b"sealed" => self.sealed = value.items().map(SealedView::read).collect(),
            b"source" => self.source = SourceView::read(value),
            b"time" => {
                self.time = value.cow().unwrap_or_default();
                self.time_unix_ns = stored_unix_ns(&self.time);
            }
            b"trace" => {
                for (key, value) in members(value) {
                    match key {
                        b"trace_id" => self.trace_id = value.cow(),
                        b"span_id" => self.span_id = value.cow(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// The members of an object with their keys' bytes; none when it is no object.
fn members<'a, 't>(object: Item<'a, 't>) -> impl Iterator<Item = Member<'a, 't>> {
    object.members().map(|(key, value)| (key.text_bytes().unwrap_or_default(), value))
}

/// The strings of a list.
fn texts<'a>(list: Item<'a, '_>) -> Vec<Cow<'a, str>> {
    let mut texts = Vec::with_capacity(list.count());
    texts.extend(list.items().filter_map(|item| item.cow()));
    texts
}

impl<'a> SourceView<'a> {
    fn read(object: Item<'a, '_>) -> Self {
        let mut view = Self::default();
        for (key, value) in members(object) {
            match key {
                b"id" => view.id = value.cow(),
                b"kind" => view.kind = value.cow(),
                b"seq" => view.seq = value.integer().and_then(|seq| u64::try_from(seq).ok()),
                _ => {}
            }
        }
        view
    }
}

impl<'a> ActorView<'a> {
    fn read(object: Item<'a, '_>) -> Self {
        let mut view = Self::default();
        for (key, value) in members(object) {
            match key {
                b"auth" => view.auth = value.cow(),
                b"groups" => view.groups = texts(value),
                b"id" => view.id = value.cow(),
                b"ip" => view.ip = value.cow(),
                b"name" => view.name = value.cow(),
                b"roles" => view.roles = texts(value),
                b"session" => view.session = value.cow(),
                b"type" => view.kind = value.cow(),
                b"user_agent" => view.user_agent = value.cow(),
                _ => {}
            }
        }
        view
    }
}

impl<'a> ResourceView<'a> {
    fn read(object: Item<'a, '_>) -> Self {
        let mut view = Self::default();
        for (key, value) in members(object) {
            match key {
                b"bytes" => view.bytes = value.integer(),
                b"count" => view.count = value.integer(),
                b"fields" => view.fields = texts(value),
                b"id" => view.id = value.cow(),
                b"labels" => view.labels = texts(value),
                b"name" => view.name = value.cow(),
                b"type" => view.kind = value.cow(),
                _ => {}
            }
        }
        view
    }
}

impl<'a> OutcomeView<'a> {
    fn read(object: Item<'a, '_>) -> Self {
        let mut view = Self::default();
        for (key, value) in members(object) {
            match key {
                b"code" => view.code = value.cow(),
                b"phase" => view.phase = value.cow(),
                b"policy" => view.policy = value.cow(),
                b"reason" => view.reason = value.cow(),
                b"request" => view.request = value.cow(),
                b"result" => view.result = value.cow(),
                _ => {}
            }
        }
        view
    }
}

impl<'a> AiView<'a> {
    fn read(object: Item<'a, '_>) -> Self {
        let mut view = Self::default();
        for (key, value) in members(object) {
            match key {
                b"agent" => view.agent = value.cow(),
                b"conversation" => view.conversation = value.cow(),
                b"finish_reasons" => view.finish_reasons = texts(value),
                b"input_tokens" => view.input_tokens = value.integer(),
                b"operation" => view.operation = value.cow(),
                b"output_tokens" => view.output_tokens = value.integer(),
                b"provider" => view.provider = value.cow(),
                b"request_model" => view.request_model = value.cow(),
                b"response_model" => view.response_model = value.cow(),
                b"tool_call_id" => view.tool_call_id = value.cow(),
                b"tool_name" => view.tool_name = value.cow(),
                _ => {}
            }
        }
        view
    }
}

impl<'a> SealedView<'a> {
    fn read(object: Item<'a, '_>) -> Self {
        let mut view = Self::default();
        for (key, value) in members(object) {
            match key {
                b"bytes" => view.bytes = value.integer(),
                b"commitment" => view.commitment = value.cow(),
                b"media_type" => view.media_type = value.cow(),
                b"name" => view.name = value.cow(),
                _ => {}
            }
        }
        view
    }
}

#[cfg(test)]
pub(crate) mod tests;
