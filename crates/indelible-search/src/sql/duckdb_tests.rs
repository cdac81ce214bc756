//! The same statements on our engine and on DuckDB over the same files: that others can read the index, and that we answer alike.
//!
//! Needs a Python with the `duckdb` package, named by `INDELIBLE_TEST_PYTHON`; without it the test says so and passes.

use std::process::Command;

use super::*;
use crate::testing::{DAY, MemoryLog, SECOND, index};

const STATEMENTS: &[&str] = &[
    "select count(*), min(index), max(index), sum(index) from events",
    "select action, outcome_result, count(*) from events group by 1, 2 order by 1, 2",
    "select ai_request_model, cast(time as date), count(*) from events group by 1, 2 order by 1 nulls first, 2",
    "select actor_id, count(distinct request), sum(ai_input_tokens) from events group by 1 order by 1",
    "select index, id, source_seq, duration_ns, trace_id, span_id from events where actor_id = 'user-7' order by index",
    "select count(*) from events where id = (select min(id) from events)",
    "select count(*) from events where recorded >= timestamp '2026-11-24' and recorded < timestamp '2026-11-25'",
    "select index from events where outcome_reason like '%ÄRZTE%' order by 1",
    "select index, resource_ids, resource_names, resource_labels from events where index < 20 order by 1",
    "select index, attributes from events where attributes is not null and index % 50 = 3 order by 1",
    "select a.index, b.index from events a join events b on a.trace_id = b.trace_id and a.index < b.index where a.index < 30 order by 1, 2",
];

const SCRIPT: &str = r"
import duckdb, json, sys
events = duckdb.connect()
events.execute(f'create view events as select * from read_parquet({sys.argv[1]!r}, hive_partitioning = false)')
for statement in json.loads(sys.argv[2]):
    rows = events.execute(statement).fetchall()
    print(json.dumps(rows, default=lambda value: value.isoformat() if hasattr(value, 'isoformat') else int(value)))
";

#[tokio::test]
async fn duckdb_reads_the_files_and_answers_alike() {
    let Ok(python) = std::env::var("INDELIBLE_TEST_PYTHON") else {
        println!("not run: INDELIBLE_TEST_PYTHON does not name a Python with the duckdb package");
        return;
    };
    let (folder, index) = index();
    let log = MemoryLog::default();
    for _ in 0..9 {
        log.grow_from(60, DAY, 600 * SECOND);
        index.refresh(&log).unwrap();
        index.flush().unwrap();
        index.maintain(indelible_event::time::RecordedTime(DAY)).unwrap();
    }
    let files = folder.path().join("date=*").join("*.parquet").display().to_string();
    let statements = serde_json::to_string(STATEMENTS).unwrap();
    let run = Command::new(python).args(["-c", SCRIPT, &files, &statements]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let told = String::from_utf8(run.stdout).unwrap();
    let answers: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), STATEMENTS.len());
    for (statement, theirs) in STATEMENTS.iter().zip(answers) {
        let ours = index.sql(SqlRequest { max_rows: 10_000, ..SqlRequest::new(statement) }).await;
        let ours = ours.unwrap_or_else(|fault| panic!("{statement}: {fault}"));
        assert!(!ours.rows.is_empty(), "{statement}");
        assert_eq!(serde_json::to_value(ours.rows).unwrap(), theirs, "{statement}");
    }
}
