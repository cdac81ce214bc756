//! Lanes that send until the server is gone: single events, batches, events sent again, and events that must be refused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::checkpoints::{Looker, size_of};
use crate::http::Connection;
use crate::random::Random;

use super::events::Event;
use super::ledger::{Ledger, Sent};
use super::server::Setting;

/// Between two tries to reach a server that is not there (yet).
const RETRY_EVERY: Duration = Duration::from_millis(2);
/// Between two looks at the checkpoint.
const LOOK_EVERY: Duration = Duration::from_millis(15);
const BATCH_MAX: u64 = 200;

/// The newest checkpoint that any life of the server has served.
#[derive(Debug, Default)]
pub struct Served(Mutex<Option<String>>);

impl Served {
    /// Its text.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its tree size.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.text().as_deref().and_then(size_of).unwrap_or(0)
    }

    /// Remembers a newer one.
    ///
    /// # Errors
    /// When it is older than the one before: the log has shrunk.
    pub fn remember(&self, text: String) -> Result<(), String> {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = newest.as_deref().and_then(size_of).unwrap_or(0);
        let size = size_of(&text).unwrap_or(0);
        if size < before {
            return Err(format!("a checkpoint of size {size} was served after one of size {before}"));
        }
        *newest = Some(text);
        Ok(())
    }
}

/// All lanes at work.
#[derive(Debug)]
pub struct Load {
    lanes: Vec<JoinHandle<(Ledger, Vec<String>)>>,
    looker: JoinHandle<Vec<String>>,
}

impl Load {
    /// Sends until `stop`.
    #[must_use]
    pub fn start(
        setting: &Setting,
        ledgers: Vec<Ledger>,
        served: &Arc<Served>,
        random: &Random,
        stop: &Arc<AtomicBool>,
    ) -> Self {
        let lanes = ledgers
            .into_iter()
            .map(|ledger| {
                let mut lane = Lane {
                    connection: Connection::to(&setting.target.address),
                    token: setting.target.token.clone(),
                    path: setting.target.record_path(),
                    random: random.fork(1 + u64::from(ledger.lane)),
                    ledger,
                };
                let stop = Arc::clone(stop);
                std::thread::spawn(move || {
                    let faults = lane.send_until(&stop);
                    (lane.ledger, faults)
                })
            })
            .collect();
        let (mut looker, served, stop) = (Looker::new(&setting.target), Arc::clone(served), Arc::clone(stop));
        let looker = std::thread::spawn(move || {
            let mut faults = Vec::new();
            while !stop.load(Ordering::Relaxed) && faults.is_empty() {
                if let Ok(Some(text)) = looker.text()
                    && let Err(fault) = served.remember(text)
                {
                    faults.push(fault);
                }
                std::thread::sleep(LOOK_EVERY);
            }
            faults
        });
        Self { lanes, looker }
    }

    /// Waits for the lanes. Gives their books and what was wrong.
    #[must_use]
    pub fn join(self) -> (Vec<Ledger>, Vec<String>) {
        let mut ledgers = Vec::new();
        let mut faults = self.looker.join().unwrap_or_default();
        for lane in self.lanes {
            match lane.join() {
                Ok((ledger, found)) => {
                    ledgers.push(ledger);
                    faults.extend(found);
                }
                Err(_) => faults.push("a lane of the crash test itself has panicked".to_owned()),
            }
        }
        (ledgers, faults)
    }
}

struct Lane {
    connection: Connection,
    token: String,
    path: String,
    random: Random,
    ledger: Ledger,
}

impl Lane {
    fn send_until(&mut self, stop: &AtomicBool) -> Vec<String> {
        while !stop.load(Ordering::Relaxed) {
            let turn = if self.ledger.next() > 1 && self.ledger.unknown == 0 && self.random.chance(4) {
                self.send_conflict()
            } else {
                let sent = self.next_request();
                self.send(&sent)
            };
            // One fault is enough: what follows from it would only hide it.
            if let Err(fault) = turn {
                return vec![fault];
            }
        }
        Vec::new()
    }

    /// What has no answer yet is sent first; then anything.
    fn next_request(&mut self) -> Sent {
        if self.ledger.unknown > 0 {
            return Sent { again: Vec::new(), new: self.ledger.unknown, retried: true };
        }
        let new = if self.random.chance(60) { 1 } else { 2 + self.random.below(BATCH_MAX - 1) };
        let mut again = Vec::new();
        if self.ledger.next() > 1 && self.random.chance(12) {
            // Often the newest, whose fate a crash may just have touched.
            let newest = self.ledger.next() - 1;
            let reach = if self.random.chance(50) { newest.min(50) } else { newest };
            again = (0..=self.random.below(5)).map(|_| newest - self.random.below(reach)).collect();
            again.sort_unstable();
            again.dedup();
        }
        let new = if again.is_empty() || self.random.chance(50) { new } else { 0 };
        Sent { again, new, retried: false }
    }

    fn send(&mut self, sent: &Sent) -> Result<(), String> {
        let body = self.ledger.body(sent);
        match self.connection.post(&self.path, &self.token, "application/x-ndjson", &body) {
            Ok(answer) if answer.status == 200 => return self.ledger.book(sent, &answer.body),
            // The server says it cannot now; whether it did is not for this test to assume.
            Ok(answer) if matches!(answer.status, 429 | 500 | 503 | 507) => self.ledger.unknown = sent.new,
            Ok(answer) => {
                return Err(format!("lane {}: status {}: {}", self.ledger.lane, answer.status, answer.excerpt()));
            }
            // Without a connection nothing was sent; the server may also have been killed before or after it recorded.
            Err(_) => self.ledger.unknown = sent.new,
        }
        std::thread::sleep(RETRY_EVERY);
        Ok(())
    }

    /// A new event together with one that says something else under a known id: both must be refused.
    fn send_conflict(&mut self) -> Result<(), String> {
        let Ledger { seed, lane, .. } = self.ledger;
        let known = 1 + self.random.below(self.ledger.next() - 1);
        let mut body = Event::new(seed, lane, self.ledger.next()).text();
        body.push(b'\n');
        body.extend(Event::other_with_same_id(seed, lane, known).text());
        match self.connection.post(&self.path, &self.token, "application/x-ndjson", &body) {
            Ok(answer) if matches!(answer.status, 409 | 429 | 500 | 503 | 507) => Ok(()),
            Ok(answer) => {
                Err(format!("lane {lane}: a conflict was answered by {}: {}", answer.status, answer.excerpt()))
            }
            Err(_) => {
                std::thread::sleep(RETRY_EVERY);
                Ok(())
            }
        }
    }
}
