//! How long a start takes on an existing log: from the start of the process until it says it is ready, and until it has
//! acknowledged an event, after SIGKILL under load.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::checkpoints::Looker;
use crate::latency::Latencies;
use crate::random::Random;
use crate::report::Report;

use super::Options;
use super::ledger::{Ledger, Sent};
use super::server::{Server, Setting};
use super::writer::{Load, Served};

/// Under load before each kill.
const LOADED: Duration = Duration::from_secs(2);

/// Starts and kills, and measures each start but the first, which is not after a kill of ours.
///
/// # Errors
/// When the server does not start.
pub fn run(options: &Options) -> io::Result<Report> {
    let data = options.data.clone().unwrap_or_default();
    let setting = Setting::existing(options, data)?;
    let seed = options.seed.unwrap_or_else(Random::seed_from_time);
    let random = Random::new(seed);
    let served = Arc::new(Served::default());
    let mut ledgers: Vec<_> = (0..options.connections).map(|lane| Ledger::new(seed, lane)).collect();
    let mut probe = Ledger::new(seed, options.connections);
    let (mut ready, mut first) = (Latencies::default(), Latencies::default());
    let mut report = Report::new("start");
    for turn in 0..=options.start_time.unwrap_or(1) {
        let mut server = Server::start(&setting)?;
        let readied = server.wait_until_ready()?;
        let one = Sent { again: Vec::new(), new: 1, retried: false };
        let mut connection = crate::http::Connection::to(&setting.target.address);
        let path = setting.target.record_path();
        let answer = connection.post(&path, &setting.target.token, "application/x-ndjson", &probe.body(&one))?.ok()?;
        report.faults.extend(probe.book(&one, &answer).err());
        if turn > 0 {
            ready.add(readied);
            first.add(server.started.elapsed());
        }
        let stop = Arc::new(AtomicBool::new(false));
        let load = Load::start(&setting, ledgers, &served, &random.fork(turn), &stop);
        std::thread::sleep(LOADED);
        if turn == 0 {
            report.add("log_size", Looker::new(&setting.target).size()?);
        }
        server.kill();
        stop.store(true, Ordering::Relaxed);
        let (back, faults) = load.join();
        ledgers = back;
        report.faults.extend(faults);
    }
    report.add("ready_ms", ready.to_json());
    report.add("first_acknowledgement_ms", first.to_json());
    std::fs::remove_dir_all(&setting.folder)?;
    Ok(report)
}
