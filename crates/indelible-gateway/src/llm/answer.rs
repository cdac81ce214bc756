//! What an answer says, read beside it as it passes: a JSON body, or a stream of events whose data is JSON.
//!
//! Promises: what is held is bounded; what cannot be read is counted and passes on all the same. Never: keeps an answer.

use std::fmt;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::decode::{Decoder, Undecodable};
use super::operation::LastEvent;
use crate::draft::{Draft, Text};
use crate::json_scan::{JsonScan, Told};
use crate::labels::Scan;
use crate::sse::{SsePart, SseParts};

/// Most finish reasons and most tool calls that are kept.
const REASONS_MAX: usize = 16;
const CALLS_MAX: usize = 64;
/// How much of an event's data is looked at for the word that ends a stream.
const HEAD_BYTES: usize = 8;

/// What an answer said.
#[derive(Debug, Default)]
pub(super) struct Said {
    model: String,
    id: String,
    status: String,
    input: Option<u64>,
    output: Option<u64>,
    cached: Option<u64>,
    /// Counted beside the input by Anthropic: read from and written to the cache.
    cache_read: Option<u64>,
    cache_written: Option<u64>,
    reasoning: Option<u64>,
    finish_reasons: Vec<Text>,
    calls: Vec<Text>,
    more_calls: u64,
    call_id: String,
    pub(super) error: String,
    pub(super) events: u64,
    pub(super) malformed: u64,
    /// Whether any of the model's words came yet.
    pub(super) spoke: bool,
    /// The type of the event under way, and the name of the item in it.
    kind: String,
    item: String,
}

enum Form {
    Json(JsonScan),
    Events(Box<Events>),
    /// Neither: only counted and scanned for labels if it is text.
    Other,
}

struct Events {
    parts: SseParts,
    scan: JsonScan,
    broken: bool,
    head: Vec<u8>,
    last: LastEvent,
    /// Whether the last event came.
    over: bool,
}

/// Reads an answer beside its stream.
pub(super) struct AnswerReader {
    decoder: Decoder,
    form: Form,
    said: Said,
    labels: Option<Scan>,
    unreadable: Option<Undecodable>,
}

impl AnswerReader {
    pub(super) fn new(headers: &HeaderMap, last: LastEvent, labels: Scan) -> Self {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let form = match kind.as_str() {
            "text/event-stream" => Form::Events(Box::new(Events {
                parts: SseParts::new(),
                scan: JsonScan::new(),
                broken: false,
                head: Vec::with_capacity(HEAD_BYTES),
                last,
                over: false,
            })),
            kind if kind == "application/json" || kind.ends_with("+json") => Form::Json(JsonScan::new()),
            _ => Form::Other,
        };
        // What is neither is bytes of a picture or a file, or text that nobody here can read.
        let labels = (!matches!(form, Form::Other) || kind.starts_with("text/")).then_some(labels);
        Self { decoder: Decoder::new(headers), form, said: Said::default(), labels, unreadable: None }
    }

    /// Whether the answer is a stream of events.
    pub(super) fn is_events(&self) -> bool {
        matches!(self.form, Form::Events(_))
    }

    /// Whether the end of this stream is said by an event, and that did not come.
    pub(super) fn lacks_end(&self) -> bool {
        match &self.form {
            Form::Events(events) => events.last != LastEvent::None && !events.over && self.unreadable.is_none(),
            Form::Json(_) | Form::Other => false,
        }
    }

    /// What was said so far.
    pub(super) fn said(&self) -> &Said {
        &self.said
    }

    /// Why the answer could not be read, if so.
    pub(super) fn unreadable(&self) -> Option<Undecodable> {
        self.unreadable
    }

    /// Reads the next bytes as they pass. Gives the place in them from which on they are to be held: where the stream's last event
    /// begins.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.unreadable.is_some() {
            return None;
        }
        let identity = self.decoder.is_identity();
        let Self { decoder, form, said, labels, .. } = self;
        let mut last = None;
        let fed = decoder.feed(bytes, |plain| match form {
            Form::Json(scan) => {
                // What is no JSON stays so, and is noted when it ends.
                scan.feed(plain, |path, told| said.take(labels.as_mut(), path, &told)).unwrap_or_default();
            }
            Form::Events(events) => {
                if let Some(start) = events.feed(plain, said, labels.as_mut()) {
                    last = Some(start);
                }
            }
            Form::Other => {
                if let Some(labels) = labels.as_mut() {
                    labels.feed(plain);
                }
            }
        });
        self.unreadable = fed.err();
        // In a coded stream the places differ: all of these bytes are held.
        last.map(|start| if identity { start } else { 0 })
    }

    /// No more comes. Puts what was said into the outcome and gives the labels of the answer's texts.
    pub(super) fn finish(mut self, outcome: &mut Draft) -> (Said, Vec<&'static str>) {
        if let Form::Json(scan) = &mut self.form
            && self.unreadable.is_none()
        {
            let (said, labels) = (&mut self.said, &mut self.labels);
            if scan.end(|path, told| said.take(labels.as_mut(), path, &told)).is_err() {
                said.malformed = 1;
            }
        }
        self.said.describe(outcome);
        if let Some(unreadable) = self.unreadable {
            outcome.attribute("indelible.answer_unread", unreadable.to_string());
        }
        (self.said, self.labels.map(Scan::finish).unwrap_or_default())
    }
}

impl fmt::Debug for AnswerReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerReader").field("said", &self.said).finish_non_exhaustive()
    }
}

impl Events {
    /// Gives where the last event begins, if it ends in these bytes.
    fn feed(&mut self, plain: &[u8], said: &mut Said, mut labels: Option<&mut Scan>) -> Option<usize> {
        let Self { parts, scan, broken, head, last, over } = self;
        let mut held_from = None;
        parts.feed(plain, |part| match part {
            SsePart::Data(piece) => {
                let room = HEAD_BYTES.saturating_sub(head.len()).min(piece.len());
                head.extend_from_slice(piece.get(..room).unwrap_or_default());
                if !*broken {
                    *broken = scan.feed(piece, |path, told| said.take(labels.as_deref_mut(), path, &told)).is_err();
                }
            }
            SsePart::End(end) => {
                if !end.has_data {
                    return;
                }
                let done = head.starts_with(b"[DONE]");
                let fine = !*broken && scan.end(|path, told| said.take(labels.as_deref_mut(), path, &told)).is_ok();
                said.end_event(end.event, fine || done);
                let is_last = match last {
                    LastEvent::None => false,
                    LastEvent::Done => done,
                    LastEvent::Types(types) => types.contains(&said.kind.as_str()),
                };
                if is_last && !std::mem::replace(over, true) {
                    held_from = Some(end.start);
                }
                said.kind.clear();
                head.clear();
                scan.restart();
                *broken = false;
            }
        });
        held_from
    }
}

impl Said {
    fn take(&mut self, labels: Option<&mut Scan>, path: &str, told: &Told<'_>) {
        match told {
            Told::Piece(piece) if is_answer(path) => {
                self.spoke |= !piece.is_empty();
                if let Some(labels) = labels {
                    labels.feed(piece);
                }
            }
            Told::Text(text) => {
                // The next piece of a stream goes on where this one ends; a text of a whole answer stands alone.
                if is_answer(path) && !path.contains("delta") {
                    labels.into_iter().for_each(|labels| labels.feed(b"\n"));
                }
                self.text(path, text);
            }
            Told::Number(Some(number)) => self.number(path, *number),
            _ => {}
        }
    }

    fn text(&mut self, path: &str, text: &str) {
        match path {
            "model" | "message.model" | "response.model" => text.clone_into(&mut self.model),
            "id" | "message.id" | "response.id" => text.clone_into(&mut self.id),
            "status" | "response.status" => text.clone_into(&mut self.status),
            "type" => text.clone_into(&mut self.kind),
            "error.type" | "error.code" | "response.error.code" if self.error.is_empty() || path == "error.type" => {
                text.clone_into(&mut self.error);
            }
            "choices[].finish_reason"
            | "stop_reason"
            | "delta.stop_reason"
            | "incomplete_details.reason"
            | "response.incomplete_details.reason"
                if self.finish_reasons.len() < REASONS_MAX =>
            {
                self.finish_reasons.push(Text::from(text.to_owned()));
            }
            "choices[].message.tool_calls[].function.name"
            | "choices[].delta.tool_calls[].function.name"
            | "choices[].message.function_call.name"
            | "choices[].delta.function_call.name"
            | "content[].name"
            | "content_block.name"
            | "output[].name" => self.call(text),
            "choices[].message.tool_calls[].id"
            | "choices[].delta.tool_calls[].id"
            | "content_block.id"
            | "content[].id"
            | "output[].call_id"
            | "item.call_id"
                if self.call_id.is_empty() =>
            {
                text.clone_into(&mut self.call_id);
            }
            "item.name" => text.clone_into(&mut self.item),
            _ => {}
        }
    }

    fn number(&mut self, path: &str, number: u64) {
        let path = path.strip_prefix("response.").or_else(|| path.strip_prefix("message.")).unwrap_or(path);
        let slot = match path {
            "usage.prompt_tokens" | "usage.input_tokens" | "input_tokens" => &mut self.input,
            "usage.completion_tokens" | "usage.output_tokens" => &mut self.output,
            "usage.prompt_tokens_details.cached_tokens" | "usage.input_tokens_details.cached_tokens" => {
                &mut self.cached
            }
            "usage.cache_read_input_tokens" => &mut self.cache_read,
            "usage.cache_creation_input_tokens" => &mut self.cache_written,
            "usage.completion_tokens_details.reasoning_tokens" | "usage.output_tokens_details.reasoning_tokens" => {
                &mut self.reasoning
            }
            _ => return,
        };
        *slot = Some(number);
    }

    fn call(&mut self, name: &str) {
        if name.is_empty() {
            return;
        }
        if self.calls.len() < CALLS_MAX {
            self.calls.push(Text::from(name.to_owned()));
        } else {
            self.more_calls += 1;
        }
    }

    /// An event is over; `kind` is left for the caller to look at.
    fn end_event(&mut self, event: &[u8], fine: bool) {
        self.events += 1;
        self.malformed += u64::from(!fine);
        if self.kind.is_empty() {
            self.kind = String::from_utf8_lossy(event).into_owned();
        }
        let item = std::mem::take(&mut self.item);
        if self.kind == "response.output_item.done" {
            self.call(&item);
        }
    }

    /// All input tokens, those from and for a cache too, as the convention counts them.
    fn all_input(&self) -> Option<u64> {
        let beside = self.cache_read.unwrap_or(0).saturating_add(self.cache_written.unwrap_or(0));
        self.input.map(|input| input.saturating_add(beside))
    }

    /// Input that was cached, all input, output: what a call costs by.
    pub(super) fn tokens(&self) -> (u64, u64, u64) {
        let cached = self.cached.or(self.cache_read).unwrap_or(0);
        (cached, self.all_input().unwrap_or(0), self.output.unwrap_or(0))
    }

    /// The id of what was answered or made.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn describe(&self, outcome: &mut Draft) {
        outcome.ai.response_model = self.model.clone().into();
        outcome.ai.input_tokens = self.all_input();
        outcome.ai.output_tokens = self.output;
        outcome.ai.finish_reasons.clone_from(&self.finish_reasons);
        outcome.ai.tool_name = self.calls.first().cloned().unwrap_or_default();
        if !self.calls.is_empty() {
            outcome.ai.tool_call_id = self.call_id.clone().into();
            outcome.attribute("gen_ai.response.tool_calls", self.calls.clone());
        }
        for (name, number) in [
            ("gen_ai.usage.cache_read.input_tokens", self.cached.or(self.cache_read)),
            ("gen_ai.usage.cache_creation.input_tokens", self.cache_written),
            ("gen_ai.usage.reasoning.output_tokens", self.reasoning),
            ("gen_ai.response.more_tool_calls", Some(self.more_calls).filter(|more| *more > 0)),
            ("gen_ai.response.events", Some(self.events).filter(|events| *events > 0)),
            ("indelible.malformed", Some(self.malformed).filter(|malformed| *malformed > 0)),
        ] {
            outcome.attribute_if(name, number);
        }
        for (name, text) in
            [("gen_ai.response.id", &self.id), ("gen_ai.response.status", &self.status), ("error.type", &self.error)]
        {
            if !text.is_empty() {
                outcome.attribute(name, text.clone());
            }
        }
    }
}

/// Whether a text at this path is something that the model said.
fn is_answer(path: &str) -> bool {
    matches!(
        path,
        "delta"
            | "text"
            | "completion"
            | "choices[].text"
            | "choices[].message.content"
            | "choices[].message.refusal"
            | "choices[].message.reasoning_content"
            | "choices[].message.tool_calls[].function.arguments"
            | "choices[].delta.content"
            | "choices[].delta.refusal"
            | "choices[].delta.reasoning_content"
            | "choices[].delta.tool_calls[].function.arguments"
            | "delta.text"
            | "delta.partial_json"
            | "delta.thinking"
            | "content[].text"
            | "content[].thinking"
            | "output[].content[].text"
            | "output[].content[].refusal"
            | "output[].arguments"
    ) || path.starts_with("content[].input")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use indelible_event::id::EventId;
    use indelible_event::words::Action;

    use super::*;
    use crate::labels::Scanner;
    use crate::llm::operation;
    use crate::llm::settings::Format;

    fn reader(kind: &'static str, format: Format, path: &str) -> AnswerReader {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let last = operation::find(format, &http::Method::POST, path).last;
        AnswerReader::new(&headers, last, Scanner::new().begin())
    }

    fn outcome(reader: AnswerReader) -> (Draft, Vec<&'static str>) {
        let mut draft = Draft::new(EventId([1; 16]), Action::Infer, "x");
        let (_, labels) = reader.finish(&mut draft);
        (draft, labels)
    }

    fn attribute<'d>(draft: &'d Draft, name: &str) -> Option<&'d crate::draft::Attribute> {
        draft.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    const CHAT: &str = concat!(
        "data: {\"id\":\"c-1\",\"model\":\"gpt-x-1\",\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"to ana@exam\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"ple.com\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"t-1\",\"function\":{\"name\":\"search\",\"arguments\":\"\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7,",
        "\"prompt_tokens_details\":{\"cached_tokens\":3},\"completion_tokens_details\":{\"reasoning_tokens\":2}}}\n\n",
        "data: [DONE]\n\n",
    );

    #[test]
    fn a_chat_stream_is_read_however_it_is_cut() {
        for cut in [1, 5, 64, 100_000] {
            let mut reader = reader("text/event-stream", Format::OpenAi, "/v1/chat/completions");
            let mut seen = 0;
            let mut held = None;
            for piece in CHAT.as_bytes().chunks(cut) {
                assert_eq!(held, None);
                held = reader.feed(piece).map(|start| seen + start);
                seen += piece.len();
            }
            assert!(held.is_some() && !reader.lacks_end(), "the last event is held");
            if cut == 100_000 {
                assert_eq!(held, Some(CHAT.len() - "data: [DONE]\n\n".len()));
            }
            let (draft, labels) = outcome(reader);
            assert_eq!((draft.ai.input_tokens, draft.ai.output_tokens), (Some(11), Some(7)));
            assert_eq!((draft.ai.response_model.as_ref(), draft.ai.tool_name.as_ref()), ("gpt-x-1", "search"));
            assert_eq!(
                (draft.ai.finish_reasons.as_slice(), draft.ai.tool_call_id.as_ref()),
                (&["tool_calls".into()][..], "t-1")
            );
            assert_eq!(attribute(&draft, "gen_ai.usage.reasoning.output_tokens"), Some(&2u64.into()));
            assert_eq!(attribute(&draft, "indelible.malformed"), None);
            assert_eq!(labels, ["pii.email"], "a value cut over two events is found");
        }
    }

    #[test]
    fn a_messages_stream_is_read() {
        let stream = concat!(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m-1\",\"model\":\"claude-x\",",
            "\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":5,\"cache_creation_input_tokens\":1,\"output_tokens\":1}}}\n\n",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"name\":\"get\",\"id\":\"u\"}}\n\n",
            "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":9}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        );
        let mut reader = reader("text/event-stream; charset=utf-8", Format::Anthropic, "/v1/messages");
        assert!(reader.feed(stream.as_bytes()).is_some());
        let (draft, _) = outcome(reader);
        assert_eq!((draft.ai.input_tokens, draft.ai.output_tokens), (Some(16), Some(9)));
        assert_eq!((draft.ai.tool_name.as_ref(), draft.ai.finish_reasons.len()), ("get", 1));
        assert_eq!(attribute(&draft, "gen_ai.usage.cache_creation.input_tokens"), Some(&1u64.into()));
    }

    #[test]
    fn a_responses_stream_is_read() {
        let stream = concat!(
            "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"function_call\",\"name\":\"f\"}}\n\n",
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"model\":\"m\",\"status\":\"completed\",",
            "\"output\":[{\"name\":\"f\"}],\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}\n\n",
        );
        let mut reader = reader("text/event-stream", Format::OpenAi, "/responses");
        assert!(reader.feed(stream.as_bytes()).is_some());
        let (draft, _) = outcome(reader);
        assert_eq!(
            (draft.ai.input_tokens, draft.ai.output_tokens, draft.ai.tool_name.as_ref()),
            (Some(3), Some(4), "f")
        );
        assert_eq!(attribute(&draft, "gen_ai.response.tool_calls"), Some(&vec![Text::from("f")].into()));
    }

    #[test]
    fn bodies_that_are_no_json_are_noted() {
        let mut json = reader("application/json", Format::OpenAi, "/v1/embeddings");
        assert_eq!(json.feed(b"{\"model\":\"e\",\"usage\":{\"prompt_tokens\":5,"), None);
        let (draft, _) = outcome(json);
        assert_eq!((draft.ai.input_tokens, attribute(&draft, "indelible.malformed")), (Some(5), Some(&1u64.into())));
        let mut events = reader("text/event-stream", Format::OpenAi, "/v1/chat/completions");
        events.feed(b"data: {\"a\":\n\ndata: <html>\n\n");
        assert!(events.lacks_end());
        assert_eq!(events.said().malformed, 2);
    }
}
