//! A draft as JSON, cut to bounds, and through `prepare` into a batch.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indelible_event::batch::EventBatch;
use indelible_event::fault::{Fault, FaultCode};
use indelible_event::limits::{DOCUMENT_BYTES_MAX, IDENTIFIER_BYTES_MAX};
use indelible_event::prepare::{Defaults, prepare};
use indelible_event::time::RecordedTime;

use super::{Ai, Attribute, Draft, Ending, Resource, Sealed, integer};
use crate::caller::Caller;

/// `source.kind` of every event of a gateway.
pub const SOURCE_KIND: &str = "gateway";

/// What ends a text or a list that was cut.
const MARK: &str = "…";

/// An event that fits in no way: a fault of ours, since every text is cut.
#[derive(Clone, Debug, thiserror::Error)]
#[error("an event of the gateway could not be written: {first}")]
pub struct Unwritable {
    /// The first fault.
    pub first: String,
}

/// How much of each text and list is written.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    text: usize,
    items: usize,
    /// Only who, what and how it ended.
    bare: bool,
}

/// From all of it to what always fits: about a dozen texts of 128 bytes, each byte an escape of six, are 9 KiB.
const STEPS: [Bounds; 3] = [
    Bounds { text: IDENTIFIER_BYTES_MAX, items: 64, bare: false },
    Bounds { text: 128, items: 8, bare: false },
    Bounds { text: 128, items: 1, bare: true },
];

impl Draft {
    /// Writes the event into a batch.
    ///
    /// # Errors
    /// [`Unwritable`], which is a fault of the gateway.
    pub fn write(
        &self,
        caller: &Caller,
        source: &str,
        time: RecordedTime,
        ending: &Ending,
        batch: &mut EventBatch,
    ) -> Result<(), Unwritable> {
        let defaults = Defaults { source_id: source, source_kind: SOURCE_KIND };
        let mut faults = Vec::new();
        for (step, bounds) in STEPS.into_iter().enumerate() {
            let json = Json::event(self, caller, time, ending, bounds, step > 0);
            if json.len() > DOCUMENT_BYTES_MAX {
                continue;
            }
            match prepare(&json, &defaults, &mut || self.id, batch) {
                Ok(_) => return Ok(()),
                Err(found) if found.iter().any(|fault| fault.code == FaultCode::EntryTooLong) => faults = found,
                Err(found) => return Err(unwritable(&found)),
            }
        }
        Err(unwritable(&faults))
    }
}

fn unwritable(faults: &[Fault]) -> Unwritable {
    let first = faults.first().map(|fault| format!("{}: {}", fault.field, fault.reason)).unwrap_or_default();
    Unwritable { first }
}

/// An actor must have an id.
fn known(id: &str) -> &str {
    if id.is_empty() { "unknown" } else { id }
}

/// JSON being written. Only what is not empty is written.
struct Json {
    out: Vec<u8>,
    bounds: Bounds,
}

impl Json {
    fn event(
        draft: &Draft,
        caller: &Caller,
        time: RecordedTime,
        ending: &Ending,
        bounds: Bounds,
        cut: bool,
    ) -> Vec<u8> {
        let mut json = Self { out: Vec::with_capacity(1024), bounds };
        json.out.push(b'{');
        json.plain("id", &draft.id.write());
        json.plain("time", &time.write());
        json.plain("action", draft.action.as_str().as_bytes());
        json.text("operation", &draft.operation);
        json.actor(caller);
        json.list("on_behalf_of", &caller.on_behalf_of, |json, principal| {
            json.object(|json| {
                json.plain("type", principal.actor_type.as_str().as_bytes());
                json.text("id", known(&principal.id));
            });
        });
        json.list("resources", &draft.resources, Self::resource);
        json.ending(ending, caller);
        if !bounds.bare {
            json.ai(&draft.ai);
            json.list("sealed", &draft.sealed, Self::sealed);
            json.number("duration_ns", draft.duration_ns);
            json.text("purpose", caller.purpose.as_deref().unwrap_or_default());
        }
        if let Some(trace) = &caller.trace {
            json.member("trace", |json| {
                json.text("trace_id", &trace.trace_id);
                json.text("span_id", &trace.span_id);
            });
        }
        json.attributes(draft, caller, cut);
        json.out.push(b'}');
        json.out
    }

    fn actor(&mut self, caller: &Caller) {
        self.member("actor", |json| {
            json.plain("type", caller.actor_type.as_str().as_bytes());
            json.text("id", known(&caller.id));
            if json.bounds.bare {
                return;
            }
            json.texts("roles", &caller.roles);
            json.texts("groups", &caller.groups);
            json.text("session", caller.session.as_deref().unwrap_or_default());
            json.text("user_agent", &caller.user_agent);
            json.text("auth", caller.auth);
            if let Some(ip) = caller.ip {
                json.text("ip", &ip.to_string());
            }
        });
    }

    fn ending(&mut self, ending: &Ending, caller: &Caller) {
        self.member("outcome", |json| {
            json.plain("result", ending.result.as_str().as_bytes());
            json.plain("phase", ending.phase.as_str().as_bytes());
            json.text("code", &ending.code);
            json.text("reason", &ending.reason);
            json.text("policy", &ending.policy);
            json.text("request", &caller.request);
        });
    }

    fn resource(&mut self, resource: &Resource) {
        self.object(|json| {
            json.text("type", &resource.kind);
            json.text("id", &resource.id);
            json.text("name", &resource.name);
            if !json.bounds.bare {
                json.texts("labels", &resource.labels);
            }
            json.number("count", resource.count);
            json.number("bytes", resource.bytes);
        });
    }

    fn ai(&mut self, ai: &Ai) {
        self.member("ai", |json| {
            for (name, value) in [
                ("provider", &ai.provider),
                ("operation", &ai.operation),
                ("request_model", &ai.request_model),
                ("response_model", &ai.response_model),
                ("conversation", &ai.conversation),
                ("agent", &ai.agent),
                ("tool_name", &ai.tool_name),
                ("tool_call_id", &ai.tool_call_id),
            ] {
                json.text(name, value);
            }
            json.number("input_tokens", ai.input_tokens);
            json.number("output_tokens", ai.output_tokens);
            json.texts("finish_reasons", &ai.finish_reasons);
        });
    }

    fn sealed(&mut self, sealed: &Sealed) {
        self.object(|json| {
            json.text("name", &sealed.name);
            json.text("media_type", &sealed.media_type);
            json.number("bytes", Some(sealed.bytes));
            json.plain("commitment", STANDARD.encode(sealed.commitment.0).as_bytes());
        });
    }

    fn attributes(&mut self, draft: &Draft, caller: &Caller, cut: bool) {
        self.member("attributes", |json| {
            if cut {
                json.key("indelible.cut");
                json.out.extend_from_slice(b"true");
            }
            if json.bounds.bare {
                return;
            }
            json.text("indelible.application", caller.application.as_deref().unwrap_or_default());
            let items = json.bounds.items * 2;
            for (name, value) in draft.attributes.iter().take(items) {
                match value {
                    Attribute::Text(text) => json.text(name, text),
                    Attribute::Texts(texts) => json.texts(name, texts),
                    Attribute::Integer(number) => {
                        json.key(name);
                        json.digits(*number);
                    }
                    Attribute::Boolean(truth) => {
                        json.key(name);
                        json.out.extend_from_slice(if *truth { b"true" } else { b"false" });
                    }
                }
            }
        });
    }

    /// A member that is an object; without members of its own it is taken back.
    fn member(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        let before = self.out.len();
        self.key(name);
        let empty = self.out.len() + 1;
        self.object(write);
        if self.out.len() == empty + 1 {
            self.out.truncate(before);
        }
    }

    fn object(&mut self, write: impl FnOnce(&mut Self)) {
        self.out.push(b'{');
        write(self);
        self.out.push(b'}');
    }

    fn list<T>(&mut self, name: &str, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        if items.is_empty() {
            return;
        }
        self.key(name);
        self.out.push(b'[');
        for item in items.iter().take(self.bounds.items) {
            self.separate();
            write(self, item);
        }
        self.out.push(b']');
    }

    /// A list of texts; one that is cut says so in its last item.
    fn texts(&mut self, name: &str, texts: &[impl AsRef<str>]) {
        let fine = texts.iter().map(AsRef::as_ref).filter(|text| !text.is_empty());
        let mut left = self.bounds.items;
        let before = self.out.len();
        self.key(name);
        self.out.push(b'[');
        let begun = self.out.len();
        for text in fine {
            self.separate();
            if left == 0 {
                self.string(MARK);
                break;
            }
            left -= 1;
            self.string(text);
        }
        if self.out.len() == begun {
            self.out.truncate(before);
            return;
        }
        self.out.push(b']');
    }

    fn text(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        self.key(name);
        self.string(text);
    }

    /// A text of ours that needs no escapes and no bounds.
    fn plain(&mut self, name: &str, text: &[u8]) {
        self.key(name);
        self.out.push(b'"');
        self.out.extend_from_slice(text);
        self.out.push(b'"');
    }

    fn number(&mut self, name: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.key(name);
            self.digits(integer(number));
        }
    }

    fn digits(&mut self, number: i64) {
        // Writing into memory cannot fail.
        drop(write!(self.out, "{number}"));
    }

    fn key(&mut self, name: &str) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn separate(&mut self) {
        if !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    /// A string, cut at a character and marked when it is too long.
    fn string(&mut self, text: &str) {
        self.out.push(b'"');
        if text.len() <= self.bounds.text {
            self.escaped(text.as_bytes());
        } else {
            let end = text.floor_char_boundary(self.bounds.text - MARK.len());
            self.escaped(text.as_bytes().get(..end).unwrap_or_default());
            self.out.extend_from_slice(MARK.as_bytes());
        }
        self.out.push(b'"');
    }

    fn escaped(&mut self, text: &[u8]) {
        let mut plain_from = 0;
        for (at, &byte) in text.iter().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.out.extend_from_slice(text.get(plain_from..at).unwrap_or_default());
            plain_from = at + 1;
            if byte < 0x20 {
                drop(write!(self.out, "\\u{byte:04x}"));
            } else {
                self.out.extend_from_slice(&[b'\\', byte]);
            }
        }
        self.out.extend_from_slice(text.get(plain_from..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use indelible_access::door::Principal;
    use indelible_event::id::EventId;
    use indelible_event::vault::Commitment;
    use indelible_event::view::EventView;
    use indelible_event::words::{Action, ActorType, OutcomePhase, OutcomeResult};
    use proptest::prelude::*;

    use super::*;
    use crate::caller::Trace;

    fn ending(reason: &str) -> Ending {
        Ending {
            result: OutcomeResult::Failed,
            phase: OutcomePhase::Outcome,
            code: "502".into(),
            reason: reason.to_owned().into(),
            policy: "p".into(),
        }
    }

    fn caller(text: &str) -> Caller {
        Caller {
            roles: vec![text.to_owned(); 3],
            ip: "192.0.2.7".parse().ok(),
            user_agent: text.to_owned(),
            request: "r-1".to_owned(),
            on_behalf_of: vec![Principal {
                id: "ana".to_owned(),
                actor_type: ActorType::Human,
                roles: Vec::new(),
                groups: Vec::new(),
            }],
            application: Some(text.to_owned()),
            purpose: Some(text.to_owned()),
            trace: Some(Trace { trace_id: "1".repeat(32), span_id: "2".repeat(16) }),
            ..Caller::new(text, ActorType::Service)
        }
    }

    fn draft(text: &str, many: usize) -> Draft {
        let mut draft = Draft::new(EventId([7; 16]), Action::Infer, "chat.completions");
        draft.resources = vec![
            Resource {
                name: text.to_owned().into(),
                labels: vec!["pii.email".into(); many],
                bytes: Some(u64::MAX),
                ..Resource::new("model", text.to_owned())
            };
            many
        ];
        draft.ai.request_model = text.to_owned().into();
        draft.ai.finish_reasons = vec![text.to_owned().into(); many];
        draft.sealed = vec![Sealed {
            name: "prompt".into(),
            media_type: text.to_owned().into(),
            bytes: 5,
            commitment: Commitment([9; 32]),
        }];
        draft.attribute("a", 1);
        draft.attribute("a", 2);
        draft.attribute("b", vec![Text::from(text.to_owned()); many]);
        draft.attribute("c", true);
        draft.duration_ns = Some(12);
        draft
    }

    use super::super::Text;

    fn entry(draft: &Draft, caller: &Caller, ending: &Ending) -> Vec<u8> {
        let mut batch = EventBatch::new();
        draft.write(caller, "gateway/x", RecordedTime(1_795_392_000_000_000_000), ending, &mut batch).unwrap();
        batch.entries().next().unwrap().1.to_vec()
    }

    #[test]
    fn an_event_says_what_the_draft_says() {
        let bytes = entry(&draft("gpt", 2), &caller("app"), &ending("cut off"));
        let view = EventView::parse(&bytes).unwrap();
        assert_eq!((view.source.id.as_deref(), view.source.kind.as_deref()), (Some("gateway/x"), Some("gateway")));
        assert_eq!((view.actor.id.as_deref(), view.on_behalf_of[0].id.as_deref()), (Some("app"), Some("ana")));
        assert_eq!(view.resources[1].labels, ["pii.email", "pii.email"]);
        assert_eq!((view.outcome.request.as_deref(), view.outcome.reason.as_deref()), (Some("r-1"), Some("cut off")));
        assert_eq!((view.ai.request_model.as_deref(), view.sealed.len(), view.duration_ns), (Some("gpt"), 1, Some(12)));
        assert_eq!(view.attributes.len(), 4);
        assert_eq!(view.span_id.as_deref(), Some("2222222222222222"));
    }

    #[test]
    fn what_is_too_long_is_cut_and_marked() {
        let long = "\u{1}é".repeat(50_000);
        let bytes = entry(&draft(&long, 2_000), &caller(&long), &ending(&long));
        let view = EventView::parse(&bytes).unwrap();
        assert!(view.actor.id.unwrap().ends_with('…'));
        assert!(view.attributes.iter().any(|(name, _)| name == "indelible.cut"));
        let bytes = entry(&draft("x", 65), &caller("x"), &ending("x"));
        let view = EventView::parse(&bytes).unwrap();
        assert_eq!(view.ai.finish_reasons.len(), 65);
        assert_eq!(view.ai.finish_reasons.last().unwrap(), MARK);
    }

    proptest! {
        #[test]
        fn no_text_from_outside_makes_an_event_invalid(text in any::<String>(), many in 0usize..80, times in 0usize..400) {
            let text = text.repeat(times);
            let bytes = entry(&draft(&text, many), &caller(&text), &ending(&text));
            prop_assert!(EventView::parse(&bytes).is_ok());
        }
    }
}
