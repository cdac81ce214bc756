//! A query as a condition of SQL over `events`, for people who go on in another tool. Never: a condition that means something else;
//! where SQL has no plain form there is none.

use super::{AttributeValue, Node, Pattern, Query, Span};
use crate::columns::{Column, Kind};
use crate::scan::FREE_TEXT_COLUMNS;

impl Query {
    /// The condition after `where`; `None` for queries on attributes, which are one JSON text in the table, and for beginnings of
    /// items of lists.
    #[must_use]
    pub fn to_sql(&self) -> Option<String> {
        node(&self.root)
    }
}

fn node(condition: &Node) -> Option<String> {
    match condition {
        Node::All => Some("true".to_owned()),
        Node::And(all) => joined(all.iter().map(node), " and "),
        Node::Or(any) => joined(any.iter().map(node), " or "),
        // what an event does not have matches nothing, so its negation holds
        Node::Not(inner) => Some(format!("not coalesce({}, false)", node(inner)?)),
        Node::Free(text) => joined(FREE_TEXT_COLUMNS.iter().map(|column| Some(inside(*column, text))), " or "),
        Node::Text { field, any } => {
            let one = |column: &Column| joined(any.iter().map(|pattern| matches_text(*column, pattern)), " or ");
            joined(field.columns.iter().map(one), " or ")
        }
        Node::Span { field, any } => {
            let one = |column: &Column| joined(any.iter().map(|span| Some(within(*column, *span))), " or ");
            joined(field.columns.iter().map(one), " or ")
        }
        Node::Attribute { any, .. } => {
            debug_assert!(any.iter().all(|value| matches!(value, AttributeValue::Text(_) | AttributeValue::Span(_))));
            None
        }
    }
}

/// The conditions side by side, in parentheses when there are several; `None` when one of them has no form.
fn joined(conditions: impl Iterator<Item = Option<String>>, between: &str) -> Option<String> {
    let conditions: Vec<String> = conditions.collect::<Option<_>>()?;
    match conditions.as_slice() {
        [one] => Some(one.clone()),
        several => Some(format!("({})", several.join(between))),
    }
}

fn matches_text(column: Column, pattern: &Pattern) -> Option<String> {
    let spec = column.spec();
    let name = spec.name;
    let is_list = spec.kind == Kind::Texts;
    Some(match pattern {
        Pattern::Present => format!("{name} is not null"),
        Pattern::Exact(text) if is_list => format!("array_has({name}, {})", literal(text)),
        Pattern::Exact(text) => format!("{name} = {}", literal(text)),
        Pattern::Prefix(_) if is_list => return None,
        Pattern::Prefix(text) => format!("starts_with({name}, {})", literal(text)),
    })
}

/// A text inside a column, in any case.
fn inside(column: Column, text: &str) -> String {
    let spec = column.spec();
    let column = match spec.kind {
        Kind::Texts => format!("array_to_string({}, chr(10))", spec.name),
        Kind::Text | Kind::Number | Kind::Time => spec.name.to_owned(),
    };
    format!("strpos(lower({column}), lower({})) > 0", literal(text))
}

fn within(column: Column, span: Span) -> String {
    let spec = column.spec();
    let value = |number: i64| match spec.kind {
        Kind::Time => format!("to_timestamp_nanos({number})"),
        Kind::Text | Kind::Texts | Kind::Number => number.to_string(),
    };
    let name = if spec.name == "index" { "\"index\"" } else { spec.name };
    match (span.least, span.most) {
        (None, None) => format!("{name} is not null"),
        (Some(least), None) => format!("{name} >= {}", value(least)),
        (None, Some(most)) => format!("{name} <= {}", value(most)),
        (Some(least), Some(most)) if least == most => format!("{name} = {}", value(least)),
        (Some(least), Some(most)) => format!("{name} between {} and {}", value(least), value(most)),
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use crate::query::parse;

    #[test]
    fn a_query_reads_as_sql() {
        let sql = |query: &str| parse(query).unwrap().to_sql();
        assert_eq!(sql("actor:\"o'neil\"").as_deref(), Some("actor_id = 'o''neil'"));
        assert_eq!(
            sql("label:pii -outcome:denied count:>=5").as_deref(),
            Some(
                "(array_has(resource_labels, 'pii') and not coalesce(outcome_result = 'denied', false) and resource_count >= 5)"
            )
        );
        assert_eq!(sql("*").as_deref(), Some("true"));
        assert_eq!(sql("attributes.team:red"), None);
        assert_eq!(sql("resource_id:cust*"), None);
    }
}
