//! Watches a log's signed checkpoint, and tells how long after its acknowledgement an entry stood in one.
//!
//! Promises: a lag is never told shorter than it was; it may be told longer by the time between two looks. Never: checks a
//! signature, which is `indelible verify`'s work.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::http::Connection;
use crate::latency::Latencies;
use crate::target::Target;

/// How long may pass until a checkpoint covers what was acknowledged, before that counts as a fault: many times the second that
/// is promised.
const PATIENCE: Duration = Duration::from_secs(20);

/// A checkpoint that was served.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// When the answer was there.
    pub at: Instant,
    /// The tree size in it.
    pub size: u64,
}

/// Asks for the checkpoint. A log that is public is read without the token: then reading leaves no event in it.
#[derive(Debug)]
pub struct Looker {
    connection: Connection,
    path: String,
    token: String,
    use_token: bool,
}

impl Looker {
    /// Looks at the target's log.
    #[must_use]
    pub fn new(target: &Target) -> Self {
        Self {
            connection: Connection::to(&target.address),
            path: format!("/log/{}/checkpoint", target.log),
            token: target.token.clone(),
            use_token: false,
        }
    }

    /// The text of the newest checkpoint; `None` before the first.
    ///
    /// # Errors
    /// When the server cannot be asked or refuses.
    pub fn text(&mut self) -> io::Result<Option<String>> {
        let token = if self.use_token { self.token.clone() } else { String::new() };
        let answer = self.connection.get(&self.path, &token)?;
        match answer.status {
            200 => Ok(Some(String::from_utf8_lossy(&answer.body).into_owned())),
            404 => Ok(None),
            401 if !self.use_token => {
                self.use_token = true;
                self.text()
            }
            _ => answer.ok().map(|_| None),
        }
    }

    /// The newest published tree size; 0 before the first checkpoint.
    ///
    /// # Errors
    /// As [`Self::text`], and when the text is no checkpoint.
    pub fn size(&mut self) -> io::Result<u64> {
        let Some(text) = self.text()? else { return Ok(0) };
        size_of(&text).ok_or_else(|| io::Error::other(format!("no checkpoint: {text}")))
    }
}

/// The tree size in the text of a checkpoint: its second line (C2SP tlog-checkpoint).
#[must_use]
pub fn size_of(checkpoint: &str) -> Option<u64> {
    checkpoint.lines().nth(1)?.parse().ok()
}

/// Looks every so often until it is told to stop.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Seen>>,
}

impl Watch {
    /// Begins to look every `interval`.
    #[must_use]
    pub fn start(target: &Target, interval: Duration) -> Self {
        let mut looker = Looker::new(target);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut seen: Vec<Seen> = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let due = Instant::now() + interval;
                if let Ok(size) = looker.size()
                    && seen.last().is_none_or(|last| last.size < size)
                {
                    seen.push(Seen { at: Instant::now(), size });
                }
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            seen
        });
        Self { stop, thread }
    }

    /// Stops, and gives what was seen, in order.
    #[must_use]
    pub fn stop(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// Waits until a checkpoint covers the first `size` entries. Gives how long that took; `None` when patience ended.
#[must_use]
pub fn wait_for(looker: &mut Looker, size: u64) -> Option<Duration> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if looker.size().is_ok_and(|published| published >= size) {
            return Some(began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// How long after each acknowledgement (when, and the index after its last entry) a checkpoint with the entry was seen. Also how
/// many never were.
#[must_use]
pub fn lags(acknowledged: &[(Instant, u64)], seen: &[Seen]) -> (Latencies, u64) {
    let mut lags = Latencies::default();
    let mut never = 0;
    for (at, end) in acknowledged {
        let covering = seen.partition_point(|seen| seen.size < *end);
        match seen.get(covering) {
            Some(seen) => lags.add(seen.at.saturating_duration_since(*at)),
            None => never += 1,
        }
    }
    (lags, never)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_ends_with_the_first_checkpoint_that_covers_the_entry() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let seen = [Seen { at: at(100), size: 10 }, Seen { at: at(600), size: 20 }];
        let (lags, never) = lags(&[(at(0), 10), (at(200), 11), (at(0), 21)], &seen);
        assert_eq!((lags.count(), never), (2, 1));
        assert_eq!((lags.quantile_us(500) / 1000, lags.quantile_us(1000) / 1000), (100, 400));
    }

    #[test]
    fn the_size_is_the_second_line() {
        assert_eq!(size_of("example.com/log/main\n42\nroot=\n\n- sig\n"), Some(42));
        assert_eq!(size_of("42"), None);
    }
}
