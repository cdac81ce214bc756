//! A query made ready to be tested against columns.
//!
//! A text that repeats is tested once for each distinct value of its dictionary, and rows only look the answer up. Promises: a
//! missing value matches nothing. Never: an answer that depends on how a column happens to be encoded.

use std::collections::{HashMap, HashSet};
use std::fmt;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanBufferBuilder, DictionaryArray, RecordBatch, StringArray,
};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampNanosecondType};

use super::FREE_TEXT_COLUMNS;
use crate::columns::{Column, Kind, Layout};
use crate::query::{AttributeValue, Node, Pattern, Query, Span};

/// A query ready for use: all of its tests must hold. Cheap tests come first.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) tests: Vec<Test>,
}

/// One condition on a row.
#[derive(Debug)]
pub(crate) enum Test {
    All,
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Text { columns: &'static [Column], texts: Texts },
    Free(FreeText),
    Span { column: Column, any: Vec<Span> },
    Attribute { name: Box<AttributeName>, any: Vec<AttributeValue> },
}

/// The values a text may have.
pub(crate) struct Texts {
    /// Tells this test's answers apart from others' in a [`Memo`].
    id: usize,
    pub(crate) any: Vec<Pattern>,
    /// The exact values, when they are many.
    exact: Option<HashSet<String>>,
}

/// The same for the same values: what is remembered of counts goes by it.
impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Texts").field(&self.any).finish()
    }
}

/// A text to be found inside others, in any case.
#[derive(Debug)]
pub(crate) struct FreeText {
    id: usize,
    lower: String,
}

/// Answers for the values of a dictionary, kept while row after row uses the same dictionary.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    answers: HashMap<(usize, Column), (ArrayRef, BooleanBuffer)>,
}

/// From this many exact values on, a set is looked up instead.
const MANY: usize = 8;

impl Program {
    pub(crate) fn new(query: &Query) -> Self {
        let mut next = 0;
        let root = compile(&query.root, &mut next);
        let mut tests = match root {
            Test::And(tests) => tests,
            Test::All => Vec::new(),
            other => vec![other],
        };
        tests.sort_by_key(Test::cost);
        Self { tests }
    }

    /// Which rows of `batch` match.
    pub(crate) fn matches(&self, batch: &RecordBatch, memo: &mut Memo) -> BooleanBuffer {
        let all = BooleanBuffer::new_set(batch.num_rows());
        self.tests
            .iter()
            .fold(all, |rows, test| if rows.count_set_bits() == 0 { rows } else { &rows & &test.eval(batch, memo) })
    }
}

fn compile(node: &Node, next: &mut usize) -> Test {
    let mut id = || {
        *next += 1;
        *next
    };
    match node {
        Node::All => Test::All,
        Node::Free(text) => Test::Free(FreeText { id: id(), lower: text.to_lowercase() }),
        Node::Text { field, any } => {
            let exact = any.iter().map(|pattern| match pattern {
                Pattern::Exact(text) => Some(text.clone()),
                Pattern::Present | Pattern::Prefix(_) => None,
            });
            let exact = if any.len() >= MANY { exact.collect() } else { None };
            Test::Text { columns: field.columns, texts: Texts { id: id(), any: any.clone(), exact } }
        }
        Node::Span { field, any } => {
            let spans = |column: &Column| Test::Span { column: *column, any: any.clone() };
            match field.columns {
                [one] => spans(one),
                many => Test::Or(many.iter().map(spans).collect()),
            }
        }
        Node::Attribute { key, any } => Test::Attribute { name: Box::new(AttributeName::new(key)), any: any.clone() },
        Node::Not(inner) => Test::Not(Box::new(compile(inner, next))),
        Node::And(all) => Test::And(all.iter().map(|node| compile(node, next)).collect()),
        Node::Or(any) => Test::Or(any.iter().map(|node| compile(node, next)).collect()),
    }
}

impl Test {
    /// How dear it is to test a row group: columns that are packed tightly first, those that must be searched through last.
    fn cost(&self) -> u32 {
        match self {
            Self::All => 0,
            Self::Span { .. } => 1,
            Self::Text { columns, .. } => columns.iter().map(|column| text_cost(*column)).sum(),
            Self::Attribute { .. } => 60,
            Self::Free(_) => 100,
            Self::Not(inner) => inner.cost(),
            Self::And(tests) | Self::Or(tests) => tests.iter().map(Self::cost).sum(),
        }
    }

    /// Adds the columns it looks into.
    pub(crate) fn columns(&self, into: &mut Vec<Column>) {
        match self {
            Self::All => {}
            Self::Span { column, .. } => into.push(*column),
            Self::Text { columns, .. } => into.extend_from_slice(columns),
            Self::Attribute { .. } => into.push(Column::Attributes),
            Self::Free(_) => into.extend_from_slice(FREE_TEXT_COLUMNS),
            Self::Not(inner) => inner.columns(into),
            Self::And(tests) | Self::Or(tests) => tests.iter().for_each(|test| test.columns(into)),
        }
    }

    /// Which rows of `batch` it holds for.
    pub(crate) fn eval(&self, batch: &RecordBatch, memo: &mut Memo) -> BooleanBuffer {
        let rows = batch.num_rows();
        match self {
            Self::All => BooleanBuffer::new_set(rows),
            Self::And(tests) => {
                tests.iter().fold(BooleanBuffer::new_set(rows), |found, test| &found & &test.eval(batch, memo))
            }
            Self::Or(tests) => {
                tests.iter().fold(BooleanBuffer::new_unset(rows), |found, test| &found | &test.eval(batch, memo))
            }
            Self::Not(inner) => !&inner.eval(batch, memo),
            Self::Text { columns, texts } => any_column(batch, columns, |column, array| {
                text_rows(array, (texts.id, column), memo, &|text| texts.matches(text))
            }),
            Self::Free(free) => any_column(batch, FREE_TEXT_COLUMNS, |column, array| {
                text_rows(array, (free.id, column), memo, &|text| free.matches(text))
            }),
            Self::Span { column, any } => any_column(batch, &[*column], |_, array| span_rows(array, any)),
            Self::Attribute { name, any } => any_column(batch, &[Column::Attributes], |column, array| {
                text_rows(array, (usize::MAX, column), memo, &|text| {
                    name.find(text).is_some_and(|found| any.iter().any(|wanted| attribute_matches(&found, wanted)))
                })
            }),
        }
    }
}

fn text_cost(column: Column) -> u32 {
    let spec = column.spec();
    match (spec.kind, spec.layout) {
        (Kind::Texts, _) => 8,
        (Kind::Text | Kind::Number | Kind::Time, Layout::Plain) => 12,
        (Kind::Text | Kind::Number | Kind::Time, Layout::Dictionary | Layout::Delta) => 2,
    }
}

/// Rows for which any of the columns says so; a column that the batch lacks says nothing.
fn any_column(
    batch: &RecordBatch,
    columns: &[Column],
    mut rows: impl FnMut(Column, &ArrayRef) -> BooleanBuffer,
) -> BooleanBuffer {
    let mut found: Option<BooleanBuffer> = None;
    for column in columns {
        let Some(array) = batch.column_by_name(column.name()) else { continue };
        let more = rows(*column, array);
        found = Some(match found {
            None => more,
            Some(before) => &before | &more,
        });
    }
    found.unwrap_or_else(|| BooleanBuffer::new_unset(batch.num_rows()))
}

impl Texts {
    fn matches(&self, text: &str) -> bool {
        match &self.exact {
            Some(exact) => exact.contains(text),
            None => self.any.iter().any(|pattern| pattern.matches(text)),
        }
    }
}

impl FreeText {
    fn matches(&self, text: &str) -> bool {
        if !self.lower.is_ascii() {
            return text.to_lowercase().contains(&self.lower);
        }
        let wanted = self.lower.as_bytes();
        let [first, ..] = wanted else { return true };
        let Some(last_start) = text.len().checked_sub(wanted.len()) else { return false };
        let text = text.as_bytes();
        memchr::memchr2_iter(*first, first.to_ascii_uppercase(), &text[..=last_start])
            .any(|at| text[at..at + wanted.len()].eq_ignore_ascii_case(wanted))
    }
}

/// Which rows of a text or list column match; `key` names the test and column in `memo`.
fn text_rows(array: &ArrayRef, key: (usize, Column), memo: &mut Memo, matches: &dyn Fn(&str) -> bool) -> BooleanBuffer {
    match array.data_type() {
        DataType::Utf8 => plain_rows(array.as_string(), matches),
        DataType::Dictionary(_, _) => dictionary_rows(array.as_dictionary(), key, memo, matches),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let items = text_rows(list.values(), key, memo, matches);
            let offsets = list.value_offsets();
            BooleanBuffer::collect_bool(list.len(), |row| {
                let from = usize::try_from(offsets[row]).unwrap_or_default();
                let until = usize::try_from(offsets[row + 1]).unwrap_or_default();
                (from..until).any(|item| items.value(item)) && list.is_valid(row)
            })
        }
        _ => BooleanBuffer::new_unset(array.len()),
    }
}

fn plain_rows(array: &StringArray, matches: &dyn Fn(&str) -> bool) -> BooleanBuffer {
    BooleanBuffer::collect_bool(array.len(), |row| array.is_valid(row) && matches(array.value(row)))
}

fn dictionary_rows(
    array: &DictionaryArray<Int32Type>,
    key: (usize, Column),
    memo: &mut Memo,
    matches: &dyn Fn(&str) -> bool,
) -> BooleanBuffer {
    let values = array.values();
    let known = memo.answers.get(&key).filter(|(before, _)| same_values(before, values));
    let answers = if let Some((_, answers)) = known {
        answers.clone()
    } else {
        let answers = plain_rows(values.as_string(), matches);
        // An attribute test shares its key with other attribute tests, so its answers are not kept.
        if key.0 != usize::MAX {
            memo.answers.insert(key, (values.clone(), answers.clone()));
        }
        answers
    };
    if answers.count_set_bits() == 0 {
        return BooleanBuffer::new_unset(array.len());
    }
    let keys = array.keys();
    let known = answers.len();
    let found = BooleanBuffer::collect_bool(keys.len(), |row| {
        usize::try_from(keys.values()[row]).is_ok_and(|key| key < known && answers.value(key))
    });
    match keys.nulls() {
        Some(nulls) => &found & nulls.inner(),
        None => found,
    }
}

/// Whether two arrays are the same memory.
fn same_values(a: &ArrayRef, b: &ArrayRef) -> bool {
    a.len() == b.len() && a.to_data().ptr_eq(&b.to_data())
}

fn span_rows(array: &ArrayRef, any: &[Span]) -> BooleanBuffer {
    let values: &[i64] = match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().values(),
        DataType::Timestamp(_, _) => array.as_primitive::<TimestampNanosecondType>().values(),
        _ => return BooleanBuffer::new_unset(array.len()),
    };
    let mut found = BooleanBufferBuilder::new(0);
    let mut rows = match any {
        [span] => {
            let (least, most) = (span.least.unwrap_or(i64::MIN), span.most.unwrap_or(i64::MAX));
            BooleanBuffer::collect_bool(values.len(), |row| (values[row] >= least) & (values[row] <= most))
        }
        many => {
            values.iter().for_each(|value| found.append(many.iter().any(|span| span.contains(*value))));
            found.finish()
        }
    };
    if let Some(nulls) = array.nulls() {
        rows = &rows & nulls.inner();
    }
    rows
}

/// The key of an attribute, ready to be found in JSON text.
#[derive(Debug)]
pub(crate) struct AttributeName {
    key: String,
    finder: memchr::memmem::Finder<'static>,
}

impl AttributeName {
    pub(crate) fn new(key: &str) -> Self {
        let written = format!("{}:", serde_json::Value::from(key));
        Self { key: key.to_owned(), finder: memchr::memmem::Finder::new(written.as_bytes()).into_owned() }
    }

    /// The attribute in the JSON text of all attributes.
    pub(crate) fn find(&self, attributes: &str) -> Option<serde_json::Value> {
        // Most events lack the attribute, and are passed over without reading their JSON.
        self.finder.find(attributes.as_bytes())?;
        match serde_json::from_str(attributes).ok()? {
            serde_json::Value::Object(mut members) => members.remove(&self.key),
            _ => None,
        }
    }
}

/// An attribute as it is compared and counted: scalars as texts.
pub(crate) mod attribute {
    use serde_json::Value;

    /// The text of a scalar, or of each scalar in a list.
    pub(crate) fn texts(value: &Value) -> Vec<String> {
        match value {
            Value::String(text) => vec![text.clone()],
            Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
            Value::Array(items) => items.iter().filter(|item| !item.is_array()).flat_map(texts).collect(),
            Value::Null | Value::Object(_) => Vec::new(),
        }
    }
}

fn attribute_matches(found: &serde_json::Value, wanted: &AttributeValue) -> bool {
    match wanted {
        AttributeValue::Text(pattern) => attribute::texts(found).iter().any(|text| pattern.matches(text)),
        AttributeValue::Span(span) => match found {
            serde_json::Value::Number(number) => number.as_i64().is_some_and(|number| span.contains(number)),
            serde_json::Value::Array(items) => {
                items.iter().any(|item| item.as_i64().is_some_and(|number| span.contains(number)))
            }
            _ => false,
        },
    }
}
