//! Reads a query: one pass over its characters, one function for each rule of the grammar.
//!
//! ```text
//! either = all { ("or" | "OR") all }
//! all    = one { ["and" | "AND"] one }
//! one    = ("-" | "not" | "NOT") one | "(" either ")" | field ":" value { "," value } | text
//! ```
//! Never: recurses deeper than [`QUERY_DEPTH_MAX`], or panics on any input.

use super::fields::{FIELDS, nearest};
use super::value::{duration, number, parse_span};
use super::{
    AttributeValue, Field, Node, Pattern, QUERY_BYTES_MAX, QUERY_DEPTH_MAX, QUERY_VALUES_MAX, Query, QueryError,
    QueryFault, Rule, field, parse_time,
};

/// Reads a query. An empty one matches every event.
///
/// # Errors
/// [`QueryError`] with the column (counted from 1) and what was expected there.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(QueryError { column: 1, length: 0, fault: QueryFault::TooLong { bytes: text.len() } });
    }
    let mut parser = Parser { chars: text.chars().collect(), at: 0, values: 0 };
    parser.skip_space();
    if parser.peek().is_none() {
        return Ok(Query::all());
    }
    let root = parser.either(0)?;
    match parser.peek() {
        Some(_) => Err(parser.fault(parser.at, 1, QueryFault::ParenthesisUnexpected)),
        None => Ok(Query { root }),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    values: usize,
}

/// A value as written: whether in quotes, and whether a star follows.
struct Written {
    start: usize,
    text: String,
    quoted: bool,
    star: bool,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn fault(&self, start: usize, length: usize, fault: QueryFault) -> QueryError {
        let start = start.min(self.chars.len());
        QueryError { column: start + 1, length: length.min(self.chars.len() - start), fault }
    }

    /// The keyword at this place, if one of `words` stands there by itself.
    fn keyword(&mut self, words: [&str; 2]) -> bool {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|c| !ends_word(**c)).count();
        let word: String = rest.iter().take(length).collect();
        if !words.contains(&word.as_str()) {
            return false;
        }
        self.at += length;
        self.skip_space();
        true
    }

    fn either(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut any = Vec::new();
        loop {
            push_flat(&mut any, self.all(depth)?, |node| match node {
                Node::Or(inner) => Ok(inner),
                other => Err(other),
            });
            if !self.keyword(["or", "OR"]) {
                return Ok(only_or(any, Node::Or));
            }
        }
    }

    fn all(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut all = Vec::new();
        loop {
            push_flat(&mut all, self.one(depth)?, |node| match node {
                Node::And(inner) => Ok(inner),
                other => Err(other),
            });
            self.skip_space();
            let explicit = self.keyword(["and", "AND"]);
            let before = self.at;
            let ends = matches!(self.peek(), None | Some(')')) || self.keyword(["or", "OR"]);
            self.at = before;
            if ends && !explicit {
                return Ok(only_or(all, Node::And));
            }
        }
    }

    fn one(&mut self, depth: usize) -> Result<Node, QueryError> {
        if depth > QUERY_DEPTH_MAX {
            return Err(self.fault(self.at, 1, QueryFault::TooDeep));
        }
        let start = self.at;
        match self.peek() {
            Some('-') => {
                self.at += 1;
                Ok(Node::Not(Box::new(self.one(depth + 1)?)))
            }
            Some('(') => {
                self.at += 1;
                self.skip_space();
                let inner = self.either(depth + 1)?;
                if self.peek() != Some(')') {
                    return Err(self.fault(start, 1, QueryFault::ParenthesisOpen));
                }
                self.at += 1;
                Ok(inner)
            }
            _ if self.keyword(["not", "NOT"]) => Ok(Node::Not(Box::new(self.one(depth + 1)?))),
            _ => self.term(),
        }
    }

    fn term(&mut self) -> Result<Node, QueryError> {
        let start = self.at;
        let before = self.at;
        if self.keyword(["or", "OR"]) || self.keyword(["and", "AND"]) {
            let length = self.at - before;
            return Err(self.fault(start, length, self.found(before)));
        }
        let name = self.field_name();
        if self.peek() == Some(':') && !name.is_empty() {
            self.at += 1;
            return self.field_term(start, &name);
        }
        self.at = start;
        if matches!(self.peek(), None | Some(')' | '*')) && self.free_star().is_none() {
            return Err(self.fault(start, 1, self.found(start)));
        }
        self.count_value(start)?;
        let written = self.written(|_| false)?;
        if written.text.is_empty() && written.star && !written.quoted {
            return Ok(Node::All);
        }
        if written.text.is_empty() {
            return Err(self.fault(start, 2, self.found(start)));
        }
        Ok(Node::Free(written.text))
    }

    /// A star by itself stands for every event.
    fn free_star(&self) -> Option<()> {
        let after = self.chars.get(self.at + 1).copied();
        (self.peek() == Some('*') && after.is_none_or(ends_word)).then_some(())
    }

    fn found(&self, at: usize) -> QueryFault {
        let word: String = self.chars.iter().skip(at).take_while(|c| !c.is_whitespace()).take(12).collect();
        let found = if word.is_empty() { "the end of the query".to_owned() } else { format!("`{word}`") };
        QueryFault::TermExpected { found }
    }

    fn field_name(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')) {
            self.at += 1;
        }
        let name: String = self.chars.iter().take(self.at).skip(start).collect();
        if !name.to_ascii_lowercase().starts_with("attributes.") {
            return name;
        }
        // An attribute's key may hold any sign but those that end it.
        while self.peek().is_some_and(|c| !ends_word(c) && !matches!(c, ':' | ',')) {
            self.at += 1;
        }
        self.chars.iter().take(self.at).skip(start).collect()
    }

    fn field_term(&mut self, start: usize, name: &str) -> Result<Node, QueryError> {
        const ATTRIBUTES: &str = "attributes.";
        if name.get(..ATTRIBUTES.len()).is_some_and(|front| front.eq_ignore_ascii_case(ATTRIBUTES)) {
            let key: String = name.chars().skip(ATTRIBUTES.len()).collect();
            if key.is_empty() {
                return Err(self.unknown(start, name));
            }
            let any = self.values(name, |parser, written| parser.attribute_value(written))?;
            return Ok(Node::Attribute { key, any });
        }
        let Some(field) = field(name) else { return Err(self.unknown(start, name)) };
        match field.rule {
            Rule::Text | Rule::LowerCase | Rule::OneOf(_) => {
                let any = self.values(name, |parser, written| parser.pattern(field, written))?;
                Ok(Node::Text { field, any })
            }
            Rule::Number | Rule::Duration | Rule::Time => {
                let any = self.values(name, |parser, written| {
                    let text = if written.star { format!("{}*", written.text) } else { written.text };
                    let span = match field.rule {
                        Rule::Time => parse_span(&text, parse_time),
                        Rule::Duration => parse_span(&text, duration),
                        Rule::Number | Rule::Text | Rule::LowerCase | Rule::OneOf(_) => parse_span(&text, number),
                    };
                    span.map_err(|fault| parser.fault(written.start, parser.at - written.start, fault))
                })?;
                Ok(Node::Span { field, any })
            }
        }
    }

    fn unknown(&self, start: usize, name: &str) -> QueryError {
        let nearest = nearest(name, FIELDS.iter().map(|field| field.name));
        let shown: String = name.chars().take(64).collect();
        self.fault(start, name.chars().count(), QueryFault::UnknownField { name: shown, nearest })
    }

    /// The values after `field:`, commas between.
    fn values<T>(
        &mut self,
        name: &str,
        read: impl Fn(&Self, Written) -> Result<T, QueryError>,
    ) -> Result<Vec<T>, QueryError> {
        let mut any = Vec::new();
        loop {
            let start = self.at;
            self.count_value(start)?;
            let written = self.written(|c| c == ',')?;
            if written.text.is_empty() && !written.quoted && !written.star {
                let field = name.chars().take(64).collect();
                return Err(self.fault(start, 1, QueryFault::ValueExpected { field }));
            }
            any.push(read(self, written)?);
            if self.peek() != Some(',') {
                return Ok(any);
            }
            self.at += 1;
        }
    }

    fn count_value(&mut self, start: usize) -> Result<(), QueryError> {
        self.values += 1;
        if self.values > QUERY_VALUES_MAX {
            return Err(self.fault(start, 1, QueryFault::TooManyValues));
        }
        Ok(())
    }

    /// One value: in quotes, or up to whatever ends it; and the star behind it.
    fn written(&mut self, stops: impl Fn(char) -> bool) -> Result<Written, QueryError> {
        let start = self.at;
        if self.peek() == Some('"') {
            let text = self.quoted()?;
            let star = self.peek() == Some('*');
            self.at += usize::from(star);
            return Ok(Written { start, text, quoted: true, star });
        }
        while self.peek().is_some_and(|c| !ends_word(c) && !stops(c)) {
            self.at += 1;
        }
        let mut text: String = self.chars.iter().take(self.at).skip(start).collect();
        let star = text.ends_with('*');
        if star {
            text.pop();
        }
        Ok(Written { start, text, quoted: false, star })
    }

    fn quoted(&mut self) -> Result<String, QueryError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(self.fault(start, self.at - start, QueryFault::QuoteOpen)),
                Some('"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some('\\') => {
                    let escaped = self.chars.get(self.at + 1).copied().filter(|c| matches!(c, '"' | '\\'));
                    let Some(escaped) = escaped else { return Err(self.fault(self.at, 2, QueryFault::BadEscape)) };
                    text.push(escaped);
                    self.at += 2;
                }
                Some(other) => {
                    text.push(other);
                    self.at += 1;
                }
            }
        }
    }

    fn pattern(&self, field: &'static Field, written: Written) -> Result<Pattern, QueryError> {
        let length = self.at - written.start;
        let Written { start, mut text, quoted, star } = written;
        if !quoted && (text.starts_with('>') || text.starts_with('<')) {
            let field = field.name.to_owned();
            return Err(self.fault(start, length, QueryFault::RangeOnText { field }));
        }
        if !quoted && text.contains('*') {
            return Err(self.fault(start, length, QueryFault::StarInside));
        }
        if matches!(field.rule, Rule::LowerCase | Rule::OneOf(_)) {
            text = text.to_ascii_lowercase();
        }
        if star {
            return Ok(if text.is_empty() { Pattern::Present } else { Pattern::Prefix(text) });
        }
        if let Rule::OneOf(allowed) = field.rule
            && !allowed.contains(&text.as_str())
        {
            let nearest = nearest(&text, allowed.iter().copied());
            let value = text.chars().take(64).collect();
            return Err(self.fault(start, length, QueryFault::NotInSet { field: field.name, value, allowed, nearest }));
        }
        Ok(Pattern::Exact(text))
    }

    fn attribute_value(&self, written: Written) -> Result<AttributeValue, QueryError> {
        let length = self.at - written.start;
        let fault = |fault| self.fault(written.start, length, fault);
        if written.quoted || written.star {
            if !written.quoted && written.text.contains('*') {
                return Err(fault(QueryFault::StarInside));
            }
            let text = written.text;
            return Ok(AttributeValue::Text(match (written.star, text.is_empty()) {
                (true, true) => Pattern::Present,
                (true, false) => Pattern::Prefix(text),
                (false, _) => Pattern::Exact(text),
            }));
        }
        let compared = written.text.starts_with('>') || written.text.starts_with('<');
        match parse_span(&written.text, number) {
            Ok(span) if compared || written.text.contains("..") => Ok(AttributeValue::Span(span)),
            Err(problem) if compared => Err(fault(problem)),
            Ok(_) | Err(_) if written.text.contains('*') => Err(fault(QueryFault::StarInside)),
            Ok(_) | Err(_) => Ok(AttributeValue::Text(Pattern::Exact(written.text))),
        }
    }
}

/// What ends a word that is not in quotes.
fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '"')
}

/// Adds `node`, or what it holds when `open` finds it to be of the same kind, so that each query has one shape.
fn push_flat(into: &mut Vec<Node>, node: Node, open: impl Fn(Node) -> Result<Vec<Node>, Node>) {
    match open(node) {
        Ok(inner) => into.extend(inner),
        Err(other) => into.push(other),
    }
}

fn only_or(mut nodes: Vec<Node>, many: impl Fn(Vec<Node>) -> Node) -> Node {
    if nodes.len() == 1 { nodes.remove(0) } else { many(nodes) }
}
