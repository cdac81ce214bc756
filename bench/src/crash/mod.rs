//! The crash test: kills a server with SIGKILL at random moments under load, starts it again, and holds it to what it
//! acknowledged.
//!
//! After each start: every acknowledged event stands at its index with the same bytes; no id stands twice; what was sent without
//! an answer was recorded as a whole or not at all, and sending it again converges; the last checkpoint that was served is a
//! prefix of the log. Never: touches a data folder that it did not make, but in the start-time mode.

/// What must hold after a start.
pub mod check;
/// Entries read from the published files.
pub mod entries;
/// The test's own events.
pub mod events;
/// What was sent, and what was acknowledged.
pub mod ledger;
/// The server's process.
pub mod server;
/// How long a start takes.
pub mod start;
/// Connections that send until the server is gone.
pub mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;

use crate::latency::Latencies;
use crate::random::Random;

use check::Checker;
use ledger::Ledger;
use server::{Server, Setting};
use writer::{Load, Served};

/// A server that is killed within this time after its start is killed while it recovers.
const EARLY: Duration = Duration::from_millis(200);
/// Share of kills that are early, in percent.
const EARLY_PERCENT: u64 = 25;

/// A fault is told in at most so many characters: answers with many indexes are long.
const FAULT_CHARACTERS: usize = 700;

/// What to do.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The server's binary (`indelible`).
    #[arg(long)]
    pub server: PathBuf,
    /// How often to kill it.
    #[arg(long, default_value_t = 300)]
    pub kills: u64,
    /// Seed of a run to be repeated: the same events, the same kinds of requests, the same moments to kill.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Connections that send.
    #[arg(long, default_value_t = 6)]
    pub connections: u32,
    /// Longest time under load before a kill, in milliseconds.
    #[arg(long, default_value_t = 1500)]
    pub alive_ms: u64,
    /// Folder for data and log lines; made, and removed again when all is well. Without it: a temporary one.
    #[arg(long)]
    pub folder: Option<PathBuf>,
    /// Keep the folder.
    #[arg(long)]
    pub keep: bool,
    /// Say what happens in each round.
    #[arg(long, short)]
    pub verbose: bool,
    /// Start an existing data folder so many times after SIGKILL, and tell how long it takes; nothing else.
    #[arg(long, value_name = "TIMES", requires = "data")]
    pub start_time: Option<u64>,
    /// The data folder for --start-time: its server must be down. Events are added to it.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// The admin token of that data folder.
    #[arg(long, env = "INDELIBLE_TOKEN", default_value = server::TOKEN, hide_env_values = true, hide_default_value = true)]
    pub token: String,
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Rounds in which everything held.
    pub passed: u64,
    /// Rounds in which something did not.
    pub failed: u64,
    /// Acknowledged events, all checked.
    pub events: u64,
    /// Time from the start of the process to `/readyz`.
    pub ready: Latencies,
    /// Time from ready until a checkpoint covered everything acknowledged.
    pub converged: Latencies,
}

/// Kills and checks.
///
/// # Errors
/// When the server cannot be started at all, or its folder not be made.
pub fn run(options: &Options) -> io::Result<Outcome> {
    let seed = options.seed.unwrap_or_else(Random::seed_from_time);
    println!("seed {seed}");
    let setting = Setting::fresh(options)?;
    let mut outcome = Outcome::default();
    let mut run = Run {
        options,
        random: Random::new(seed),
        served: Arc::new(Served::default()),
        ledgers: (0..options.connections).map(|lane| Ledger::new(seed, lane)).collect(),
        checker: Checker::new(&setting),
        setting: &setting,
    };
    for round in 0..=options.kills {
        // The last round checks what the last kill left, and kills no more.
        let faults = run.round(round, round == options.kills, &mut outcome)?;
        for fault in &faults {
            let fault: String = fault.chars().take(FAULT_CHARACTERS).collect();
            println!("round {round}: {fault}");
        }
        // What is lost once is missing in every later round: there is no more to learn after the first.
        if !faults.is_empty() {
            outcome.failed += 1;
            break;
        }
        outcome.passed += 1;
    }
    outcome.events = run.ledgers.iter().map(|ledger| ledger.places.len() as u64).sum();
    if outcome.failed > 0 {
        println!("repeat with --seed {seed}; the folder is kept: {}", setting.folder.display());
    } else if !options.keep {
        std::fs::remove_dir_all(&setting.folder)?;
    }
    Ok(outcome)
}

struct Run<'a> {
    options: &'a Options,
    setting: &'a Setting,
    random: Random,
    served: Arc<Served>,
    ledgers: Vec<Ledger>,
    checker: Checker,
}

impl Run<'_> {
    /// Starts, checks what is there, sends, kills.
    fn round(&mut self, round: u64, last: bool, outcome: &mut Outcome) -> io::Result<Vec<String>> {
        let mut random = self.random.fork(round);
        let early = !last && round > 0 && random.chance(EARLY_PERCENT);
        let mut faults = Vec::new();
        let mut server = Server::start(self.setting)?;
        let mut kill_at = server.started + fraction(EARLY, &mut random);
        if !early {
            match server.wait_until_ready() {
                Ok(ready) => outcome.ready.add(ready),
                // The first start fails for reasons of its own, such as a wrong path: no finding of this test.
                Err(error) if round == 0 => return Err(error),
                Err(error) => return Ok(vec![error.to_string()]),
            }
            faults.extend(self.checker.check(&self.ledgers, &self.served, &mut random, outcome));
            if last || !faults.is_empty() {
                return Ok(faults);
            }
            kill_at = Instant::now() + fraction(Duration::from_millis(self.options.alive_ms), &mut random);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let load = Load::start(self.setting, std::mem::take(&mut self.ledgers), &self.served, &random, &stop);
        std::thread::sleep(kill_at.saturating_duration_since(Instant::now()));
        let ended_by_itself = server.has_ended();
        server.kill();
        stop.store(true, Ordering::Relaxed);
        let (ledgers, found) = load.join();
        self.ledgers = ledgers;
        faults.extend(found);
        if let Some(status) = ended_by_itself {
            faults.push(format!("the server ended by itself, {status}: {}", self.setting.last_words()));
        }
        if self.options.verbose {
            let events: usize = self.ledgers.iter().map(|ledger| ledger.places.len()).sum();
            let unknown = self.ledgers.iter().filter(|ledger| ledger.unknown > 0).count();
            println!(
                "round {round}: killed {}, {events} acknowledged, {unknown} unanswered",
                if early { "early" } else { "late" }
            );
        }
        Ok(faults)
    }
}

/// A random part of a time, in microseconds.
fn fraction(of: Duration, random: &mut Random) -> Duration {
    Duration::from_micros(random.below(u64::try_from(of.as_micros()).unwrap_or(u64::MAX)))
}
