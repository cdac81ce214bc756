//! What a page asks of the index of its log: one place among the queries at once, one bringing up to date, then any number of
//! questions over the same times.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use indelible_search::query::{Query, Span};
use indelible_search::{Counting, FindError, Index, Order, SearchRequest, StatsAnswer, StatsRequest, filter};
use tokio::sync::OwnedSemaphorePermit;

use crate::api::find::{found, place, refresh};
use crate::call::Call;
use crate::logs::LogHandle;
use crate::problem::Problem;

/// The index of a log, ready to be asked.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    call: &'a Call,
    log: Arc<LogHandle>,
    pub(super) index: Arc<Index>,
    from: Option<String>,
    to: Option<String>,
    _place: OwnedSemaphorePermit,
}

/// How the times of events are found: by the longest step first, and by a shorter one when all lie within a few.
const STEPS: [(&str, i64); 3] = [("1d", 86_400), ("1h", 3_600), ("1m", 60)];
/// So many steps tell where events begin and end well enough.
const STEPS_ENOUGH: i64 = 48;

/// A value and how often it occurs.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) value: String,
    pub(super) count: u64,
    /// Of the largest, in hundredths: how long its bar is.
    pub(super) share: u64,
}

impl<'a> Asking<'a> {
    /// Brings the index of `log` up to date.
    pub(super) async fn begin(
        call: &'a Call,
        log: &Arc<LogHandle>,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Self, Problem> {
        let index = Arc::clone(log.index()?);
        let place = place(&call.app.queries, "queries")?;
        refresh(&call.app, log, &index).await?;
        let (from, to) = (from.map(str::to_owned), to.map(str::to_owned));
        Ok(Self { call, log: Arc::clone(log), index, from, to, _place: place })
    }

    /// A query over the page's times.
    ///
    /// # Errors
    /// What is wrong with the query, and where.
    pub(super) fn parsed(&self, q: &str) -> Result<Query, FindError> {
        filter(q, self.from.as_deref(), self.to.as_deref())
    }

    /// The same, as the problem that a page of problems shows.
    pub(super) fn wanted(&self, q: &str) -> Result<Query, Problem> {
        Ok(self.parsed(q)?)
    }

    /// A query between two times, whatever the page's own are.
    pub(super) fn between(&self, q: &str, least: i64, most: i64) -> Result<Query, Problem> {
        Ok(self.parsed(q)?.within(Span { least: Some(least), most: Some(most) }))
    }

    /// How long a question may take.
    pub(super) fn time(&self) -> Duration {
        self.call.app.config.limits.query_time.duration()
    }

    /// The first entries that match, in this order, with their places.
    pub(super) async fn entries(&self, query: Query, order: Order, most: usize) -> Result<Vec<(u64, Bytes)>, Problem> {
        let mut request = SearchRequest::new(query);
        request.order = order;
        request.limit = most;
        request.time = self.time();
        Ok(found(&self.log, &self.index, request).await?.0)
    }

    /// From when to when the events are that match, as near as bars need it; `None` when there is none with a time. Where an event
    /// stands in the log does not tell its time: some come late.
    pub(super) async fn span(&self, q: &str) -> Result<Option<(i64, i64)>, Problem> {
        let mut found = None;
        for (interval, seconds) in STEPS {
            let counted = self.stats(q, Counting::by::<&str>(&[]).each(Some(interval))).await?;
            let times = || counted.rows.iter().filter_map(|row| row.time);
            let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(found) };
            let length = seconds * 1_000_000_000;
            found = Some((first, last.saturating_add(length - 1)));
            if (last - first) / length >= STEPS_ENOUGH {
                break;
            }
        }
        Ok(found)
    }

    /// Counts in one way.
    pub(super) async fn stats(&self, q: &str, counting: Counting) -> Result<StatsAnswer, Problem> {
        let mut request = StatsRequest::new(self.wanted(q)?, counting);
        request.time = self.time();
        Ok(self.index.stats(request).await?)
    }

    /// Counts in several ways by one pass; an answer for each, or that it has too many groups.
    pub(super) async fn stats_each(&self, query: Query, counted: Vec<Counting>) -> Result<Vec<OneOf>, Problem> {
        Ok(self.index.stats_each(query, counted, self.time()).await?)
    }

    /// The most frequent values of a field.
    pub(super) async fn top(&self, q: &str, field: &str, most: usize) -> Result<Frequent, Problem> {
        let mut tops = self.tops(self.wanted(q)?, std::iter::once(field), most).await?;
        Ok(tops.pop().unwrap_or_default())
    }

    /// The most frequent values of each field.
    pub(super) async fn tops(
        &self,
        query: Query,
        fields: impl Iterator<Item = &str>,
        most: usize,
    ) -> Result<Vec<Frequent>, Problem> {
        let answers = self.stats_each(query, fields.map(|field| top(field, most)).collect()).await?;
        answers.into_iter().map(|answer| frequent(answer, most)).collect()
    }
}

/// An answer among several.
pub(super) type OneOf = Result<StatsAnswer, FindError>;

/// The most frequent values of a field.
#[derive(Clone, Debug, Default)]
pub(super) struct Frequent {
    pub(super) rows: Vec<Counted>,
    /// There are more values than are counted: then no rows are here.
    pub(super) too_many: bool,
}

impl Frequent {
    /// Whether there is nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && !self.too_many
    }
}

/// Counts the most frequent values of a field. Events without it make a row of their own, which [`frequent`] leaves out.
pub(super) fn top(field: &str, most: usize) -> Counting {
    Counting::by(&[field]).most(most + 1)
}

/// The most frequent values in an answer to [`top`].
pub(super) fn frequent(answer: OneOf, most: usize) -> Result<Frequent, Problem> {
    let rows = match answer {
        Ok(answer) => answer.rows,
        Err(FindError::TooManyGroups { .. }) => return Ok(Frequent { rows: Vec::new(), too_many: true }),
        Err(error) => return Err(error.into()),
    };
    let texts = rows.iter().filter_map(|row| Some((text(row.by.first()?)?, row.count)));
    let some: Vec<(String, u64)> = texts.take(most).collect();
    let largest = some.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    let counted = |(value, count)| Counted { value, count, share: count * 100 / largest };
    Ok(Frequent { rows: some.into_iter().map(counted).collect(), too_many: false })
}

/// A value as text; `None` when there is none.
pub(super) fn text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// 1204 → `1,204`.
pub(super) fn grouped(number: impl Borrow<u64>) -> String {
    let digits = number.borrow().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!([0, 999, 1_204, 20_000_000].map(grouped), ["0", "999", "1,204", "20,000,000"]);
    }
}
