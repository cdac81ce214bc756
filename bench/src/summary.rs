//! Reports of one run beside the figures to reach and beside the peer. Never: calls a figure reached that was not measured.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::report::Format;

/// Reports to put together.
#[derive(Args, Clone, Debug)]
pub struct Summary {
    /// Folder of reports, one JSON file each.
    pub folder: PathBuf,
}

/// Whether more is better.
#[derive(Clone, Copy)]
enum Reach {
    AtLeast(f64),
    AtMost(f64),
}

/// A figure to reach: what it is called, report and field, and the target.
struct Figure(&'static str, &'static str, &'static str, Reach);

/// The figures of `docs/performance.md`, on 2 cores that server and load share.
const FIGURES: &[Figure] = &[
    Figure("durable events/s, batches of 500, settled", "batch", "events_per_s_settled", Reach::AtLeast(150_000.0)),
    Figure("durable single events/s, 64 connections", "single", "events_per_s", Reach::AtLeast(13_000.0)),
    Figure("  p99, ms", "single", "latency_ms.p99", Reach::AtMost(10.0)),
    Figure("server CPU seconds a million events", "batch", "server_cpu_s_per_million", Reach::AtMost(8.0)),
    Figure("bytes on disk to JSON as sent", "fill", "disk_to_json", Reach::AtMost(1.6)),
    Figure("acknowledgement at 1,000/s, p50, ms", "rate", "latency_ms.p50", Reach::AtMost(2.0)),
    Figure("  p99, ms", "rate", "latency_ms.p99", Reach::AtMost(10.0)),
    Figure("  entry in a signed checkpoint, p99, ms", "rate", "checkpoint_lag_ms.p99", Reach::AtMost(1_000.0)),
    Figure("resident MiB, recording at 1,000/s", "rate", "server_memory_mib.peak", Reach::AtMost(150.0)),
    Figure("resident MiB, index keeping up at full load", "batch", "server_memory_mib.peak", Reach::AtMost(400.0)),
    Figure("resident MiB, filling", "fill", "server_memory_mib.peak", Reach::AtMost(400.0)),
    Figure("verify, entries a CPU second", "verify", "entries_per_cpu_s", Reach::AtLeast(1_000_000.0)),
    Figure("start after SIGKILL, ms", "start", "ready_ms.max", Reach::AtMost(1_000.0)),
    Figure(
        "integrity overhead, bytes an entry",
        "fill",
        "disk_bytes_per_event.integrity_overhead",
        Reach::AtMost(40.0),
    ),
    Figure("query: actor in one day, p50 ms", "query", "events_actor_day.latency_ms.p50", Reach::AtMost(150.0)),
    Figure("query: count by model and day, p50 ms", "query", "stats_model_day.latency_ms.p50", Reach::AtMost(150.0)),
    Figure("query: ids, p50 ms", "query", "events_ids.latency_ms.p50", Reach::AtMost(150.0)),
    Figure("actor in one day to DuckDB", "duckdb", "actor_day.api_ratio", Reach::AtMost(2.0)),
    Figure("  in SQL", "duckdb", "actor_day.sql_ratio", Reach::AtMost(2.0)),
    Figure("count by model and day to DuckDB", "duckdb", "model_day.api_ratio", Reach::AtMost(2.0)),
    Figure("  in SQL", "duckdb", "model_day.sql_ratio", Reach::AtMost(2.0)),
    Figure("ids to DuckDB", "duckdb", "ids.api_ratio", Reach::AtMost(2.0)),
    Figure("  in SQL", "duckdb", "ids.sql_ratio", Reach::AtMost(2.0)),
];

/// A ratio to the peer: what it is called, our report and field, the peer's reports (the best of them counts), and the target.
struct Ratio(&'static str, &'static str, &'static str, [&'static str; 2], f64);

const RATIOS: &[Ratio] = &[
    Ratio(
        "batches of 500 to PostgreSQL",
        "batch",
        "events_per_s_settled",
        ["postgres_batch_jsonb", "postgres_batch_text"],
        5.0,
    ),
    Ratio(
        "single events to PostgreSQL",
        "single",
        "events_per_s",
        ["postgres_single_jsonb", "postgres_single_text"],
        4.0,
    ),
];

/// Prints targets, figures and ratios.
///
/// # Errors
/// When the folder cannot be read.
pub fn run(summary: &Summary, format: Format) -> io::Result<()> {
    let mut reports = Map::new();
    for entry in fs::read_dir(&summary.folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let report: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
            let name = report.get("scenario").and_then(Value::as_str).unwrap_or_default().to_owned();
            reports.insert(name, report);
        }
    }
    let rows = rows(&reports);
    match format {
        Format::Json => println!("{}", json!({ "figures": rows, "reports": reports })),
        Format::Text => {
            println!("{:<46} {:>14} {:>14}  reached", "figure", "target", "measured");
            for row in rows {
                let text = |field: &str| row.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                println!("{:<46} {:>14} {:>14}  {}", text("figure"), text("target"), text("measured"), text("reached"));
            }
        }
    }
    Ok(())
}

fn rows(reports: &Map<String, Value>) -> Vec<Value> {
    let mut rows: Vec<Value> = FIGURES
        .iter()
        .map(|Figure(name, report, field, reach)| row(name, *reach, figure(reports, report, field)))
        .collect();
    for Ratio(name, report, field, peers, target) in RATIOS {
        let best = peers.iter().filter_map(|peer| figure(reports, peer, "events_per_s")).reduce(f64::max);
        let ratio = figure(reports, report, field).zip(best).map(|(ours, best)| ours / best);
        rows.push(row(name, Reach::AtLeast(*target), ratio));
    }
    // A figure from wrong answers is worth nothing: whoever reads the table must see them.
    for (name, report) in reports {
        let faults = report.get("faults").and_then(Value::as_array).map_or(0, Vec::len);
        if faults > 0 {
            let figure = format!("faults in {name}");
            rows.push(json!({ "figure": figure, "target": "0", "measured": faults.to_string(), "reached": "NO" }));
        }
    }
    rows
}

fn figure(reports: &Map<String, Value>, report: &str, field: &str) -> Option<f64> {
    field.split('.').try_fold(reports.get(report)?, |value, part| value.get(part))?.as_f64()
}

fn row(name: &str, reach: Reach, measured: Option<f64>) -> Value {
    let (target, reached) = match reach {
        Reach::AtLeast(target) => (format!(">= {target}"), measured.map(|measured| measured >= target)),
        Reach::AtMost(target) => (format!("<= {target}"), measured.map(|measured| measured <= target)),
    };
    let reached = reached.map_or("not measured", |reached| if reached { "yes" } else { "NO" });
    let measured = measured.map_or_else(|| "-".to_owned(), |measured| format!("{:.*}", decimals(measured), measured));
    json!({ "figure": name, "target": target, "measured": measured, "reached": reached })
}

fn decimals(number: f64) -> usize {
    if number >= 1000.0 { 0 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_reached_only_when_measured_and_the_best_peer_counts() {
        let reports = json!({
            "batch": { "events_per_s_settled": 160_000.0 },
            "rate": { "faults": ["no receipt"] },
            "postgres_batch_jsonb": { "events_per_s": 10_000.0 },
            "postgres_batch_text": { "events_per_s": 40_000.0 },
        });
        let rows = rows(reports.as_object().unwrap());
        assert_eq!(rows[0].get("reached"), Some(&json!("yes")));
        assert_eq!(rows[1].get("reached"), Some(&json!("not measured")));
        let ratio = &rows[FIGURES.len()];
        assert_eq!((ratio.get("measured"), ratio.get("reached")), (Some(&json!("4.00")), Some(&json!("NO"))));
        assert_eq!(rows.last().and_then(|row| row.get("figure")), Some(&json!("faults in rate")));
    }
}
