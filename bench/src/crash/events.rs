//! Events of the crash test. Each follows from seed, lane and number alone, so that nothing need be remembered to know what the
//! log must hold: they are sent in canonical form (RFC 8785) with every field that the server would add, but `recorded`.

use indelible_event::id::EventId;
use indelible_event::time::RECORDED_BYTES;

use crate::random::Random;

/// What stands around the time of recording.
const RECORDED_BEFORE: &[u8] = b"\"recorded\":\"";
const RECORDED_AFTER: &[u8] = b"\",";
/// Sizes of entries: most are small, some take many sectors of the journal.
const PAD_USUAL: u64 = 700;
const PAD_LARGE: u64 = 30_000;
const LARGE_PERCENT: u64 = 2;
/// 2026-01-01T00:00:00Z in milliseconds: ids carry a time, any will do.
const ID_TIME_MS: u64 = 1_767_225_600_000;

/// An event, cut where `recorded` belongs.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Event {
    /// The event with this number (from 1) of a lane.
    #[must_use]
    pub fn new(seed: u64, lane: u32, seq: u64) -> Self {
        Self::saying(seed, lane, seq, "crash.write")
    }

    /// An event with the same id that says something else: to be refused.
    #[must_use]
    pub fn other_with_same_id(seed: u64, lane: u32, seq: u64) -> Self {
        Self::saying(seed, lane, seq, "crash.other")
    }

    fn saying(seed: u64, lane: u32, seq: u64, operation: &str) -> Self {
        let mut random = Random::new(seed).fork(u64::from(lane)).fork(seq);
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&random.next_u64().to_be_bytes());
        bytes[8..].copy_from_slice(&random.next_u64().to_be_bytes()[..2]);
        let id = EventId::version_7(ID_TIME_MS, bytes);
        let longest = if random.chance(LARGE_PERCENT) { PAD_LARGE } else { PAD_USUAL };
        let pad = random.below(longest);
        let pad: String = (0..pad).map(|at| char::from(b'a' + (at % 26).to_le_bytes()[0])).collect();
        let before = format!(
            "{{\"action\":\"write\",\"actor\":{{\"id\":\"crash-{lane}\",\"type\":\"service\"}},\"attributes\":{{\"pad\":\"{pad}\"}},\
             \"id\":\"{id}\",\"operation\":\"{operation}\",\"outcome\":{{\"phase\":\"single\",\"result\":\"allowed\"}},"
        );
        let after = format!(
            "\"resources\":[{{\"id\":\"object-{}\",\"type\":\"object\"}}],\"schema\":\"indelible.event/1\",\
             \"source\":{{\"id\":\"crash-{lane}\",\"kind\":\"crash\",\"seq\":{seq}}},\"time\":\"2026-11-23T10:15:30.123456789+01:00\"}}",
            random.below(1_000_000),
        );
        Self { id, before: before.into_bytes(), after: after.into_bytes() }
    }

    /// The event as it is sent.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        [self.before.as_slice(), &self.after].concat()
    }

    /// Whether these bytes are the event with a time of recording, and nothing else.
    #[must_use]
    pub fn is_stored_as(&self, entry: &[u8]) -> bool {
        let recorded = entry
            .strip_prefix(self.before.as_slice())
            .and_then(|rest| rest.strip_prefix(RECORDED_BEFORE))
            .and_then(|rest| rest.strip_suffix(self.after.as_slice()))
            .and_then(|rest| rest.strip_suffix(RECORDED_AFTER));
        recorded.is_some_and(|recorded| recorded.len() == RECORDED_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indelible_event::batch::EventBatch;
    use indelible_event::prepare::{Defaults, prepare};
    use indelible_event::time::RecordedTime;

    #[test]
    fn the_product_stores_an_event_as_this_test_expects_it() {
        let defaults = Defaults { source_id: "none", source_kind: "none" };
        for seq in 1..200 {
            let event = Event::new(7, 3, seq);
            let mut batch = EventBatch::new();
            prepare(&event.text(), &defaults, &mut || EventId([0; 16]), &mut batch).unwrap();
            batch.stamp(RecordedTime(1_700_000_000_000_000_000));
            let (slot, entry) = batch.entries().next().unwrap();
            assert_eq!(slot.id, event.id);
            assert!(event.is_stored_as(entry), "{}", String::from_utf8_lossy(entry));
            assert!(!Event::new(7, 3, seq + 1).is_stored_as(entry));
            assert!(!Event::other_with_same_id(7, 3, seq).is_stored_as(entry));
        }
    }
}
