//! What a request asks for, by method and path: the table of the operations that are understood. Anything else is recorded by its
//! method and path.

use http::Method;
use indelible_event::words::Action;

use super::settings::Format;
use crate::draft::Text;

/// How a stream of events says that it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastEvent {
    /// Not at all: the end of the body says it.
    None,
    /// `data: [DONE]`.
    Done,
    /// An event of one of these types.
    Types(&'static [&'static str]),
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// Its name in events.
    pub(super) name: Text,
    /// What it does.
    pub(super) action: Action,
    /// The GenAI operation; empty when it is none.
    pub(super) ai: &'static str,
    /// Whether the request is a JSON document that names the model and is read before it is forwarded.
    pub(super) reads_request: bool,
    /// How a stream says that it is complete.
    pub(super) last: LastEvent,
    /// What kind of thing is touched.
    pub(super) resource: &'static str,
    /// Which, when the path says so.
    pub(super) id: String,
}

const RESPONSES_LAST: LastEvent =
    LastEvent::Types(&["response.completed", "response.failed", "response.incomplete", "response.cancelled"]);
const MESSAGES_LAST: LastEvent = LastEvent::Types(&["message_stop", "error"]);

/// Finds the operation for a path below the mount.
pub(super) fn find(format: Format, method: &Method, path: &str) -> Operation {
    let mut segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if segments.first() == Some(&"v1") {
        segments.remove(0);
    }
    let known = match format {
        Format::OpenAi => openai(method.as_str(), &segments),
        Format::Anthropic => anthropic(method.as_str(), &segments),
        Format::Passthrough => None,
    };
    known.unwrap_or_else(|| unknown(method, path))
}

/// One that a model answers, with a JSON request.
fn model(name: &'static str, ai: &'static str, last: LastEvent) -> Operation {
    Operation {
        name: name.into(),
        action: Action::Infer,
        ai,
        reads_request: true,
        last,
        resource: "model",
        id: String::new(),
    }
}

/// One about a stored thing.
fn thing(name: &'static str, action: Action, resource: &'static str, id: &str) -> Operation {
    Operation {
        name: name.into(),
        action,
        ai: "",
        reads_request: false,
        last: LastEvent::None,
        resource,
        id: id.to_owned(),
    }
}

fn openai(method: &str, segments: &[&str]) -> Option<Operation> {
    use Action::{Delete, Execute, Infer, Modify, Read, Train};
    Some(match (method, segments) {
        ("POST", ["chat", "completions"]) => model("chat.completions", "chat", LastEvent::Done),
        ("POST", ["responses"]) => model("responses", "chat", RESPONSES_LAST),
        ("POST", ["completions"]) => model("completions", "text_completion", LastEvent::Done),
        ("POST", ["embeddings"]) => model("embeddings", "embeddings", LastEvent::None),
        ("POST", ["moderations"]) => model("moderations", "", LastEvent::None),
        ("POST", ["images", "generations"]) => model("images.generations", "generate_content", LastEvent::None),
        ("POST", ["audio", "speech"]) => model("audio.speech", "generate_content", LastEvent::None),
        // Multipart: streamed through, the model stands in the middle of it.
        ("POST", ["images", "edits"]) => thing("images.edits", Infer, "model", ""),
        ("POST", ["images", "variations"]) => thing("images.variations", Infer, "model", ""),
        ("POST", ["audio", "transcriptions"]) => thing("audio.transcriptions", Infer, "model", ""),
        ("POST", ["audio", "translations"]) => thing("audio.translations", Infer, "model", ""),
        ("DELETE", ["models", id]) => thing("models.delete", Delete, "model", id),
        ("GET", ["chat", "completions"]) => thing("chat.completions.list", Read, "response", ""),
        ("GET", ["chat", "completions", id, ..]) => thing("chat.completions.get", Read, "response", id),
        ("POST", ["chat", "completions", id]) => thing("chat.completions.update", Modify, "response", id),
        ("DELETE", ["chat", "completions", id]) => thing("chat.completions.delete", Delete, "response", id),
        ("GET", ["responses", id, ..]) => thing("responses.get", Read, "response", id),
        ("POST", ["responses", id, "cancel"]) => thing("responses.cancel", Execute, "response", id),
        ("DELETE", ["responses", id]) => thing("responses.delete", Delete, "response", id),
        ("POST", ["fine_tuning", "jobs"]) => {
            Operation { reads_request: true, ..thing("fine_tuning.jobs.create", Train, "model", "") }
        }
        ("POST", ["batches"]) => Operation { reads_request: true, ..thing("batches.create", Infer, "batch", "") },
        ("POST", ["batches", id, "cancel"]) => thing("batches.cancel", Modify, "batch", id),
        ("GET", ["batches"]) => thing("batches.list", Read, "batch", ""),
        ("GET", ["batches", id]) => thing("batches.get", Read, "batch", id),
        _ => return listed(method, segments),
    })
}

/// What both APIs write alike: models and files.
fn listed(method: &str, segments: &[&str]) -> Option<Operation> {
    use Action::{Delete, Export, Read, Write};
    Some(match (method, segments) {
        ("GET", ["models"]) => thing("models.list", Read, "model", ""),
        ("GET", ["models", id]) => thing("models.get", Read, "model", id),
        ("POST", ["files"]) => thing("files.create", Write, "file", ""),
        ("GET", ["files"]) => thing("files.list", Read, "file", ""),
        ("GET", ["files", id]) => thing("files.get", Read, "file", id),
        ("GET", ["files", id, "content"]) => thing("files.content", Export, "file", id),
        ("DELETE", ["files", id]) => thing("files.delete", Delete, "file", id),
        _ => return None,
    })
}

fn anthropic(method: &str, segments: &[&str]) -> Option<Operation> {
    use Action::{Delete, Export, Infer, Modify, Read};
    Some(match (method, segments) {
        ("POST", ["messages"]) => model("messages", "chat", MESSAGES_LAST),
        ("POST", ["complete"]) => model("complete", "text_completion", LastEvent::None),
        ("POST", ["messages", "count_tokens"]) => {
            Operation { action: Read, ..model("messages.count_tokens", "", LastEvent::None) }
        }
        ("POST", ["messages", "batches"]) => {
            Operation { reads_request: true, ..thing("messages.batches.create", Infer, "batch", "") }
        }
        ("GET", ["messages", "batches"]) => thing("messages.batches.list", Read, "batch", ""),
        ("GET", ["messages", "batches", id]) => thing("messages.batches.get", Read, "batch", id),
        ("GET", ["messages", "batches", id, "results"]) => thing("messages.batches.results", Export, "batch", id),
        ("POST", ["messages", "batches", id, "cancel"]) => thing("messages.batches.cancel", Modify, "batch", id),
        ("DELETE", ["messages", "batches", id]) => thing("messages.batches.delete", Delete, "batch", id),
        _ => return listed(method, segments),
    })
}

fn unknown(method: &Method, path: &str) -> Operation {
    let action = match method.as_str() {
        "GET" | "HEAD" | "OPTIONS" => Action::Read,
        "PUT" | "PATCH" => Action::Modify,
        "DELETE" => Action::Delete,
        _ => Action::Execute,
    };
    Operation {
        name: format!("{method} {path}").into(),
        action,
        ai: "",
        reads_request: false,
        last: LastEvent::None,
        resource: "endpoint",
        id: path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: Format, method: &str, path: &str, expect: (&str, Action, &str)) {
        let found = find(format, &method.parse().unwrap(), path);
        assert_eq!((found.name.as_ref(), found.action, found.id.as_str()), expect, "{method} {path}");
    }

    #[test]
    fn operations_are_known_by_method_and_path() {
        check(Format::OpenAi, "POST", "/v1/chat/completions", ("chat.completions", Action::Infer, ""));
        check(Format::OpenAi, "POST", "/chat/completions", ("chat.completions", Action::Infer, ""));
        check(Format::OpenAi, "GET", "/v1/files/f-1/content", ("files.content", Action::Export, "f-1"));
        check(Format::OpenAi, "DELETE", "/v1/models/m", ("models.delete", Action::Delete, "m"));
        check(Format::OpenAi, "GET", "/v1/x", ("GET /v1/x", Action::Read, "/v1/x"));
        check(Format::Anthropic, "POST", "/v1/messages/batches", ("messages.batches.create", Action::Infer, ""));
        check(Format::Anthropic, "POST", "/v1/messages/count_tokens", ("messages.count_tokens", Action::Read, ""));
        check(
            Format::Anthropic,
            "POST",
            "/v1/chat/completions",
            ("POST /v1/chat/completions", Action::Execute, "/v1/chat/completions"),
        );
        check(Format::Passthrough, "POST", "/v1/messages", ("POST /v1/messages", Action::Execute, "/v1/messages"));
    }
}
