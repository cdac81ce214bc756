//! The fields a query can name: short names for people, the names of columns, and the paths of the event (`actor.id`).
//!
//! Never: two meanings for one name.

use std::sync::LazyLock;

use indelible_event::words::{Action, ActorType, OutcomePhase, OutcomeResult};

use crate::columns::{COLUMNS, Column, Kind};

/// A field that a query can name.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// The columns it looks into; it matches when any of them does.
    pub columns: &'static [Column],
    /// How its values are read.
    pub rule: Rule,
}

/// How the values of a field are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A text, compared exactly.
    Text,
    /// A text that is always kept in lower case, so that either case may be written.
    LowerCase,
    /// One of a closed set.
    OneOf(&'static [&'static str]),
    /// A whole number.
    Number,
    /// Nanoseconds, written with a unit if wanted (`500ms`).
    Duration,
    /// A time.
    Time,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Field {}

const fn short(name: &'static str, columns: &'static [Column], rule: Rule) -> Field {
    Field { name, columns, rule }
}

/// The short names, for people. Every column's own name is a field too.
const SHORT: &[Field] = &{
    use Column as C;
    use Rule::{Duration, LowerCase, Number, OneOf, Text};
    [
        short("actor", &[C::ActorId], Text),
        short("name", &[C::ActorName], Text),
        short("type", &[C::ActorType, C::ResourceTypes], Text),
        short("role", &[C::ActorRoles], Text),
        short("group", &[C::ActorGroups], Text),
        short("session", &[C::ActorSession], Text),
        short("ip", &[C::ActorIp], Text),
        short("user_agent", &[C::ActorUserAgent], Text),
        short("auth", &[C::ActorAuth], Text),
        short("behalf", &[C::OnBehalfOf], Text),
        short("resource", &[C::ResourceIds, C::ResourceNames], Text),
        short("resource_type", &[C::ResourceTypes], Text),
        short("resource_id", &[C::ResourceIds], Text),
        short("resource_name", &[C::ResourceNames], Text),
        short("label", &[C::ResourceLabels], Text),
        short("field", &[C::ResourceFields], Text),
        short("count", &[C::ResourceCount], Number),
        short("bytes", &[C::ResourceBytes], Number),
        short("outcome", &[C::OutcomeResult], OneOf(OutcomeResult::WORDS)),
        short("phase", &[C::OutcomePhase], OneOf(OutcomePhase::WORDS)),
        short("code", &[C::OutcomeCode], Text),
        short("reason", &[C::OutcomeReason], Text),
        short("policy", &[C::OutcomePolicy], Text),
        short("duration", &[C::DurationNs], Duration),
        short("basis", &[C::LegalBasis], Text),
        short("provider", &[C::AiProvider], Text),
        short("model", &[C::AiRequestModel, C::AiResponseModel], Text),
        short("request_model", &[C::AiRequestModel], Text),
        short("response_model", &[C::AiResponseModel], Text),
        short("input_tokens", &[C::AiInputTokens], Number),
        short("output_tokens", &[C::AiOutputTokens], Number),
        short("finish", &[C::AiFinishReasons], Text),
        short("conversation", &[C::AiConversation], Text),
        short("agent", &[C::AiAgent], Text),
        short("tool", &[C::AiToolName], Text),
        short("tool_call", &[C::AiToolCallId], Text),
        short("trace", &[C::TraceId], LowerCase),
        short("span", &[C::SpanId], LowerCase),
        short("source", &[C::SourceId], Text),
        short("kind", &[C::SourceKind], Text),
        short("seq", &[C::SourceSeq], Number),
        short("sealed", &[C::SealedNames], Text),
    ]
};

/// Paths of the event that are neither a column's name with dots nor a short name.
const PATHS: &[(&str, &str)] = &[
    ("outcome_request", "request"),
    ("on_behalf_of_id", "on_behalf_of"),
    ("trace_trace_id", "trace_id"),
    ("trace_span_id", "span_id"),
    ("sealed_name", "sealed_names"),
];

fn column_rule(column: Column) -> Rule {
    match column {
        Column::Id | Column::TraceId | Column::SpanId => Rule::LowerCase,
        Column::ActorType => Rule::OneOf(ActorType::WORDS),
        Column::Action => Rule::OneOf(Action::WORDS),
        Column::OutcomeResult => Rule::OneOf(OutcomeResult::WORDS),
        Column::OutcomePhase => Rule::OneOf(OutcomePhase::WORDS),
        Column::DurationNs => Rule::Duration,
        other => match other.spec().kind {
            Kind::Text | Kind::Texts => Rule::Text,
            Kind::Number => Rule::Number,
            Kind::Time => Rule::Time,
        },
    }
}

/// Every field: the short names, then the columns.
pub static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let short = SHORT.iter().map(|field| Field { name: field.name, columns: field.columns, rule: field.rule });
    let full = COLUMNS.iter().map(|spec| Field {
        name: spec.name,
        columns: std::slice::from_ref(&spec.column),
        rule: column_rule(spec.column),
    });
    short.chain(full).collect()
});

/// The field of this name: short, a column's, or the event's own path with dots.
#[must_use]
pub fn field(name: &str) -> Option<&'static Field> {
    let folded = name.to_ascii_lowercase().replace('.', "_").replace("resources_", "resource_");
    let folded = PATHS.iter().find(|(path, _)| *path == folded).map_or(folded.as_str(), |(_, name)| name);
    FIELDS.iter().find(|field| field.name == folded)
}

/// The field `time`.
pub(super) fn time() -> &'static Field {
    static TIME: Field = Field { name: "time", columns: &[Column::Time], rule: Rule::Time };
    &TIME
}

/// The nearest of `names`, if one is near: an edit or two away.
pub(crate) fn nearest(written: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let written: String = written.chars().take(64).collect::<String>().to_ascii_lowercase();
    let allowed = (written.chars().count() / 3).clamp(1, 3);
    names
        .map(|name| (strsim::osa_distance(&written, name), name))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_paths_are_known() {
        for (place, field) in FIELDS.iter().enumerate() {
            assert!(FIELDS.iter().skip(place + 1).all(|other| other.name != field.name), "{} twice", field.name);
        }
        let known = |name: &str| field(name).map(|field| field.columns);
        assert_eq!(known("actor.id"), Some(&[Column::ActorId][..]));
        assert_eq!(known("resources.id"), Some(&[Column::ResourceIds][..]));
        assert_eq!(known("resources.labels"), Some(&[Column::ResourceLabels][..]));
        assert_eq!(known("outcome.request"), Some(&[Column::Request][..]));
        assert_eq!(known("ai.request_model"), Some(&[Column::AiRequestModel][..]));
        assert_eq!(known("nothing"), None);
    }

    #[test]
    fn the_nearest_name_is_an_edit_or_two_away() {
        let names = || FIELDS.iter().map(|field| field.name);
        assert_eq!(nearest("acotr", names()), Some("actor"));
        assert_eq!(nearest("resorce", names()), Some("resource"));
        assert_eq!(nearest("https", names()), None);
    }
}
