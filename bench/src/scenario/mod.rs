//! What is measured: loads that record events, and queries.
//!
//! Promises: what the server still does after the last answer (tree, checkpoint, index) is waited for and counted.

/// As fast as answers come: batches, single events, filling a log.
pub mod closed;
/// Calls through a gateway.
pub mod gateway;
/// The disk below it all.
pub mod probe;
/// Queries over what is there.
pub mod query;
/// At a fixed rate, whether answers come or not.
pub mod rate;
/// `indelible verify`: its speed and memory.
pub mod verify;

use std::time::{Duration, Instant};

use serde_json::json;

use crate::answer::{Acknowledged, overlap};
use crate::checkpoints::{Looker, Seen, Watch, lags, wait_for};
use crate::disk::Usage;
use crate::latency::Latencies;
use crate::process::Process;
use crate::report::Report;
use crate::target::Target;

/// Time between two looks at the checkpoint.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A server that uses less than this share of a core has nothing left to do.
const QUIET_CORES: f64 = 0.04;
/// For so long it must be quiet.
const QUIET_FOR: Duration = Duration::from_millis(1500);
/// Longest time that is waited for quiet.
const QUIET_PATIENCE: Duration = Duration::from_secs(180);
/// Faults told in full; the rest are counted.
const FAULTS_TOLD: usize = 10;

/// What one connection, or all together, saw.
#[derive(Debug, Default)]
pub struct Seens {
    /// Latency of each request.
    pub latencies: Latencies,
    /// Each acknowledgement and when it came.
    pub acknowledged: Vec<(Instant, Acknowledged)>,
    /// Times the server asked to come back later (429, 503, 507).
    pub refused: u64,
    /// What was wrong.
    pub faults: Vec<String>,
}

impl Seens {
    /// Adds what another saw.
    pub fn merge(&mut self, other: Self) {
        self.latencies.merge(&other.latencies);
        self.acknowledged.extend(other.acknowledged);
        self.refused += other.refused;
        self.faults.extend(other.faults);
    }

    /// Events acknowledged.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.acknowledged.iter().map(|(_, range)| range.count).sum()
    }

    /// The index after the last entry acknowledged.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.acknowledged.iter().map(|(_, range)| range.end()).max().unwrap_or(0)
    }
}

/// Measures what a load costs, from its beginning until the server has nothing left to do.
#[derive(Debug)]
pub struct Meter {
    target: Target,
    process: Option<Process>,
    server_cpu: f64,
    own_cpu: f64,
    began: Instant,
    watch: Watch,
}

impl Meter {
    /// Begins.
    #[must_use]
    pub fn start(target: &Target) -> Self {
        let process = target.process();
        if let Some(process) = process
            && !process.forget_peak()
        {
            eprintln!("the server's peak of memory cannot be reset: the one told is since its start");
        }
        Self {
            target: target.clone(),
            process,
            server_cpu: process.and_then(|process| process.cpu_seconds().ok()).unwrap_or_default(),
            own_cpu: Process::own().cpu_seconds().unwrap_or_default(),
            began: Instant::now(),
            watch: Watch::start(target, LOOK_EVERY),
        }
    }

    /// Ends, waits until the server is quiet, and tells all figures. `body_bytes` are the events as sent.
    pub fn finish(self, seens: Seens, body_bytes: u64, report: &mut Report) {
        let loaded = self.began.elapsed();
        let server_loaded = self.server_cpu_used();
        let own = Process::own().cpu_seconds().unwrap_or_default() - self.own_cpu;
        let events = seens.events();
        let millions = count(events) / 1e6;
        report.add("events", events);
        report.add("seconds", loaded.as_secs_f64());
        report.add("events_per_s", count(events) / loaded.as_secs_f64());
        report.add("requests_per_s", count(seens.latencies.count()) / loaded.as_secs_f64());
        report.add("latency_ms", seens.latencies.to_json());
        report.add("refused_requests", seens.refused);
        report.add("client_cpu_s_per_million", own / millions);
        report.add("client_cores", own / loaded.as_secs_f64());

        let mut looker = Looker::new(&self.target);
        if wait_for(&mut looker, seens.end()).is_none() {
            report.faults.push(format!("no checkpoint came to cover index {}", seens.end().saturating_sub(1)));
        }
        let settled = self.settle(report);
        report.add("settle_s", settled.as_secs_f64());
        report.add("events_per_s_settled", count(events) / (loaded + settled).as_secs_f64());
        if self.process.is_some() {
            report.add("server_cores", server_loaded / loaded.as_secs_f64());
            report.add("server_cpu_s_per_million", self.server_cpu_used() / millions);
        }
        self.add_memory_and_disk(count(body_bytes) / count(events), &mut looker, report);
        finish_acknowledged(seens, &self.watch.stop(), report);
    }

    fn server_cpu_used(&self) -> f64 {
        let now = self.process.and_then(|process| process.cpu_seconds().ok());
        now.unwrap_or(self.server_cpu) - self.server_cpu
    }

    /// As [`wait_for_quiet`]; a server that stays busy is a fault.
    fn settle(&self, report: &mut Report) -> Duration {
        let began = Instant::now();
        match self.process.map(wait_for_quiet) {
            Some(None) => {
                report.faults.push(format!("the server was still busy {} s after the load", QUIET_PATIENCE.as_secs()));
                began.elapsed()
            }
            Some(Some(settled)) => settled,
            None => Duration::ZERO,
        }
    }

    fn add_memory_and_disk(&self, body_each: f64, looker: &mut Looker, report: &mut Report) {
        if let Some(Ok(memory)) = self.process.map(Process::memory) {
            report.add(
                "server_memory_mib",
                json!({ "peak": memory.peak, "end": memory.resident, "end_anonymous": memory.anonymous }),
            );
        }
        report.add("json_bytes_per_event", body_each);
        let (Some(data), Ok(size)) = (&self.target.data, looker.size()) else { return };
        let usage = Usage::of(data).to_json(size);
        let ratio = |part: &str| usage.get(part).and_then(serde_json::Value::as_f64).unwrap_or_default() / body_each;
        report.add("log_size", size);
        report.add("disk_to_json", ratio("total"));
        report.add("disk_to_json_without_journal", ratio("total") - ratio("journal"));
        report.add("disk_bytes_per_event", usage);
    }
}

/// Waits until the server has used next to no processor time for a while, and gives when that while began. `None` when patience
/// ended.
fn wait_for_quiet(process: Process) -> Option<Duration> {
    let began = Instant::now();
    let mut quiet_since = began;
    let mut before = process.cpu_seconds().ok()?;
    while began.elapsed() < QUIET_PATIENCE {
        let window = Duration::from_millis(500);
        std::thread::sleep(window);
        let now = process.cpu_seconds().ok()?;
        if (now - before) / window.as_secs_f64() > QUIET_CORES {
            quiet_since = Instant::now();
        } else if quiet_since.elapsed() >= QUIET_FOR {
            return Some(quiet_since - began);
        }
        before = now;
    }
    None
}

/// Tells when entries stood in a checkpoint, and what was wrong.
fn finish_acknowledged(mut seens: Seens, seen: &[Seen], report: &mut Report) {
    let ends: Vec<_> = seens.acknowledged.iter().map(|(at, range)| (*at, range.end())).collect();
    let (lags, never) = lags(&ends, seen);
    report.add("checkpoint_lag_ms", lags.to_json());
    if never > 0 {
        report.faults.push(format!("{never} acknowledged requests were never seen in a checkpoint"));
    }
    let mut ranges: Vec<_> = seens.acknowledged.iter().map(|(_, range)| *range).collect();
    if let Some((a, b)) = overlap(&mut ranges) {
        report.faults.push(format!("indexes were given twice: {a:?} and {b:?}"));
    }
    let told = seens.faults.len().min(FAULTS_TOLD);
    if seens.faults.len() > told {
        report.faults.push(format!("{} faulty answers, of which the first {told} follow", seens.faults.len()));
    }
    report.faults.extend(seens.faults.drain(..told));
}

#[allow(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}
