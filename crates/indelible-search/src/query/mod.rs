//! The query language: what people know from the GitHub audit log and from Lucene.
//!
//! `actor:ana@example.com action:read,infer resource:customers outcome:denied time:>2026-11-01 -source:batch "free text"`.
//! Side by side means and; `or`, `-`, parentheses, `*` at the end of a value, commas for any of, `..` and `>` for ranges.
//! Promises: an error names the column and what was expected; printing a query and parsing it again gives the same query;
//! size and depth are bounded. Never: reads a clock, so a query means the same tomorrow.

mod as_sql;
mod error;
mod fields;
mod parse;
mod print;
mod value;

#[cfg(test)]
mod tests;

pub use error::{QueryError, QueryFault};
pub(crate) use fields::nearest;
pub use fields::{FIELDS, Field, Rule, field};
pub use parse::parse;
pub use value::parse_time;

/// Longest query in bytes: a screen of text, and far below what could tie up a parser.
pub const QUERY_BYTES_MAX: usize = 4_096;
/// Deepest nesting of parentheses and negations: a reader loses track at five.
pub const QUERY_DEPTH_MAX: usize = 24;
/// Most values in all terms of a query together: each is a test for every row.
pub const QUERY_VALUES_MAX: usize = 256;

/// A query that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// What must hold.
    pub root: Node,
}

/// A condition on an event. A field that an event does not have matches nothing, so its negation holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Every event.
    All,
    /// All of these; at least two.
    And(Vec<Node>),
    /// Any of these; at least two.
    Or(Vec<Node>),
    /// Not this.
    Not(Box<Node>),
    /// A text that stands, in any case, inside one of [`FREE_TEXT_COLUMNS`](crate::scan::FREE_TEXT_COLUMNS).
    Free(String),
    /// A text field with any of these values.
    Text {
        /// Which field.
        field: &'static Field,
        /// The values; at least one.
        any: Vec<Pattern>,
    },
    /// A number or time field within any of these spans.
    Span {
        /// Which field.
        field: &'static Field,
        /// The spans; at least one.
        any: Vec<Span>,
    },
    /// An attribute with any of these values.
    Attribute {
        /// The key in `attributes`.
        key: String,
        /// The values; at least one.
        any: Vec<AttributeValue>,
    },
}

/// What a text is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// There is a value.
    Present,
    /// This and nothing else.
    Exact(String),
    /// It begins so.
    Prefix(String),
}

/// Numbers or nanoseconds since 1970-01-01T00:00:00Z, both ends included; an absent end is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The least that matches.
    pub least: Option<i64>,
    /// The most that matches.
    pub most: Option<i64>,
}

/// What an attribute is compared with. Integers and booleans are also compared as written; a list matches if any item does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// As a text.
    Text(Pattern),
    /// As an integer.
    Span(Span),
}

impl Query {
    /// The query that every event matches.
    #[must_use]
    pub const fn all() -> Self {
        Self { root: Node::All }
    }

    /// This query, narrowed to event times within `span`.
    #[must_use]
    pub fn within(self, span: Span) -> Self {
        if span.least.is_none() && span.most.is_none() {
            return self;
        }
        let time = Node::Span { field: fields::time(), any: vec![span] };
        let root = match self.root {
            Node::All => time,
            Node::And(mut all) => {
                all.push(time);
                Node::And(all)
            }
            other => Node::And(vec![other, time]),
        };
        Self { root }
    }
}

impl Span {
    /// Whether `value` lies within.
    #[must_use]
    pub fn contains(self, value: i64) -> bool {
        self.least.is_none_or(|least| value >= least) && self.most.is_none_or(|most| value <= most)
    }

    /// Whether every value in `least..=most` lies within.
    pub(crate) fn covers(self, least: i64, most: i64) -> bool {
        self.contains(least) && self.contains(most)
    }

    /// Whether some value in `least..=most` lies within.
    pub(crate) fn meets(self, least: i64, most: i64) -> bool {
        self.least.is_none_or(|from| most >= from) && self.most.is_none_or(|to| least <= to)
    }
}

impl Pattern {
    /// Whether `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Present => true,
            Self::Exact(value) => value == text,
            Self::Prefix(start) => text.starts_with(start.as_str()),
        }
    }
}
