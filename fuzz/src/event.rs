//! The readers of `indelible-event`: one event, a body of many, a stored entry, a time.

use indelible_event::batch::EventBatch;
use indelible_event::body::{BodyFormat, read_body};
use indelible_event::id::EventId;
use indelible_event::json::Tape;
use indelible_event::limits::{ENTRY_BYTES_MAX, FAULTS_LISTED_MAX};
use indelible_event::prepare::{Defaults, prepare};
use indelible_event::time::{EventTime, RecordedTime};
use indelible_event::view::EventView;

const DEFAULTS: Defaults<'static> = Defaults { source_id: "fuzz", source_kind: "api" };

fn ids() -> impl FnMut() -> EventId {
    let mut next = 0u64;
    move || {
        next += 1;
        EventId::version_7(next, [7; 10])
    }
}

/// One event: accepted ones are canonical, readable and read alike again; refused ones say why and leave no trace.
pub fn json(data: &[u8]) {
    let mut batch = EventBatch::new();
    match prepare(data, &DEFAULTS, &mut ids(), &mut batch) {
        Ok(prepared) => {
            assert_eq!(batch.len(), 1);
            batch.stamp(RecordedTime(1_795_000_000_123_456_789));
            for (slot, entry) in batch.entries() {
                assert_eq!(slot.id, prepared.id);
                check_entry(entry);
            }
        }
        Err(faults) => {
            assert!(batch.is_empty() && batch.byte_len() == 0, "a refused event left bytes behind");
            assert!(!faults.is_empty() && faults.len() <= FAULTS_LISTED_MAX);
        }
    }
}

fn check_entry(entry: &[u8]) {
    assert!(entry.len() <= ENTRY_BYTES_MAX);
    let view = EventView::parse(entry).expect("what was accepted can be read");
    assert!(view.recorded_unix_ns.is_some() && view.time_unix_ns.is_some());
    let mut tape = Tape::default();
    let document = tape.read(entry).expect("what was accepted is JSON");
    let mut again = Vec::new();
    document.root().to_value().write_canonical(&mut again);
    assert_eq!(again, entry, "the canonical form of a canonical form is itself");
}

/// A body in each form: counts add up, and every event that was taken is a whole one.
pub fn body(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let format = [BodyFormat::Json, BodyFormat::Ndjson, BodyFormat::Auto][usize::from(first % 3)];
    let most = usize::from(first / 3) + 1;
    let Ok(mut outcome) = read_body(body, format, most, &DEFAULTS, &mut ids()) else { return };
    assert_eq!(outcome.ids.len(), outcome.batch.len());
    assert!(outcome.events_total <= most && outcome.batch.len() <= outcome.events_total);
    assert!(outcome.faults.len() <= outcome.faults_total && outcome.faults.len() <= FAULTS_LISTED_MAX);
    assert!(
        outcome.batch.len() == outcome.events_total || outcome.faults_total > 0,
        "an event went missing without a fault"
    );
    outcome.batch.stamp(RecordedTime(0));
    for (_, entry) in outcome.batch.entries() {
        check_entry(entry);
    }
}

/// A stored entry, hostile or not.
pub fn view(data: &[u8]) {
    if let Ok(view) = EventView::parse(data) {
        let _ = (view.event_id(), format!("{view:?}"));
    }
}

/// Times of sources and of the server.
pub fn time(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(time) = EventTime::parse(text) {
        assert_eq!(time.text, text);
    }
    if let Some(time) = RecordedTime::parse(text) {
        assert_eq!(time.write(), data);
    }
}
