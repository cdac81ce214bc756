//! `GET /sources`: each source with its numbers, gaps, silence and clock; what completeness can say and what it cannot.

use std::sync::Arc;

use askama::Template;
use indelible_detect::sources::SourceReport;

use super::html;
use super::shell::Shell;
use crate::api::count;
use crate::call::{Answer, Call};
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    shell: Shell,
    is_watched: bool,
    sources: Vec<SourceReport>,
}

/// Lists sources.
pub(super) async fn list(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["log"])?;
    let log = Arc::clone(call.log_or_default(parameters.get("log"))?);
    let found = call.app.watched.sources_of(log.name());
    let is_watched = found.is_some();
    let mut sources = found.unwrap_or_default();
    sources.sort_by(|a, b| super::overview::rank(a).cmp(&super::overview::rank(b)).then(a.id.cmp(&b.id)));
    let event = call.event().resource("log", log.name()).attribute("sources", count(sources.len() as u64));
    let mark = call.record(&log, event).await?;
    html::answer(call, &SourcesPage { shell: Shell::of(call, "Sources", &log), is_watched, sources }, mark)
}

/// A clock's distance in words: `1.2 s behind`.
fn skew(milliseconds: &i64) -> String {
    let distance = milliseconds.unsigned_abs();
    let text = if distance < 1_000 {
        format!("{distance} ms")
    } else {
        format!("{}.{} s", distance / 1_000, distance % 1_000 / 100)
    };
    match milliseconds {
        0 => "none".to_owned(),
        behind if *behind < 0 => format!("{text} behind"),
        _ => format!("{text} ahead"),
    }
}

#[cfg(test)]
mod tests {
    use super::skew;

    #[test]
    fn a_clock_is_ahead_or_behind() {
        assert_eq!([0, -12, 1_250].map(|skewed| skew(&skewed)), ["none", "12 ms behind", "1.2 s ahead"]);
    }
}
