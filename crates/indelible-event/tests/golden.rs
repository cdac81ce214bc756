//! The canonical form, byte for byte: `testdata/events/<name>.json` as it is sent must become `<name>.canonical.json`.
//!
//! The canonical files were written by a second implementation of RFC 8785 and are never regenerated: a stored entry's hash depends
//! on every byte of them.

use std::fs;
use std::path::Path;

use indelible_event::batch::EventBatch;
use indelible_event::id::EventId;
use indelible_event::prepare::{Defaults, prepare};
use indelible_event::time::RecordedTime;
use indelible_event::view::EventView;

#[test]
fn canonical_bytes_never_change() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/events");
    let defaults = Defaults { source_id: "golden", source_kind: "api" };
    let recorded = RecordedTime::parse("2026-11-23T09:15:31.000000007Z").unwrap();
    let mut compared = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".canonical.json") else { continue };
        let sent = fs::read(folder.join(format!("{name}.json"))).unwrap();
        let expected = fs::read_to_string(folder.join(format!("{name}.canonical.json"))).unwrap();
        let mut batch = EventBatch::new();
        let id = EventId::parse(b"00000000-0000-7000-8000-000000000001").unwrap();
        prepare(&sent, &defaults, &mut || id, &mut batch).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        batch.stamp(recorded);
        let entry = batch.entries().next().unwrap().1;
        assert_eq!(String::from_utf8_lossy(entry), expected, "{name}");
        assert_eq!(EventView::parse(entry).unwrap().recorded_unix_ns, Some(recorded.0), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 5, "each golden event was compared");
}
