//! The columns of the index: one row an event, the same names in files, in SQL and in queries.
//!
//! Promises: names, types and meaning of a column never change; a new column is added at the end and reads as null in older
//! files. Never: holds sealed content, or the whole event (its bytes are fetched from the log by `index`).

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Version of the layout, kept in each file as `indelible.index`.
pub const LAYOUT_VERSION: &str = "1";

/// A column of the index. The order is the order in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is documented in COLUMNS, which is also what the reference is made from")]
pub enum Column {
    Index,
    Id,
    Time,
    Recorded,
    SourceId,
    SourceKind,
    SourceSeq,
    ActorId,
    ActorType,
    ActorName,
    ActorRoles,
    ActorGroups,
    ActorSession,
    ActorIp,
    ActorUserAgent,
    ActorAuth,
    OnBehalfOf,
    Action,
    Operation,
    ResourceTypes,
    ResourceIds,
    ResourceNames,
    ResourceLabels,
    ResourceFields,
    ResourceCount,
    ResourceBytes,
    OutcomeResult,
    OutcomePhase,
    OutcomeCode,
    OutcomeReason,
    OutcomePolicy,
    Request,
    DurationNs,
    Purpose,
    LegalBasis,
    AiProvider,
    AiOperation,
    AiRequestModel,
    AiResponseModel,
    AiInputTokens,
    AiOutputTokens,
    AiFinishReasons,
    AiConversation,
    AiAgent,
    AiToolName,
    AiToolCallId,
    TraceId,
    SpanId,
    SealedNames,
    Attributes,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, or null.
    Text,
    /// A list of texts, null when the event has none.
    Texts,
    /// A 64-bit integer, or null.
    Number,
    /// Nanoseconds since 1970-01-01T00:00:00Z (a timestamp without zone, in UTC), or null.
    Time,
}

/// How a column's values are laid out in a file, chosen by how they repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Values repeat: a dictionary for each row group.
    Dictionary,
    /// Values hardly repeat: as they are.
    Plain,
    /// Numbers and times that grow or lie close together: packed differences.
    Delta,
}

/// One column: its name and what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Which.
    pub column: Column,
    /// Its name in files, in SQL and in queries.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// How it is laid out in a file.
    pub layout: Layout,
    /// Whether files carry a bloom filter for it, so that a look-up opens few row groups.
    pub bloom: bool,
    /// What it means, for the reference.
    pub about: &'static str,
}

const fn spec(column: Column, name: &'static str, kind: Kind, layout: Layout, about: &'static str) -> Spec {
    Spec { column, name, kind, layout, bloom: false, about }
}

const fn looked_up(spec: Spec) -> Spec {
    Spec { bloom: true, ..spec }
}

/// Every column, in the order of [`Column`].
pub const COLUMNS: &[Spec] = &{
    use Column as C;
    use Kind::{Number, Text, Texts, Time};
    use Layout::{Delta, Dictionary, Plain};
    [
        spec(C::Index, "index", Number, Delta, "place in the log, from 0; never null"),
        looked_up(spec(C::Id, "id", Text, Plain, "event id: a UUID in lower case")),
        spec(C::Time, "time", Time, Delta, "when it happened, by the source's clock, as UTC"),
        spec(C::Recorded, "recorded", Time, Delta, "when the server recorded it, UTC; never null, never decreasing"),
        spec(C::SourceId, "source_id", Text, Dictionary, "`source.id`"),
        spec(C::SourceKind, "source_kind", Text, Dictionary, "`source.kind`"),
        spec(C::SourceSeq, "source_seq", Number, Delta, "`source.seq`, the source's own number"),
        looked_up(spec(C::ActorId, "actor_id", Text, Dictionary, "`actor.id`")),
        spec(C::ActorType, "actor_type", Text, Dictionary, "`actor.type`: human, service, agent, system, anonymous"),
        spec(C::ActorName, "actor_name", Text, Dictionary, "`actor.name`"),
        spec(C::ActorRoles, "actor_roles", Texts, Dictionary, "`actor.roles`"),
        spec(C::ActorGroups, "actor_groups", Texts, Dictionary, "`actor.groups`"),
        spec(C::ActorSession, "actor_session", Text, Dictionary, "`actor.session`"),
        spec(C::ActorIp, "actor_ip", Text, Dictionary, "`actor.ip`"),
        spec(C::ActorUserAgent, "actor_user_agent", Text, Dictionary, "`actor.user_agent`"),
        spec(C::ActorAuth, "actor_auth", Text, Dictionary, "`actor.auth`, how identity was proven"),
        looked_up(spec(C::OnBehalfOf, "on_behalf_of", Texts, Dictionary, "`on_behalf_of[].id`, nearest first")),
        spec(C::Action, "action", Text, Dictionary, "`action`, one of the closed set"),
        spec(C::Operation, "operation", Text, Dictionary, "`operation`, the source's own word"),
        spec(C::ResourceTypes, "resource_types", Texts, Dictionary, "`resources[].type`, one for each resource"),
        looked_up(spec(C::ResourceIds, "resource_ids", Texts, Dictionary, "`resources[].id`, one for each resource")),
        looked_up(spec(
            C::ResourceNames,
            "resource_names",
            Texts,
            Dictionary,
            "`resources[].name`, one for each resource",
        )),
        spec(C::ResourceLabels, "resource_labels", Texts, Dictionary, "`resources[].labels[]` of all resources"),
        spec(C::ResourceFields, "resource_fields", Texts, Dictionary, "`resources[].fields[]` of all resources"),
        spec(C::ResourceCount, "resource_count", Number, Delta, "sum of `resources[].count`: rows, documents"),
        spec(C::ResourceBytes, "resource_bytes", Number, Delta, "sum of `resources[].bytes`"),
        spec(C::OutcomeResult, "outcome_result", Text, Dictionary, "`outcome.result`: allowed, denied, failed"),
        spec(C::OutcomePhase, "outcome_phase", Text, Dictionary, "`outcome.phase`: intent, outcome, single"),
        spec(C::OutcomeCode, "outcome_code", Text, Dictionary, "`outcome.code`"),
        spec(C::OutcomeReason, "outcome_reason", Text, Dictionary, "`outcome.reason`"),
        spec(C::OutcomePolicy, "outcome_policy", Text, Dictionary, "`outcome.policy`"),
        looked_up(spec(C::Request, "request", Text, Plain, "`outcome.request`, links outcome to intent")),
        spec(C::DurationNs, "duration_ns", Number, Delta, "`duration_ns`"),
        spec(C::Purpose, "purpose", Text, Dictionary, "`purpose`"),
        spec(C::LegalBasis, "legal_basis", Text, Dictionary, "`legal_basis`"),
        spec(C::AiProvider, "ai_provider", Text, Dictionary, "`ai.provider`"),
        spec(C::AiOperation, "ai_operation", Text, Dictionary, "`ai.operation`"),
        spec(C::AiRequestModel, "ai_request_model", Text, Dictionary, "`ai.request_model`"),
        spec(C::AiResponseModel, "ai_response_model", Text, Dictionary, "`ai.response_model`"),
        spec(C::AiInputTokens, "ai_input_tokens", Number, Delta, "`ai.input_tokens`"),
        spec(C::AiOutputTokens, "ai_output_tokens", Number, Delta, "`ai.output_tokens`"),
        spec(C::AiFinishReasons, "ai_finish_reasons", Texts, Dictionary, "`ai.finish_reasons`"),
        looked_up(spec(C::AiConversation, "ai_conversation", Text, Dictionary, "`ai.conversation`")),
        spec(C::AiAgent, "ai_agent", Text, Dictionary, "`ai.agent`"),
        spec(C::AiToolName, "ai_tool_name", Text, Dictionary, "`ai.tool_name`"),
        spec(C::AiToolCallId, "ai_tool_call_id", Text, Plain, "`ai.tool_call_id`"),
        looked_up(spec(C::TraceId, "trace_id", Text, Plain, "`trace.trace_id`, 32 hexadecimal digits")),
        spec(C::SpanId, "span_id", Text, Plain, "`trace.span_id`, 16 hexadecimal digits"),
        spec(
            C::SealedNames,
            "sealed_names",
            Texts,
            Dictionary,
            "`sealed[].name`: what content is sealed outside the tree",
        ),
        spec(C::Attributes, "attributes", Text, Plain, "`attributes` as canonical JSON text"),
    ]
};

impl Column {
    /// What is known about it.
    #[must_use]
    pub const fn spec(self) -> &'static Spec {
        &COLUMNS[self as usize]
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The column with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        COLUMNS.iter().find(|spec| spec.name == name).map(|spec| spec.column)
    }
}

/// The type of a time column: nanoseconds, without a zone. They are UTC by definition; a zone in the type would make each engine
/// ask its calendar for every row.
const TIME_TYPE: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);

fn schema_with(text: impl Fn(&Spec) -> DataType) -> SchemaRef {
    let fields: Vec<Field> = COLUMNS
        .iter()
        .map(|spec| {
            let never_null = matches!(spec.column, Column::Index | Column::Recorded);
            let kind = match spec.kind {
                Kind::Text => text(spec),
                Kind::Texts => DataType::List(Arc::new(Field::new("element", text(spec), true))),
                Kind::Number => DataType::Int64,
                Kind::Time => TIME_TYPE,
            };
            Field::new(spec.name, kind, !never_null)
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// The schema of files and of the fresh tail.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_with(|_| DataType::Utf8));
    SCHEMA.clone()
}

/// The same columns as the SQL engine reads them fastest.
pub(crate) fn sql_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_with(|_| DataType::Utf8View));
    SCHEMA.clone()
}

/// How a scan reads a text: repeated values through their dictionary, so that each is tested once.
pub(crate) fn scan_type(spec: &Spec) -> DataType {
    match spec.layout {
        Layout::Dictionary => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Layout::Plain | Layout::Delta => DataType::Utf8,
    }
}

/// The same columns as a scan reads them.
pub(crate) fn scan_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_with(scan_type));
    SCHEMA.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_enum_and_names_are_unique() {
        for (place, spec) in COLUMNS.iter().enumerate() {
            assert_eq!(spec.column as usize, place, "{}", spec.name);
            assert_eq!(Column::named(spec.name), Some(spec.column));
        }
        assert_eq!(schema().fields().len(), COLUMNS.len());
    }
}
