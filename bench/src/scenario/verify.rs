//! `indelible verify` over a log's folder: entries for each second of processor time, and memory at its peak.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;

use crate::checkpoints::size_of;
use crate::process::{Memory, Process};
use crate::report::Report;

/// Between two looks at the process: what it uses after the last look is not seen, so looks are frequent.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A log to verify.
#[derive(Args, Clone, Debug)]
pub struct Verify {
    /// The `indelible` binary.
    #[arg(long)]
    pub server: PathBuf,
    /// Folder of the log: `DATA/logs/<log>`.
    #[arg(long)]
    pub folder: PathBuf,
}

/// Runs the verifier once.
///
/// # Errors
/// When it cannot be started.
pub fn run(verify: &Verify) -> io::Result<Report> {
    let mut report = Report::new("verify");
    let checkpoint = std::fs::read_to_string(verify.folder.join("checkpoint"))?;
    let size = size_of(&checkpoint).unwrap_or(0);
    let began = Instant::now();
    let mut child = Command::new(&verify.server)
        .arg("verify")
        .arg(&verify.folder)
        .args(["--format", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let process = Process(child.id());
    let (mut memory, mut cpu) = (Memory::default(), 0.0_f64);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // A process that has ended but was not waited for has no memory any more.
        if let Ok(now) = process.memory()
            && now.peak > 0.0
        {
            memory = now;
        }
        cpu = process.cpu_seconds().unwrap_or(cpu).max(cpu);
        std::thread::sleep(LOOK_EVERY);
    };
    let seconds = began.elapsed().as_secs_f64();
    if !status.success() {
        report.faults.push(format!("the verifier ended with {status}"));
    }
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let entries = size as f64;
    report.add("entries", size);
    report.add("seconds", seconds);
    report.add("cpu_s", cpu);
    report.add("entries_per_s", entries / seconds);
    report.add("entries_per_cpu_s", entries / cpu.max(0.01));
    report.add("memory_peak_mib", memory.peak);
    Ok(report)
}
