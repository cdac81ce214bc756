//! Writes a query in one plain form: what is shown back to people and kept in records of searches.
//!
//! Promise: parsing what is printed gives the same query. Never: leaves out a quote that is needed.

use std::fmt;

use jiff::Timestamp;

use super::{AttributeValue, Field, Node, Pattern, Query, Rule, Span};

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_node(f, &self.root)
    }
}

fn write_node(f: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
    match node {
        Node::All => f.write_str("*"),
        Node::And(all) => write_list(f, all, " "),
        Node::Or(any) => write_list(f, any, " or "),
        Node::Not(inner) => {
            f.write_str("-")?;
            write_inner(f, inner)
        }
        Node::Free(text) => write_quoted(f, text),
        Node::Text { field, any } => {
            write!(f, "{}:", field.name)?;
            write_values(f, any, write_pattern)
        }
        Node::Span { field, any } => {
            write!(f, "{}:", field.name)?;
            write_values(f, any, |f, span| write_span(f, field, *span))
        }
        Node::Attribute { key, any } => {
            write!(f, "attributes.{key}:")?;
            write_values(f, any, |f, value| match value {
                AttributeValue::Text(pattern) => write_pattern(f, pattern),
                AttributeValue::Span(span) => write_attribute_span(f, *span),
            })
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, nodes: &[Node], between: &str) -> fmt::Result {
    for (place, node) in nodes.iter().enumerate() {
        if place > 0 {
            f.write_str(between)?;
        }
        write_inner(f, node)?;
    }
    Ok(())
}

fn write_inner(f: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
    if matches!(node, Node::And(_) | Node::Or(_)) {
        f.write_str("(")?;
        write_node(f, node)?;
        return f.write_str(")");
    }
    write_node(f, node)
}

fn write_values<T>(
    f: &mut fmt::Formatter<'_>,
    values: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            f.write_str(",")?;
        }
        write(f, value)?;
    }
    Ok(())
}

fn write_pattern(f: &mut fmt::Formatter<'_>, pattern: &Pattern) -> fmt::Result {
    match pattern {
        Pattern::Present => f.write_str("*"),
        Pattern::Exact(text) => write_text(f, text),
        Pattern::Prefix(text) => {
            write_text(f, text)?;
            f.write_str("*")
        }
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '@' | '/' | ':' | '+' | '=' | '.');
    if !text.is_empty() && text.chars().all(plain) && !text.contains("..") {
        return f.write_str(text);
    }
    write_quoted(f, text)
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    f.write_str("\"")
}

fn write_span(f: &mut fmt::Formatter<'_>, field: &Field, span: Span) -> fmt::Result {
    let value = |value: i64| match field.rule {
        Rule::Time => format!("{:.9}", Timestamp::from_nanosecond(i128::from(value)).unwrap_or_default()),
        Rule::Text | Rule::LowerCase | Rule::OneOf(_) | Rule::Number | Rule::Duration => value.to_string(),
    };
    match (span.least, span.most) {
        (None, None) => f.write_str("*"),
        (Some(least), None) => write!(f, ">={}", value(least)),
        (None, Some(most)) => write!(f, "<={}", value(most)),
        (Some(least), Some(most)) if least == most => f.write_str(&value(least)),
        (Some(least), Some(most)) => write!(f, "{}..{}", value(least), value(most)),
    }
}

/// As [`write_span`], but a single number is written as a range: by itself it would be a text.
fn write_attribute_span(f: &mut fmt::Formatter<'_>, span: Span) -> fmt::Result {
    match (span.least, span.most) {
        (None, None) => f.write_str("*"),
        (Some(least), None) => write!(f, ">={least}"),
        (None, Some(most)) => write!(f, "<={most}"),
        (Some(least), Some(most)) => write!(f, "{least}..{most}"),
    }
}
