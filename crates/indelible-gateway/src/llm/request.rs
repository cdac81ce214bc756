//! What a JSON request to a model says, read from its bytes without keeping them.
//!
//! Promises: names and counts are kept, texts only pass by (the label scanner, the hash of the system prompt). Never: keeps
//! a prompt.

use std::fmt;

use sha2::{Digest, Sha256};

use super::settings::Secret;
use crate::draft::{Draft, Text};
use crate::json_scan::{JsonScan, NoJson, TEXT_BYTES_MAX, Told};
use crate::labels::Scan;

/// Most names of tools that are kept.
const TOOLS_MAX: usize = 64;

/// What a request says.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The model asked for.
    pub(super) model: String,
    /// Two different models, or one with a name that is no name: nobody can tell which upstream will take.
    pub(super) model_unclear: bool,
    pub(super) stream: bool,
    pub(super) max_tokens: Option<u64>,
    choices: Option<u64>,
    tools: Vec<Text>,
    more_tools: u64,
    user: String,
    conversation: String,
    previous_response: String,
    messages: u64,
    images: u64,
    files: u64,
    audio: u64,
    input_file: String,
}

/// Reads a request.
pub(super) struct RequestReader {
    scan: JsonScan,
    asked: Asked,
    system: SystemPrompt,
    labels: Scan,
}

impl RequestReader {
    pub(super) fn new(labels: Scan) -> Self {
        Self { scan: JsonScan::new(), asked: Asked::default(), system: SystemPrompt::default(), labels }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`NoJson`].
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), NoJson> {
        let Self { scan, asked, system, labels } = self;
        scan.feed(bytes, |path, told| take(asked, system, labels, path, &told))
    }

    /// Ends the request: what it says, the labels of its texts, and the hash of its system prompt if it has one.
    ///
    /// # Errors
    /// [`NoJson`] when it is not complete.
    pub(super) fn finish(mut self, salt: &Secret) -> Result<Read, NoJson> {
        let Self { scan, asked, system, labels } = &mut self;
        scan.end(|path, told| take(asked, system, labels, path, &told))?;
        Ok(Read { asked: self.asked, system_hash: self.system.finish(salt), labels: self.labels.finish() })
    }
}

impl fmt::Debug for RequestReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestReader").finish_non_exhaustive()
    }
}

/// What was read of a request.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) asked: Asked,
    pub(super) system_hash: Option<String>,
    pub(super) labels: Vec<&'static str>,
}

fn take(asked: &mut Asked, system: &mut SystemPrompt, labels: &mut Scan, path: &str, told: &Told<'_>) {
    system.take(path, told);
    match told {
        Told::Piece(piece) if is_prompt(path) => labels.feed(piece),
        Told::Text(text) => {
            if is_prompt(path) {
                labels.feed(b"\n");
            }
            asked.text(path, text);
        }
        Told::Number(Some(number)) => match path {
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" => asked.max_tokens = Some(*number),
            "n" => asked.choices = Some(*number),
            _ => {}
        },
        Told::Boolean(truth) if path == "stream" => asked.stream = *truth,
        Told::Open if matches!(path, "messages[]" | "input[]") => asked.messages += 1,
        _ => {}
    }
}

impl Asked {
    fn text(&mut self, path: &str, text: &str) {
        match path {
            "model" => {
                // What is as long as the reader's bound may be cut.
                self.model_unclear |= text.len() + 4 > TEXT_BYTES_MAX || !(self.model.is_empty() || self.model == text);
                text.clone_into(&mut self.model);
            }
            "tools[].function.name" | "tools[].name" | "functions[].name" => {
                if self.tools.len() < TOOLS_MAX {
                    self.tools.push(Text::from(text.to_owned()));
                } else {
                    self.more_tools += 1;
                }
            }
            "user" | "metadata.user_id" | "safety_identifier" => text.clone_into(&mut self.user),
            "conversation" | "conversation.id" | "metadata.conversation_id" | "metadata.session_id" => {
                text.clone_into(&mut self.conversation);
            }
            "previous_response_id" => text.clone_into(&mut self.previous_response),
            "input_file_id" | "training_file" => text.clone_into(&mut self.input_file),
            _ if is_part_type(path) => match text {
                "image_url" | "image" | "input_image" | "image_file" => self.images += 1,
                "file" | "input_file" | "document" | "container_upload" => self.files += 1,
                "input_audio" | "audio" => self.audio += 1,
                _ => {}
            },
            _ => {}
        }
    }

    /// Puts what the request says into the intent.
    pub(super) fn describe(&self, draft: &mut Draft) {
        draft.ai.request_model = self.model.clone().into();
        draft.ai.conversation = self.conversation.clone().into();
        draft.attribute("gen_ai.request.stream", self.stream);
        draft.attribute_if("gen_ai.request.max_tokens", self.max_tokens);
        draft.attribute_if("gen_ai.request.choice.count", self.choices.filter(|count| *count != 1));
        for (name, texts) in [("gen_ai.request.tools", &self.tools)] {
            if !texts.is_empty() {
                draft.attribute(name, texts.clone());
            }
        }
        for (name, count) in [
            ("gen_ai.request.more_tools", self.more_tools),
            ("gen_ai.request.messages", self.messages),
            ("gen_ai.request.images", self.images),
            ("gen_ai.request.files", self.files),
            ("gen_ai.request.audio", self.audio),
        ] {
            if count > 0 {
                draft.attribute(name, count);
            }
        }
        for (name, text) in [
            ("enduser.id", &self.user),
            ("gen_ai.request.previous_response_id", &self.previous_response),
            ("gen_ai.request.input_file_id", &self.input_file),
        ] {
            if !text.is_empty() {
                draft.attribute(name, text.clone());
            }
        }
    }
}

/// Where a part of a message says what it is.
fn is_part_type(path: &str) -> bool {
    matches!(
        path,
        "messages[].content[].type" | "input[].content[].type" | "input[].type" | "messages[].content[].content[].type"
    )
}

/// Whether a text at this path is something that a person or a program wrote for the model.
fn is_prompt(path: &str) -> bool {
    let roots = ["messages[]", "input", "prompt", "system", "instructions", "contents[]", "query"];
    let binary = [
        ".url",
        ".data",
        ".file_data",
        ".image_url",
        ".signature",
        ".encrypted_content",
        ".type",
        ".role",
        "_id",
        ".id",
    ];
    roots.iter().any(|root| path.starts_with(root)) && !binary.iter().any(|end| path.ends_with(end))
}

/// Sees the system prompt, wherever the API puts it, and hashes it. The role of a message may come after its text.
#[derive(Default)]
struct SystemPrompt {
    /// Digests of the system texts so far.
    all: Option<Sha256>,
    /// The message under way.
    message: Sha256,
    role: Role,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Role {
    #[default]
    Unknown,
    System,
    Other,
}

impl SystemPrompt {
    fn take(&mut self, path: &str, told: &Told<'_>) {
        match (path, told) {
            ("messages[]" | "input[]", Told::Open) => {
                self.message = Sha256::new();
                self.role = Role::Unknown;
            }
            ("messages[].role" | "input[].role", Told::Text(role)) => {
                self.role = if matches!(*role, "system" | "developer") { Role::System } else { Role::Other };
            }
            (
                "messages[].content" | "messages[].content[].text" | "input[].content" | "input[].content[].text",
                Told::Piece(piece),
            ) if self.role != Role::Other => self.message.update(piece),
            ("messages[]" | "input[]", Told::Close) if self.role == Role::System => self.fold(),
            ("system" | "system[].text" | "instructions", Told::Piece(piece)) => self.message.update(piece),
            ("system" | "system[].text" | "instructions", Told::Text(_)) => self.fold(),
            _ => {}
        }
    }

    /// One system text is over.
    fn fold(&mut self) {
        let digest = std::mem::take(&mut self.message).finalize();
        self.all.get_or_insert_default().update(digest);
    }

    /// HMAC-SHA-256 (RFC 2104) over the digest of all of it, in hex.
    fn finish(self, salt: &Secret) -> Option<String> {
        let digest = self.all?.finalize();
        let mut key = [0; 64];
        let hashed = Sha256::digest(salt.expose().as_bytes());
        key.iter_mut().zip(hashed.iter()).for_each(|(slot, byte)| *slot = *byte);
        let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(digest).finalize();
        let outer = Sha256::new().chain_update(key.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize();
        Some(outer.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::labels::Scanner;

    fn read(body: &serde_json::Value) -> Read {
        let mut reader = RequestReader::new(Scanner::new().begin());
        for piece in serde_json::to_vec(body).unwrap().chunks(7) {
            reader.feed(piece).unwrap();
        }
        reader.finish(&Secret::new("salt")).unwrap()
    }

    #[test]
    fn a_chat_request_is_read() {
        let read = read(&json!({
            "model": "gpt-x", "stream": true, "max_completion_tokens": 100, "user": "u-1",
            "messages": [
                {"content": "be brief", "role": "system"},
                {"role": "user", "content": [
                    {"type": "text", "text": "write to ana@example.com"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                ]},
            ],
            "tools": [{"type": "function", "function": {"name": "search", "parameters": {}}}],
        }));
        let asked = &read.asked;
        assert_eq!((asked.model.as_str(), asked.stream, asked.max_tokens), ("gpt-x", true, Some(100)));
        assert_eq!((asked.messages, asked.images, asked.tools.as_slice()), (2, 1, &[Text::from("search")][..]));
        assert_eq!((asked.user.as_str(), read.labels), ("u-1", vec!["pii.email"]));
        assert_eq!(read.system_hash.unwrap().len(), 64);
    }

    #[test]
    fn a_changed_system_prompt_is_seen_in_every_form() {
        let hash = |body: serde_json::Value| read(&body).system_hash;
        let chat = |text: &str| {
            hash(json!({"messages": [{"role": "system", "content": text}, {"role": "user", "content": "x"}]}))
        };
        assert_eq!(chat("a"), chat("a"));
        assert_ne!(chat("a"), chat("b"));
        assert_eq!(chat("a"), hash(json!({"system": "a", "messages": []})), "one text is the same in each API");
        assert_eq!(chat("a"), hash(json!({"instructions": "a", "input": "x"})));
        assert_eq!(chat("a"), hash(json!({"system": [{"type": "text", "text": "a"}]})));
        assert_eq!(hash(json!({"messages": [{"role": "user", "content": "a"}]})), None);
        assert_eq!(
            hash(json!({"messages": [{"content": "a", "role": "user"}]})),
            None,
            "also when the role comes late"
        );
    }

    #[test]
    fn two_models_are_none() {
        let mut reader = RequestReader::new(Scanner::new().begin());
        reader.feed(br#"{"model":"cheap","messages":[],"mod\u0065l":"dear"}"#).unwrap();
        assert!(reader.finish(&Secret::default()).unwrap().asked.model_unclear);
    }
}
