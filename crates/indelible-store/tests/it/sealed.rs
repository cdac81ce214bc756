//! Sealed contents on a failing disk: every operation × every fault × several seeds. What was told to be durable is read after
//! recovery; a key whose destruction was answered never comes back; whatever comes after a fault still works.

use std::path::Path;
use std::sync::Arc;

use indelible_event::doors::BoxFuture;
use indelible_event::id::EventId;
use indelible_event::vault::{Commitment, ContentAbout, Keep, Vault as _, VaultError};
use indelible_store::disk::Disk as _;
use indelible_store::sealed::{
    ContentState, Erase, MasterKeys, SealedOpenError, SealedSettings, SealedStore, UnsealError,
};
use indelible_testkit::env::SeededRandomness;
use indelible_testkit::rng::Rng;
use indelible_testkit::sim_disk::{FAULTS, FaultPlan, SimDisk, Survivors};

const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NEW: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const ROOT: &str = "/data";

/// Small files, so that a few contents fill them; one sync after the other, so that each operation has its number.
const SETTINGS: SealedSettings = SealedSettings {
    reserve_bytes: 0,
    sync_together: false,
    pack_bytes: 16 * 1024,
    file_slots: 6,
    packed_bytes_max: 8 * 1024,
};

#[derive(Clone, Copy, Debug)]
enum Step {
    Open(&'static str),
    /// Contents that come together: subject, how much is kept, length.
    Seal(&'static [(&'static str, Keep, usize)]),
    Erase(&'static str),
    Die,
    LosePower(Survivors),
}

const STEPS: &[Step] = &[
    Step::Open(OLD),
    Step::Seal(&[("ana", Keep::Sealed, 700)]),
    Step::Seal(&[("bob", Keep::Sealed, 5_000), ("ana", Keep::Hash, 10), ("eve", Keep::Sealed, 2_000)]),
    Step::Seal(&[("ana", Keep::Sealed, 80_000)]),
    Step::Die,
    Step::Open(OLD),
    Step::Seal(&[("bob", Keep::Sealed, 6_000), ("bob", Keep::Sealed, 3_000), ("eve", Keep::Sealed, 40)]),
    Step::Erase("ana"),
    Step::LosePower(Survivors::Any),
    Step::Open("both"),
    Step::Seal(&[("ana", Keep::Sealed, 900)]),
    Step::Erase("bob"),
    Step::LosePower(Survivors::Sectors),
    Step::Open(NEW),
    Step::Seal(&[("bob", Keep::Sealed, 1_000)]),
];

#[derive(Clone)]
struct Known {
    commitment: Commitment,
    subject: &'static str,
    keep: Keep,
    content: Vec<u8>,
    /// Told to be durable.
    kept: bool,
    /// An erasure was asked for, and whether it was answered.
    erasing: bool,
    erased: bool,
}

fn wait(durable: BoxFuture<'static, Result<(), VaultError>>) -> Result<(), VaultError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(durable)
}

struct Run {
    disk: SimDisk,
    store: Option<Arc<SealedStore>>,
    known: Vec<Known>,
    keys: &'static str,
    opens: u64,
}

impl Run {
    fn new(disk: SimDisk) -> Self {
        Self { disk, store: None, known: Vec::new(), keys: OLD, opens: 0 }
    }

    fn try_open(&mut self, keys: &'static str) -> Result<(), SealedOpenError> {
        self.store = None;
        self.keys = keys;
        self.opens += 1;
        let text = if keys == "both" { format!("{NEW} {OLD}") } else { keys.to_owned() };
        let masters = MasterKeys::parse(&text, "a test").unwrap();
        let randomness = Arc::new(SeededRandomness::new(self.opens));
        let disk = Arc::new(self.disk.clone());
        self.store = Some(SealedStore::open(disk, Path::new(ROOT), masters, randomness, SETTINGS)?);
        Ok(())
    }

    fn seal(&mut self, contents: &[(&'static str, Keep, usize)]) {
        let Some(store) = self.store.clone() else { return };
        let mut waiting = Vec::new();
        for (subject, keep, len) in contents {
            let number = self.known.len();
            let content: Vec<u8> = (0..=250u8).cycle().skip(number).take(*len).collect();
            let event = EventId([u8::try_from(number % 250).unwrap(); 16]);
            let about = ContentAbout { event, subject: (*subject).to_owned(), keep: *keep };
            let Ok(mut writer) = store.begin(about) else { continue };
            if content.chunks(3_000).any(|piece| writer.write(piece).is_err()) {
                continue;
            }
            let Ok(sealed) = writer.finish() else { continue };
            let commitment = sealed.commitment;
            let (subject, keep) = (*subject, *keep);
            self.known.push(Known { commitment, subject, keep, content, kept: false, erasing: false, erased: false });
            waiting.push((number, sealed.durable));
        }
        for (number, durable) in waiting {
            self.known[number].kept = wait(durable).is_ok();
        }
    }

    fn erase(&mut self, subject: &str) {
        let Some(store) = self.store.clone() else { return };
        let of = |known: &&mut Known| known.subject == subject;
        self.known.iter_mut().filter(of).for_each(|known| known.erasing = true);
        if store.erase(&Erase::Subject(subject.to_owned())).is_ok() {
            self.known.iter_mut().filter(of).for_each(|known| known.erased = true);
        }
    }

    /// Runs a step; `false` when the process is gone.
    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Open(keys) => {
                if let Err(error) = self.try_open(keys) {
                    assert!(!matches!(error, SealedOpenError::SubjectKey { .. }) || self.disk.met(), "{error}");
                }
            }
            Step::Seal(contents) => self.seal(contents),
            Step::Erase(subject) => self.erase(subject),
            Step::Die => self.end(None),
            Step::LosePower(survivors) => self.end(Some(survivors)),
        }
        !self.disk.crashed()
    }

    fn end(&mut self, power: Option<Survivors>) {
        self.store = None;
        if let Some(survivors) = power {
            self.disk.lose_power(survivors, 9);
        }
        self.disk.restart();
    }

    /// Everything that was promised holds.
    fn check(&self, name: &str) {
        let store = self.store.as_ref().unwrap();
        for known in &self.known {
            let mut content = Vec::new();
            let read = store.reader().check(&known.commitment).and_then(|_| {
                store.reader().read(&known.commitment, &mut |piece| {
                    content.extend_from_slice(piece);
                    true
                })
            });
            let state = store.slots().state(&known.commitment).unwrap();
            match (&read, known.keep) {
                (Ok(_), Keep::Sealed) => {
                    assert!(!known.erased, "{name}: a destroyed key came back");
                    assert_eq!(content, known.content, "{name}");
                }
                (Err(UnsealError::Erased(_)), _) => {
                    assert!(known.erasing, "{name}: erased and nobody asked");
                    assert_eq!(state, ContentState::Erased, "{name}");
                }
                (Err(UnsealError::HashOnly(_)), Keep::Hash) => {
                    assert!(!known.erased, "{name}: a destroyed key came back");
                }
                (Err(UnsealError::Unknown(_)), _) => assert!(!known.kept, "{name}: a kept content is gone"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

fn run(name: &str, plan: FaultPlan) {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/")).unwrap();
    disk.plan(Some(plan));
    let mut run = Run::new(disk);
    let mut rest = STEPS.iter();
    for step in rest.by_ref() {
        if !run.step(*step) {
            break;
        }
    }
    // A fault that ended the process ends the script; one that did not may have stopped the vault.
    let mut rng = Rng::of(plan.seed, 11);
    run.disk.plan(None);
    run.store = None;
    if !run.disk.crashed() && plan.seed % 2 == 1 {
        let survivors = [Survivors::Nothing, Survivors::Any, Survivors::Sectors][rng.index(3)];
        run.disk.lose_power(survivors, rng.next());
    }
    run.disk.restart();
    let keys = [OLD, "both", NEW].into_iter().find(|keys| run.try_open(keys).is_ok());
    assert!(keys.is_some(), "{name}: no master key opens it: {:?}", run.try_open("both").err());
    run.check(name);
    run.erase("eve");
    run.seal(&[("late", Keep::Sealed, 3_000), ("late", Keep::Sealed, 70_000)]);
    assert!(run.known.iter().rev().take(2).all(|known| known.kept), "{name}: the vault does not go on");
    assert!(run.known.iter().all(|known| known.subject != "eve" || known.erased), "{name}: nothing is erased any more");
    let keys = run.keys;
    run.store = None;
    run.disk.lose_power(Survivors::Nothing, rng.next());
    run.disk.restart();
    run.try_open(keys).unwrap();
    run.check(name);
}

#[test]
fn sealed_contents_survive_every_fault_at_every_operation() {
    let disk = SimDisk::new();
    disk.record();
    let mut first = Run::new(disk.clone());
    for step in STEPS {
        assert!(first.step(*step));
    }
    let moments = disk.recorded();
    first.check("without a fault");
    assert!(first.known.iter().all(|known| known.kept));
    let operations = disk.operations();
    if let Ok(case) = std::env::var("INDELIBLE_SEALED_CASE") {
        let parts: Vec<&str> = case.split(':').collect();
        let fault = FAULTS.into_iter().find(|fault| format!("{fault:?}") == parts[1]).unwrap();
        for (at, moment) in moments.iter().enumerate() {
            println!("{at}: {} {}", moment.call, moment.path.display());
        }
        return run(&case, FaultPlan { at: parts[0].parse().unwrap(), fault, seed: parts[2].parse().unwrap() });
    }
    let seeds = std::env::var("INDELIBLE_FAULT_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1);
    for at in 0..operations {
        for (number, fault) in (0..).zip(FAULTS) {
            for seed in 0..seeds {
                let seed = at * 7 + number + seed * 1_001;
                run(&format!("{at}:{fault:?}:{seed}"), FaultPlan { at, fault, seed });
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_contents_and_they_are_taken_again_when_there_is_room() {
    let disk = SimDisk::new();
    let mut full = Run::new(disk.clone());
    full.try_open(OLD).unwrap();
    full.seal(&[("ana", Keep::Sealed, 1_000)]);
    disk.set_capacity(disk.used());
    // what was reserved is still filled
    full.seal(&[("ana", Keep::Sealed, 1_000)]);
    assert!(full.known.iter().all(|known| known.kept));
    let store = full.store.clone().unwrap();
    let about = || ContentAbout { event: EventId([1; 16]), subject: "bob".to_owned(), keep: Keep::Sealed };
    let mut refused = 0;
    for len in [7_000usize, 7_000, 7_000, 7_000, 90_000] {
        let mut writer = store.begin(about()).unwrap();
        let written = writer.write(&vec![1; len]).and_then(|()| writer.finish());
        match written.and_then(|sealed| wait(sealed.durable)) {
            Ok(()) => {}
            Err(VaultError::Full) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused >= 2, "{refused}");
    assert_eq!(store.stopped(), None);
    disk.set_capacity(1 << 40);
    full.seal(&[("bob", Keep::Sealed, 7_000), ("bob", Keep::Sealed, 90_000)]);
    assert!(full.known.iter().all(|known| known.kept));
    full.check("with room again");
}

#[test]
fn a_sync_that_fails_stops_the_vault_until_a_start() {
    let disk = SimDisk::new();
    let mut run = Run::new(disk.clone());
    run.try_open(OLD).unwrap();
    run.seal(&[("ana", Keep::Sealed, 1_000)]);
    disk.fail_syncs(Some(".pack"));
    run.seal(&[("ana", Keep::Sealed, 1_000)]);
    disk.fail_syncs(None);
    disk.plan(None);
    run.seal(&[("bob", Keep::Sealed, 1_000)]);
    assert_eq!(run.known.iter().filter(|known| known.kept).count(), 1);
    let store = run.store.clone().unwrap();
    assert!(store.stopped().is_some_and(|reason| reason.contains(".pack")));
    assert!(store.erase(&Erase::Subject("ana".to_owned())).is_err());
    drop(store);
    run.end(Some(Survivors::Nothing));
    run.try_open(OLD).unwrap();
    run.check("after the start");
    run.seal(&[("bob", Keep::Sealed, 1_000)]);
    assert!(run.known.last().unwrap().kept);
}
