//! What must hold after a start, whatever was under way when the server was killed.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use indelible_event::id::EventId;
use serde_json::Value;

use crate::checkpoints::{Looker, wait_for};
use crate::http::Connection;
use crate::random::Random;
use crate::target::Target;

use super::entries;
use super::events::Event;
use super::ledger::Ledger;
use super::server::Setting;
use super::writer::Served;
use super::{Outcome, fraction};

/// Entries of each lane that are asked for through the server at each check: the newest, and some of all.
const NEWEST_ASKED: u64 = 20;
const OTHERS_ASKED: u64 = 20;

/// Checks a server after each of its starts.
#[derive(Debug)]
pub struct Checker {
    binary: PathBuf,
    target: Target,
    published: PathBuf,
    kept: PathBuf,
    seen: Seen,
}

/// What published files have shown so far.
#[derive(Debug, Default)]
struct Seen {
    /// Entries read.
    size: u64,
    /// Ids of all of them, the server's own events too.
    ids: HashSet<EventId>,
    /// For each lane, where its events stand, by number less one.
    places: Vec<Vec<u64>>,
    /// When the last was recorded.
    recorded: String,
}

impl Checker {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(setting: &Setting) -> Self {
        Self {
            binary: setting.binary.clone(),
            target: setting.target.clone(),
            published: setting.published(),
            kept: setting.folder.join("kept.checkpoint"),
            seen: Seen::default(),
        }
    }

    /// Checks everything. Gives what does not hold, in sentences.
    pub fn check(
        &mut self,
        ledgers: &[Ledger],
        served: &Served,
        random: &mut Random,
        outcome: &mut Outcome,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        let mut note = |result: Result<(), String>| faults.extend(result.err());
        note(self.ask_for_entries(ledgers, random));
        // Sometimes the log is judged at once, sometimes after a checkpoint or two.
        std::thread::sleep(fraction(std::time::Duration::from_millis(50), random));
        note(self.verify(served));
        if !faults.is_empty() {
            return faults;
        }
        let mut note = |result: Result<(), String>| faults.extend(result.err());
        let end = ledgers.iter().flat_map(|ledger| &ledger.places).max().map_or(0, |last| last + 1);
        let mut looker = Looker::new(&self.target);
        match wait_for(&mut looker, end.max(served.size())) {
            Some(waited) => outcome.converged.add(waited),
            None => note(Err(format!("no checkpoint came to cover index {}", end.saturating_sub(1)))),
        }
        match looker.text() {
            Ok(Some(text)) => note(served.remember(text)),
            Ok(None) => {}
            Err(error) => note(Err(format!("asking for the checkpoint: {error}"))),
        }
        note(self.read_published(ledgers, served.size()));
        faults
    }

    /// Acknowledged entries through the server: from the journal, for the newest are not published yet.
    fn ask_for_entries(&self, ledgers: &[Ledger], random: &mut Random) -> Result<(), String> {
        let mut connection = Connection::to(&self.target.address);
        for ledger in ledgers {
            let last = ledger.next() - 1;
            let newest = last.saturating_sub(NEWEST_ASKED) + 1..=last;
            let others: Vec<u64> = (0..OTHERS_ASKED.min(last)).map(|_| 1 + random.below(last)).collect();
            for seq in newest.chain(others) {
                let Some(place) = ledger.place(seq) else { continue };
                let path = format!("/v1/logs/{}/entries/{place}", self.target.log);
                let entry = connection.get(&path, &self.target.token).and_then(|answer| answer.ok());
                let entry = entry.map_err(|error| format!("acknowledged entry {place} cannot be read: {error}"))?;
                if !Event::new(ledger.seed, ledger.lane, seq).is_stored_as(&entry) {
                    let text: String = String::from_utf8_lossy(&entry).chars().take(300).collect();
                    return Err(format!(
                        "lane {} event {seq} was acknowledged at {place}, where now stands: {text}",
                        ledger.lane
                    ));
                }
            }
        }
        Ok(())
    }

    /// The whole log by the product's own verifier, against the last checkpoint that was served before the kill.
    fn verify(&self, served: &Served) -> Result<(), String> {
        let Some(kept) = served.text() else { return Ok(()) };
        fs::write(&self.kept, kept).map_err(|error| format!("keeping a checkpoint: {error}"))?;
        let Err(said) = self.run_verifier() else { return Ok(()) };
        // The server goes on publishing meanwhile. A log that is tampered with stays so; a verdict that changes is the verifier's.
        let from = format!("from the checkpoint of size {} that was served before", served.size());
        Err(match self.run_verifier() {
            Ok(()) => format!("a log in use was intact {from} only when verified again; at first, {said}"),
            Err(_) => format!("the log does not verify {from}, {said}"),
        })
    }

    fn run_verifier(&self) -> Result<(), String> {
        let output = Command::new(&self.binary)
            .arg("verify")
            .arg(&self.published)
            .arg("--from")
            .arg(&self.kept)
            .args(["--format", "json"])
            .output()
            .map_err(|error| format!("running the verifier: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(format!("{}: {}", output.status, String::from_utf8_lossy(&said)))
    }

    /// Everything that was published since the last check: each event once, in its lane's order, at its acknowledged index.
    fn read_published(&mut self, ledgers: &[Ledger], size: u64) -> Result<(), String> {
        let seen = &mut self.seen;
        seen.places.resize(ledgers.len(), Vec::new());
        entries::read(&self.published, seen.size, size, |index, entry| {
            seen.take(index, entry, ledgers).map_err(|fault| io::Error::other(format!("entry {index}: {fault}")))
        })
        .map_err(|error| error.to_string())?;
        seen.size = size;
        for (ledger, places) in ledgers.iter().zip(&seen.places) {
            let acknowledged = ledger.places.len();
            if places.get(..acknowledged) != Some(ledger.places.as_slice()) {
                let at = places.iter().zip(&ledger.places).take_while(|(found, told)| found == told).count();
                return Err(format!(
                    "lane {} event {}: acknowledged at {:?}, published at {:?}",
                    ledger.lane,
                    at + 1,
                    ledger.places.get(at),
                    places.get(at)
                ));
            }
            // Of what has no answer all is there, or nothing.
            let more = (places.len() - acknowledged) as u64;
            if more != 0 && more != ledger.unknown {
                return Err(format!(
                    "lane {}: {more} events of an unanswered request of {}",
                    ledger.lane, ledger.unknown
                ));
            }
        }
        Ok(())
    }
}

impl Seen {
    fn take(&mut self, index: u64, entry: &[u8], ledgers: &[Ledger]) -> Result<(), String> {
        let value: Value = serde_json::from_slice(entry).map_err(|error| error.to_string())?;
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let id = EventId::parse(text("/id").as_bytes()).ok_or("an entry without id")?;
        if !self.ids.insert(id) {
            return Err(format!("id {} stands in the log twice", text("/id")));
        }
        if text("/recorded") < self.recorded.as_str() {
            return Err(format!("recorded {} after {}", text("/recorded"), self.recorded));
        }
        text("/recorded").clone_into(&mut self.recorded);
        if text("/source/kind") != "crash" {
            return Ok(());
        }
        let lane = text("/source/id").strip_prefix("crash-").and_then(|lane| lane.parse::<usize>().ok());
        let (Some(ledger), Some(places)) =
            (lane.and_then(|lane| ledgers.get(lane)), lane.and_then(|lane| self.places.get_mut(lane)))
        else {
            return Err("an event of no lane".to_owned());
        };
        let seq = places.len() as u64 + 1;
        if !Event::new(ledger.seed, ledger.lane, seq).is_stored_as(entry) {
            return Err(format!("is not event {seq} of lane {}, which comes next", ledger.lane));
        }
        places.push(index);
        Ok(())
    }
}
