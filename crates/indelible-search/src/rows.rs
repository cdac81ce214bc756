//! Entries to columns: reads stored entries and fills one builder a column.
//!
//! Promises: every entry makes exactly one row, so that a row's place gives its index; an entry that cannot be read makes a row
//! with its index and nothing else. Never: changes a value, but for time zones (all times are UTC here).

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayBuilder, ArrayRef, Int64Builder, ListBuilder, RecordBatch, StringBuilder, TimestampNanosecondBuilder,
};
use datafusion::arrow::datatypes::Field;
use datafusion::arrow::error::ArrowError;
use indelible_event::json::Value;
use indelible_event::view::{AiView, EventView, ResourceView};

use crate::columns::{COLUMNS, Column, Kind, schema};

enum Builder {
    Text(StringBuilder),
    Texts(ListBuilder<StringBuilder>),
    Number(Int64Builder),
    Time(TimestampNanosecondBuilder),
}

/// Rows being put together.
pub(crate) struct RowBuilder {
    builders: Vec<Builder>,
    rows: usize,
    bytes: usize,
    last_recorded: i64,
    scratch: String,
}

impl RowBuilder {
    /// No rows yet. `last_recorded` stands in for the time of an entry that does not say when it was recorded.
    pub(crate) fn new(last_recorded: i64) -> Self {
        let builders = COLUMNS.iter().map(|spec| match spec.kind {
            Kind::Text => Builder::Text(StringBuilder::new()),
            Kind::Texts => {
                let element = Field::new("element", datafusion::arrow::datatypes::DataType::Utf8, true);
                Builder::Texts(ListBuilder::new(StringBuilder::new()).with_field(element))
            }
            Kind::Number => Builder::Number(Int64Builder::new()),
            Kind::Time => Builder::Time(TimestampNanosecondBuilder::new()),
        });
        Self { builders: builders.collect(), rows: 0, bytes: 0, last_recorded, scratch: String::new() }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// About how many bytes they take: the entries' own size, which is more than their columns need.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the last row was recorded.
    pub(crate) fn last_recorded(&self) -> i64 {
        self.last_recorded
    }

    /// Adds the row of `view`, or an empty row when the entry could not be read.
    pub(crate) fn push(&mut self, index: i64, bytes: usize, view: Option<&EventView<'_>>) {
        let empty = EventView::default();
        let view = view.unwrap_or(&empty);
        let recorded = view.recorded_unix_ns.unwrap_or(self.last_recorded);
        self.last_recorded = recorded;
        self.number(Column::Index, Some(index));
        self.time(Column::Time, view.time_unix_ns);
        self.time(Column::Recorded, Some(recorded));
        self.text(Column::Id, Some(view.id.as_ref()).filter(|id| !id.is_empty()));
        self.push_who(view);
        self.push_what(view);
        self.push_outcome(view);
        self.push_ai(&view.ai);
        self.push_attributes(view);
        self.rows += 1;
        self.bytes += bytes;
    }

    fn push_who(&mut self, view: &EventView<'_>) {
        self.cow(Column::SourceId, view.source.id.as_ref());
        self.cow(Column::SourceKind, view.source.kind.as_ref());
        self.number(Column::SourceSeq, view.source.seq.and_then(|seq| i64::try_from(seq).ok()));
        let actor = &view.actor;
        self.cow(Column::ActorId, actor.id.as_ref());
        self.cow(Column::ActorType, actor.kind.as_ref());
        self.cow(Column::ActorName, actor.name.as_ref());
        self.cow(Column::ActorSession, actor.session.as_ref());
        self.cow(Column::ActorIp, actor.ip.as_ref());
        self.cow(Column::ActorUserAgent, actor.user_agent.as_ref());
        self.cow(Column::ActorAuth, actor.auth.as_ref());
        self.texts(Column::ActorRoles, actor.roles.iter().map(Some));
        self.texts(Column::ActorGroups, actor.groups.iter().map(Some));
        self.texts(Column::OnBehalfOf, view.on_behalf_of.iter().map(|actor| actor.id.as_ref()));
    }

    fn push_what(&mut self, view: &EventView<'_>) {
        self.cow(Column::Action, view.action.as_ref());
        self.cow(Column::Operation, view.operation.as_ref());
        let resources = &view.resources;
        self.texts(Column::ResourceTypes, resources.iter().map(|resource| resource.kind.as_ref()));
        self.texts(Column::ResourceIds, resources.iter().map(|resource| resource.id.as_ref()));
        self.texts(Column::ResourceNames, resources.iter().map(|resource| resource.name.as_ref()));
        self.texts(Column::ResourceLabels, resources.iter().flat_map(|resource| &resource.labels).map(Some));
        self.texts(Column::ResourceFields, resources.iter().flat_map(|resource| &resource.fields).map(Some));
        self.number(Column::ResourceCount, sum(resources, |resource| resource.count));
        self.number(Column::ResourceBytes, sum(resources, |resource| resource.bytes));
        self.number(Column::DurationNs, view.duration_ns);
        self.cow(Column::Purpose, view.purpose.as_ref());
        self.cow(Column::LegalBasis, view.legal_basis.as_ref());
        self.texts(Column::SealedNames, view.sealed.iter().map(|sealed| sealed.name.as_ref()));
    }

    fn push_outcome(&mut self, view: &EventView<'_>) {
        let outcome = &view.outcome;
        self.cow(Column::OutcomeResult, outcome.result.as_ref());
        self.cow(Column::OutcomePhase, outcome.phase.as_ref());
        self.cow(Column::OutcomeCode, outcome.code.as_ref());
        self.cow(Column::OutcomeReason, outcome.reason.as_ref());
        self.cow(Column::OutcomePolicy, outcome.policy.as_ref());
        self.cow(Column::Request, outcome.request.as_ref());
        self.cow(Column::TraceId, view.trace_id.as_ref());
        self.cow(Column::SpanId, view.span_id.as_ref());
    }

    fn push_ai(&mut self, ai: &AiView<'_>) {
        self.cow(Column::AiProvider, ai.provider.as_ref());
        self.cow(Column::AiOperation, ai.operation.as_ref());
        self.cow(Column::AiRequestModel, ai.request_model.as_ref());
        self.cow(Column::AiResponseModel, ai.response_model.as_ref());
        self.number(Column::AiInputTokens, ai.input_tokens);
        self.number(Column::AiOutputTokens, ai.output_tokens);
        self.texts(Column::AiFinishReasons, ai.finish_reasons.iter().map(Some));
        self.cow(Column::AiConversation, ai.conversation.as_ref());
        self.cow(Column::AiAgent, ai.agent.as_ref());
        self.cow(Column::AiToolName, ai.tool_name.as_ref());
        self.cow(Column::AiToolCallId, ai.tool_call_id.as_ref());
    }

    fn push_attributes(&mut self, view: &EventView<'_>) {
        if view.attributes.is_empty() {
            return self.text(Column::Attributes, None);
        }
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        write_members(&mut text, &view.attributes);
        self.text(Column::Attributes, Some(&text));
        self.scratch = text;
    }

    fn cow(&mut self, column: Column, value: Option<&Cow<'_, str>>) {
        self.text(column, value.map(AsRef::as_ref));
    }

    fn text(&mut self, column: Column, value: Option<&str>) {
        if let Builder::Text(builder) = &mut self.builders[column as usize] {
            builder.append_option(value);
        }
    }

    /// A list; null when it is empty.
    fn texts<'v>(&mut self, column: Column, values: impl Iterator<Item = Option<&'v Cow<'v, str>>>) {
        if let Builder::Texts(builder) = &mut self.builders[column as usize] {
            let mut any = false;
            for value in values {
                builder.values().append_option(value);
                any = true;
            }
            builder.append(any);
        }
    }

    fn number(&mut self, column: Column, value: Option<i64>) {
        if let Builder::Number(builder) = &mut self.builders[column as usize] {
            builder.append_option(value);
        }
    }

    fn time(&mut self, column: Column, value: Option<i64>) {
        if let Builder::Time(builder) = &mut self.builders[column as usize] {
            builder.append_option(value);
        }
    }

    /// The rows so far, copied; the builder keeps them.
    pub(crate) fn copy(&self) -> Result<RecordBatch, ArrowError> {
        let arrays = self.builders.iter().map(|builder| match builder {
            Builder::Text(builder) => Arc::new(builder.finish_cloned()) as ArrayRef,
            Builder::Texts(builder) => Arc::new(builder.finish_cloned()),
            Builder::Number(builder) => Arc::new(builder.finish_cloned()),
            Builder::Time(builder) => Arc::new(builder.finish_cloned()),
        });
        RecordBatch::try_new(schema(), arrays.collect())
    }

    /// The rows so far; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let arrays = self.builders.iter_mut().map(|builder| {
            let mut array = match builder {
                Builder::Text(builder) => ArrayBuilder::finish(builder),
                Builder::Texts(builder) => ArrayBuilder::finish(builder),
                Builder::Number(builder) => ArrayBuilder::finish(builder),
                Builder::Time(builder) => ArrayBuilder::finish(builder),
            };
            // Builders grow by doubling; what they did not use is given back, or the tail would take twice its size.
            if let Some(array) = Arc::get_mut(&mut array) {
                array.shrink_to_fit();
            }
            array
        });
        let batch = RecordBatch::try_new(schema(), arrays.collect());
        (self.rows, self.bytes) = (0, 0);
        batch
    }
}

/// The sum of what the resources say; `None` when none of them says anything.
fn sum(resources: &[ResourceView<'_>], of: impl Fn(&ResourceView<'_>) -> Option<i64>) -> Option<i64> {
    resources.iter().filter_map(of).reduce(i64::saturating_add)
}

/// Writes members as JSON, in the order they stand (canonical in a stored entry).
fn write_members(text: &mut String, members: &[(Cow<'_, str>, Value<'_>)]) {
    text.push('{');
    for (place, (key, value)) in members.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        write_text(text, key);
        text.push(':');
        write_value(text, value);
    }
    text.push('}');
}

fn write_value(text: &mut String, value: &Value<'_>) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Boolean(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Integer(value) => text.push_str(&value.to_string()),
        Value::Text(value) => write_text(text, value),
        Value::List(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(members) => write_members(text, members),
    }
}

/// A JSON string, escaped as RFC 8785 asks.
fn write_text(text: &mut String, value: &str) {
    text.push('"');
    if value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        text.push_str(value);
    } else {
        for c in value.chars() {
            match c {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                '\u{8}' => text.push_str("\\b"),
                '\t' => text.push_str("\\t"),
                '\n' => text.push_str("\\n"),
                '\u{c}' => text.push_str("\\f"),
                '\r' => text.push_str("\\r"),
                c if c < ' ' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => text.push(c),
            }
        }
    }
    text.push('"');
}
