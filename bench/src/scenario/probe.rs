//! What the disk itself can do: the time of one small durable write. No log that syncs before it acknowledges is faster, so every
//! figure is to be read beside it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use crate::latency::Latencies;
use crate::report::Report;

/// Written at once: one block of most file systems.
const BLOCK: usize = 4096;
/// Size of the file, whose space is there before it is measured, as a journal's is.
const BLOCKS: u64 = 4096;

/// A disk to probe.
#[derive(Args, Clone, Debug)]
pub struct Probe {
    /// A folder on it.
    #[arg(long)]
    pub folder: PathBuf,
    /// Seconds measured.
    #[arg(long, default_value_t = 3)]
    pub seconds: u64,
}

/// Writes and syncs, one block after the other.
///
/// # Errors
/// When the file cannot be written.
pub fn run(probe: &Probe) -> io::Result<Report> {
    let path = probe.folder.join(format!("probe-{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    let mut block = [0_u8; BLOCK];
    for at in 0..BLOCKS {
        file.write_all_at(&block, at * BLOCK as u64)?;
    }
    file.sync_all()?;
    block.fill(1);
    let mut latencies = Latencies::default();
    let end = Instant::now() + Duration::from_secs(probe.seconds);
    let began = Instant::now();
    while Instant::now() < end {
        let at = latencies.count() % BLOCKS;
        let one = Instant::now();
        file.write_all_at(&block, at * BLOCK as u64)?;
        file.sync_data()?;
        latencies.add(one.elapsed());
    }
    let seconds = began.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    let mut report = Report::new("probe");
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    report.add("durable_writes_per_s", latencies.count() as f64 / seconds);
    report.add("latency_ms", latencies.to_json());
    Ok(report)
}
