//! JSON-RPC 2.0 as MCP speaks it, read without being changed.
//!
//! Promises: a message that two readers could read differently (a known member twice, or in another case) is refused, so that what
//! is decided and recorded is what is executed. Everything is bounded. Never: answers, forwards or rewrites.

use std::borrow::Cow;
use std::fmt;

use super::json::{JsonFault, Raw};

/// Most messages in a batch: each is an exchange of its own.
pub const BATCH_MAX: usize = 100;
/// Longest method name.
pub const METHOD_BYTES_MAX: usize = 256;
/// Longest id.
pub const ID_BYTES_MAX: usize = 512;
/// Members whose names may appear only once, and only in this spelling.
const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
/// The same within `params`: what decides what is done.
const PARAMS: [&str; 3] = ["name", "uri", "arguments"];

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageFault {
    /// No JSON.
    #[error("the message cannot be read: {0}")]
    Json(#[from] JsonFault),
    /// JSON, but no JSON-RPC.
    #[error("the message is no JSON-RPC: {0}")]
    Shape(&'static str),
}

impl MessageFault {
    /// The JSON-RPC error code.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::Json(_) => -32700,
            Self::Shape(_) => -32600,
        }
    }
}

/// The id of a request. `1` and `1.0` are the same, `1` and `"1"` are not.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id {
    /// A text.
    Text(Box<str>),
    /// An integer.
    Number(i64),
    /// A number that is no integer of 64 bits, as it was written.
    Other(Box<str>),
}

impl Id {
    /// Reads an id; `None` for what is none (`null`, objects, …).
    #[must_use]
    pub fn read(raw: Raw<'_>) -> Option<Self> {
        if let Some(text) = raw.text() {
            return Some(Self::Text(text.into()));
        }
        match raw.integer() {
            Some(number) => Some(Self::Number(number)),
            None => raw.number().map(|number| Self::Other(number.into())),
        }
    }

    /// The id as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        match self {
            Self::Text(text) => serde_json::Value::from(&**text).to_string(),
            Self::Number(number) => number.to_string(),
            Self::Other(number) => number.to_string(),
        }
    }

    /// The id as a text for people; a text stands without quotes.
    #[must_use]
    pub fn display(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Other(number) => number.to_string(),
        }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json())
    }
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Asks for an answer.
    Request,
    /// Asks for none.
    Notification,
    /// Is an answer.
    Answer,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its id; an answer to what could not be read has none.
    pub id: Option<Id>,
    /// What it asks for; empty in an answer.
    pub method: Cow<'a, str>,
    /// With what.
    pub params: Option<Raw<'a>>,
    /// What an answer gives.
    pub result: Option<Raw<'a>>,
    /// What an answer says went wrong.
    pub error: Option<Raw<'a>>,
    /// The whole message as it came.
    pub raw: Raw<'a>,
}

/// What came: one message or several.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// In the order in which they came; at least one.
    pub messages: Vec<Message<'a>>,
    /// Whether they came as a list, also one of one.
    pub batch: bool,
}

impl<'a> Incoming<'a> {
    /// Reads one message or a batch.
    ///
    /// # Errors
    /// [`MessageFault`] when any of it cannot be read; then nothing of it may be forwarded.
    pub fn read(bytes: &'a [u8]) -> Result<Self, MessageFault> {
        let raw = Raw::read(bytes)?;
        if !raw.is_list() {
            return Ok(Self { messages: vec![Message::read(raw)?], batch: false });
        }
        let mut messages = Vec::new();
        for item in raw.items() {
            if messages.len() == BATCH_MAX {
                return Err(MessageFault::Shape("the batch holds more than 100 messages"));
            }
            messages.push(Message::read(item)?);
        }
        if messages.is_empty() {
            return Err(MessageFault::Shape("the batch is empty"));
        }
        Ok(Self { messages, batch: true })
    }

    /// Whether any of it asks for an answer.
    #[must_use]
    pub fn has_request(&self) -> bool {
        self.messages.iter().any(|message| message.kind == Kind::Request)
    }
}

impl<'a> Message<'a> {
    fn read(raw: Raw<'a>) -> Result<Self, MessageFault> {
        if !raw.is_object() {
            return Err(MessageFault::Shape("it is no object"));
        }
        let [version, id, method, params, result, error] = known(raw, ENVELOPE)?;
        if version.and_then(Raw::text).as_deref() != Some("2.0") {
            return Err(MessageFault::Shape("`jsonrpc` is not \"2.0\""));
        }
        let read_id = id.and_then(Id::read);
        if id.is_some_and(|raw| raw.as_str().len() > ID_BYTES_MAX) {
            return Err(MessageFault::Shape("`id` is longer than 512 bytes"));
        }
        let kind = match (method.is_some(), result.is_some(), error.is_some()) {
            (true, false, false) if id.is_none() => Kind::Notification,
            (true, false, false) if read_id.is_some() => Kind::Request,
            (true, false, false) => {
                return Err(MessageFault::Shape("the `id` of a request must be a string or a number"));
            }
            (false, true, false) if read_id.is_some() => Kind::Answer,
            (false, false, true) if read_id.is_some() || id.is_none_or(Raw::is_null) => Kind::Answer,
            (false, true, true) => return Err(MessageFault::Shape("it holds both `result` and `error`")),
            _ => return Err(MessageFault::Shape("it is neither a request nor an answer")),
        };
        let method = match method.map(Raw::text) {
            Some(Some(text)) if text.is_empty() => return Err(MessageFault::Shape("`method` is empty")),
            Some(Some(text)) if text.len() <= METHOD_BYTES_MAX => text,
            Some(Some(_)) => return Err(MessageFault::Shape("`method` is longer than 256 bytes")),
            Some(None) => return Err(MessageFault::Shape("`method` is no string")),
            None => Cow::Borrowed(""),
        };
        if let Some(params) = params {
            if !(params.is_object() || params.is_list()) {
                return Err(MessageFault::Shape("`params` is neither an object nor a list"));
            }
            known(params, PARAMS)?;
        }
        Ok(Self { kind, id: read_id, method, params, result, error, raw })
    }

    /// A member of `params`.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Raw<'a>> {
        self.params?.member(name)
    }

    /// A member of `params` that is a text.
    #[must_use]
    pub fn param_text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.param(name)?.text()
    }

    /// The token under which progress is told: `params._meta.progressToken` of a request, `params.progressToken` of the news.
    #[must_use]
    pub fn progress_token(&self) -> Option<Id> {
        let holder = match self.kind {
            Kind::Request => self.param("_meta")?,
            _ => self.params?,
        };
        Id::read(holder.member("progressToken")?)
    }
}

/// The members of these names, each at most once and in no other spelling.
fn known<'a, const N: usize>(raw: Raw<'a>, names: [&str; N]) -> Result<[Option<Raw<'a>>; N], MessageFault> {
    let mut found = [None; N];
    for (key, value) in raw.members() {
        for (slot, name) in found.iter_mut().zip(names) {
            if key != name {
                // Some readers take a member in any case.
                if folded(&key, name) {
                    return Err(MessageFault::Shape("a member that decides what is done is spelled in another case"));
                }
                continue;
            }
            if slot.replace(value).is_some() {
                return Err(MessageFault::Shape("a member that decides what is done stands there twice"));
            }
        }
    }
    Ok(found)
}

/// Whether two names are the same to a reader that folds case, also by Unicode (`ſ` is an `s`, `K` a `k`).
fn folded(key: &str, name: &str) -> bool {
    let fold = |mark: char| match mark {
        'ſ' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(name.chars())
}

#[cfg(test)]
mod tests;
