//! A real process under `strace`, in which one system call on the data folder fails, finds no room, or is the last one it
//! makes: whatever it acknowledged is there for the next start. Skips, and says why, where `strace` cannot be used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indelible_event::doors::{EntryIndex, EntryReader};
use indelible_event::time::RecordedTime;
use indelible_store::disk::{Disk, RealDisk};
use indelible_store::ids::IdSettings;
use indelible_store::journal::JournalSettings;
use indelible_store::name::LogName;
use indelible_store::{LogSettings, SystemClock, SystemRandomness, open_parts};
use indelible_testkit::check_log::check_log;
use indelible_testkit::events::{TestEvent, batch, id_of};
use indelible_tlog::checkpoint::Origin;

/// Calls that change something, or make it durable.
const CALLS: &str = "openat,write,pwrite64,ftruncate,fallocate,fdatasync,fsync,syncfs,rename,unlink,mkdir";
/// What happens at one of them.
const INJECTIONS: [&str; 3] = ["error=EIO", "error=ENOSPC", "signal=SIGKILL"];
/// Most runs, spread over all calls, unless `INDELIBLE_STRACE_RUNS` says another number.
const RUNS_MAX: usize = 330;

fn example() -> Option<PathBuf> {
    let deps = std::env::current_exe().ok()?;
    let path = deps.parent()?.parent()?.join("examples/record_and_seal");
    path.is_file().then_some(path)
}

fn strace(example: &Path, folder: &Path, options: &[&str]) -> std::io::Result<Output> {
    let trace = folder.join("trace");
    Command::new("strace")
        .args(["-f", "-y", "--seccomp-bpf", "-o"])
        .arg(trace)
        .args(["-e", &format!("trace={CALLS}")])
        .args(options)
        .arg(example)
        .arg(folder.join("data"))
        .output()
}

/// One place to inject at: the how-many-th call of that name.
#[derive(Clone, Debug)]
struct Target {
    call: String,
    nth: usize,
}

/// The calls of an undisturbed run that touch the data folder.
fn targets(trace: &str, data: &Path) -> Vec<Target> {
    let data = data.to_str().unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for line in trace.lines() {
        let Some((call, _)) = line.split_once('(') else { continue };
        let call = call.rsplit(' ').next().unwrap_or(call);
        let nth = counts.entry(call).or_default();
        *nth += 1;
        if line.contains(data) {
            found.push(Target { call: call.to_owned(), nth: *nth });
        }
    }
    found
}

struct Acknowledged {
    numbers: std::ops::Range<u64>,
    first: u64,
    recorded: RecordedTime,
}

fn acknowledged(output: &Output) -> Vec<Acknowledged> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(|line| {
        let fields: Vec<i64> = line.split(' ').map(|field| field.parse().unwrap()).collect();
        let [n, count, first, recorded] = fields[..] else { panic!("{line}") };
        let (n, count) = (n.unsigned_abs(), count.unsigned_abs());
        let numbers = n * 20..n * 20 + count;
        Acknowledged { numbers, first: first.unsigned_abs(), recorded: RecordedTime(recorded) }
    });
    lines.collect()
}

/// Opens the folder as the next process would, and checks that all that was acknowledged is there, once, and can be sealed.
fn check(data: &Path, acknowledged: &[Acknowledged]) -> Result<(), String> {
    let mut settings = LogSettings::new(LogName::new("main").unwrap(), Origin::new("test.example/main").unwrap());
    settings.journal = JournalSettings { segment_bytes: 4096, reserve_bytes: 0 };
    settings.ids = IdSettings { window: 60, run_ids: 8 };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let parts = open_parts(&disk, data, &settings, Arc::new(SystemClock), &SystemRandomness);
    let mut parts = parts.map_err(|error| super::faults::chain(&error))?;
    for ack in acknowledged {
        for (number, index) in ack.numbers.clone().zip(ack.first..) {
            let read = parts.reader.read(EntryIndex(index), 1, 0).map_err(|error| error.to_string())?;
            let stored = read.iter().next().map(|(_, entry)| entry.to_vec());
            if stored != Some(TestEvent::new(number, "a").recorded(ack.recorded)) {
                return Err(format!("event {number} was acknowledged at {index}, found: {stored:?}"));
            }
        }
    }
    let more = TestEvent::new(100_000, "a");
    parts.committer.commit(vec![batch([&more])]).remove(0).map_err(|error| error.to_string())?;
    parts.sealer.seal().map_err(|error| super::faults::chain(&error))?;
    let fetch = |path: &str| std::fs::read(data.join("logs/main").join(path)).ok();
    let log = check_log(&fetch, parts.key.verifier())?;
    let mut ids: Vec<_> = log.entries.iter().map(|entry| id_of(entry)).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() == log.entries.len() { Ok(()) } else { Err("an event is there twice".to_owned()) }
}

fn inject(example: &Path, target: &Target, injection: &str) -> Result<usize, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let option = format!("inject={}:{injection}:when={}", target.call, target.nth);
    let output = strace(example, folder.path(), &["-e", &option]).map_err(|error| error.to_string())?;
    let acknowledged = acknowledged(&output);
    check(&folder.path().join("data"), &acknowledged).map_err(|reason| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("{option}: {reason}\nit had acknowledged {} batches and said: {said}", acknowledged.len())
    })?;
    Ok(acknowledged.len())
}

#[test]
fn what_a_real_process_acknowledged_survives_failures_of_any_system_call() {
    let Some(example) = example() else {
        println!("skipped: examples/record_and_seal is not built (run `cargo test -p indelible-store`)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let undisturbed = match strace(&example, folder.path(), &[]) {
        Ok(output) if output.status.success() => acknowledged(&output),
        Ok(output) => {
            println!("skipped: strace cannot trace here: {}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        Err(error) => {
            println!("skipped: there is no strace: {error}");
            return;
        }
    };
    let data = folder.path().join("data");
    assert_eq!(undisturbed.len(), 12);
    check(&data, &undisturbed).unwrap();

    let trace = std::fs::read_to_string(folder.path().join("trace")).unwrap();
    let targets = targets(&trace, &data);
    let all: Vec<(Target, &str)> =
        INJECTIONS.iter().flat_map(|injection| targets.iter().map(|target| (target.clone(), *injection))).collect();
    let most = std::env::var("INDELIBLE_STRACE_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(RUNS_MAX);
    let step = all.len().div_ceil(most).max(1);
    let runs: Vec<&(Target, &str)> = all.iter().step_by(step).collect();
    let (next, early) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((target, injection)) = runs.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let batches = inject(&example, target, injection).unwrap();
                    early.fetch_add(usize::from(batches < undisturbed.len()), Ordering::SeqCst);
                }
            });
        }
    });
    println!("{} of {} injections at {} calls", runs.len(), all.len(), targets.len());
    assert!(early.load(Ordering::SeqCst) > runs.len() / 4, "too few injections had an effect");
}
