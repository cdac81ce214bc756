//! A disk in memory that fails as told: a model of files, folders, syncs, power failures and dying processes.
//!
//! What is written is seen at once and durable after a sync of the file; a name in a folder is durable after a sync of the
//! folder. When the process dies, what is seen stays. When power fails, what is durable stays, and of the rest what the fault's
//! seed lets through. Promises: deterministic by seed. Never: kinder than a real disk in what a crash may leave.

mod calls;
mod fault;
mod tree;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use indelible_store::disk::DiskError;

use crate::rng::Rng;
pub use fault::{FAULTS, Fault, FaultPlan, Kind, Survivors};
use tree::{NodeId, Tree};

/// Room on a disk that is not told how large it is.
const CAPACITY: u64 = 1 << 40;

/// The disk. Clones are handles on the same disk; [`SimDisk::copy`] makes another one.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    resumed: Condvar,
}

#[derive(Clone, Debug)]
struct State {
    tree: Tree,
    capacity: u64,
    operations: u64,
    plan: Option<FaultPlan>,
    met: bool,
    crashed: bool,
    /// What a power failure leaves, and the seed that chooses.
    power: Option<(Survivors, u64)>,
    /// Counts starts: files opened before one are of no use after it.
    start: u32,
    /// Contents that were ever written to a path that ends like this.
    watched: Option<&'static str>,
    notes: Vec<Arc<[u8]>>,
    recording: Option<Vec<Moment>>,
    paused: bool,
    /// Syncs of paths that end like this fail.
    failing: Option<&'static str>,
}

/// One operation of a recorded run.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The disk as it was before the operation.
    pub before: SimDisk,
    /// What kind of operation it was.
    pub kind: Kind,
    /// What was called.
    pub call: &'static str,
    /// On which path.
    pub path: PathBuf,
}

/// How an operation is to end.
enum Ending {
    Well,
    Failed(io::ErrorKind),
    Crash,
    /// Only a beginning of the bytes, then that.
    Part(u64, Box<Ending>),
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty disk with more room than anything needs.
    #[must_use]
    pub fn new() -> Self {
        Self::of(State {
            tree: Tree::new(),
            capacity: CAPACITY,
            operations: 0,
            plan: None,
            met: false,
            crashed: false,
            power: None,
            start: 0,
            watched: None,
            notes: Vec::new(),
            recording: None,
            paused: false,
            failing: None,
        })
    }

    fn of(state: State) -> Self {
        Self(Arc::new(Shared { state: Mutex::new(state), resumed: Condvar::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds every operation from now on, as a disk that hangs would, until [`SimDisk::resume`].
    pub fn pause(&self) {
        self.state().paused = true;
    }

    /// From now on every sync of a path that ends in `suffix` fails; `None` for none.
    pub fn fail_syncs(&self, suffix: Option<&'static str>) {
        self.state().failing = suffix;
    }

    /// Lets operations go on.
    pub fn resume(&self) {
        self.state().paused = false;
        self.0.resumed.notify_all();
    }

    /// Another disk with the same content, open files and operation count, without plan and recording.
    #[must_use]
    pub fn copy(&self) -> Self {
        self.state().copy()
    }

    /// Plans a fault; forgets an earlier one.
    pub fn plan(&self, plan: Option<FaultPlan>) {
        let mut state = self.state();
        state.plan = plan;
        state.met = false;
    }

    /// Whether the planned fault has come.
    #[must_use]
    pub fn met(&self) -> bool {
        self.state().met
    }

    /// Whether the process or the power is gone: every call fails until [`SimDisk::restart`].
    #[must_use]
    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// How many processes have started on it.
    #[must_use]
    pub fn starts(&self) -> u32 {
        self.state().start
    }

    /// Bytes that all files together may take.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// Bytes that all files together take.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.state().tree.used()
    }

    /// Takes the power away now.
    pub fn lose_power(&self, survivors: Survivors, seed: u64) {
        let mut state = self.state();
        state.crashed = true;
        state.power = Some((survivors, seed));
    }

    /// A new process finds the disk: after a power failure as the seed left it, else as it was seen last. Files that the old
    /// process had open are closed. A plan stays.
    pub fn restart(&self) {
        let mut state = self.state();
        if let Some((survivors, seed)) = state.power.take() {
            state.tree.lose_power(survivors, seed);
        }
        state.start += 1;
        state.crashed = false;
    }

    /// From now on keeps what is written by `write` to paths that end in `suffix`, be it ever durable or not.
    pub fn watch(&self, suffix: &'static str) {
        self.state().watched = Some(suffix);
    }

    /// What was written there, in order.
    #[must_use]
    pub fn notes(&self) -> Vec<Arc<[u8]>> {
        self.state().notes.clone()
    }

    /// From now on keeps the disk as it is before each operation.
    pub fn record(&self) {
        self.state().recording = Some(Vec::new());
    }

    /// The operations since [`SimDisk::record`].
    #[must_use]
    pub fn recorded(&self) -> Vec<Moment> {
        self.state().recording.take().unwrap_or_default()
    }

    /// A file as it is seen, without counting as an operation.
    #[must_use]
    pub fn peek(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        state.tree.find(path).and_then(|node| state.tree.content(node)).map(|content| content.to_vec()).ok()
    }

    /// Changes a stored file behind everybody's back, durably; without counting as an operation.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let Ok(node) = state.tree.find(path) else { return };
        let Ok(mut content) = state.tree.content(node).map(|content| content.to_vec()) else { return };
        change(&mut content);
        let written = state.tree.set_len(node, 0).and_then(|()| state.tree.write_at(node, 0, &content));
        debug_assert!(written.is_ok());
        state.tree.sync(node);
    }

    /// Every file below a folder, with its content as it is seen; without counting as an operation.
    #[must_use]
    pub fn files(&self, folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let state = self.state();
        let mut files = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for name in state.tree.list(&folder).unwrap_or_default() {
                let path = folder.join(name);
                match state.tree.find(&path).and_then(|node| state.tree.content(node)) {
                    Ok(content) => files.push((path, content.to_vec())),
                    Err(_) => folders.push(path),
                }
            }
        }
        files.sort();
        files
    }

    /// Runs one operation: counts it, lets its fault come, and otherwise does it. `run` is told how many bytes of a write of
    /// so many to do.
    fn operate<T>(
        &self,
        (kind, call, path): (Kind, &'static str, &Path),
        run: impl FnOnce(&mut State, &dyn Fn(usize) -> usize) -> io::Result<T>,
    ) -> Result<T, DiskError> {
        let failed = |source| DiskError { call, path: path.to_owned(), source };
        let mut state = self.state();
        while state.paused {
            state = self.0.resumed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.crashed {
            return Err(failed(io::Error::other("the process is gone")));
        }
        let recorded =
            state.recording.is_some().then(|| Moment { before: state.copy(), kind, call, path: path.to_owned() });
        if let (Some(recording), Some(moment)) = (&mut state.recording, recorded) {
            recording.push(moment);
        }
        if kind == Kind::Sync && state.failing.is_some_and(|suffix| path.to_string_lossy().ends_with(suffix)) {
            let at = state.operations;
            state.plan = Some(FaultPlan { at, fault: Fault::FailedSync, seed: at });
        }
        let mut ending = state.begin(kind).map_err(failed)?;
        let mut part = None;
        if let Ending::Part(seed, after) = ending {
            part = Some(seed);
            ending = *after;
        }
        let done = run(&mut state, &|len| part.map_or(len, |seed| Rng::of(seed, 3).index(len + 1)));
        match ending {
            Ending::Well | Ending::Part(..) => done.map_err(failed),
            Ending::Failed(kind) => Err(failed(kind.into())),
            Ending::Crash => {
                state.crashed = true;
                Err(failed(io::Error::other("the process is gone")))
            }
        }
    }
}

impl State {
    fn copy(&self) -> SimDisk {
        let (tree, notes) = (self.tree.clone(), self.notes.clone());
        SimDisk::of(Self { plan: None, met: false, recording: None, tree, notes, ..*self })
    }

    /// Counts an operation and decides how it ends. An error means that it is not done.
    fn begin(&mut self, kind: Kind) -> io::Result<Ending> {
        let at = self.operations;
        self.operations += 1;
        let Some(FaultPlan { fault, seed, .. }) = self.plan.filter(|plan| plan.at == at && plan.fault.can_hit(kind))
        else {
            return Ok(Ending::Well);
        };
        self.met = true;
        let gone = || io::Error::other("the process is gone");
        let room_or_not = if seed % 2 == 0 { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
        match fault {
            Fault::Fail => Err(io::Error::other("a planned failure")),
            Fault::FailDone => Ok(Ending::Failed(io::ErrorKind::Other)),
            Fault::NoSpace => Err(io::ErrorKind::StorageFull.into()),
            Fault::CrashBefore => {
                self.crashed = true;
                Err(gone())
            }
            Fault::CrashAfter => Ok(Ending::Crash),
            Fault::CrashWithin => Ok(Ending::Part(seed, Box::new(Ending::Crash))),
            Fault::ShortWrite => Ok(Ending::Part(seed, Box::new(Ending::Failed(room_or_not)))),
            // done where the bytes are
            Fault::FlippedBit => Ok(Ending::Well),
            Fault::Torn | Fault::Lost | Fault::Reordered => {
                self.power = fault.survivors().map(|survivors| (survivors, seed));
                // a sync that power takes away has not happened; anything else has, and is not durable
                self.crashed = kind == Kind::Sync;
                if self.crashed { Err(gone()) } else { Ok(Ending::Crash) }
            }
            Fault::FailedSync => Ok(Ending::Failed(io::ErrorKind::Other)),
        }
    }

    /// The seed of a sync that fails now.
    fn failing_sync(&self) -> Option<u64> {
        let plan = self.plan.filter(|plan| plan.fault == Fault::FailedSync && plan.at + 1 == self.operations)?;
        Some(plan.seed)
    }

    fn sync(&mut self, nodes: &[NodeId]) {
        let failing = self.failing_sync();
        for (n, node) in nodes.iter().enumerate() {
            match failing {
                Some(seed) => self.tree.fail_sync(*node, &mut Rng::of(seed, 4 + n as u64)),
                None => self.tree.sync(*node),
            }
        }
    }

    /// One bit of what is read, when that is the fault.
    fn flip(&self, bytes: &mut [u8]) {
        let flipping = self.plan.filter(|plan| plan.fault == Fault::FlippedBit && plan.at + 1 == self.operations);
        if let Some(plan) = flipping
            && !bytes.is_empty()
        {
            let mut rng = Rng::of(plan.seed, 5);
            let at = rng.index(bytes.len());
            bytes[at] ^= 1 << rng.below(8);
        }
    }

    fn grow(&self, more: usize) -> io::Result<()> {
        let fits = self.capacity == CAPACITY || self.tree.used() + more as u64 <= self.capacity;
        if fits { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
}
