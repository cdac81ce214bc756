//! Every operation of a workload × every fault × several seeds: run until the fault, recover, ask again, and check the six
//! invariants. A failing case prints its name; `INDELIBLE_FAULT_CASE=<workload>:<operation>:<fault>:<seed>` runs it alone, and
//! `INDELIBLE_FAULT_SEEDS=<n>` runs n times as many seeds.

mod check;
mod workload;

pub(crate) use workload::chain;

use std::path::Path;
use std::sync::Arc;

use indelible_store::disk::Disk;
use indelible_store::ids::IdSettings;
use indelible_testkit::events::TestEvent;
use indelible_testkit::rng::Rng;
use indelible_testkit::sim_disk::{FAULTS, Fault, FaultPlan, Kind, Moment, SimDisk, Survivors};
use indelible_tlog::tile::{BundleId, TileId};
use indelible_tlog::tree::TreeSize;

use workload::{Ack, Driver, End, NOTES, ROOT, Step, Workload, settings};

/// Faults that end the process or the power: the disk as recorded before and after the operation is all that matters, so these
/// cases begin there.
const CRASHES: [Fault; 5] = [Fault::CrashBefore, Fault::CrashAfter, Fault::Torn, Fault::Lost, Fault::Reordered];

/// Faults that a second crash, in the middle of recovery, may be.
const SECOND: [Fault; 6] =
    [Fault::CrashBefore, Fault::CrashAfter, Fault::CrashWithin, Fault::Torn, Fault::Lost, Fault::Reordered];

/// A run without faults, with the disk as it was before every operation.
struct Recorded<'w> {
    workload: &'w Workload,
    /// The disk before the first operation.
    base: SimDisk,
    first: u64,
    /// What was acknowledged by then.
    known: Vec<Ack>,
    moments: Vec<Moment>,
    acks: Vec<Ack>,
    end: SimDisk,
}

#[derive(Clone, Copy)]
struct Case {
    operation: u64,
    fault: Fault,
    seed: u64,
}

fn record<'w>(workload: &'w Workload, base: &SimDisk, known: Vec<Ack>) -> Recorded<'w> {
    let mut driver = Driver::new(workload, base.copy(), 1000);
    driver.acks.clone_from(&known);
    driver.disk.record();
    driver.run().unwrap();
    let moments = driver.disk.recorded();
    let end = driver.disk.copy();
    driver.finish().unwrap();
    driver.restart();
    driver.open().unwrap();
    check::check(&driver, 0).unwrap();
    Recorded { workload, base: base.copy(), first: base.operations(), known, moments, acks: driver.acks, end }
}

impl Recorded<'_> {
    fn kind(&self, operation: u64) -> Kind {
        self.moments[usize::try_from(operation - self.first).unwrap()].kind
    }

    /// The disk before an operation, or after the last one.
    fn before(&self, operation: u64) -> &SimDisk {
        let at = usize::try_from(operation - self.first).unwrap();
        self.moments.get(at).map_or(&self.end, |moment| &moment.before)
    }

    /// Whether the crash can begin from the recorded disk: not when the script itself ends the process right after the
    /// operation, for what is recorded next is the disk after that.
    fn is_recorded(&self, case: Case) -> bool {
        let starts = |operation| self.before(operation).starts();
        CRASHES.contains(&case.fault) && starts(case.operation) == starts(case.operation + 1)
    }

    /// Crashes at the operation, on a copy of the recorded disk.
    fn crash(&self, case: Case) -> Driver<'_> {
        let synced = self.kind(case.operation) == Kind::Sync;
        let done = case.fault == Fault::CrashAfter || (case.fault != Fault::CrashBefore && !synced);
        let disk = self.before(case.operation + u64::from(done)).copy();
        if let Some(survivors) = case.fault.survivors() {
            disk.lose_power(survivors, case.seed);
        }
        let mut driver = Driver::new(self.workload, disk, 2000 + case.seed);
        driver.acks = self.acks.iter().filter(|ack| ack.operations <= case.operation).cloned().collect();
        driver
    }

    /// Runs from the beginning and lets the fault come.
    fn live(&self, case: Case) -> Result<Driver<'_>, String> {
        let mut driver = Driver::new(self.workload, self.base.copy(), 1000);
        driver.acks.clone_from(&self.known);
        driver.disk.plan(Some(FaultPlan { at: case.operation, fault: case.fault, seed: case.seed }));
        driver.run()?;
        Ok(driver)
    }

    fn run(&self, case: Case) -> Result<(), String> {
        let crash = CRASHES.contains(&case.fault);
        let mut driver = if self.is_recorded(case) { self.crash(case) } else { self.live(case)? };
        if crash || driver.disk.crashed() {
            driver.restart();
        }
        let mut rng = Rng::of(case.seed, 7);
        if crash && case.seed % 3 == 2 {
            let at = driver.disk.operations() + rng.below(70);
            let fault = SECOND[rng.index(SECOND.len())];
            driver.disk.plan(Some(FaultPlan { at, fault, seed: rng.next() }));
        }
        if driver.finish()? == End::Crashed {
            driver.restart();
            driver.finish()?;
        }
        driver.disk.plan(None);
        // what was acknowledged since then must be as durable as what was before
        let survivors = if case.seed.is_multiple_of(2) { Survivors::Nothing } else { Survivors::Any };
        driver.disk.lose_power(survivors, rng.next());
        driver.restart();
        driver.open()?;
        check::check(&driver, case.seed)?;
        if case.seed % 4 == 1 {
            let recent: Vec<usize> = (1..self.workload.batches.len()).collect();
            driver.commit(&recent)?;
        }
        Ok(())
    }
}

/// Batches of small events; `spec` gives the event numbers of each.
fn batches(spec: &[&[u64]]) -> Arc<Vec<Vec<TestEvent>>> {
    let events = |numbers: &&[u64]| numbers.iter().map(|number| TestEvent::new(*number, "a")).collect();
    Arc::new(spec.iter().map(events).collect())
}

/// A log from its making on: its first segments, checkpoints and id runs.
fn beginning() -> Workload {
    let long: Vec<u64> = (30..45).collect();
    Workload {
        name: "beginning",
        steps: vec![
            Step::Open,
            Step::Commit(&[0]),
            Step::Commit(&[1, 2]),
            Step::Seal,
            Step::Commit(&[3]),
            Step::Flush,
            Step::Trim,
            Step::Die,
            Step::Open,
            Step::Commit(&[4]),
            Step::Seal,
            Step::LosePower(Survivors::Any, 3),
            Step::Open,
            Step::Commit(&[5, 2, 6]),
            Step::Flush,
            Step::Seal,
            Step::Trim,
        ],
        batches: batches(&[&[1, 2, 3], &[4, 5], &[6, 1, 6], &[7], &long, &[8, 9, 4], &[10]]),
        settings: settings(IdSettings { window: 1000, run_ids: 8 }),
    }
}

/// A log that grows over the end of a bundle, with runs that merge and leave the window.
fn growing() -> Workload {
    Workload {
        name: "growing",
        steps: vec![
            Step::Open,
            Step::Commit(&[1]),
            Step::Commit(&[2, 3]),
            Step::Flush,
            Step::Seal,
            Step::Trim,
            Step::Commit(&[4]),
            Step::Commit(&[5]),
            Step::Seal,
            Step::Flush,
            Step::Trim,
            Step::LosePower(Survivors::Sectors, 1),
            Step::Open,
            Step::Commit(&[6, 3, 7]),
            Step::Flush,
            Step::Seal,
            Step::Trim,
            Step::Die,
            Step::Open,
            Step::Commit(&[8]),
            Step::Flush,
            Step::Seal,
        ],
        batches: {
            let range = |range: std::ops::Range<u64>| range.collect::<Vec<u64>>();
            let first = range(0..237);
            let spec: Vec<Vec<u64>> = vec![
                first,
                range(300..310),
                range(310..312),
                vec![312, 313, 300],
                range(320..328),
                vec![330],
                range(340..352),
                vec![353, 340],
                // one that by then stands in a bundle only
                vec![360, 361, 301, 362],
            ];
            batches(&spec.iter().map(Vec::as_slice).collect::<Vec<_>>())
        },
        settings: settings(IdSettings { window: 100, run_ids: 8 }),
    }
}

/// A disk on which the workload's first batch is recorded and sealed.
fn grown(workload: &Workload) -> (SimDisk, Vec<Ack>) {
    let disk = empty();
    let mut driver = Driver::new(workload, disk.clone(), 500);
    driver.open().unwrap();
    driver.commit(&[0]).unwrap();
    driver.seal().unwrap();
    driver.flush().unwrap();
    let acks = driver.acks;
    disk.restart();
    (disk, acks)
}

fn empty() -> SimDisk {
    let disk = SimDisk::new();
    disk.watch(NOTES);
    disk.create_dir_all(Path::new(ROOT)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

/// How many seeds a fault gets at each operation: many where the seed chooses what survives, few where it only chooses what
/// the last power failure leaves.
fn seeds(fault: Fault) -> u64 {
    match fault {
        Fault::Fail | Fault::FailDone | Fault::NoSpace => 2,
        Fault::CrashWithin | Fault::ShortWrite | Fault::FlippedBit | Fault::FailedSync => 8,
        Fault::CrashBefore | Fault::CrashAfter | Fault::Lost => 20,
        Fault::Torn | Fault::Reordered => 66,
    }
}

/// Runs all cases of a workload, or the one that the environment names. Checks that there were at least so many.
fn run_all(recorded: &Recorded<'_>, at_least: u64) {
    let alone = std::env::var("INDELIBLE_FAULT_CASE").ok();
    let more: u64 = std::env::var("INDELIBLE_FAULT_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut cases = 0;
    for (operation, moment) in (recorded.first..).zip(&recorded.moments) {
        for fault in FAULTS.into_iter().filter(|fault| fault.can_hit(moment.kind)) {
            for seed in 0..seeds(fault) * more {
                let name = format!("{}:{operation}:{fault:?}:{seed}", recorded.workload.name);
                if alone.as_ref().is_some_and(|alone| *alone != name) {
                    continue;
                }
                cases += 1;
                if let Err(reason) = recorded.run(Case { operation, fault, seed }) {
                    let (call, path) = (moment.call, moment.path.display());
                    panic!("{reason}\n  at {call} {path}; again: INDELIBLE_FAULT_CASE={name}");
                }
            }
        }
    }
    println!("{}: {cases} cases at {} operations", recorded.workload.name, recorded.moments.len());
    assert!(alone.is_some() || cases >= at_least, "only {cases} cases");
}

#[test]
fn a_log_survives_every_fault_at_every_operation_from_its_making_on() {
    run_all(&record(&beginning(), &empty(), Vec::new()), 39_500);
}

#[test]
fn a_log_survives_every_fault_at_every_operation_while_it_grows() {
    let workload = growing();
    let (base, acks) = grown(&workload);
    run_all(&record(&workload, &base, acks), 60_500);
}

#[test]
fn the_simulation_is_deterministic_and_a_recorded_crash_is_the_crash_itself() {
    let workload = beginning();
    let recorded = record(&workload, &empty(), Vec::new());
    let again = record(&workload, &empty(), Vec::new());
    let everything = |disk: &SimDisk| (disk.operations(), disk.files(Path::new("/")));
    assert_eq!(everything(&recorded.end), everything(&again.end));
    for operation in (recorded.first..recorded.first + recorded.moments.len() as u64).step_by(3) {
        for fault in CRASHES.into_iter().filter(|fault| fault.can_hit(recorded.kind(operation))) {
            let case = Case { operation, fault, seed: operation };
            if !recorded.is_recorded(case) {
                continue;
            }
            let (from_record, live) = (recorded.crash(case), recorded.live(case).unwrap());
            from_record.disk.restart();
            live.disk.restart();
            assert_eq!(
                from_record.disk.files(Path::new("/")),
                live.disk.files(Path::new("/")),
                "{operation} {fault:?}"
            );
            assert_eq!(from_record.acks.len(), live.acks.len(), "{operation} {fault:?}");
        }
    }
}

/// I3, as it happens: no write, rename or removal touches what the checkpoint of that moment names.
#[test]
fn nothing_that_a_checkpoint_names_is_ever_written_again() {
    let workload = growing();
    let (base, acks) = grown(&workload);
    let recorded = record(&workload, &base, acks);
    let log = Path::new(ROOT).join("logs/main");
    let mut written = 0;
    for moment in &recorded.moments {
        let Ok(path) = moment.path.strip_prefix(&log) else { continue };
        let path = path.to_str().unwrap();
        if !matches!(moment.kind, Kind::Write | Kind::Change) || moment.call == "create folder" {
            continue;
        }
        let note = moment.before.peek(&log.join("checkpoint")).unwrap();
        let size: u64 = std::str::from_utf8(&note).unwrap().lines().nth(1).unwrap().parse().unwrap();
        let named_tile =
            TileId::parse(path).is_some_and(|id| TileId::at(id.level, id.index, TreeSize(size)) == Some(id));
        let named_bundle = BundleId::parse(path).is_some_and(|id| BundleId::at(id.index, TreeSize(size)) == Some(id));
        assert!(!named_tile && !named_bundle, "{} {path} while the checkpoint has size {size}", moment.call);
        written += 1;
    }
    assert!(written > 20);
}
