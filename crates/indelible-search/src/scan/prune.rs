//! What can be said of a row group without reading its columns: from statistics, then from bloom filters.
//!
//! Promise: a verdict of none or all is certain. Never: reads a data page.

use datafusion::parquet::bloom_filter::Sbbf;
use datafusion::parquet::file::metadata::ColumnChunkMetaData;
use datafusion::parquet::file::statistics::Statistics;

use super::test::{Test, Texts};
use crate::columns::{Column, Kind};
use crate::error::IndexError;
use crate::index::{Footer, IndexFile};
use crate::query::{Pattern, Span};

/// What a test says of a whole row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It holds for no row.
    None,
    /// It may hold for some rows.
    Some,
    /// It holds for every row.
    All,
}

/// How far to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Statistics in the footer only.
    Statistics,
    /// Bloom filters too.
    Bloom,
}

/// A row group to be judged.
#[derive(Clone, Copy)]
pub(crate) struct Group<'a> {
    pub(crate) footer: &'a Footer,
    pub(crate) file: &'a IndexFile,
    pub(crate) number: usize,
}

impl Test {
    pub(crate) fn judge(&self, group: Group<'_>, look: Look) -> Result<Verdict, IndexError> {
        match self {
            Self::All => Ok(Verdict::All),
            Self::And(tests) => {
                let mut all = Verdict::All;
                for test in tests {
                    match test.judge(group, look)? {
                        Verdict::None => return Ok(Verdict::None),
                        Verdict::Some => all = Verdict::Some,
                        Verdict::All => {}
                    }
                }
                Ok(all)
            }
            Self::Or(tests) => {
                let mut any = Verdict::None;
                for test in tests {
                    match test.judge(group, look)? {
                        Verdict::All => return Ok(Verdict::All),
                        Verdict::Some => any = Verdict::Some,
                        Verdict::None => {}
                    }
                }
                Ok(any)
            }
            Self::Not(inner) => Ok(match inner.judge(group, look)? {
                Verdict::None => Verdict::All,
                Verdict::Some => Verdict::Some,
                Verdict::All => Verdict::None,
            }),
            Self::Text { columns, texts } => texts.judge(columns, group, look),
            Self::Span { column, any } => Ok(judge_span(*column, any, group)),
            Self::Attribute { .. } => Ok(match group.chunk(Column::Attributes) {
                Some(chunk) if !all_null(chunk) => Verdict::Some,
                _ => Verdict::None,
            }),
            Self::Free(_) => Ok(Verdict::Some),
        }
    }
}

impl<'a> Group<'a> {
    /// What the footer says of a column; `None` when the file lacks it.
    fn chunk(self, column: Column) -> Option<&'a ColumnChunkMetaData> {
        let leaf = self.footer.leaf(column)?;
        Some(self.footer.metadata().row_group(self.number).column(leaf))
    }
}

fn all_null(chunk: &ColumnChunkMetaData) -> bool {
    let nulls = chunk.statistics().and_then(Statistics::null_count_opt);
    nulls.is_some_and(|nulls| i64::try_from(nulls).is_ok_and(|nulls| nulls >= chunk.num_values()))
}

impl Texts {
    fn judge(&self, columns: &[Column], group: Group<'_>, look: Look) -> Result<Verdict, IndexError> {
        let mut found = Verdict::None;
        for column in columns {
            let Some(chunk) = group.chunk(*column) else { continue };
            match self.judge_statistics(*column, chunk) {
                Verdict::None => {}
                Verdict::All => return Ok(Verdict::All),
                Verdict::Some if look == Look::Bloom && self.bloom_rules_out(*column, chunk, group)? => {}
                Verdict::Some => found = Verdict::Some,
            }
        }
        Ok(found)
    }

    fn judge_statistics(&self, column: Column, chunk: &ColumnChunkMetaData) -> Verdict {
        if all_null(chunk) {
            return Verdict::None;
        }
        let Some(statistics) = chunk.statistics() else { return Verdict::Some };
        let (Some(min), Some(max)) = (statistics.min_bytes_opt(), statistics.max_bytes_opt()) else {
            return Verdict::Some;
        };
        // Bounds may be cut short, but stay bounds.
        let possible = |pattern: &Pattern| match pattern {
            Pattern::Present => true,
            Pattern::Exact(text) => min <= text.as_bytes() && text.as_bytes() <= max,
            Pattern::Prefix(start) => {
                let start = start.as_bytes();
                max >= start && min.get(..start.len()).unwrap_or(min) <= start
            }
        };
        if !self.any.iter().any(possible) {
            return Verdict::None;
        }
        let certain = column.spec().kind == Kind::Text
            && statistics.null_count_opt() == Some(0)
            && min == max
            && statistics.min_is_exact()
            && statistics.max_is_exact();
        match std::str::from_utf8(min) {
            Ok(only) if certain && self.any.iter().any(|pattern| pattern.matches(only)) => Verdict::All,
            _ => Verdict::Some,
        }
    }

    /// Whether the column's bloom filter knows none of the values.
    fn bloom_rules_out(
        &self,
        column: Column,
        chunk: &ColumnChunkMetaData,
        group: Group<'_>,
    ) -> Result<bool, IndexError> {
        let exact = |pattern: &Pattern| matches!(pattern, Pattern::Exact(_));
        if !column.spec().bloom || !self.any.iter().all(exact) {
            return Ok(false);
        }
        let filter = Sbbf::read_from_column_chunk(chunk, group.file).map_err(|fault| IndexError::Damaged {
            path: group.footer.path.to_path_buf(),
            reason: fault.to_string(),
        })?;
        let Some(filter) = filter else { return Ok(false) };
        let known = |pattern: &Pattern| match pattern {
            Pattern::Exact(text) => filter.check(text.as_str()),
            Pattern::Present | Pattern::Prefix(_) => true,
        };
        Ok(!self.any.iter().any(known))
    }
}

fn judge_span(column: Column, any: &[Span], group: Group<'_>) -> Verdict {
    let Some(chunk) = group.chunk(column) else { return Verdict::None };
    if all_null(chunk) {
        return Verdict::None;
    }
    let Some((min, max)) = bounds(chunk) else { return Verdict::Some };
    if !any.iter().any(|span| span.meets(min, max)) {
        return Verdict::None;
    }
    let no_nulls = chunk.statistics().and_then(Statistics::null_count_opt) == Some(0);
    if no_nulls && any.iter().any(|span| span.covers(min, max)) { Verdict::All } else { Verdict::Some }
}

/// The least and the most of a number or time column in a row group.
fn bounds(chunk: &ColumnChunkMetaData) -> Option<(i64, i64)> {
    match chunk.statistics()? {
        Statistics::Int64(values) => Some((*values.min_opt()?, *values.max_opt()?)),
        _ => None,
    }
}

/// The least and the most of `column` in row group `number`, if no row lacks it.
pub(crate) fn whole_bounds(footer: &Footer, number: usize, column: Column) -> Option<(i64, i64)> {
    let chunk = footer.metadata().row_group(number).column(footer.leaf(column)?);
    (chunk.statistics()?.null_count_opt() == Some(0)).then(|| bounds(chunk)).flatten()
}
