//! Spans of time as the book's file holds them.

use std::time::Duration;

/// Nanoseconds, as many as the file can hold.
pub(super) fn nanoseconds(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}
