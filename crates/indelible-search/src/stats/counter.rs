//! Counts rows by group: rows of codes are counted in a table, or one by one.

use std::sync::{Arc, Mutex};

use super::code_lists::CodeLists;
use super::partials::{Partial, PartialKey, Texts};
use super::tally::{Amounts, Code, Group, NO_TIME, NONE, Tally};
use super::values::{Translated, Values, locked};
use super::{BY_MAX, Interval, StatsRow};
use crate::columns::{Column, Kind};
use crate::error::FindError;
use crate::scan::{AttributeName, GroupReader, Patience, Rows, attribute_texts, whole_bounds};
use datafusion::arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampNanosecondType};

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

/// Largest table that is counted in directly; it has to stay in the processor's cache.
const TABLE_MAX: usize = 1 << 14;
/// A larger one pays as long as it has at most so many places for each row.
const TABLE_PLACES_PER_ROW: usize = 8;

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

impl Counter {
    pub(super) fn new(by: Vec<By>, sums: Vec<Column>, interval: Option<Interval>) -> Self {
        let values = by.iter().map(|_| Mutex::default()).collect();
        let words = format!("{by:?} {sums:?} {interval:?}");
        Self { by, sums, values, interval, words }
    }

    /// What is asked, of all entries.
    pub(super) fn question(&self, tests: &str) -> String {
        format!("{} {tests}", self.words)
    }

    /// What is kept of a row group under `tests`, which tell its matching rows.
    pub(super) fn key(&self, group: &GroupReader, tests: &str) -> PartialKey {
        PartialKey { first: group.first(), rows: group.len(), what: self.question(tests).into() }
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
        let fields = self.by.len();
        let mut codes = vec![NONE; partial.values.len()];
        for (place, values) in self.values.iter().enumerate() {
            let mut values = locked(values);
            for at in (place..codes.len()).step_by(fields.max(1)) {
                codes[at] = values.code_of(&partial.texts, partial.values[at])?;
            }
        }
        let counts = partial.counts.iter().map(|count| u64::from(*count));
        if fields == 1 && self.interval.is_none() && self.sums.is_empty() {
            codes.iter().zip(counts).for_each(|(code, count)| tally.add_code(*code, count));
            return Ok(());
        }
        for (at, count) in counts.enumerate() {
            let bucket = partial.buckets.get(at).copied().unwrap_or(NO_TIME);
            let mut group = Group { bucket, codes: [NONE; BY_MAX] };
            group.codes.iter_mut().zip(&codes[at * fields..(at + 1) * fields]).for_each(|(into, code)| *into = *code);
            let mut amounts = Amounts::of_rows(count);
            let sums = partial.sums.iter().skip(at * self.sums.len());
            amounts.sums.iter_mut().zip(sums.take(self.sums.len())).for_each(|(into, sum)| *into = *sum);
            tally.add(group, amounts)?;
        }
        Ok(())
    }

    /// What was counted of one row group, to be kept.
    pub(super) fn partial(&self, tally: &Tally, texts: Arc<Texts>) -> Partial {
        let groups = tally.groups.len();
        let mut partial = Partial {
            matched: tally.matched,
            texts,
            values: Vec::with_capacity(groups * self.by.len()),
            buckets: Vec::with_capacity(if self.interval.is_some() { groups } else { 0 }),
            counts: Vec::with_capacity(groups),
            sums: Vec::with_capacity(groups * self.sums.len()),
        };
        let values: Vec<_> = self.values.iter().map(locked).collect();
        for (group, amounts) in &tally.groups {
            let fields = group.codes.iter().zip(&values);
            partial.values.extend(fields.map(|(code, values)| match values.text(*code) {
                Some(text) => partial.texts.place(text) + 1,
                None => 0,
            }));
            if self.interval.is_some() {
                partial.buckets.push(group.bucket);
            }
            // a row group has far fewer rows
            partial.counts.push(u32::try_from(amounts.count).unwrap_or(u32::MAX));
            partial.sums.extend(amounts.sums.iter().take(self.sums.len()));
        }
        partial
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
            let table = sizes
                .iter()
                .try_fold(1usize, |all, size| all.checked_mul(*size))
                .filter(|all| *all <= TABLE_MAX.max(run.len() * TABLE_PLACES_PER_ROW));
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
        let value = |place: usize, code: Code| match (values[place].text(code), &self.by[place]) {
            (None, _) => serde_json::Value::Null,
            (Some(text), By::Column(column)) if column.spec().kind == Kind::Number => {
                text.parse::<i64>().map_or_else(|_| text.into(), Into::into)
            }
            (Some(text), _) => text.into(),
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
