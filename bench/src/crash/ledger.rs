//! What one lane has sent and what was acknowledged. A lane numbers its events from 1 and sends the next only when the last
//! request's fate is known, so places by number are all there is to remember.

use serde_json::Value;

use super::events::Event;

/// A lane's book.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Seed of the run.
    pub seed: u64,
    /// Which lane.
    pub lane: u32,
    /// Index of each acknowledged event, by number less one.
    pub places: Vec<u64>,
    /// How many events after those were sent in a request that has no answer.
    pub unknown: u64,
}

/// A request and what must come of it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Numbers of events that are acknowledged already and were sent again, before the new ones.
    pub again: Vec<u64>,
    /// How many new events.
    pub new: u64,
    /// Whether the new events may be in the log already: they were sent before and had no answer.
    pub retried: bool,
}

impl Ledger {
    /// An empty book.
    #[must_use]
    pub fn new(seed: u64, lane: u32) -> Self {
        Self { seed, lane, places: Vec::new(), unknown: 0 }
    }

    /// The number of the next event.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.places.len() as u64 + 1
    }

    /// The text of a request: events sent again, then new ones, a line each.
    #[must_use]
    pub fn body(&self, sent: &Sent) -> Vec<u8> {
        let new = self.next()..self.next() + sent.new;
        let mut body = Vec::new();
        for seq in sent.again.iter().copied().chain(new) {
            body.extend(Event::new(self.seed, self.lane, seq).text());
            body.push(b'\n');
        }
        body
    }

    /// Books the answer to a request.
    ///
    /// # Errors
    /// A sentence, when the answer is not the one that must come; nothing is booked then.
    pub fn book(&mut self, sent: &Sent, body: &[u8]) -> Result<(), String> {
        let answer: Value = serde_json::from_slice(body).map_err(|error| format!("lane {}: {error}", self.lane))?;
        let number = |field: &str| answer.get(field).and_then(Value::as_u64);
        let (Some(first), Some(count)) = (number("first_index"), number("count")) else {
            return Err(format!("lane {}: no first_index and count in {answer}", self.lane));
        };
        let total = sent.again.len() as u64 + sent.new;
        let duplicates = number("duplicates").unwrap_or(0);
        let places: Vec<u64> = match answer.get("indexes").and_then(Value::as_array) {
            Some(indexes) => indexes.iter().filter_map(Value::as_u64).collect(),
            None => (first..first + total).collect(),
        };
        let told = format!("lane {}, events from {}, {sent:?}: {answer}", self.lane, self.next());
        if places.len() as u64 != total || count + duplicates != total {
            return Err(format!("the answer does not speak of {total} events: {told}"));
        }
        let (again, new) = places.split_at(sent.again.len());
        for (seq, place) in sent.again.iter().zip(again) {
            if self.place(*seq) != Some(*place) {
                return Err(format!("event {seq} was given another index than before: {told}"));
            }
        }
        let whole = match duplicates.checked_sub(sent.again.len() as u64) {
            Some(0) => true,
            Some(known) => sent.retried && known == sent.new,
            None => false,
        };
        if !whole {
            return Err(format!("a request was recorded in part, or before it was sent: {told}"));
        }
        self.places.extend(new);
        self.unknown = 0;
        Ok(())
    }

    /// The index of an acknowledged event.
    #[must_use]
    pub fn place(&self, seq: u64) -> Option<u64> {
        let at = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.places.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answers_that_must_come_are_booked() {
        let mut ledger = Ledger::new(1, 0);
        let new = |new| Sent { again: vec![], new, retried: false };
        let retried = Sent { again: vec![], new: 2, retried: true };
        ledger.book(&new(2), br#"{"first_index":5,"count":2,"duplicates":0}"#).unwrap();
        assert_eq!(ledger.places, [5, 6]);
        // Recorded before it was sent; in part; with fewer events; an old event at a new place.
        for (sent, wrong) in [
            (new(2), r#"{"first_index":7,"count":0,"duplicates":2,"indexes":[7,8]}"#),
            (retried.clone(), r#"{"first_index":8,"count":1,"duplicates":1,"indexes":[7,8]}"#),
            (new(2), r#"{"first_index":7,"count":1,"duplicates":0}"#),
            (
                Sent { again: vec![1], new: 1, retried: false },
                r#"{"first_index":7,"count":1,"duplicates":1,"indexes":[6,7]}"#,
            ),
        ] {
            assert!(ledger.book(&sent, wrong.as_bytes()).is_err(), "{wrong}");
        }
        ledger.book(&retried, br#"{"first_index":7,"count":0,"duplicates":2,"indexes":[7,8]}"#).unwrap();
        let mixed = Sent { again: vec![1, 4], new: 1, retried: false };
        ledger.book(&mixed, br#"{"first_index":9,"count":1,"duplicates":2,"indexes":[5,8,9]}"#).unwrap();
        assert_eq!(ledger.places, [5, 6, 7, 8, 9]);
    }
}
