//! A log in memory and events that differ in every field, for tests.

use std::sync::{Arc, Mutex};

use indelible_event::doors::{Entries, EntryIndex, EntryReader, ReadError};
use indelible_event::time::RecordedTime;

use crate::index::{Index, Settings};

/// 2026-11-23T00:00:00Z.
pub(crate) const DAY: i64 = 1_795_392_000_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

/// A log in memory.
#[derive(Default)]
pub(crate) struct MemoryLog {
    entries: Mutex<Vec<Vec<u8>>>,
}

impl MemoryLog {
    pub(crate) fn push(&self, entry: impl Into<Vec<u8>>) {
        self.entries.lock().unwrap().push(entry.into());
    }

    /// Adds `count` sample events, one a second.
    pub(crate) fn grow(&self, count: u64) {
        self.grow_from(count, DAY, SECOND);
    }

    /// Adds `count` sample events, recorded from `start` on, `apart` from one another.
    pub(crate) fn grow_from(&self, count: u64, start: i64, apart: i64) {
        let size = self.size();
        for n in size..size + count {
            self.push(sample(n, start + apart * i64::try_from(n).unwrap()));
        }
    }

    pub(crate) fn entry(&self, index: u64) -> Vec<u8> {
        self.entries.lock().unwrap()[usize::try_from(index).unwrap()].clone()
    }
}

impl EntryReader for MemoryLog {
    fn size(&self) -> u64 {
        self.entries.lock().unwrap().len() as u64
    }

    fn read(&self, first: EntryIndex, max_entries: usize, max_bytes: usize) -> Result<Entries, ReadError> {
        let entries = self.entries.lock().unwrap();
        let mut read = Entries::starting_at(first);
        for entry in entries.iter().skip(usize::try_from(first.0).unwrap()).take(max_entries) {
            if !read.is_empty() && read.byte_len() + entry.len() > max_bytes {
                break;
            }
            read.push(entry);
        }
        Ok(read)
    }
}

/// A number that looks random, the same for the same `n`.
pub(crate) fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub(crate) fn id(n: u64) -> String {
    let (a, b) = (mix(n), mix(n ^ 0xffff_0000));
    format!(
        "{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}",
        n >> 16,
        n & 0xffff,
        a & 0xfff,
        (a >> 12) & 0xfff,
        b & 0xffff_ffff_ffff
    )
}

/// A whole event: most fields, some missing now and then.
pub(crate) fn sample(n: u64, recorded: i64) -> String {
    let r = mix(n);
    let pick = |list: &[&'static str], shift: u32| list[usize::try_from((r >> shift) % list.len() as u64).unwrap()];
    let text = |ns: i64| String::from_utf8(RecordedTime(ns).write().to_vec()).unwrap();
    let action = pick(&["read", "infer", "write", "delete"], 0);
    let kind = pick(&["human", "service", "agent"], 4);
    let result = if r.is_multiple_of(17) { "denied" } else { "allowed" };
    let model = pick(&["gpt-6-mini", "claude-5", "llama-5-70b"], 8);
    let table = pick(&["customers", "orders", "Größen", "patients"], 12);
    let source = pick(&["gateway-1", "gateway-2", "batch"], 16);
    let ai = if action == "infer" {
        format!(
            r#""ai":{{"conversation":"conv-{}","input_tokens":{},"output_tokens":{},"provider":"acme","request_model":"{model}"}},"#,
            n / 7,
            r % 5000,
            r % 700
        )
    } else {
        String::new()
    };
    let attributes = match r % 5 {
        0 => String::new(),
        1 => format!(r#""attributes":{{"cost \"x\"":{},"region":"eu-{}","retry":true}},"#, r % 100, r % 3),
        _ => format!(r#""attributes":{{"region":"us-{}","tags":["a","b{}"]}},"#, r % 3, r % 4),
    };
    let behalf = if kind == "agent" {
        format!(r#""on_behalf_of":[{{"id":"user-{}","type":"human"}}],"#, r % 50)
    } else {
        String::new()
    };
    let labels = if table == "patients" { r#""labels":["phi","pii"],"# } else { "" };
    let reason = if result == "denied" { r#","reason":"No Grant for ÄRZTE""# } else { "" };
    format!(
        concat!(
            r#"{{"action":"{action}","actor":{{"id":"user-{actor}","ip":"10.0.{ip}.7","roles":["analyst"],"type":"{kind}"}},{ai}{attributes}"#,
            r#""duration_ns":{duration},"id":"{id}",{behalf}"operation":"op-{operation}","outcome":{{"code":"200","phase":"single"{reason},"request":"req-{n}","result":"{result}"}},"#,
            r#""recorded":"{recorded}","resources":[{{"count":{count},"id":"{table}",{labels}"type":"table"}},{{"id":"doc-{doc}","name":"Doc {doc}","type":"document"}}],"#,
            r#""schema":"indelible.event/1","source":{{"id":"{source}","kind":"api","seq":{seq}}},"time":"{time}","trace":{{"span_id":"{span:016x}","trace_id":"{trace:032x}"}}}}"#
        ),
        action = action,
        kind = kind,
        ai = ai,
        attributes = attributes,
        behalf = behalf,
        labels = labels,
        reason = reason,
        result = result,
        table = table,
        source = source,
        n = n,
        actor = r % 200,
        ip = r % 250,
        duration = r % 5_000_000_000,
        id = id(n),
        operation = r % 6,
        recorded = text(recorded),
        count = r % 1000,
        doc = r % 3000,
        seq = n + 1,
        time = text(recorded - i64::try_from(r % 3_000_000_000).unwrap()),
        span = mix(n ^ 77),
        trace = u128::from(mix(n / 3)),
    )
}

/// An index in a new folder.
pub(crate) fn index() -> (tempfile::TempDir, Arc<Index>) {
    let folder = tempfile::tempdir().unwrap();
    let index = Arc::new(Index::open(folder.path(), "main", Settings::default()).unwrap());
    (folder, index)
}
