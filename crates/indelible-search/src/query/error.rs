//! What can be wrong with a query, and where. Never: repeats more of the query than the part that is wrong.

use super::{QUERY_BYTES_MAX, QUERY_DEPTH_MAX, QUERY_VALUES_MAX};

/// A query that cannot be read: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("query, column {column}: {fault}")]
pub struct QueryError {
    /// First character of the part that is wrong, counted from 1.
    pub column: usize,
    /// How many characters the part has; 0 at the end of the query.
    pub length: usize,
    /// What is wrong.
    pub fault: QueryFault,
}

/// What is wrong with a part of a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryFault {
    /// The query is too long.
    #[error("the query is {bytes} bytes long, and {QUERY_BYTES_MAX} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Too many parentheses or negations inside one another.
    #[error("parentheses and negations are nested more than {QUERY_DEPTH_MAX} deep")]
    TooDeep,
    /// Too many values.
    #[error("the query has more than {QUERY_VALUES_MAX} values")]
    TooManyValues,
    /// Something other than a term.
    #[error("expected a term (`field:value`, a word or a quoted text), found {found}")]
    TermExpected {
        /// What stands there.
        found: String,
    },
    /// A field without a value.
    #[error("expected a value after `{field}:`")]
    ValueExpected {
        /// Which field.
        field: String,
    },
    /// No such field.
    #[error("there is no field `{name}`")]
    UnknownField {
        /// What was written.
        name: String,
        /// The nearest field there is.
        nearest: Option<&'static str>,
    },
    /// A value outside a closed set.
    #[error("`{value}` is not a value of `{field}`, which is one of {}", .allowed.join(", "))]
    NotInSet {
        /// Which field.
        field: &'static str,
        /// What was written.
        value: String,
        /// What is allowed.
        allowed: &'static [&'static str],
        /// The nearest value there is.
        nearest: Option<&'static str>,
    },
    /// Not a time.
    #[error("`{value}` is not a time")]
    NotTime {
        /// What was written.
        value: String,
    },
    /// Not a whole number.
    #[error("`{value}` is not a whole number")]
    NotNumber {
        /// What was written.
        value: String,
    },
    /// A range whose end lies before its beginning.
    #[error("the range ends before it begins")]
    RangeBackwards,
    /// A range on a text.
    #[error("`{field}` is a text, and ranges are for times and numbers")]
    RangeOnText {
        /// Which field.
        field: String,
    },
    /// A star elsewhere than at the end.
    #[error("`*` stands for anything only at the end of a value")]
    StarInside,
    /// A quote without its end.
    #[error("the quoted text has no closing `\"`")]
    QuoteOpen,
    /// A backslash before something else than a quote or a backslash.
    #[error("in a quoted text a backslash stands only before `\"` or `\\`")]
    BadEscape,
    /// A parenthesis without its end.
    #[error("the parenthesis is not closed")]
    ParenthesisOpen,
    /// A closing parenthesis without its beginning.
    #[error("there is no parenthesis to close")]
    ParenthesisUnexpected,
}

impl QueryError {
    /// What to do about it, where there is more to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.fault {
            QueryFault::UnknownField { name, nearest } => Some(match nearest {
                Some(nearest) => format!("did you mean `{nearest}`? To search for the text itself, quote it"),
                None => format!("attributes are `attributes.{name}:value`; to search for the text itself, quote it"),
            }),
            QueryFault::NotInSet { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            QueryFault::NotTime { .. } => Some(
                "write a year, month, day, minute, second or fraction of it as in 2026-11-23T10:15:30.5+01:00; without an \
                 offset it is UTC; from..to, >, >=, < and <= make ranges"
                    .to_owned(),
            ),
            QueryFault::NotNumber { .. } => Some("write 5, >5, >=5, <5, <=5 or 5..10; durations take ms, s, m, h".to_owned()),
            QueryFault::RangeOnText { .. } => Some("to search for the sign itself, quote the value".to_owned()),
            QueryFault::StarInside => Some("to search for the star itself, quote the value".to_owned()),
            QueryFault::TermExpected { .. } => Some("to search for the sign itself, quote it".to_owned()),
            QueryFault::NotInSet { .. }
            | QueryFault::TooLong { .. }
            | QueryFault::TooDeep
            | QueryFault::TooManyValues
            | QueryFault::ValueExpected { .. }
            | QueryFault::RangeBackwards
            | QueryFault::QuoteOpen
            | QueryFault::BadEscape
            | QueryFault::ParenthesisOpen
            | QueryFault::ParenthesisUnexpected => None,
        }
    }
}
