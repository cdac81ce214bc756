//! How fast a log records and seals on the real disk, and how much processor time each of its threads takes for an event.
//!
//! A second run on ext4 within minutes of the first looks slower in sealing: making a file costs more while many inodes of that
//! part of the disk were removed a moment ago.
//!
//! `cargo run --release -p indelible-store --example store_speed [FOLDER] [EVENTS]`; the folder is made and removed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use indelible_event::batch::EventBatch;
use indelible_event::doors::Recorder;
use indelible_event::id::EventId;
use indelible_store::name::LogName;
use indelible_store::{DataFolder, Log, LogSettings};
use indelible_testkit::events::{TestEvent, batch};
use indelible_testkit::rng::Rng;
use indelible_tlog::checkpoint::Origin;

/// Bytes of an event.
const EVENT_BYTES: usize = 600;
/// Microseconds in a tick of `/proc/<pid>/stat`, where Linux counts 100 a second.
const TICK_US: u64 = 10_000;

/// Name, events a batch, clients.
const CASES: [(&str, u64, usize); 3] =
    [("batches of 500, 4 clients", 500, 4), ("batches of 20, 32 clients", 20, 32), ("single, 64 clients", 1, 64)];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(|| PathBuf::from("target/store_speed"), PathBuf::from);
    let events: u64 = arguments.next().map_or(Ok(300_000), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    println!("{:<28}    events  seconds  events/s commit us/ev seal us/ev start, ms", "");
    for (name, size, clients) in CASES {
        let events = if size == 1 { events / 10 } else { events };
        runtime.block_on(measure(&folder.join(size.to_string()), name, events / size, size, clients))?;
    }
    Ok(std::fs::remove_dir_all(&folder)?)
}

/// Batches with ids as clients make them: version 7, in order of time, random behind it.
fn batches(count: u64, size: u64) -> Vec<EventBatch> {
    let mut rng = Rng::new(1);
    let mut number = 0;
    (0..count)
        .map(|_| {
            let events: Vec<TestEvent> = (0..size)
                .map(|_| {
                    number += 1;
                    let mut random = [0; 10];
                    random[..8].copy_from_slice(&rng.next().to_le_bytes());
                    let mut event = TestEvent::sized(number, EVENT_BYTES);
                    event.id = EventId::version_7(1_795_392_000_000 + number / 100, random);
                    event
                })
                .collect();
            batch(&events)
        })
        .collect()
}

async fn measure(folder: &Path, name: &str, count: u64, size: u64, clients: usize) -> Result<(), Failure> {
    let data = DataFolder::open(folder)?;
    let settings = LogSettings::new(LogName::new("main")?, Origin::new("speed.example/main")?);
    let log = Log::open(&data, &settings)?;
    let mut shares: Vec<Vec<EventBatch>> = (0..clients).map(|_| Vec::new()).collect();
    for (n, batch) in batches(count, size).into_iter().enumerate() {
        shares[n % clients].push(batch);
    }
    let before = thread_times();
    let started = Instant::now();
    let tasks: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                for batch in share {
                    log.record(batch).await?;
                }
                Ok::<(), indelible_event::doors::RecordError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let recorded = started.elapsed();
    let events = count * size;
    log.watch().wait_for(|state| state.published_size == events || state.stopped.is_some()).await?;
    let after = thread_times();
    let spent = |thread: &str| {
        let ticks = after.get(thread).unwrap_or(&0) - before.get(thread).unwrap_or(&0);
        (ticks * TICK_US) as f64 / events as f64
    };
    let rate = events as f64 / recorded.as_secs_f64();
    let (commit, seal) = (spent("commit main"), spent("seal main"));
    tokio::task::block_in_place(|| log.close());
    drop(log);
    let again = Instant::now();
    tokio::task::block_in_place(|| Log::open(&data, &settings))?;
    let start = again.elapsed().as_millis();
    let seconds = recorded.as_secs_f64();
    println!("{name:<28} {events:>9} {seconds:>8.2} {rate:>9.0} {commit:>12.2} {seal:>10.2} {start:>9}");
    Ok(())
}

/// Processor time of each thread of this process by its name, in ticks.
fn thread_times() -> BTreeMap<String, u64> {
    let mut times = BTreeMap::new();
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    for task in tasks {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let Some((head, tail)) = stat.rsplit_once(')') else { continue };
        let name = head.split_once('(').map_or("", |(_, name)| name).to_owned();
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        *times.entry(name).or_insert(0) += ticks(11) + ticks(12);
    }
    times
}
