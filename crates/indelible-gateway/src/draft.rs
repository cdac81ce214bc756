//! What an event of a gateway will say, typed; and how it becomes an entry: written as JSON and put through the same checks and the
//! same canonical writer as everyone's events.
//!
//! Promises: text from outside never makes an event invalid or too long. An empty text is left out, a long one is cut at a
//! character and ends in `…`, a long list ends in `…`; an event that is too long all the same is written again with shorter
//! texts, and at last with who, what and how it ended alone, marked `indelible.cut`.

mod write;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use indelible_event::doors::BoxFuture;
use indelible_event::id::EventId;
use indelible_event::limits::INTEGER_MAX;
use indelible_event::vault::{Commitment, SealedContent, VaultError};
use indelible_event::words::{Action, OutcomePhase, OutcomeResult};

pub use write::{SOURCE_KIND, Unwritable};

/// A text of an event: our own words cost nothing, those from outside are held once.
pub type Text = Cow<'static, str>;

/// What every event of a gateway says about how the access ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// How.
    pub result: OutcomeResult,
    /// Which part of the access this tells of.
    pub phase: OutcomePhase,
    /// The protocol's code, such as an HTTP status; may be empty.
    pub code: Text,
    /// Why; may be empty.
    pub reason: Text,
    /// Under which policy; may be empty.
    pub policy: Text,
}

/// Something that was touched.
#[derive(Clone, Debug, Default)]
pub struct Resource {
    /// What kind, such as `model` or `tool`.
    pub kind: Text,
    /// Which.
    pub id: Text,
    /// Its name for people; may be empty.
    pub name: Text,
    /// What it was found to be about.
    pub labels: Vec<Text>,
    /// How many rows or documents.
    pub count: Option<u64>,
    /// How many bytes.
    pub bytes: Option<u64>,
}

impl Resource {
    /// A resource of which only kind and id are known.
    #[must_use]
    pub fn new(kind: impl Into<Text>, id: impl Into<Text>) -> Self {
        Self { kind: kind.into(), id: id.into(), ..Self::default() }
    }
}

/// OpenTelemetry GenAI values; what is empty or absent is left out. What the event has no field for goes into attributes that
/// are named after the convention.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each is the convention's own name")]
pub struct Ai {
    pub provider: Text,
    pub operation: Text,
    pub request_model: Text,
    pub response_model: Text,
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub finish_reasons: Vec<Text>,
    pub conversation: Text,
    pub agent: Text,
    pub tool_name: Text,
    pub tool_call_id: Text,
}

/// A value of the event's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A text; an empty one is left out.
    Text(Text),
    /// An integer.
    Integer(i64),
    /// A truth.
    Boolean(bool),
    /// Several texts.
    Texts(Vec<Text>),
}

impl From<&'static str> for Attribute {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<Text> for Attribute {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Attribute {
    fn from(number: u64) -> Self {
        Self::Integer(integer(number))
    }
}

impl From<bool> for Attribute {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

impl From<Vec<Text>> for Attribute {
    fn from(texts: Vec<Text>) -> Self {
        Self::Texts(texts)
    }
}

/// A count as an event's integer; one beyond the exact integers reads as the last of them.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(INTEGER_MAX).min(INTEGER_MAX)
}

/// What an event says of a content that is kept outside.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// What it is called within the event.
    pub name: Text,
    /// Its media type; may be empty.
    pub media_type: Text,
    /// Its size.
    pub bytes: u64,
    /// The commitment to it.
    pub commitment: Commitment,
}

/// What an event will say.
pub struct Draft {
    /// The event's id; content is sealed under it before the event is written.
    pub id: EventId,
    /// What was done.
    pub action: Action,
    /// What was done, in the protocol's own word.
    pub operation: Text,
    /// What was touched.
    pub resources: Vec<Resource>,
    /// The AI side of it.
    pub ai: Ai,
    /// Content kept outside.
    pub sealed: Vec<Sealed>,
    /// The event's own values; set them by [`Draft::attribute`].
    pub attributes: Vec<(&'static str, Attribute)>,
    /// How long it took; an outcome gets it from its exchange.
    pub duration_ns: Option<u64>,
    /// What must be durable besides the event. A lock that nobody waits for: it lets drafts be looked at from several threads.
    durable: Mutex<Durable>,
}

type Durable = Vec<BoxFuture<'static, Result<(), VaultError>>>;

impl Draft {
    /// A draft that says only what was done.
    #[must_use]
    pub fn new(id: EventId, action: Action, operation: impl Into<Text>) -> Self {
        Self {
            id,
            action,
            operation: operation.into(),
            resources: Vec::new(),
            ai: Ai::default(),
            sealed: Vec::new(),
            attributes: Vec::new(),
            duration_ns: None,
            durable: Mutex::default(),
        }
    }

    /// The same words for another event: everything but what was sealed, and how long it took.
    #[must_use]
    pub fn carry_over(&self, id: EventId) -> Self {
        Self {
            id,
            action: self.action,
            operation: self.operation.clone(),
            resources: self.resources.clone(),
            ai: self.ai.clone(),
            sealed: Vec::new(),
            attributes: self.attributes.clone(),
            duration_ns: None,
            durable: Mutex::default(),
        }
    }

    /// Sets a value of the event's own; the last one of a name counts.
    pub fn attribute(&mut self, name: &'static str, value: impl Into<Attribute>) {
        let value = value.into();
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.attributes.push((name, value)),
        }
    }

    /// Sets a value of the event's own if there is one.
    pub fn attribute_if(&mut self, name: &'static str, value: Option<impl Into<Attribute>>) {
        if let Some(value) = value {
            self.attribute(name, value);
        }
    }

    /// Commits the event to a content. The exchange waits until that is durable.
    pub fn seal(&mut self, name: impl Into<Text>, media_type: Text, content: SealedContent) {
        let SealedContent { commitment, bytes, durable } = content;
        self.sealed.push(Sealed { name: name.into(), media_type, bytes, commitment });
        self.durable.get_mut().unwrap_or_else(PoisonError::into_inner).push(durable);
    }

    /// What must be durable besides the event.
    pub(crate) fn take_durable(&mut self) -> Durable {
        std::mem::take(self.durable.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("id", &self.id).field("operation", &self.operation).finish_non_exhaustive()
    }
}
