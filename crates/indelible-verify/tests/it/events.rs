//! Events as the writer prepares them pass the verifier's own reader, which shares no code with it.

use indelible_event::batch::EventBatch;
use indelible_event::id::EventId;
use indelible_event::prepare::{Defaults, prepare};
use indelible_event::time::RecordedTime;
use indelible_verify::Verdict;
use indelible_verify::report::CompletenessLevel;

use crate::builder::Log;

#[test]
fn what_the_writer_prepares_is_canonical_for_the_verifier() {
    let defaults = Defaults { source_id: "token", source_kind: "api" };
    let mut entries = Vec::new();
    for n in 1..=300 {
        let mut batch = EventBatch::new();
        let input = format!(
            r#"{{ "time": "2026-11-23T10:15:30+01:00[Europe/Berlin]", "action": "read",
                 "actor": {{ "type": "human", "id": "ana\u0007\/\u00e9 \ud83d\ude00" }},
                 "attributes": {{ "\ufb33": 1, "\ud83d\ude00": -7, "source": "x", "recorded": "never", "a\"b\\": [true, 9007199254740991] }},
                 "outcome": {{ "result": "allowed" }}, "source": {{ "kind": "k", "id": "s{}", "seq": {n} }} }}"#,
            "\\u001f".repeat(n % 9)
        );
        prepare(input.as_bytes(), &defaults, &mut || EventId::version_7(n as u64, [7; 10]), &mut batch).unwrap();
        batch.stamp(RecordedTime(1_795_000_000_000_000_000 + n as i64));
        entries.extend(batch.entries().map(|(_, entry)| entry.to_vec()));
    }
    let report = Log::of(entries).verify();
    assert_eq!(report.integrity.verdict, Verdict::Intact, "{}", report.to_text());
    // Nine sources, each with every ninth number.
    assert_eq!((report.completeness.verdict, report.completeness.sources_total), (CompletenessLevel::Gaps, 9));
}
