//! Entries to columns: walks a stored entry once and puts each value where it belongs.
//!
//! Promises: every entry makes exactly one row, so that a row's place gives its index; an entry that cannot be read makes a row
//! with its index and nothing else; fields of a later version, or of another type than expected, are passed over, and a
//! committed text (`{"commitment": …}`) is absent: as `indelible_event::view` reads an entry, which the tests hold this to.
//! Never: changes a value, but for time zones (all times are UTC here).

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayBuilder, ArrayRef, Int64Builder, ListBuilder, RecordBatch, StringBuilder, TimestampNanosecondBuilder,
    new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::arrow::error::ArrowError;
use indelible_event::json::{Item, Text};
use indelible_event::time::{EventTime, RecordedTime};

use crate::columns::{COLUMNS, Column, Kind, schema};

/// One column being filled. Rows without a value are not touched: they are made up for when the next value comes, or at the end.
struct Lane {
    values: Values,
    /// Rows so far, made-up ones included.
    filled: usize,
}

enum Values {
    Text(StringBuilder),
    Texts(ListBuilder<StringBuilder>),
    Number(Int64Builder),
    Time(TimestampNanosecondBuilder),
}

/// Rows being put together.
pub(crate) struct RowBuilder {
    lanes: Vec<Lane>,
    rows: usize,
    bytes: usize,
}

/// A builder with room for as much as there was last time: growing it would copy everything.
fn text_builder(rows: usize, bytes: usize) -> StringBuilder {
    StringBuilder::with_capacity(rows, bytes + bytes / 8)
}

fn list_builder(rows: usize, items: usize, bytes: usize) -> ListBuilder<StringBuilder> {
    let element = Field::new("element", DataType::Utf8, true);
    ListBuilder::with_capacity(text_builder(items + items / 8, bytes), rows).with_field(element)
}

impl Lane {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Text => Values::Text(text_builder(0, 0)),
            Kind::Texts => Values::Texts(list_builder(0, 0, 0)),
            Kind::Number => Values::Number(Int64Builder::new()),
            Kind::Time => Values::Time(TimestampNanosecondBuilder::new()),
        };
        Self { values, filled: 0 }
    }

    /// Makes up for rows without a value, so that the next value stands in row `row`.
    fn fill(&mut self, row: usize) {
        let missing = row.saturating_sub(self.filled);
        if missing > 0 {
            match &mut self.values {
                Values::Text(builder) => builder.append_nulls(missing),
                Values::Texts(builder) => builder.append_nulls(missing),
                Values::Number(builder) => builder.append_nulls(missing),
                Values::Time(builder) => builder.append_nulls(missing),
            }
        }
        self.filled = row + 1;
    }

    fn is_untouched(&self) -> bool {
        self.filled == 0
    }

    /// All `rows` rows, copied.
    fn copy(&mut self, rows: usize) -> ArrayRef {
        self.fill(rows);
        self.filled = rows;
        match &self.values {
            Values::Text(builder) => Arc::new(builder.finish_cloned()),
            Values::Texts(builder) => Arc::new(builder.finish_cloned()),
            Values::Number(builder) => Arc::new(builder.finish_cloned()),
            Values::Time(builder) => Arc::new(builder.finish_cloned()),
        }
    }

    /// All `rows` rows; the lane is empty afterwards, with room for as many.
    fn finish(&mut self, rows: usize) -> ArrayRef {
        self.fill(rows);
        self.filled = 0;
        match &mut self.values {
            Values::Text(builder) => {
                let next = text_builder(rows, builder.values_slice().len());
                let mut array = std::mem::replace(builder, next).finish();
                array.shrink_to_fit();
                Arc::new(array)
            }
            Values::Texts(builder) => {
                let texts = builder.values();
                let next = list_builder(rows, texts.len(), texts.values_slice().len());
                let mut array = std::mem::replace(builder, next).finish();
                array.shrink_to_fit();
                Arc::new(array)
            }
            Values::Number(builder) => Arc::new(std::mem::replace(builder, Int64Builder::with_capacity(rows)).finish()),
            Values::Time(builder) => {
                Arc::new(std::mem::replace(builder, TimestampNanosecondBuilder::with_capacity(rows)).finish())
            }
        }
    }
}

impl RowBuilder {
    /// No rows yet.
    pub(crate) fn new() -> Self {
        let lanes = COLUMNS.iter().map(|spec| Lane::new(spec.kind)).collect();
        Self { lanes, rows: 0, bytes: 0 }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// About how many bytes they take: the entries' own size, which is more than their columns need.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the row of `entry`, recorded at `recorded`; an empty row when there is no `root`, because it could not be read.
    pub(crate) fn push(&mut self, index: i64, recorded: i64, entry: &[u8], root: Option<Item<'_, '_>>) {
        self.number(Column::Index, Some(index));
        self.time(Column::Recorded, Some(recorded));
        for (key, value) in root.iter().flat_map(Item::members) {
            self.push_field(word(&key), value, entry);
        }
        self.rows += 1;
        self.bytes += entry.len();
    }

    fn push_field(&mut self, field: &str, value: Item<'_, '_>, entry: &[u8]) {
        match field {
            "action" => self.text(Column::Action, value),
            "actor" => self.push_actor(value),
            "ai" => self.push_ai(value),
            "attributes" => self.push_attributes(value, entry),
            "duration_ns" => self.number(Column::DurationNs, value.integer()),
            "id" => self.text(Column::Id, value),
            "legal_basis" => self.text(Column::LegalBasis, value),
            "on_behalf_of" => {
                for actor in value.items() {
                    self.push_item(Column::OnBehalfOf, member(actor, "id"));
                }
                self.close(Column::OnBehalfOf);
            }
            "operation" => self.text(Column::Operation, value),
            "outcome" => self.push_outcome(value),
            "purpose" => self.text(Column::Purpose, value),
            "resources" => self.push_resources(value),
            "sealed" => {
                for sealed in value.items() {
                    self.push_item(Column::SealedNames, member(sealed, "name"));
                }
                self.close(Column::SealedNames);
            }
            "source" => self.push_source(value),
            "time" => self.time(Column::Time, value.text().and_then(|text| unix_ns(text.as_str()))),
            "trace" => self.push_trace(value),
            _ => {}
        }
    }

    fn push_source(&mut self, source: Item<'_, '_>) {
        for (key, value) in source.members() {
            match word(&key) {
                "id" => self.text(Column::SourceId, value),
                "kind" => self.text(Column::SourceKind, value),
                "seq" => self.number(Column::SourceSeq, value.integer().filter(|seq| *seq >= 0)),
                _ => {}
            }
        }
    }

    fn push_actor(&mut self, actor: Item<'_, '_>) {
        for (key, value) in actor.members() {
            match word(&key) {
                "auth" => self.text(Column::ActorAuth, value),
                "groups" => self.texts(Column::ActorGroups, value),
                "id" => self.text(Column::ActorId, value),
                "ip" => self.text(Column::ActorIp, value),
                "name" => self.text(Column::ActorName, value),
                "roles" => self.texts(Column::ActorRoles, value),
                "session" => self.text(Column::ActorSession, value),
                "type" => self.text(Column::ActorType, value),
                "user_agent" => self.text(Column::ActorUserAgent, value),
                _ => {}
            }
        }
    }

    fn push_resources(&mut self, resources: Item<'_, '_>) {
        let (mut count, mut bytes) = (None, None);
        for resource in resources.items() {
            let (mut kind, mut id, mut name) = (None, None, None);
            for (key, value) in resource.members() {
                match word(&key) {
                    "bytes" => add(&mut bytes, value),
                    "count" => add(&mut count, value),
                    "fields" => self.push_items(Column::ResourceFields, value),
                    "id" => id = Some(value),
                    "labels" => self.push_items(Column::ResourceLabels, value),
                    "name" => name = Some(value),
                    "type" => kind = Some(value),
                    _ => {}
                }
            }
            // One of each for each resource, so that they can be told together.
            self.push_item(Column::ResourceTypes, kind);
            self.push_item(Column::ResourceIds, id);
            self.push_item(Column::ResourceNames, name);
        }
        for column in [Column::ResourceTypes, Column::ResourceIds, Column::ResourceNames] {
            self.close(column);
        }
        self.close(Column::ResourceLabels);
        self.close(Column::ResourceFields);
        self.number(Column::ResourceCount, count);
        self.number(Column::ResourceBytes, bytes);
    }

    fn push_outcome(&mut self, outcome: Item<'_, '_>) {
        for (key, value) in outcome.members() {
            match word(&key) {
                "code" => self.text(Column::OutcomeCode, value),
                "phase" => self.text(Column::OutcomePhase, value),
                "policy" => self.text(Column::OutcomePolicy, value),
                "reason" => self.text(Column::OutcomeReason, value),
                "request" => self.text(Column::Request, value),
                "result" => self.text(Column::OutcomeResult, value),
                _ => {}
            }
        }
    }

    fn push_ai(&mut self, ai: Item<'_, '_>) {
        for (key, value) in ai.members() {
            match word(&key) {
                "agent" => self.text(Column::AiAgent, value),
                "conversation" => self.text(Column::AiConversation, value),
                "finish_reasons" => self.texts(Column::AiFinishReasons, value),
                "input_tokens" => self.number(Column::AiInputTokens, value.integer()),
                "operation" => self.text(Column::AiOperation, value),
                "output_tokens" => self.number(Column::AiOutputTokens, value.integer()),
                "provider" => self.text(Column::AiProvider, value),
                "request_model" => self.text(Column::AiRequestModel, value),
                "response_model" => self.text(Column::AiResponseModel, value),
                "tool_call_id" => self.text(Column::AiToolCallId, value),
                "tool_name" => self.text(Column::AiToolName, value),
                _ => {}
            }
        }
    }

    fn push_trace(&mut self, trace: Item<'_, '_>) {
        for (key, value) in trace.members() {
            match word(&key) {
                "span_id" => self.text(Column::SpanId, value),
                "trace_id" => self.text(Column::TraceId, value),
                _ => {}
            }
        }
    }

    /// The JSON of the attributes as it stands in the entry, which is canonical.
    fn push_attributes(&mut self, attributes: Item<'_, '_>, entry: &[u8]) {
        if attributes.members().next().is_none() {
            return;
        }
        let text = entry.get(attributes.at()..attributes.end()).and_then(|text| std::str::from_utf8(text).ok());
        if let (Some(text), Values::Text(builder)) = (text, self.at(Column::Attributes)) {
            builder.append_value(text);
        }
    }

    /// The values of a column, ready for one in the row at hand.
    fn at(&mut self, column: Column) -> &mut Values {
        let lane = &mut self.lanes[column as usize];
        lane.fill(self.rows);
        &mut lane.values
    }

    fn text(&mut self, column: Column, value: Item<'_, '_>) {
        let Some(text) = value.text() else { return };
        if let Values::Text(builder) = self.at(column) {
            builder.append_value(text.as_str());
        }
    }

    /// A list of texts; what is no text is passed over, and an empty list is null.
    fn texts(&mut self, column: Column, value: Item<'_, '_>) {
        self.push_items(column, value);
        self.close(column);
    }

    fn push_items(&mut self, column: Column, list: Item<'_, '_>) {
        for item in list.items() {
            if let (Some(text), Values::Texts(builder)) = (item.text(), self.at(column)) {
                builder.values().append_value(text.as_str());
            }
        }
    }

    /// An item of a list, null when it is no text.
    fn push_item(&mut self, column: Column, item: Option<Item<'_, '_>>) {
        if let Values::Texts(builder) = self.at(column) {
            let text = item.and_then(|item| item.text());
            builder.values().append_option(text.as_ref().map(Text::as_str));
        }
    }

    /// Ends the list of the row at hand, if it has one.
    fn close(&mut self, column: Column) {
        let lane = &mut self.lanes[column as usize];
        if lane.filled == self.rows + 1
            && let Values::Texts(builder) = &mut lane.values
        {
            builder.append(true);
        }
    }

    fn number(&mut self, column: Column, value: Option<i64>) {
        let Some(value) = value else { return };
        if let Values::Number(builder) = self.at(column) {
            builder.append_value(value);
        }
    }

    fn time(&mut self, column: Column, value: Option<i64>) {
        let Some(value) = value else { return };
        if let Values::Time(builder) = self.at(column) {
            builder.append_value(value);
        }
    }

    /// The rows so far, copied; the builder keeps them.
    pub(crate) fn copy(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = self.rows;
        self.batch(|lane| lane.copy(rows))
    }

    /// The rows so far; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = self.rows;
        let batch = self.batch(|lane| lane.finish(rows));
        (self.rows, self.bytes) = (0, 0);
        batch
    }

    fn batch(&mut self, make: impl Fn(&mut Lane) -> ArrayRef) -> Result<RecordBatch, ArrowError> {
        let schema = schema();
        let arrays = self.lanes.iter_mut().zip(schema.fields()).map(|(lane, field)| {
            if lane.is_untouched() { new_null_array(field.data_type(), self.rows) } else { make(lane) }
        });
        RecordBatch::try_new(schema.clone(), arrays.collect())
    }
}

/// The characters of a key.
fn word<'t>(key: &'t Item<'_, '_>) -> &'t str {
    match key.text() {
        Some(Text::Given(text) | Text::Unescaped(text)) => text,
        None => "",
    }
}

/// The value of one member of an object.
fn member<'a, 't>(object: Item<'a, 't>, name: &str) -> Option<Item<'a, 't>> {
    object.members().find(|(key, _)| word(key) == name).map(|(_, value)| value)
}

fn add(sum: &mut Option<i64>, value: Item<'_, '_>) {
    if let Some(more) = value.integer() {
        *sum = Some(sum.unwrap_or_default().saturating_add(more));
    }
}

/// The instant of an event's time; its zone was checked when it was recorded.
fn unix_ns(time: &str) -> Option<i64> {
    EventTime::parse(time.split('[').next()?).ok().map(|time| time.unix_ns)
}

/// When an entry says it was recorded.
pub(crate) fn recorded(root: Item<'_, '_>) -> Option<i64> {
    RecordedTime::parse(member(root, "recorded")?.text()?.as_str()).map(|time| time.0)
}
