//! Traffic built in advance: whole requests whose ids, times and numbers are overwritten in place before each use, so that the
//! client costs almost nothing beside the server it measures.
//!
//! Promises: ids are unique; what is said at random in real traffic (traces, sessions, requests, token counts, actors) is fresh
//! each time, so that nothing compresses better than it would in earnest; the same seed gives the same requests but for the clock.

mod events;

use indelible_event::id::EventId;
use indelible_event::time::RecordedTime;

use crate::random::Random;

pub use events::{AGENTS, PEOPLE};

/// What is overwritten before each use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fresh {
    /// The event's id, a UUID of version 7. It comes first in an event and begins it.
    Id,
    /// Another UUID.
    Uuid,
    /// Local time of day, 29 characters, by a clock this many seconds ahead of UTC.
    Time { ahead: i64 },
    /// Lower-case hexadecimal digits.
    Hex { digits: usize },
    /// A number without leading zero.
    Number { digits: usize },
    /// A number with leading zeros, low ones more often.
    Skewed { digits: usize, end: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    at: usize,
    fresh: Fresh,
}

/// Events of one request, as text.
#[derive(Clone, Debug, Default)]
pub struct Events {
    text: Vec<u8>,
    slots: Vec<Slot>,
    count: u64,
}

impl Events {
    /// `count` events, a line each.
    #[must_use]
    pub fn lines(count: u64, random: &mut Random) -> Self {
        let mut events = Self::default();
        for _ in 0..count {
            events::append(&mut events, random);
            events.text.push(b'\n');
            events.count += 1;
        }
        events
    }

    /// The text, of unchanging length.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

/// Where fresh ids and times come from.
#[derive(Debug)]
pub struct Stamp {
    random: Random,
    clock: Clock,
    now: i64,
}

/// What time events are given.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The present, each event a little before it.
    Now,
    /// Steps from a beginning, each event within `jitter` of it: history that is caught up on. All in nanoseconds.
    Steps {
        /// Time of the next event.
        next: i64,
        /// To the one after it.
        step: i64,
        /// How far sources' clocks and queues stray.
        jitter: u64,
    },
}

impl Stamp {
    /// Ids from `random`, times from `clock`.
    #[must_use]
    pub fn new(random: Random, clock: Clock) -> Self {
        Self { random, clock, now: unix_ns() }
    }

    /// Goes on at another time.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// To be called before each request: the present does not move within one.
    fn begin(&mut self) {
        if matches!(self.clock, Clock::Now) {
            self.now = unix_ns();
        }
    }

    fn begin_event(&mut self) {
        self.now = match &mut self.clock {
            // An agent sends what happened since it last did.
            Clock::Now => self.now + signed(self.random.below(2_000)),
            Clock::Steps { next, step, jitter } => {
                let at = *next - signed(self.random.below(*jitter));
                *next += *step;
                at
            }
        };
    }

    /// A version 7 UUID; 64 of its bits are a draw that never comes twice from this stamp.
    fn id(&mut self) -> EventId {
        let draw = self.random.next_u64().to_be_bytes();
        let mut random = [0; 10];
        // Bytes 0 and 2 lose bits to version and variant.
        random[1] = draw[0];
        random[3..].copy_from_slice(&draw[1..]);
        let more = self.random.next_u64().to_be_bytes();
        (random[0], random[2]) = (more[0], more[1]);
        EventId::version_7(u64::try_from(self.now / 1_000_000).unwrap_or(0), random)
    }

    /// Overwrites every slot of `events` within `bytes`, where the events' text begins at `base`.
    fn write(&mut self, slots: &[Slot], bytes: &mut [u8], base: usize) {
        self.begin();
        for slot in slots {
            let at = base + slot.at;
            let end = at + slot.fresh.width();
            match slot.fresh {
                Fresh::Id => {
                    self.begin_event();
                    bytes[at..end].copy_from_slice(&self.id().write());
                }
                Fresh::Uuid => bytes[at..end].copy_from_slice(&self.id().write()),
                Fresh::Time { ahead } => {
                    let text = RecordedTime(self.now + ahead * 1_000_000_000).write();
                    bytes[at..end].copy_from_slice(&text[..end - at]);
                }
                Fresh::Hex { .. } => self.hex(&mut bytes[at..end]),
                Fresh::Number { .. } => {
                    let draw = self.random.next_u64();
                    digits(&mut bytes[at..end], draw >> 8);
                    bytes[at] = b'1' + low_byte(draw) % 9;
                }
                Fresh::Skewed { end: below, .. } => {
                    let draw = self.random.skewed(below);
                    digits(&mut bytes[at..end], draw);
                }
            }
        }
    }

    fn hex(&mut self, into: &mut [u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for chunk in into.chunks_mut(16) {
            let mut draw = self.random.next_u64();
            for digit in chunk {
                *digit = DIGITS[usize::from(low_byte(draw) & 15)];
                draw >>= 4;
            }
        }
        // A trace of zeros alone is none (W3C Trace Context).
        if let Some(first @ b'0') = into.first_mut() {
            *first = b'1';
        }
    }
}

impl Fresh {
    fn width(self) -> usize {
        match self {
            Self::Id | Self::Uuid => 36,
            Self::Time { .. } => 29,
            Self::Hex { digits } | Self::Number { digits } | Self::Skewed { digits, .. } => digits,
        }
    }
}

/// One whole request, head and body, to be written with a single call.
#[derive(Clone, Debug)]
pub struct Request {
    bytes: Vec<u8>,
    body_at: usize,
    slots: Vec<Slot>,
    /// How many events it carries.
    pub events: u64,
}

impl Request {
    /// A request of `events` below `head`, whose `content-length` must say the length of their text.
    #[must_use]
    pub fn new(head: &[u8], events: &Events) -> Self {
        let bytes = [head, &events.text].concat();
        Self { bytes, body_at: head.len(), slots: events.slots.clone(), events: events.count }
    }

    /// Gives every event a fresh id, time and numbers, and the whole request to be sent.
    pub fn freshen(&mut self, stamp: &mut Stamp) -> &[u8] {
        stamp.write(&self.slots, &mut self.bytes, self.body_at);
        &self.bytes
    }

    /// Bytes of the events alone.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.bytes.len() - self.body_at
    }

    /// The events' text.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_at..]
    }
}

/// Nanoseconds since 1970-01-01T00:00:00Z by this machine's clock.
#[must_use]
pub fn unix_ns() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

fn digits(into: &mut [u8], mut number: u64) {
    for digit in into.iter_mut().rev() {
        *digit = b'0' + low_byte(number % 10);
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indelible_event::batch::EventBatch;
    use indelible_event::body::{BodyFormat, read_body};
    use indelible_event::prepare::Defaults;
    use std::collections::HashSet;

    fn prepared(text: &[u8]) -> EventBatch {
        let defaults = Defaults { source_id: "load", source_kind: "api" };
        let mut new_id = || EventId([0; 16]);
        let outcome = read_body(text, BodyFormat::Ndjson, 100_000, &defaults, &mut new_id).unwrap();
        assert!(outcome.faults.is_empty(), "{:?}", outcome.faults.first());
        assert!(outcome.ids.iter().all(|(_, assigned)| !assigned), "an event without id");
        outcome.batch
    }

    #[test]
    fn every_event_is_valid_unique_and_about_600_bytes() {
        let mut random = Random::new(1);
        let events = Events::lines(2_000, &mut random);
        let mut request = Request::new(b"head", &events);
        let mut ids = HashSet::new();
        for clock in
            [Clock::Now, Clock::Now, Clock::Steps { next: 1_760_000_000_000_000_000, step: 1_000, jitter: 500 }]
        {
            let mut stamp = Stamp::new(random.fork(ids.len() as u64), clock);
            assert!(request.freshen(&mut stamp).starts_with(b"head{"));
            let batch = prepared(request.body());
            ids.extend(batch.entries().map(|(slot, _)| slot.id));
        }
        assert_eq!(ids.len(), 6_000, "an id came twice");
        let each = request.body_len() / 2_000;
        assert!((560..=640).contains(&each), "{each} bytes an event");
    }

    #[test]
    fn steps_walk_through_history() {
        let mut stamp = Stamp::new(Random::new(3), Clock::Steps { next: 0, step: 86_400_000_000_000, jitter: 1 });
        let mut request = Request::new(b"", &Events::lines(3, &mut Random::new(2)));
        request.freshen(&mut stamp);
        let days: Vec<String> = String::from_utf8_lossy(request.body())
            .lines()
            .map(|line| line.split("\"time\":\"").nth(1).unwrap_or_default().chars().take(10).collect())
            .collect();
        assert_eq!(days, ["1970-01-01", "1970-01-02", "1970-01-03"]);
    }
}
