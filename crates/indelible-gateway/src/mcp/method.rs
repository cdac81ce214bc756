//! What a request of MCP does: its action, what it touches, which of it is content. One table for all protocol versions; what is not
//! in it is unknown, and passes untouched under its own name.

use std::borrow::Cow;

use indelible_event::words::Action;

use super::json::Raw;
use super::message::Message;
use crate::route::ContentKind;

/// Which side a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The agent that uses tools.
    Client,
    /// The server that offers them.
    Server,
}

/// What a request touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touches {
    /// The tool `params.name`.
    Tool,
    /// The resource `params.uri`.
    Resource,
    /// The prompt `params.name`.
    Prompt,
    /// What `params.ref` names: a prompt or a resource.
    Reference,
    /// The server as such.
    Server,
    /// The client: its model, its user, its folders.
    Client,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The word for it; a tool call's is decided by the tool.
    pub action: Action,
    /// What it touches.
    pub touches: Touches,
    /// Which of it is content, by a member of `params`, or all of `params` (`*`); kept as this kind.
    pub asked: Option<(&'static str, ContentKind)>,
    /// How the result is kept.
    pub answered: Option<ContentKind>,
}

const ARGUMENTS: Option<(&str, ContentKind)> = Some(("arguments", ContentKind::Arguments));
const PROMPT: Option<(&str, ContentKind)> = Some(("*", ContentKind::Prompt));

/// What a request of that method does.
#[must_use]
pub fn meaning(side: Side, method: &str) -> Meaning {
    let plain = |action, touches| Meaning { action, touches, asked: None, answered: None };
    let result = Some(ContentKind::Result);
    match (side, method) {
        (Side::Client, "tools/call") => {
            Meaning { action: Action::Execute, touches: Touches::Tool, asked: ARGUMENTS, answered: result }
        }
        (Side::Client, "resources/read") => Meaning { answered: result, ..plain(Action::Read, Touches::Resource) },
        (Side::Client, "resources/subscribe" | "resources/unsubscribe") => plain(Action::Read, Touches::Resource),
        (Side::Client, "prompts/get") => {
            Meaning { action: Action::Read, touches: Touches::Prompt, asked: ARGUMENTS, answered: result }
        }
        (Side::Client, "completion/complete") => Meaning {
            action: Action::Read,
            touches: Touches::Reference,
            asked: Some(("argument", ContentKind::Arguments)),
            answered: result,
        },
        (
            Side::Client,
            "tools/list"
            | "resources/list"
            | "resources/templates/list"
            | "prompts/list"
            | "server/discover"
            | "subscriptions/listen"
            | "tasks/get"
            | "tasks/list",
        ) => plain(Action::Read, Touches::Server),
        (Side::Client, "tasks/result") => Meaning { answered: result, ..plain(Action::Read, Touches::Server) },
        (Side::Client, "tasks/cancel") => plain(Action::Modify, Touches::Server),
        (Side::Client, "logging/setLevel") => plain(Action::Configure, Touches::Server),
        (_, "initialize" | "ping") => plain(Action::Execute, Touches::Server),
        (Side::Server, "sampling/createMessage") => Meaning {
            action: Action::Infer,
            touches: Touches::Client,
            asked: PROMPT,
            answered: Some(ContentKind::Answer),
        },
        (Side::Server, "elicitation/create") => Meaning {
            action: Action::Read,
            touches: Touches::Client,
            asked: PROMPT,
            answered: Some(ContentKind::Answer),
        },
        (Side::Server, "roots/list" | "tasks/get" | "tasks/list") => plain(Action::Read, Touches::Client),
        (Side::Server, "tasks/result") => {
            Meaning { answered: Some(ContentKind::Answer), ..plain(Action::Read, Touches::Client) }
        }
        (Side::Client, _) => Meaning {
            action: Action::Execute,
            touches: Touches::Server,
            asked: Some(("*", ContentKind::Arguments)),
            answered: result,
        },
        (Side::Server, _) => Meaning {
            action: Action::Execute,
            touches: Touches::Client,
            asked: PROMPT,
            answered: Some(ContentKind::Answer),
        },
    }
}

/// A thing that is touched: what kind, which, and its name without the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched<'a> {
    /// `tool`, `resource`, `prompt`, `mcp_server` or `mcp_client`.
    pub kind: &'static str,
    /// Its own name; empty for the server and the client.
    pub name: Cow<'a, str>,
}

impl Meaning {
    /// What a request touches. `None` when it must name something and does not: what cannot be named cannot be decided.
    #[must_use]
    pub fn touched<'a>(&self, message: &Message<'a>) -> Option<Touched<'a>> {
        let named = |kind, name: Option<Cow<'a, str>>| name.map(|name| Touched { kind, name });
        match self.touches {
            Touches::Tool => named("tool", message.param_text("name")),
            Touches::Resource => named("resource", message.param_text("uri")),
            Touches::Prompt => named("prompt", message.param_text("name")),
            Touches::Reference => {
                let reference = message.param("ref")?;
                let text = |name: &str| reference.member(name).and_then(Raw::text);
                match text("type").as_deref() {
                    Some("ref/prompt") => named("prompt", text("name")),
                    Some("ref/resource") => named("resource", text("uri")),
                    _ => Some(Touched { kind: "mcp_server", name: Cow::Borrowed("") }),
                }
            }
            Touches::Server => Some(Touched { kind: "mcp_server", name: Cow::Borrowed("") }),
            Touches::Client => Some(Touched { kind: "mcp_client", name: Cow::Borrowed("") }),
        }
    }

    /// The content of a request, if it has any.
    #[must_use]
    pub fn content<'a>(&self, message: &Message<'a>) -> Option<(Raw<'a>, ContentKind)> {
        let (member, kind) = self.asked?;
        let params = message.params?;
        // A call that is made again with what the client was asked for meanwhile: that is content too.
        if member == "*" || params.member("inputResponses").is_some() {
            return Some((params, kind));
        }
        params.member(member).map(|raw| (raw, kind))
    }
}

/// Whether a request is only counted: it touches nothing and comes by the thousand.
#[must_use]
pub fn only_counted(method: &str) -> bool {
    method == "ping"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::message::Incoming;

    fn touched(text: &str) -> Option<(String, String)> {
        let incoming = Incoming::read(text.as_bytes()).unwrap();
        let message = incoming.messages.first().unwrap();
        let touched = meaning(Side::Client, &message.method).touched(message)?;
        Some((touched.kind.to_owned(), touched.name.into_owned()))
    }

    #[test]
    fn what_is_touched_is_named_or_refused() {
        let pair = |kind: &str, name: &str| Some((kind.to_owned(), name.to_owned()));
        for (method, params, expected) in [
            ("tools/call", r#"{"name":"add"}"#, pair("tool", "add")),
            ("tools/call", r#"{"nom":"add"}"#, None),
            ("tools/call", r#"{"name":"\ud800"}"#, None),
            ("tools/call", "[]", None),
            ("resources/read", r#"{"uri":"file:///a"}"#, pair("resource", "file:///a")),
            ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p"}}"#, pair("prompt", "p")),
            ("completion/complete", r#"{"ref":{"type":"ref/resource","uri":"u"}}"#, pair("resource", "u")),
            ("tools/list", "{}", pair("mcp_server", "")),
            ("vendor/own", "{}", pair("mcp_server", "")),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
            assert_eq!(touched(&text), expected, "{text}");
        }
    }

    #[test]
    fn answers_to_questions_in_between_are_content() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1},"inputResponses":{}}}"#;
        let incoming = Incoming::read(text.as_bytes()).unwrap();
        let message = incoming.messages.first().unwrap();
        let (content, kind) = meaning(Side::Client, "tools/call").content(message).unwrap();
        assert_eq!((content, kind), (message.params.unwrap(), ContentKind::Arguments));
    }
}
