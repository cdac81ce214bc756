//! The drill: copies a log, attacks the copy in every way we know, and shows what catches each attack.
//!
//! Promises: the log itself is only read; every attack is carried out on files, by the real formats; an attack that goes
//! unnoticed makes the drill fail. Never: counts an attack as caught by a check that the attacker could have renewed; where
//! only a memory outside the attacker's reach can tell (a kept checkpoint, a receipt, a pinned key), the table says so.
//!
//! The rows are the attacks of the threat model in SECURITY.md, with the same numbers.

mod data_folder;
mod evidence;
mod published;
mod table;
mod workbench;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) use table::{print_json, print_text};
pub(crate) use workbench::{Workbench, WorkbenchError};

/// What must be in an attacker's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Writes the server's disk.
    Disk,
    /// Writes the disk and holds the log's signing key.
    Key,
    /// Sits between source and server.
    Network,
    /// Administers the server.
    Admin,
    /// Nobody: the hardware failed.
    Hardware,
}

/// How an attack was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// From the published bytes alone.
    Bytes,
    /// By comparing a view with the log.
    Log,
    /// By what the source said about itself: sequence numbers.
    Completeness,
    /// Only with a memory outside the attacker's reach.
    OutsideMemory(&'static str),
    /// When the server starts.
    Start,
    /// At the door: it was not taken.
    Door,
}

/// What became of one attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Caught: by what, in words, and how.
    Caught {
        /// What caught it, with the place it named.
        by: String,
        /// How.
        means: Means,
    },
    /// Not caught.
    Missed {
        /// What the checks said instead.
        said: String,
    },
    /// No detector exists yet; which part of the product will bring it.
    NotYetGuarded {
        /// What is missing.
        needs: &'static str,
    },
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Its number in the threat model.
    pub number: &'static str,
    /// What the attacker does.
    pub attack: &'static str,
    /// What the attacker needs.
    pub level: Level,
    /// What became of it.
    pub verdict: Verdict,
    /// How long the check took that caught it.
    pub time: Duration,
}

/// What stopped the drill itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DrillError {
    /// The copy could not be made or attacked.
    #[error("the copy to attack could not be made")]
    Workbench(#[from] WorkbenchError),
    /// A file of the copy could not be read or written.
    #[error("the copy at {} could not be changed", path.display())]
    Copy {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The untouched copy does not verify: nothing can be learned from attacking it.
    #[error("the copy is not intact before any attack ({said}); run `indelible verify` on the log itself")]
    NotIntact {
        /// What the check said.
        said: String,
    },
    /// The log is too small to attack.
    #[error(
        "the log has {entries} entries; a drill needs at least {needed}: record some, or run `indelible serve --demo`"
    )]
    TooSmall {
        /// How many there are.
        entries: usize,
        /// How many are needed.
        needed: usize,
    },
}

/// What an attack led to, and how long the check took.
pub(crate) type Outcome = Result<(Verdict, Duration), DrillError>;

/// An attack: changes a copy, then asks the detector.
pub(crate) struct Attack {
    pub(crate) number: &'static str,
    pub(crate) attack: &'static str,
    pub(crate) level: Level,
    pub(crate) run: fn(&Workbench) -> Outcome,
}

/// Attacks of the threat model whose detector belongs to a part that does not exist yet.
const NOT_YET: [(&str, &str, Level, &str); 9] = [
    ("13", "set the server's clock back or forth", Level::Admin, "witness time against entry time (witnesses)"),
    (
        "15",
        "drop events inside the server under load",
        Level::Admin,
        "counts in the log against acknowledgements (watch)",
    ),
    (
        "16",
        "flood the log to bury an event or fill the disk",
        Level::Network,
        "rates and quotas for each source (watch)",
    ),
    ("18", "suspend recording quietly and resume later", Level::Admin, "heartbeat and checkpoint-age alarms (watch)"),
    ("19", "shorten retention or bypass the object lock", Level::Admin, "a scrub of the lock settings (guard)"),
    (
        "21",
        "replace the verifier, or let the page lie",
        Level::Admin,
        "a second verifier in the browser (desk); Go's sumdb today",
    ),
    ("23", "make up witnesses, many of one owner", Level::Key, "a witness policy (guard)"),
    ("26", "erase without authority", Level::Admin, "tombstones with two approvers (guard)"),
    ("17b", "delete the bucket that holds the only copy", Level::Admin, "object lock and a mirror (guard)"),
];

/// Runs every attack on copies of `workbench`'s log. `progress` is told how many of how many are done.
///
/// # Errors
/// [`DrillError`] when the drill itself cannot go on; a missed attack is a row, not an error.
pub(crate) fn run(workbench: &Workbench, mut progress: impl FnMut(usize, usize)) -> Result<Vec<Row>, DrillError> {
    workbench.check_untouched()?;
    let attacks: Vec<&Attack> =
        published::ATTACKS.iter().chain(&evidence::ATTACKS).chain(&data_folder::ATTACKS).collect();
    let mut rows = Vec::new();
    for (done, attack) in attacks.iter().enumerate() {
        progress(done, attacks.len());
        let (verdict, time) = (attack.run)(workbench)?;
        rows.push(Row { number: attack.number, attack: attack.attack, level: attack.level, verdict, time });
    }
    progress(attacks.len(), attacks.len());
    for (number, attack, level, needs) in NOT_YET {
        rows.push(Row { number, attack, level, verdict: Verdict::NotYetGuarded { needs }, time: Duration::ZERO });
    }
    rows.sort_by_key(|row| {
        let digits = row.number.trim_end_matches(|c: char| !c.is_ascii_digit());
        (digits.parse::<u32>().unwrap_or(u32::MAX), row.number)
    });
    Ok(rows)
}

/// How many rows were missed.
#[must_use]
pub(crate) fn missed(rows: &[Row]) -> usize {
    rows.iter().filter(|row| matches!(row.verdict, Verdict::Missed { .. })).count()
}

/// Runs a check and measures it.
pub(crate) fn timed<T>(check: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let found = check();
    (found, start.elapsed())
}
