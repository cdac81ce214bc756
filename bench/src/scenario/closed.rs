//! Closed loops: each connection sends its next request when the last one is answered. One thread serves all connections.
//!
//! Promises: every answer is checked; a request that was refused for lack of room is sent again, the same. Never: builds a
//! request while it measures; ids, times and numbers are overwritten in place.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;

use crate::answer::acknowledged;
use crate::http::{Answer, AsyncConnection, head};
use crate::random::Random;
use crate::report::Report;
use crate::target::Target;
use crate::traffic::{Clock, Events, Request, Stamp, unix_ns};

use super::{Meter, Seens, wait_for_quiet};

/// Distinct events for each connection: enough that a compressor does not see them again soon.
const VARIETY_EVENTS: u64 = 8_000;
/// Between two tries of a refused request.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);
/// A connection with so many faults gives up.
const FAULTS_MAX: usize = 20;
const DAY_NS: i64 = 86_400_000_000_000;

/// A load of batches or single events.
#[derive(Args, Clone, Debug)]
pub struct Load {
    /// Connections.
    #[arg(long, short)]
    pub connections: Option<u64>,
    /// Events in a request; a request of one is sent as a JSON object, more as lines (NDJSON).
    #[arg(long, short)]
    pub batch: Option<u64>,
    /// Seconds measured.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Seconds before that, not measured.
    #[arg(long, default_value_t = 3)]
    pub warm_up: u64,
    /// Seed of all that is random. Without it: from the time.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// History that is put into a log as fast as it takes it.
#[derive(Args, Clone, Debug)]
pub struct Fill {
    /// How many events, in millions.
    #[arg(long, default_value_t = 20)]
    pub millions: u64,
    /// Over how many days their times are spread, up to now.
    #[arg(long, default_value_t = 30)]
    pub days: u32,
    /// Connections.
    #[arg(long, short, default_value_t = 8)]
    pub connections: u64,
    /// Events in a request.
    #[arg(long, short, default_value_t = 1000)]
    pub batch: u64,
    /// Seed of all that is random. Without it: from the time.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// When a loop ends, and what time its events are given.
#[derive(Clone, Debug)]
enum Course {
    Until(Instant),
    History { sent: Arc<AtomicU64>, total: u64, start: i64, step: i64 },
}

impl Course {
    /// Whether a further request of `events` is due; sets the clock of history.
    fn goes_on(&self, events: u64, stamp: &mut Stamp) -> bool {
        match self {
            Self::Until(end) => Instant::now() < *end,
            Self::History { sent, total, start, step } => {
                let at = sent.fetch_add(events, Ordering::Relaxed);
                let next = start + step * i64::try_from(at).unwrap_or(0);
                // Sources report within minutes, so times in a log are nearly in order.
                stamp.set_clock(Clock::Steps { next, step: *step, jitter: 120_000_000_000 });
                at < *total
            }
        }
    }
}

/// Requests of one connection, built in advance.
struct Lane {
    requests: Vec<Request>,
    stamp: Stamp,
}

/// Sends batches or single events as fast as they are answered.
///
/// # Errors
/// When the server cannot be reached.
pub fn run(scenario: &str, load: &Load, defaults: (u64, u64), target: &Target) -> io::Result<Report> {
    let (connections, batch) = (load.connections.unwrap_or(defaults.0), load.batch.unwrap_or(defaults.1));
    let mut report = Report::new(scenario);
    report.add("connections", connections);
    report.add("events_per_request", batch);
    let random = Random::new(load.seed.unwrap_or_else(Random::seed_from_time));
    let mut lanes = lanes(connections, batch, &random, target);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let course = |seconds| Course::Until(Instant::now() + Duration::from_secs(seconds));
    if load.warm_up > 0 {
        let (after, warm) = runtime.block_on(drive(lanes, &course(load.warm_up), target));
        report.faults.extend(warm.faults);
        lanes = after;
        // What is left from warming up must not be counted with what is measured.
        target.process().map(wait_for_quiet);
    }
    let each = body_each(&lanes);
    let meter = Meter::start(target);
    let (_, seens) = runtime.block_on(drive(lanes, &course(load.seconds), target));
    let bytes = each * seens.events();
    meter.finish(seens, bytes / 1000, &mut report);
    Ok(report)
}

/// Fills a log with history.
///
/// # Errors
/// When the server cannot be reached.
pub fn fill(fill: &Fill, target: &Target) -> io::Result<Report> {
    let mut report = Report::new("fill");
    report.add("connections", fill.connections);
    report.add("events_per_request", fill.batch);
    report.add("days", fill.days);
    let random = Random::new(fill.seed.unwrap_or_else(Random::seed_from_time));
    let total = fill.millions * 1_000_000;
    let span = i64::from(fill.days) * DAY_NS;
    let step = span / i64::try_from(total.max(1)).unwrap_or(i64::MAX);
    let lanes = lanes(fill.connections, fill.batch, &random, target);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let each = body_each(&lanes);
    let course = Course::History { sent: Arc::default(), total, start: unix_ns() - span, step };
    let meter = Meter::start(target);
    let (_, seens) = runtime.block_on(drive(lanes, &course, target));
    let bytes = each * seens.events();
    meter.finish(seens, bytes / 1000, &mut report);
    Ok(report)
}

fn lanes(connections: u64, batch: u64, random: &Random, target: &Target) -> Vec<Lane> {
    (0..connections)
        .map(|lane| {
            let mut random = random.fork(lane);
            let requests =
                (0..(VARIETY_EVENTS / batch).clamp(4, 500)).map(|_| request(batch, &mut random, target)).collect();
            Lane { requests, stamp: Stamp::new(random, Clock::Now) }
        })
        .collect()
}

/// A request of `batch` events, head included.
pub(super) fn request(batch: u64, random: &mut Random, target: &Target) -> Request {
    let events = Events::lines(batch, random);
    let media_type = if batch == 1 { "application/json" } else { "application/x-ndjson" };
    let head = head("POST", &target.record_path(), &target.token, Some((media_type, events.text().len())));
    Request::new(&head, &events)
}

/// Thousandths of a byte that an event takes as sent.
fn body_each(lanes: &[Lane]) -> u64 {
    let requests = || lanes.iter().flat_map(|lane| &lane.requests);
    let bytes: usize = requests().map(Request::body_len).sum();
    let events: u64 = requests().map(|request| request.events).sum();
    bytes as u64 * 1000 / events.max(1)
}

/// Runs all lanes, and gives them back.
async fn drive(lanes: Vec<Lane>, course: &Course, target: &Target) -> (Vec<Lane>, Seens) {
    let mut tasks = tokio::task::JoinSet::new();
    for lane in lanes {
        let (course, address) = (course.clone(), target.address.clone());
        tasks.spawn(async move { drive_lane(lane, &course, &address).await });
    }
    let mut all = (Vec::new(), Seens::default());
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((lane, seens)) => {
                all.0.push(lane);
                all.1.merge(seens);
            }
            Err(error) => all.1.faults.push(error.to_string()),
        }
    }
    all
}

async fn drive_lane(mut lane: Lane, course: &Course, address: &str) -> (Lane, Seens) {
    let mut seens = Seens::default();
    let mut connection = None;
    let mut turn = 0;
    while seens.faults.len() < FAULTS_MAX {
        let at = turn % lane.requests.len();
        turn += 1;
        let request = &mut lane.requests[at];
        if !course.goes_on(request.events, &mut lane.stamp) {
            break;
        }
        let events = request.events;
        let bytes = request.freshen(&mut lane.stamp);
        loop {
            let began = Instant::now();
            match exchange(&mut connection, address, bytes).await {
                Ok(answer) if matches!(answer.status, 429 | 503 | 507) => {
                    seens.refused += 1;
                    tokio::time::sleep(REFUSED_PAUSE).await;
                    if !matches!(course, Course::Until(end) if Instant::now() >= *end) {
                        continue;
                    }
                }
                Ok(answer) => match acknowledged(&answer, events) {
                    Ok(range) => {
                        let now = Instant::now();
                        seens.latencies.add(now - began);
                        seens.acknowledged.push((now, range));
                    }
                    Err(fault) => seens.faults.push(fault),
                },
                Err(error) => seens.faults.push(format!("the connection broke: {error}")),
            }
            break;
        }
    }
    (lane, seens)
}

/// Sends over the connection, which is made if there is none and dropped when it is of no more use.
async fn exchange(connection: &mut Option<AsyncConnection>, address: &str, request: &[u8]) -> io::Result<Answer> {
    let mut used = match connection.take() {
        Some(connection) => connection,
        None => AsyncConnection::to(address).await?,
    };
    let answer = used.send(request).await?;
    if answer.keep {
        *connection = Some(used);
    }
    Ok(answer)
}
