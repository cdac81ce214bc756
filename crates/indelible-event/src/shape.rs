//! The event as tables: every field, what it holds, whether it must be there. The validator, the hints and the test against the
//! published JSON Schema all read these tables; there is no second list.
//!
//! Fields of a table are sorted by name, so that walking it writes keys in canonical order.

use crate::json::{Item, fingerprint};
use crate::words::{Action, ActorType, OutcomePhase, OutcomeResult};

/// The schema name and version that this crate knows.
pub const SCHEMA: &str = "indelible.event/1";

/// The source kind of the server's own events; nobody else may use it.
pub const OWN_SOURCE_KIND: &str = "indelible";

/// The object that may stand in place of a text: `{"commitment": "<base64 of 32 bytes>"}`.
pub(crate) const COMMITMENT: &str = "commitment";

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Always [`SCHEMA`].
    Schema,
    /// A UUID.
    Id,
    /// Set by the server; the slot that the journal fills.
    Recorded,
    /// RFC 9557 time with an offset.
    Time,
    /// A word of a closed set.
    Word(&'static [&'static str]),
    /// 1 to 1,024 bytes that must stand in clear.
    ClearIdentifier,
    /// [`Rule::ClearIdentifier`] that nobody but the server may set to [`OWN_SOURCE_KIND`].
    SourceKind,
    /// 1 to 1,024 bytes, or a commitment.
    Identifier,
    /// Any text, or a commitment.
    Text,
    /// A list of identifiers, each of which may be a commitment.
    Identifiers,
    /// An IPv4 or IPv6 address, or a commitment.
    Ip,
    /// This many lower-case hex digits, not all zero, or a commitment.
    Hex(usize),
    /// An integer from this least one up.
    Integer(i64),
    /// Base64 of 32 bytes.
    Commitment,
    /// One object.
    Object(&'static Shape),
    /// A list of objects.
    Objects(&'static Shape),
    /// Keys of the sender's choice.
    Attributes,
}

/// What happens when a field is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// Nothing.
    Fine,
    /// A fault.
    Fault,
    /// The server writes it.
    Filled(Fill),
}

/// What the server writes in place of an absent field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    Schema,
    Id,
    Recorded,
    Source,
    SourceId,
    SourceKind,
    Phase,
}

/// One field of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// The key as canonical JSON writes it, with quotes and colon.
    pub(crate) head: &'static str,
    pub(crate) fingerprint: u64,
    pub(crate) rule: Rule,
    pub(crate) absent: Absent,
}

/// One kind of object: its fields, sorted by name.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) fields: &'static [Field],
}

/// Most fields that any [`Shape`] has.
pub(crate) const SHAPE_FIELDS_MAX: usize = 18;

impl Shape {
    /// Which field a key names.
    #[inline]
    pub(crate) fn position(&self, key: Item<'_, '_>) -> Option<usize> {
        let fingerprint = key.fingerprint();
        let text = key.text_bytes()?;
        // Keys of up to eight bytes are their fingerprint and length.
        let named = |field: &Field| {
            field.fingerprint == fingerprint
                && field.name.len() == text.len()
                && (text.len() <= 8 || field.name.as_bytes() == text)
        };
        self.fields.iter().position(named)
    }
}

macro_rules! shape {
    ($($absent:ident $name:literal $rule:expr;)*) => {
        Shape { fields: &[$(Field {
            name: $name,
            head: concat!("\"", $name, "\":"),
            fingerprint: fingerprint($name.as_bytes()),
            rule: $rule,
            absent: absent!($absent),
        },)*] }
    };
}

macro_rules! absent {
    (optional) => {
        Absent::Fine
    };
    (required) => {
        Absent::Fault
    };
    ($fill:ident) => {
        Absent::Filled(Fill::$fill)
    };
}

/// The event itself.
pub(crate) static EVENT: Shape = shape! {
    required "action" Rule::Word(Action::WORDS);
    required "actor" Rule::Object(&ACTOR);
    optional "ai" Rule::Object(&AI);
    optional "attributes" Rule::Attributes;
    optional "duration_ns" Rule::Integer(0);
    Id "id" Rule::Id;
    optional "legal_basis" Rule::Text;
    optional "on_behalf_of" Rule::Objects(&ACTOR);
    optional "operation" Rule::Identifier;
    required "outcome" Rule::Object(&OUTCOME);
    optional "purpose" Rule::Text;
    Recorded "recorded" Rule::Recorded;
    optional "resources" Rule::Objects(&RESOURCE);
    Schema "schema" Rule::Schema;
    optional "sealed" Rule::Objects(&SEALED);
    Source "source" Rule::Object(&SOURCE);
    required "time" Rule::Time;
    optional "trace" Rule::Object(&TRACE);
};

static SOURCE: Shape = shape! {
    SourceId "id" Rule::ClearIdentifier;
    SourceKind "kind" Rule::SourceKind;
    optional "seq" Rule::Integer(1);
};

static ACTOR: Shape = shape! {
    optional "auth" Rule::Text;
    optional "groups" Rule::Identifiers;
    required "id" Rule::Identifier;
    optional "ip" Rule::Ip;
    optional "name" Rule::Text;
    optional "roles" Rule::Identifiers;
    optional "session" Rule::Identifier;
    required "type" Rule::Word(ActorType::WORDS);
    optional "user_agent" Rule::Text;
};

static RESOURCE: Shape = shape! {
    optional "bytes" Rule::Integer(0);
    optional "count" Rule::Integer(0);
    optional "fields" Rule::Identifiers;
    optional "id" Rule::Identifier;
    optional "labels" Rule::Identifiers;
    optional "name" Rule::Text;
    optional "type" Rule::Identifier;
};

static OUTCOME: Shape = shape! {
    optional "code" Rule::Identifier;
    Phase "phase" Rule::Word(OutcomePhase::WORDS);
    optional "policy" Rule::Text;
    optional "reason" Rule::Text;
    optional "request" Rule::Identifier;
    required "result" Rule::Word(OutcomeResult::WORDS);
};

static AI: Shape = shape! {
    optional "agent" Rule::Identifier;
    optional "conversation" Rule::Identifier;
    optional "finish_reasons" Rule::Identifiers;
    optional "input_tokens" Rule::Integer(0);
    optional "operation" Rule::Identifier;
    optional "output_tokens" Rule::Integer(0);
    optional "provider" Rule::Identifier;
    optional "request_model" Rule::Identifier;
    optional "response_model" Rule::Identifier;
    optional "tool_call_id" Rule::Identifier;
    optional "tool_name" Rule::Identifier;
};

static TRACE: Shape = shape! {
    optional "span_id" Rule::Hex(16);
    optional "trace_id" Rule::Hex(32);
};

static SEALED: Shape = shape! {
    optional "bytes" Rule::Integer(0);
    required "commitment" Rule::Commitment;
    optional "media_type" Rule::Identifier;
    required "name" Rule::Identifier;
};
