//! An open loop: single events at a fixed rate, due at times that the server has no say in.
//!
//! Promises: a latency is counted from when the request was *due*, so a server that stalls pays for every request that had to
//! wait. Threads that block are used here: their sleep is good to a twentieth of a millisecond, a runtime's to a whole one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;

use crate::answer::acknowledged;
use crate::http::Connection;
use crate::latency::Latencies;
use crate::random::Random;
use crate::report::Report;
use crate::target::Target;
use crate::traffic::{Clock, Stamp};

use super::{Meter, Seens, closed};

/// Distinct requests for each connection.
const VARIETY: usize = 100;

/// A load at a fixed rate.
#[derive(Args, Clone, Debug)]
pub struct Rate {
    /// Single events a second.
    #[arg(long, default_value_t = 1000)]
    pub rate: u64,
    /// Connections: the most requests under way at once.
    #[arg(long, short, default_value_t = 32)]
    pub connections: u64,
    /// Seconds measured.
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
    /// Seed of all that is random. Without it: from the time.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// What a connection adds to the usual.
#[derive(Default)]
struct Lane {
    seens: Seens,
    /// How late requests left: what the client adds.
    late: Latencies,
}

/// Sends single events at a fixed rate.
///
/// # Errors
/// When the server cannot be reached.
pub fn run(rate: &Rate, target: &Target) -> io::Result<Report> {
    let mut report = Report::new("rate");
    report.add("rate", rate.rate);
    report.add("connections", rate.connections);
    let random = Random::new(rate.seed.unwrap_or_else(Random::seed_from_time));
    let meter = Meter::start(target);
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now() + Duration::from_millis(200);
    let threads: Vec<_> = (0..rate.connections)
        .map(|lane| {
            let (rate, next, target, random) = (rate.clone(), Arc::clone(&next), target.clone(), random.fork(lane));
            std::thread::spawn(move || drive(&rate, begin, &next, &target, random))
        })
        .collect();
    let mut all = Lane::default();
    let mut body_bytes = 0;
    for thread in threads {
        let (lane, bytes) = thread.join().unwrap_or_default();
        all.seens.merge(lane.seens);
        all.late.merge(&lane.late);
        body_bytes += bytes;
    }
    report.add("sent_late_ms", all.late.to_json());
    meter.finish(all.seens, body_bytes, &mut report);
    Ok(report)
}

/// One connection: takes the next request that is due, waits for its time, sends it.
fn drive(rate: &Rate, begin: Instant, next: &AtomicU64, target: &Target, mut random: Random) -> (Lane, u64) {
    let mut requests: Vec<_> = (0..VARIETY).map(|_| closed::request(1, &mut random, target)).collect();
    let mut stamp = Stamp::new(random, Clock::Now);
    let mut connection = Connection::to(&target.address);
    let mut lane = Lane::default();
    let mut bytes = 0;
    for turn in 0.. {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= rate.rate * rate.seconds {
            break;
        }
        let due = begin + Duration::from_nanos(1_000_000_000 / rate.rate.max(1) * number);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let request = &mut requests[turn % VARIETY];
        let text = request.freshen(&mut stamp);
        lane.late.add(due.elapsed());
        match connection.send(text) {
            Ok(answer) if matches!(answer.status, 429 | 503 | 507) => lane.seens.refused += 1,
            Ok(answer) => match acknowledged(&answer, 1) {
                Ok(range) => {
                    let now = Instant::now();
                    lane.seens.latencies.add(now.saturating_duration_since(due));
                    lane.seens.acknowledged.push((now, range));
                    bytes += request.body_len() as u64;
                }
                Err(fault) => lane.seens.faults.push(fault),
            },
            Err(error) => lane.seens.faults.push(format!("the connection broke: {error}")),
        }
    }
    (lane, bytes)
}
