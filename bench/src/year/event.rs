//! One event of the made-up company, and how it is written as an entry.

use std::fmt::Write as _;

use indelible_event::time::RecordedTime;

/// What happened. Empty texts are left out.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// When, in seconds since 1970.
    pub at_s: i64,
    /// Who.
    pub actor: String,
    /// `human`, `agent` or `service`.
    pub kind: &'static str,
    /// In which role.
    pub role: &'static str,
    /// From where.
    pub ip: String,
    /// For whom.
    pub behalf: String,
    /// A word of the closed set.
    pub action: &'static str,
    /// In the source's own word.
    pub operation: &'static str,
    /// Type, id and label of what was touched.
    pub resource: (&'static str, String, &'static str),
    /// Rows or documents.
    pub rows: u64,
    /// Which model was asked.
    pub model: &'static str,
    /// With so many tokens.
    pub tokens: u64,
    /// Which tool was called.
    pub tool: &'static str,
    /// Whether it was refused.
    pub denied: bool,
}

impl Event {
    /// The entry with this number, as a log would keep it.
    #[must_use]
    pub fn entry(&self, number: u64) -> String {
        let mut text = String::with_capacity(512);
        match self.write(number, &mut text) {
            Ok(()) | Err(std::fmt::Error) => text,
        }
    }

    fn write(&self, number: u64, out: &mut String) -> std::fmt::Result {
        let time = RecordedTime::from_unix_seconds(self.at_s);
        let (part, result) = (number % 1_000_000_000_000, if self.denied { "denied" } else { "allowed" });
        write!(out, r#"{{"action":"{}","actor":{{"id":"{}","ip":"{}""#, self.action, self.actor, self.ip)?;
        if !self.role.is_empty() {
            write!(out, r#","roles":["{}"]"#, self.role)?;
        }
        write!(out, r#","type":"{}"}}"#, self.kind)?;
        if !self.model.is_empty() {
            let (input, output) = (self.tokens * 3 / 4, self.tokens / 4);
            write!(
                out,
                r#","ai":{{"input_tokens":{input},"operation":"chat","output_tokens":{output},"provider":"openai","request_model":"{}"}}"#,
                self.model
            )?;
        } else if !self.tool.is_empty() {
            write!(out, r#","ai":{{"tool_name":"{}"}}"#, self.tool)?;
        }
        write!(out, r#","id":"00000000-0000-7000-8000-{part:012}""#)?;
        if !self.behalf.is_empty() {
            write!(out, r#","on_behalf_of":[{{"id":"{}","type":"human"}}]"#, self.behalf)?;
        }
        if !self.operation.is_empty() {
            write!(out, r#","operation":"{}""#, self.operation)?;
        }
        write!(out, r#","outcome":{{"phase":"single","result":"{result}"}},"recorded":"{time}""#)?;
        let (kind, id, label) = &self.resource;
        if !id.is_empty() {
            write!(
                out,
                r#","resources":[{{"count":{},"id":"{id}","labels":["{label}"],"type":"{kind}"}}]"#,
                self.rows
            )?;
        }
        let source = match self.kind {
            "human" => "warehouse",
            "agent" => "agent-gateway",
            _ => "platform",
        };
        write!(out, r#","schema":"indelible/1","source":{{"id":"{source}","kind":"application"}},"time":"{time}"}}"#)
    }
}
