//! Events over time by outcome: bars that need no script, and the same numbers for the script that lets one brush over them.

use indelible_search::{Interval, StatsRow};
use serde_json::json;

use super::ask::text;
use super::zone::Zone;

/// About how many bars there are.
const BARS: i64 = 60;
/// Most bars that are drawn: a query without times may span years.
const BARS_MAX: usize = 400;
/// Most rows that are counted for the bars: as many as there are bars and outcomes, and some to spare.
pub(super) const BARS_ROWS: usize = 2_000;
/// The drawing's own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 120.0;
/// The lengths to choose from, in seconds, with the words the counting takes.
const LENGTHS: [(i64, &str); 14] = [
    (1, "1s"),
    (5, "5s"),
    (15, "15s"),
    (60, "1m"),
    (300, "5m"),
    (900, "15m"),
    (1_800, "30m"),
    (3_600, "1h"),
    (10_800, "3h"),
    (21_600, "6h"),
    (43_200, "12h"),
    (86_400, "1d"),
    (604_800, "1w"),
    (2_419_200, "4w"),
];
const NANOSECONDS: i64 = 1_000_000_000;

/// How many events there were in one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bar {
    allowed: u64,
    denied: u64,
    failed: u64,
}

impl Bar {
    fn total(self) -> u64 {
        self.allowed + self.denied + self.failed
    }
}

/// A piece of a bar, to be drawn.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
}

/// The chart.
#[derive(Debug)]
pub(super) struct Chart {
    begin: i64,
    length: i64,
    bars: Vec<Bar>,
    pub(super) largest: u64,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) allowed: u64,
    pub(super) denied: u64,
    pub(super) failed: u64,
    /// Without a time, or beyond the bars that are drawn.
    pub(super) undrawn: u64,
}

/// The length of the bars for a stretch of so many seconds.
pub(super) fn interval(seconds: i64) -> &'static str {
    LENGTHS.iter().find(|(length, _)| length * BARS >= seconds).map_or("4w", |(_, word)| word)
}

impl Chart {
    /// Out of counts by outcome and time; over `span` at least, so that empty stretches are seen too.
    pub(super) fn new(rows: &[StatsRow], interval: &str, zone: &Zone, span: Option<(i64, i64)>) -> Self {
        let interval = Interval::parse(interval).ok();
        let length = interval.map_or(86_400 * NANOSECONDS, Interval::nanoseconds);
        let bucket = |time: i64| interval.map_or(time, |interval| interval.bucket(time));
        let ends = span.into_iter().flat_map(|(begin, end)| [bucket(begin), bucket(end)]);
        let times = || rows.iter().filter_map(|row| row.time).chain(ends.clone());
        let (begin, end) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
        let wanted = usize::try_from((end - begin) / length + 1).unwrap_or(BARS_MAX);
        // the newest are drawn when there are too many
        let begin = if wanted > BARS_MAX { end - length * (BARS_MAX as i64 - 1) } else { begin };
        let mut bars = vec![Bar::default(); if rows.is_empty() { 0 } else { wanted.min(BARS_MAX) }];
        let mut undrawn = 0;
        for row in rows {
            let place = row.time.and_then(|time| usize::try_from((time - begin) / length).ok());
            let Some(bar) = place.filter(|_| row.time >= Some(begin)).and_then(|place| bars.get_mut(place)) else {
                undrawn += row.count;
                continue;
            };
            match row.by.first().and_then(text).as_deref() {
                Some("denied") => bar.denied += row.count,
                Some("failed") => bar.failed += row.count,
                _ => bar.allowed += row.count,
            }
        }
        let sum = |of: fn(&Bar) -> u64| bars.iter().map(of).sum();
        Self {
            begin,
            length,
            largest: bars.iter().map(|bar| bar.total()).max().unwrap_or(0),
            from: zone.instant(begin),
            to: zone.instant(begin + length * i64::try_from(bars.len()).unwrap_or(0)),
            allowed: sum(|bar| bar.allowed),
            denied: sum(|bar| bar.denied),
            failed: sum(|bar| bar.failed),
            bars,
            undrawn,
        }
    }

    /// Whether there is anything to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.largest == 0
    }

    /// The pieces of the bars.
    #[allow(clippy::cast_precision_loss, reason = "a drawing of 120 units does not show the 53rd bit")]
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let step = WIDTH / self.bars.len().max(1) as f64;
        let scale = HEIGHT / self.largest.max(1) as f64;
        let mut pieces = Vec::new();
        for (place, bar) in self.bars.iter().enumerate() {
            let mut top = HEIGHT;
            for (class, count) in [("allowed", bar.allowed), ("denied", bar.denied), ("failed", bar.failed)] {
                if count == 0 {
                    continue;
                }
                // what is there is seen, however little it is
                let height = (count as f64 * scale).max(1.5);
                top -= height;
                pieces.push(Piece {
                    class,
                    x: format!("{:.2}", place as f64 * step),
                    y: format!("{top:.2}"),
                    width: format!("{:.2}", (step - 1.0).max(step * 0.7)),
                    height: format!("{height:.2}"),
                });
            }
        }
        pieces
    }

    /// The same for the script: when each bar begins in seconds, and the counts.
    pub(super) fn numbers(&self) -> String {
        let seconds = |nanoseconds: i64| nanoseconds.div_euclid(NANOSECONDS);
        let begins =
            (0..self.bars.len()).map(|place| seconds(self.begin + self.length * i64::try_from(place).unwrap_or(0)));
        let numbers = json!({
            "length": seconds(self.length),
            "begins": begins.collect::<Vec<_>>(),
            "allowed": self.bars.iter().map(|bar| bar.allowed).collect::<Vec<_>>(),
            "denied": self.bars.iter().map(|bar| bar.denied).collect::<Vec<_>>(),
            "failed": self.bars.iter().map(|bar| bar.failed).collect::<Vec<_>>(),
        });
        numbers.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(outcome: &str, minute: i64, count: u64) -> StatsRow {
        StatsRow { by: vec![outcome.into()], time: Some(minute * 60 * NANOSECONDS), count, sums: Vec::new() }
    }

    #[test]
    fn bars_stand_where_their_time_is_and_nothing_is_lost() {
        let rows = [row("allowed", 10, 5), row("denied", 10, 1), row("failed", 13, 2)];
        let chart = Chart::new(&rows, "1m", &Zone::Utc, None);
        assert_eq!(chart.bars.len(), 4);
        assert_eq!((chart.allowed, chart.denied, chart.failed, chart.largest, chart.undrawn), (5, 1, 2, 6, 0));
        assert_eq!(chart.pieces().len(), 3);
        let wider = Chart::new(&rows, "1m", &Zone::Utc, Some((5 * 60 * NANOSECONDS + 1, 20 * 60 * NANOSECONDS)));
        assert_eq!((wider.bars.len(), wider.bars[5].total()), (16, 6), "from 00:05 to 00:20");
        assert!(Chart::new(&[], "1m", &Zone::Utc, None).is_empty());
    }

    #[test]
    fn a_span_that_is_too_long_shows_its_newest_part_and_says_what_it_leaves_out() {
        let chart = Chart::new(&[row("allowed", 0, 7), row("allowed", 1_000_000, 1)], "1m", &Zone::Utc, None);
        assert_eq!((chart.bars.len(), chart.undrawn, chart.allowed), (BARS_MAX, 7, 1));
    }

    #[test]
    fn the_length_of_bars_fits_the_span() {
        assert_eq!([60, 3_600, 86_400, 7 * 86_400, 30 * 86_400].map(interval), ["1s", "1m", "30m", "3h", "12h"]);
    }
}
