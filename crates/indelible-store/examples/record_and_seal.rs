//! Opens a log below a folder, records batches, seals, and prints each acknowledgement at once: what `tests/it/strace.rs` runs
//! under `strace` to see what a failing or killed process leaves. Ends with 2 when the log has stopped.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use indelible_event::doors::RecordError;
use indelible_store::disk::{Disk, RealDisk};
use indelible_store::ids::IdSettings;
use indelible_store::journal::JournalSettings;
use indelible_store::name::LogName;
use indelible_store::{LogSettings, OpenedParts, SystemClock, SystemRandomness, open_parts};
use indelible_testkit::events::{TestEvent, batch};
use indelible_tlog::checkpoint::Origin;

/// Batches that are recorded. Batch `n` holds events `20 n` to `20 n + size(n)`.
const BATCHES: u64 = 12;

fn size(n: u64) -> u64 {
    1 + n * 7 % 10
}

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: record_and_seal FOLDER");
        return ExitCode::FAILURE;
    };
    match run(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = LogSettings::new(LogName::new("main")?, Origin::new("test.example/main")?);
    settings.journal = JournalSettings { segment_bytes: 4096, reserve_bytes: 0 };
    settings.ids = IdSettings { window: 60, run_ids: 8 };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut parts = open_parts(&disk, folder, &settings, Arc::new(SystemClock), &SystemRandomness)?;
    for n in 0..BATCHES {
        record(&mut parts, n)?;
        if n % 3 == 2 {
            seal(&mut parts)?;
        }
    }
    Ok(())
}

fn record(parts: &mut OpenedParts, n: u64) -> Result<(), Box<dyn std::error::Error>> {
    let events: Vec<TestEvent> = (n * 20..n * 20 + size(n)).map(|number| TestEvent::new(number, "a")).collect();
    for _ in 0..3 {
        match parts.committer.commit(vec![batch(&events)]).remove(0) {
            Ok(done) => {
                let mut out = std::io::stdout().lock();
                writeln!(out, "{n} {} {} {}", size(n), done.first_index, done.recorded.0)?;
                return Ok(out.flush()?);
            }
            Err(RecordError::Full) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(RecordError::Full.into())
}

fn seal(parts: &mut OpenedParts) -> Result<(), Box<dyn std::error::Error>> {
    for _ in 0..3 {
        match parts.sealer.seal() {
            Err(error) if error.is_full() => {}
            Err(error) => return Err(error.into()),
            Ok(sealed) => {
                if let Some(sealed) = sealed {
                    *parts.published.write().map_err(|_| "a reader panicked")? = Some(sealed.checkpoint);
                }
                break;
            }
        }
    }
    // neither loses anything when it fails
    if parts.id_runs.flush(&parts.journal, parts.ids_begin).is_ok() {
        let done = parts.sealer.size().min(parts.id_runs.end().unwrap_or(parts.ids_begin));
        if let Err(error) = parts.committer.trim(done) {
            eprintln!("{error}");
        }
    }
    Ok(())
}
