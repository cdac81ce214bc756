//! Small builders of events and batches. The entries are canonical JSON with an id and a slot for `recorded`, no more: the
//! store looks at nothing else.

use indelible_event::batch::EventBatch;
use indelible_event::id::EventId;
use indelible_event::time::RecordedTime;

use crate::rng::Rng;

const BEFORE_RECORDED: &str = "\"recorded\":\"";

/// One event: its id and its entry with an unset `recorded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestEvent {
    /// The id.
    pub id: EventId,
    /// The entry.
    pub entry: String,
}

/// An id that is the same for the same number, and spread like a random one.
#[must_use]
pub fn id(number: u64) -> EventId {
    let mut rng = Rng::of(number, 1);
    let mut random = [0u8; 10];
    random[..8].copy_from_slice(&rng.next().to_le_bytes());
    random[8..].copy_from_slice(&rng.next().to_le_bytes()[..2]);
    EventId::version_7(rng.next() >> 16, random)
}

impl TestEvent {
    /// The event of a number, with a text that makes up its content.
    #[must_use]
    pub fn new(number: u64, text: &str) -> Self {
        let id = id(number);
        let recorded = RecordedTime(0).write();
        let recorded = String::from_utf8_lossy(&recorded);
        Self { id, entry: format!("{{\"id\":\"{id}\",\"purpose\":\"{text}\",{BEFORE_RECORDED}{recorded}\"}}") }
    }

    /// The event of a number, its entry about `bytes` long.
    #[must_use]
    pub fn sized(number: u64, bytes: usize) -> Self {
        let bare = Self::new(number, "").entry.len();
        Self::new(number, &"x".repeat(bytes.saturating_sub(bare)))
    }

    /// The entry as it stands in the log when it was recorded then.
    #[must_use]
    pub fn recorded(&self, at: RecordedTime) -> Vec<u8> {
        let mut batch = batch([self]);
        batch.stamp(at);
        batch.entries().next().map(|(_, entry)| entry.to_vec()).unwrap_or_default()
    }
}

/// A batch of events, in order.
///
/// # Panics
/// When an event does not fit an entry.
#[must_use]
pub fn batch<'e>(events: impl IntoIterator<Item = &'e TestEvent>) -> EventBatch {
    let mut batch = EventBatch::new();
    for event in events {
        let slot = event.entry.find(BEFORE_RECORDED).map_or(0, |at| at + BEFORE_RECORDED.len());
        let pushed = batch.push(event.id, |bytes| {
            let start = bytes.len();
            bytes.extend_from_slice(event.entry.as_bytes());
            start + slot
        });
        assert!(pushed.is_ok(), "a test event is longer than an entry may be");
    }
    batch
}

/// The id in a stored entry, without trusting the rest of it.
#[must_use]
pub fn id_of(entry: &[u8]) -> Option<EventId> {
    let text = entry.strip_prefix(b"{\"id\":\"")?;
    EventId::parse(text.get(..36)?)
}
