//! Counts rows by group: values become small numbers, and rows of numbers are counted in a table.
//!
//! Never: keeps a value that no counted row has.

use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampNanosecondType};
use hashbrown::HashMap;

use super::code_lists::CodeLists;
use super::partials::{Partial, PartialKey};
use super::tally::{Amounts, Code, Group, NO_TIME, NONE, Tally};
use super::{BY_MAX, GROUPS_MAX, Interval, StatsRow};
use crate::columns::{Column, Kind};
use crate::error::FindError;
use crate::scan::{AttributeName, GroupReader, Patience, Rows, attribute_texts, whole_bounds};

/// What is counted by.
#[derive(Debug)]
pub(super) enum By {
    Column(Column),
    Attribute(Box<AttributeName>),
}

impl By {
    pub(super) fn column(column: Column) -> Self {
        Self::Column(column)
    }

    pub(super) fn attribute(key: &str) -> Self {
        Self::Attribute(Box::new(AttributeName::new(key)))
    }

    fn source(&self) -> Column {
        match self {
            Self::Column(column) => *column,
            Self::Attribute(_) => Column::Attributes,
        }
    }
}

/// Not looked up yet.
const UNKNOWN: Code = Code::MAX;
/// Largest table that is counted in directly; it has to stay in the processor's cache.
const TABLE_MAX: usize = 1 << 14;

/// Values and their codes, shared by all threads.
#[derive(Debug, Default)]
struct Values {
    codes: HashMap<String, Code>,
    texts: Vec<String>,
}

impl Values {
    fn code(&mut self, text: &str) -> Result<Code, FindError> {
        if let Some(code) = self.codes.get(text) {
            return Ok(*code);
        }
        let code = Code::try_from(self.texts.len() + 1).unwrap_or(UNKNOWN);
        if self.texts.len() >= GROUPS_MAX {
            return Err(FindError::TooManyGroups { most: GROUPS_MAX });
        }
        self.codes.insert(text.to_owned(), code);
        self.texts.push(text.to_owned());
        Ok(code)
    }
}

fn locked(values: &Mutex<Values>) -> MutexGuard<'_, Values> {
    values.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts by fields and time.
#[derive(Debug)]
pub(super) struct Counter {
    by: Vec<By>,
    sums: Vec<Column>,
    values: Vec<Mutex<Values>>,
    interval: Option<Interval>,
    /// What is counted, in words that tell it from everything else.
    words: String,
}

/// Codes of the dictionary that rows use just now, one field's.
#[derive(Debug, Default)]
struct Translated {
    dictionary: Option<ArrayRef>,
    codes: Vec<Code>,
}

impl Counter {
    pub(super) fn new(by: Vec<By>, sums: Vec<Column>, interval: Option<Interval>) -> Self {
        let values = by.iter().map(|_| Mutex::default()).collect();
        let words = format!("{by:?} {sums:?} {interval:?}");
        Self { by, sums, values, interval, words }
    }

    /// What is kept of a row group under `tests`, which tell its matching rows.
    pub(super) fn key(&self, group: &GroupReader, tests: &str) -> PartialKey {
        PartialKey { first: group.first(), rows: group.len(), what: format!("{} {tests}", self.words).into() }
    }

    /// Counts the chosen rows of a row group.
    pub(super) fn add_group(
        &self,
        group: &GroupReader,
        chosen: &Rows,
        patience: &Patience,
        tally: &mut Tally,
    ) -> Result<(), FindError> {
        let count = match chosen {
            Rows::All => group.len(),
            Rows::Some(rows) => rows.count_set_bits(),
        };
        tally.matched += count as u64;
        let bucket = self.only_bucket(group);
        let mut columns: Vec<_> = self.by.iter().map(By::source).chain(self.sums.iter().copied()).collect();
        if self.interval.is_some() && bucket.is_none() {
            columns.push(Column::Time);
        }
        if columns.is_empty() {
            let group = Group { bucket: bucket.unwrap_or(NO_TIME), codes: [NONE; BY_MAX] };
            return tally.add(group, Amounts::of_rows(count as u64));
        }
        let mut translated: Vec<_> = self.by.iter().map(|_| Translated::default()).collect();
        for batch in group.read(&columns, chosen)? {
            patience.check()?;
            self.count(&batch?, bucket, &mut translated, tally)?;
        }
        Ok(())
    }

    /// Counts the chosen rows of the tail.
    pub(super) fn add_rows(&self, rows: &RecordBatch, tally: &mut Tally) -> Result<(), FindError> {
        tally.matched += rows.num_rows() as u64;
        let mut translated: Vec<_> = self.by.iter().map(|_| Translated::default()).collect();
        self.count(rows, None, &mut translated, tally)
    }

    /// Counts what was counted before.
    pub(super) fn add_partial(&self, partial: &Partial, tally: &mut Tally) -> Result<(), FindError> {
        tally.matched += partial.matched;
        let mut codes: [Vec<Code>; BY_MAX] = Default::default();
        for ((codes, values), texts) in codes.iter_mut().zip(&self.values).zip(&partial.texts) {
            let mut values = locked(values);
            codes.push(NONE);
            for text in texts {
                codes.push(values.code(text)?);
            }
        }
        for (group, amounts) in &partial.groups {
            let mut here = *group;
            for (code, known) in here.codes.iter_mut().zip(&codes) {
                *code = known.get(*code as usize).copied().unwrap_or(NONE);
            }
            tally.add(here, *amounts)?;
        }
        Ok(())
    }

    /// What was counted of one row group, to be kept.
    pub(super) fn partial(&self, tally: &Tally) -> Partial {
        let mut texts: Vec<Vec<Box<str>>> = self.by.iter().map(|_| Vec::new()).collect();
        let mut known: Vec<HashMap<Code, Code>> = self.by.iter().map(|_| HashMap::new()).collect();
        let values: Vec<_> = self.values.iter().map(locked).collect();
        let groups = tally.groups.iter().map(|(group, amounts)| {
            let mut own = *group;
            for place in 0..self.by.len() {
                let Some(at) = (group.codes[place] as usize).checked_sub(1) else { continue };
                own.codes[place] = *known[place].entry(group.codes[place]).or_insert_with(|| {
                    texts[place].push(values[place].texts.get(at).map_or_else(Box::default, |text| text.as_str().into()));
                    Code::try_from(texts[place].len()).unwrap_or(NONE)
                });
            }
            (own, *amounts)
        });
        let groups = groups.collect();
        Partial { matched: tally.matched, texts, groups }
    }

    /// The bucket of every row of `group`, when its statistics say that there is only one.
    fn only_bucket(&self, group: &GroupReader) -> Option<i64> {
        let interval = self.interval?;
        let (least, most) = whole_bounds(&group.footer, group.number, Column::Time)?;
        (interval.bucket(least) == interval.bucket(most)).then(|| interval.bucket(least))
    }

    fn count(
        &self,
        rows: &RecordBatch,
        bucket: Option<i64>,
        translated: &mut [Translated],
        tally: &mut Tally,
    ) -> Result<(), FindError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        if self.by.iter().any(|by| matches!(by, By::Attribute(_)) || by.source().spec().kind == Kind::Texts) {
            return self.count_lists(rows, bucket, tally);
        }
        let mut fields = Vec::with_capacity(self.by.len());
        for (place, translated) in translated.iter_mut().enumerate() {
            fields.push(self.codes(rows, place, translated)?);
        }
        let buckets = self.buckets(rows, bucket);
        if self.sums.is_empty() {
            return self.count_codes(&fields, &buckets, rows.num_rows(), tally);
        }
        let numbers = self.numbers(rows);
        for (run, bucket) in buckets.runs(rows.num_rows()) {
            for row in run {
                let mut codes = [NONE; BY_MAX];
                fields.iter().enumerate().for_each(|(place, field)| codes[place] = field[row]);
                tally.add(Group { bucket, codes }, amounts(&numbers, row))?;
            }
        }
        Ok(())
    }

    /// The numbers that are summed.
    fn numbers<'a>(&self, rows: &'a RecordBatch) -> Vec<Option<&'a Int64Array>> {
        self.sums.iter().map(|column| rows.column_by_name(column.name())?.as_primitive_opt::<Int64Type>()).collect()
    }

    /// The bucket of each row, or the one of all.
    fn buckets(&self, rows: &RecordBatch, bucket: Option<i64>) -> Buckets {
        let (Some(interval), None) = (self.interval, bucket) else { return Buckets::One(bucket.unwrap_or(NO_TIME)) };
        let Some(times) = rows.column_by_name(Column::Time.name()) else { return Buckets::One(NO_TIME) };
        let times = times.as_primitive::<TimestampNanosecondType>();
        let mut last = NO_TIME;
        let each = times.iter().map(|time| match time {
            None => NO_TIME,
            Some(time) => {
                // Rows are nearly in order of time, so most lie in the bucket of the row before.
                if last == NO_TIME || !(last..last.saturating_add(interval.nanoseconds())).contains(&time) {
                    last = interval.bucket(time);
                }
                last
            }
        });
        Buckets::Each(each.collect())
    }

    /// The code of each row's value of one field.
    fn codes(&self, rows: &RecordBatch, place: usize, translated: &mut Translated) -> Result<Vec<Code>, FindError> {
        let column = self.by[place].source();
        let Some(array) = rows.column_by_name(column.name()) else { return Ok(vec![NONE; rows.num_rows()]) };
        let values = &self.values[place];
        match array.data_type() {
            DataType::Dictionary(_, _) => {
                let array = array.as_dictionary::<Int32Type>();
                translated.use_dictionary(array.values());
                translated.codes_of(array, values)
            }
            DataType::Utf8 => {
                let mut values = locked(values);
                array.as_string::<i32>().iter().map(|text| text.map_or(Ok(NONE), |text| values.code(text))).collect()
            }
            DataType::Int64 => {
                let mut values = locked(values);
                let numbers = array.as_primitive::<Int64Type>().iter();
                numbers.map(|number| number.map_or(Ok(NONE), |number| values.code(&number.to_string()))).collect()
            }
            _ => Ok(vec![NONE; rows.num_rows()]),
        }
    }

    fn count_codes(
        &self,
        fields: &[Vec<Code>],
        buckets: &Buckets,
        rows: usize,
        tally: &mut Tally,
    ) -> Result<(), FindError> {
        // A run of one bucket is counted in a table when the codes are few enough.
        for (run, bucket) in buckets.runs(rows) {
            let sizes: Vec<usize> = fields
                .iter()
                .map(|codes| codes[run.clone()].iter().max().map_or(1, |most| *most as usize + 1))
                .collect();
            let table =
                sizes.iter().try_fold(1usize, |all, size| all.checked_mul(*size)).filter(|all| *all <= TABLE_MAX);
            match table {
                Some(size) => count_in_table(fields, &sizes, run, &mut vec![0u64; size], |codes, count| {
                    tally.add(Group { bucket, codes }, Amounts::of_rows(count))
                })?,
                None => {
                    for row in run {
                        let mut codes = [NONE; BY_MAX];
                        fields.iter().enumerate().for_each(|(place, field)| codes[place] = field[row]);
                        tally.add(Group { bucket, codes }, Amounts::of_rows(1))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Counts row by row where a row may have several values of a field: once for each combination.
    fn count_lists(&self, rows: &RecordBatch, bucket: Option<i64>, tally: &mut Tally) -> Result<(), FindError> {
        let buckets = self.buckets(rows, bucket);
        let fields = (0..self.by.len()).map(|place| self.code_lists(rows, place)).collect::<Result<Vec<_>, _>>()?;
        let numbers = self.numbers(rows);
        for (run, bucket) in buckets.runs(rows.num_rows()) {
            for row in run {
                let mut group = Group { bucket, codes: [NONE; BY_MAX] };
                combine(&fields, 0, row, &mut group, &amounts(&numbers, row), tally)?;
            }
        }
        Ok(())
    }

    /// The distinct codes of each row's values of one field; that of none when it has none.
    fn code_lists(&self, rows: &RecordBatch, place: usize) -> Result<CodeLists, FindError> {
        let by = &self.by[place];
        let mut lists = CodeLists::default();
        let array = rows.column_by_name(by.source().name());
        match (by, array, array.map(|array| array.data_type())) {
            (By::Attribute(name), Some(array), Some(DataType::Utf8)) => {
                for text in array.as_string::<i32>() {
                    let found = text.and_then(|text| name.find(text)).map(|value| attribute_texts(&value));
                    let mut values = locked(&self.values[place]);
                    for text in found.unwrap_or_default() {
                        lists.codes.push(values.code(&text)?);
                    }
                    lists.close();
                }
            }
            (By::Column(_), Some(array), Some(DataType::List(_))) => {
                let list = array.as_list::<i32>();
                let items = RecordBatch::try_from_iter([(by.source().name(), list.values().clone())])?;
                let codes = self.codes(&items, place, &mut Translated::default())?;
                for (row, ends) in list.value_offsets().windows(2).enumerate() {
                    if list.is_valid(row) {
                        let from = usize::try_from(ends[0]).unwrap_or_default();
                        let until = usize::try_from(ends[1]).unwrap_or_default();
                        lists.codes.extend(codes[from..until].iter().filter(|code| **code != NONE));
                    }
                    lists.close();
                }
            }
            _ => {
                lists.codes = self.codes(rows, place, &mut Translated::default())?;
                lists.ends = (1..=lists.codes.len()).collect();
            }
        }
        Ok(lists)
    }

    /// The groups with their values: the `limit` largest, by time and then by count; and whether any were left out.
    pub(super) fn rows(&self, tally: Tally, limit: usize) -> (Vec<StatsRow>, bool) {
        let values: Vec<_> = self.values.iter().map(locked).collect();
        let value = |place: usize, code: Code| {
            let text = (code as usize).checked_sub(1).and_then(|at| values[place].texts.get(at));
            match (text, &self.by[place]) {
                (None, _) => serde_json::Value::Null,
                (Some(text), By::Column(column)) if column.spec().kind == Kind::Number => {
                    text.parse::<i64>().map_or_else(|_| text.as_str().into(), Into::into)
                }
                (Some(text), _) => text.as_str().into(),
            }
        };
        let mut rows: Vec<_> = tally
            .groups
            .into_iter()
            .map(|(group, amounts)| StatsRow {
                by: (0..self.by.len()).map(|place| value(place, group.codes[place])).collect(),
                time: Some(group.bucket).filter(|bucket| *bucket != NO_TIME),
                count: amounts.count,
                sums: amounts.sums.into_iter().take(self.sums.len()).collect(),
            })
            .collect();
        let name = |row: &StatsRow| row.by.iter().map(ToString::to_string).collect::<Vec<_>>();
        rows.sort_by(|a, b| b.count.cmp(&a.count).then(a.time.cmp(&b.time)).then_with(|| name(a).cmp(&name(b))));
        let truncated = rows.len() > limit;
        rows.truncate(limit);
        rows.sort_by_key(|row| row.time);
        (rows, truncated)
    }
}

impl Translated {
    /// The code of each row; a value is looked up when the first row has it, and only then are other threads kept out.
    fn codes_of(&mut self, array: &DictionaryArray<Int32Type>, values: &Mutex<Values>) -> Result<Vec<Code>, FindError> {
        let keys = array.keys();
        let mut codes = vec![NONE; keys.len()];
        for (row, (key, into)) in keys.values().iter().zip(&mut codes).enumerate() {
            // Place 0 is that of rows without a value: without a branch, since which rows have one is anyone's guess.
            let place = usize::from(keys.is_valid(row)) * (usize::try_from(*key).unwrap_or_default() + 1);
            let Some(code) = self.codes.get_mut(place) else { continue };
            if *code == UNKNOWN {
                let texts = array.values().as_string::<i32>();
                *code = locked(values).code(texts.value(place - 1))?;
            }
            *into = *code;
        }
        Ok(codes)
    }

    /// Begins anew when rows use another dictionary. The codes of its values stand from place 1 on.
    fn use_dictionary(&mut self, dictionary: &ArrayRef) {
        let same = self
            .dictionary
            .as_ref()
            .is_some_and(|before| before.len() == dictionary.len() && before.to_data().ptr_eq(&dictionary.to_data()));
        if !same {
            self.codes = vec![UNKNOWN; dictionary.len() + 1];
            self.codes[0] = NONE;
            self.dictionary = Some(dictionary.clone());
        }
    }
}

/// One row, and its numbers; a number that is missing adds nothing.
fn amounts(numbers: &[Option<&Int64Array>], row: usize) -> Amounts {
    let mut amounts = Amounts::of_rows(1);
    for (sum, numbers) in amounts.sums.iter_mut().zip(numbers) {
        *sum = numbers.filter(|numbers| numbers.is_valid(row)).map_or(0, |numbers| i128::from(numbers.value(row)));
    }
    amounts
}

/// Counts one row in each combination of its values of the fields from `place` on.
fn combine(
    fields: &[CodeLists],
    place: usize,
    row: usize,
    group: &mut Group,
    amounts: &Amounts,
    tally: &mut Tally,
) -> Result<(), FindError> {
    let Some(field) = fields.get(place) else { return tally.add(*group, *amounts) };
    for code in field.of(row) {
        group.codes[place] = *code;
        combine(fields, place + 1, row, group, amounts, tally)?;
    }
    Ok(())
}

fn count_in_table(
    fields: &[Vec<Code>],
    sizes: &[usize],
    run: std::ops::Range<usize>,
    table: &mut [u64],
    mut add: impl FnMut([Code; BY_MAX], u64) -> Result<(), FindError>,
) -> Result<(), FindError> {
    match fields {
        [] => table[0] = run.len() as u64,
        [only] => only[run].iter().for_each(|code| table[*code as usize] += 1),
        many => run.for_each(|row| {
            let place = many.iter().zip(sizes).fold(0, |place, (field, size)| place * size + field[row] as usize);
            table[place] += 1;
        }),
    }
    for (place, count) in table.iter().enumerate().filter(|(_, count)| **count > 0) {
        let mut codes = [NONE; BY_MAX];
        let mut rest = place;
        for (at, size) in sizes.iter().enumerate().rev() {
            codes[at] = Code::try_from(rest % size).unwrap_or(NONE);
            rest /= size;
        }
        add(codes, *count)?;
    }
    Ok(())
}

/// The buckets of rows.
enum Buckets {
    One(i64),
    Each(Vec<i64>),
}

impl Buckets {
    /// Runs of rows in one bucket.
    fn runs(&self, rows: usize) -> Vec<(std::ops::Range<usize>, i64)> {
        match self {
            Self::One(bucket) => vec![(0..rows, *bucket)],
            Self::Each(buckets) => {
                let mut start = 0;
                let runs = buckets.chunk_by(|a, b| a == b).map(|run| {
                    let range = start..start + run.len();
                    start = range.end;
                    (range, run[0])
                });
                runs.collect()
            }
        }
    }
}
