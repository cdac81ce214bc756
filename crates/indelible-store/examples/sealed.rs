//! How fast contents are sealed: `cargo run --release --example sealed -- <folder> <a second> <bytes> <seconds>`. Prints how long
//! contents took to be durable at a steady rate, how much processor that was, and the most that is possible.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a tool for us: it may stop at the first fault")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible_event::id::EventId;
use indelible_event::vault::{ContentAbout, Keep, Vault as _};
use indelible_store::SystemRandomness;
use indelible_store::disk::RealDisk;
use indelible_store::sealed::{Erase, MasterKeys, SealedSettings, SealedStore};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, or: u64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(or);
    let folder = std::path::PathBuf::from(arguments.first().map_or("sealed-example", String::as_str));
    let (rate, bytes, seconds) = (number(1, 8_000), number(2, 1_024), number(3, 10));
    std::fs::create_dir_all(&folder).unwrap();
    let masters = MasterKeys::parse(&"5a".repeat(32), "the example").unwrap();
    let settings = SealedSettings { reserve_bytes: 0, ..SealedSettings::default() };
    let opening = Instant::now();
    let store =
        SealedStore::open(Arc::new(RealDisk), &folder.join("sealed"), masters, Arc::new(SystemRandomness), settings);
    let store = store.unwrap();
    println!("open: {:.1} ms", opening.elapsed().as_secs_f64() * 1e3);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let content = vec![7u8; usize::try_from(bytes).unwrap()];
    for (name, rate) in [("steady", rate), ("flat out", 0)] {
        let (before, began) = (processor(), Instant::now());
        let mut times = runtime.block_on(run(&store, &content, rate, seconds));
        let (used, took) = (processor() - before, began.elapsed().as_secs_f64());
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 1_000].as_secs_f64() * 1e3;
        println!(
            "{name}: {:.0} contents/s of {bytes} B, durable p50 {:.3} ms, p90 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms, \
             processor {:.0} % of one core",
            times.len() as f64 / took,
            at(500),
            at(900),
            at(990),
            at(999),
            used / took * 100.0
        );
    }
    let began = Instant::now();
    let erased = store.erase(&Erase::Subject("subject 3".to_owned())).unwrap();
    println!("erase: {} contents in {:.0} ms", erased.contents, began.elapsed().as_secs_f64() * 1e3);
}

async fn run(store: &SealedStore, content: &[u8], rate: u64, seconds: u64) -> Vec<Duration> {
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    let mut times = Vec::new();
    let mut number = 0u64;
    while began.elapsed().as_secs() < seconds {
        if let Some(due) = (number * 1_000_000).checked_div(rate) {
            if Duration::from_micros(due) > began.elapsed() {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
        } else if tasks.len() >= 256 {
            times.extend(tasks.join_next().await.and_then(Result::ok));
        }
        let about = ContentAbout {
            event: EventId(u128::from(number).to_be_bytes()),
            subject: format!("subject {}", number % 1_000),
            keep: Keep::Sealed,
        };
        let start = Instant::now();
        let mut writer = store.begin(about).unwrap();
        writer.write(content).unwrap();
        let durable = writer.finish().unwrap().durable;
        tasks.spawn(async move {
            durable.await.unwrap();
            start.elapsed()
        });
        number += 1;
    }
    times.extend(tasks.join_all().await);
    times
}

/// Seconds of processor that this process has used.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}
