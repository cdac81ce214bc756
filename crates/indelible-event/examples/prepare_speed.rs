//! Prints how long one event takes to be prepared, and a stored entry to be viewed: `cargo run --release -p indelible-event
//! --example prepare_speed`. For a person to read; nothing is asserted.

use std::hint::black_box;
use std::time::Instant;

use indelible_event::batch::EventBatch;
use indelible_event::body::{BodyFormat, read_body};
use indelible_event::id::EventId;
use indelible_event::json::Tape;
use indelible_event::prepare::{Defaults, prepare};
use indelible_event::view::{EntryBrief, EventView};

/// As a client library writes it: compact, fields in an order of its own.
const COMPACT: &str = r#"{"time":"2026-11-23T10:15:30.123456789+01:00[Europe/Berlin]","actor":{"id":"ana@example.com","type":"human","name":"Ana Müller","roles":["analyst"],"session":"s-81f2","ip":"192.0.2.17"},"action":"read","operation":"SELECT","resources":[{"type":"table","id":"warehouse.customers","labels":["pii"],"fields":["name","email"],"count":120}],"outcome":{"result":"allowed","policy":"analysts-read"},"duration_ns":1834000,"purpose":"support case 4711","trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"},"attributes":{"region":"eu-central-1","cached":false}}"#;

/// Events in a block, as in a batch of a load test.
const BLOCK: usize = 500;
const ROUNDS: usize = 400;

fn main() {
    let spaced = COMPACT.replace("\":", "\": ").replace(",\"", ", \"");
    let utc = COMPACT.replace("+01:00[Europe/Berlin]", "+01:00");
    let model = r#"{"time":"2026-11-23T10:15:30.123456789Z","source":{"id":"gateway-1","kind":"gateway","seq":4711},"actor":{"id":"agent-7","type":"agent"},"on_behalf_of":[{"id":"ana@example.com","type":"human"}],"action":"infer","operation":"chat.completions","resources":[{"type":"model","id":"gpt-5"}],"outcome":{"result":"allowed","phase":"outcome","request":"01937b5e-8d3c-7cc0-b9a1-4b3f6f2a1d00"},"duration_ns":834000000,"ai":{"provider":"openai","operation":"chat","request_model":"gpt-5","response_model":"gpt-5-2026-08","input_tokens":812,"output_tokens":96,"finish_reasons":["stop"],"conversation":"c-19"}}"#;
    for (name, event) in [("compact", COMPACT), ("spaced", &spaced), ("no zone", &utc), ("model call", model)] {
        report(name, event.as_bytes());
    }
}

fn report(name: &str, event: &[u8]) {
    let defaults = Defaults { source_id: "bench", source_kind: "api" };
    let mut count = 0u64;
    let mut new_id = || {
        count += 1;
        EventId::version_7(count, [7; 10])
    };
    let mut batch = EventBatch::new();
    if let Err(faults) = prepare(event, &defaults, &mut new_id, &mut batch) {
        println!("{name}: {faults:?}");
        return;
    }
    let entry = batch.entries().next().map(|(_, entry)| entry.to_vec()).unwrap_or_default();

    let single = best(|| {
        let mut batch = EventBatch::new();
        for _ in 0..BLOCK {
            black_box(prepare(black_box(event), &defaults, &mut new_id, &mut batch).is_ok());
        }
        black_box(batch.byte_len());
    });
    let body = [event, b"\n"].concat().repeat(BLOCK);
    let lines = best(|| {
        black_box(read_body(black_box(&body), BodyFormat::Ndjson, BLOCK, &defaults, &mut new_id).is_ok());
    });
    let array = [b"[".as_slice(), &[event, b","].concat().repeat(BLOCK - 1), event, b"]"].concat();
    let arrays = best(|| {
        black_box(read_body(black_box(&array), BodyFormat::Json, BLOCK, &defaults, &mut new_id).is_ok());
    });
    let view = best(|| {
        for _ in 0..BLOCK {
            black_box(EventView::parse(black_box(&entry)).is_ok());
        }
    });
    let brief = best(|| {
        for _ in 0..BLOCK {
            black_box(EntryBrief::parse(black_box(&entry)).is_ok());
        }
    });
    let mut tape = Tape::default();
    let json = best(|| {
        for _ in 0..BLOCK {
            black_box(tape.read(black_box(&entry)).is_ok());
        }
    });
    println!(
        "{name:<11} {:>4} bytes, entry {:>4}: prepare {single} ns, ndjson {lines} ns, array {arrays} ns; \
         view {view} ns, brief {brief} ns, json alone {json} ns",
        event.len(),
        entry.len(),
    );
}

/// Nanoseconds an event in the quickest of many blocks: other work on the machine only ever adds.
fn best(mut block: impl FnMut()) -> u128 {
    let mut least = u128::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        block();
        least = least.min(started.elapsed().as_nanos() / BLOCK as u128);
    }
    least
}
