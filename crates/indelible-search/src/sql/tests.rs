//! Tests of SQL: what it answers, and all that it must refuse.

use serde_json::json;

use super::*;
use crate::error::ErrorKind;
use crate::query::parse;
use crate::scan::{Order, Patience};
use crate::testing::{DAY, MemoryLog, SECOND, index};

fn mixed() -> (tempfile::TempDir, Arc<Index>, MemoryLog) {
    let (folder, index) = index();
    let log = MemoryLog::default();
    log.grow_from(300, DAY, 600 * SECOND);
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    log.grow_from(100, DAY, 600 * SECOND);
    index.refresh(&log).unwrap();
    (folder, index, log)
}

async fn ask(index: &Arc<Index>, query: &str) -> Vec<Vec<serde_json::Value>> {
    match index.sql(SqlRequest::new(query)).await {
        Ok(answer) => answer.rows,
        Err(fault) => panic!("{query}: {fault}"),
    }
}

async fn refused(index: &Arc<Index>, query: &str) -> FindError {
    match index.sql(SqlRequest::new(query)).await {
        Ok(answer) => panic!("{query}: {:?}", answer.rows),
        Err(fault) => fault,
    }
}

fn found(index: &Arc<Index>, q: &str) -> usize {
    index.hits(&parse(q).unwrap(), Order::OldestFirst, Patience::endless()).count()
}

#[tokio::test]
async fn numbers_can_be_rounded() {
    let (_folder, index, _log) = mixed();
    let query = "select round(avg(ai_input_tokens), 1) as mean, floor(avg(ai_input_tokens)), ceil(avg(ai_input_tokens)), \
                 abs(-3), power(2, 10) from events";
    let rows = ask(&index, query).await;
    let mean = rows[0][0].as_f64().unwrap();
    assert!((mean * 10.0 - (mean * 10.0).round()).abs() < 1e-6, "{mean}");
    let (floor, ceil) = (rows[0][1].as_f64().unwrap(), rows[0][2].as_f64().unwrap());
    assert!(floor <= mean && mean <= ceil && (0.0..=1.0).contains(&(ceil - floor)), "{rows:?}");
    assert_eq!(rows[0][3..], [json!(3), json!(1024.0)], "{rows:?}");
}

#[tokio::test]
async fn sql_sees_files_and_tail_as_one_table() {
    let (_folder, index, _log) = mixed();
    assert_eq!(ask(&index, "select count(*) from events").await, [[json!(400)]]);
    let pairs = [
        ("actor_id = 'user-7'", "actor:user-7"),
        ("action = 'infer' and ai_request_model like 'claude%'", "action:infer request_model:claude*"),
        ("array_has(resource_labels, 'phi')", "label:phi"),
        ("time >= '2026-11-24' and time < '2026-11-25'", "time:2026-11-24"),
        ("ai_input_tokens > 4000", "input_tokens:>4000"),
        ("index between 250 and 350", "index:250..350"),
        ("outcome_reason is null", "-reason:*"),
        ("'customers' = any(resource_ids)", "resource_id:customers"),
    ];
    for (condition, q) in pairs {
        let rows = ask(&index, &format!("select count(*) from events where {condition}")).await;
        assert_eq!(rows, [[json!(found(&index, q))]], "{condition}");
    }
}

#[tokio::test]
async fn values_come_as_plain_json() {
    let (_folder, index, _log) = mixed();
    let query = "select index, time, recorded, actor_id, resource_ids, actor_name, outcome_result = 'allowed' as ok, \
                 cast(index as decimal(9,2)) as d, avg(index) over () as mean from events order by index limit 1";
    let answer = index.sql(SqlRequest::new(query)).await.unwrap();
    let kinds: Vec<_> = answer.columns.iter().map(|column| format!("{}: {}", column.name, column.kind)).collect();
    assert_eq!(
        kinds,
        [
            "index: integer",
            "time: time",
            "recorded: time",
            "actor_id: text",
            "resource_ids: list of text",
            "actor_name: text",
            "ok: boolean",
            "d: decimal",
            "mean: number"
        ]
    );
    let row = &answer.rows[0];
    assert_eq!(
        (&row[0], &row[2], &row[5], &row[7], &row[8]),
        (&json!(0), &json!("2026-11-23T00:00:00.000000000Z"), &json!(null), &json!("0.00"), &json!(199.5))
    );
    assert!(row[4].is_array() && row[6].is_boolean(), "{row:?}");
    assert_eq!((answer.size, answer.truncated), (400, false));
}

#[tokio::test]
async fn answers_are_cut_at_their_limit_and_say_so() {
    let (_folder, index, _log) = mixed();
    let answer = index.sql(SqlRequest { max_rows: 7, ..SqlRequest::new("select index from events") }).await.unwrap();
    assert_eq!((answer.rows.len(), answer.truncated), (7, true));
    let answer = index.sql(SqlRequest { max_rows: 400, ..SqlRequest::new("select index from events") }).await.unwrap();
    assert_eq!((answer.rows.len(), answer.truncated), (400, false));
    let fault = index.sql(SqlRequest { max_rows: SQL_ROWS_MAX + 1, ..SqlRequest::new("select 1") }).await.unwrap_err();
    assert_eq!(fault.to_string(), "the number of rows must be between 1 and 10000");
}

#[tokio::test]
async fn writes_files_and_other_tables_are_refused() {
    let (folder, index, _log) = mixed();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("out.parquet").display().to_string();
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let file = std::fs::read_dir(file).unwrap().next().unwrap().unwrap().path().display().to_string();
    let statements = [
        "insert into events (index) values (1)".to_owned(),
        "delete from events".to_owned(),
        "update events set action = 'read'".to_owned(),
        "drop table events".to_owned(),
        "create table x as select * from events".to_owned(),
        "create view v as select * from events".to_owned(),
        "create function f() returns int return 1".to_owned(),
        format!("create external table x stored as parquet location '{file}'"),
        format!("copy events to '{target}'"),
        format!("copy (select 1) to '{target}' stored as parquet"),
        format!("explain analyze copy events to '{target}'"),
        format!("select * from '{file}'"),
        format!("select * from \"{file}\""),
        format!("select * from read_parquet('{file}')"),
        "select * from generate_series(1, 1000000000)".to_owned(),
        "select * from range(1, 10)".to_owned(),
        "select * from information_schema.tables".to_owned(),
        "select * from log.information_schema.df_settings".to_owned(),
        "show tables".to_owned(),
        "show all".to_owned(),
        "set datafusion.execution.batch_size = 1".to_owned(),
        "prepare p as select 1".to_owned(),
        "begin".to_owned(),
        "select 1; select 2".to_owned(),
        "select * from other".to_owned(),
        "select repeat('x', 1000000000)".to_owned(),
        "select lpad('x', 1000000000, 'y')".to_owned(),
        "select array_repeat(1, 1000000000)".to_owned(),
        "select range(1, 1000000000)".to_owned(),
        "select generate_series(1, 1000000000)".to_owned(),
        "with recursive t as (select 1 as n union all select n + 1 from t) select count(*) from t".to_owned(),
        "select nothing from events".to_owned(),
        "selec 1".to_owned(),
        String::new(),
        "-- only a remark".to_owned(),
    ];
    for statement in statements {
        let fault = refused(&index, &statement).await;
        assert_eq!(fault.kind(), ErrorKind::Invalid, "{statement}: {fault:?}");
        let text = fault.to_string();
        assert!(!text.is_empty() && text.len() < 3_000, "{statement}: {text}");
    }
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(ask(&index, "select count(*) from events").await, [[json!(400)]]);
}

#[tokio::test]
async fn long_and_deep_statements_are_refused_and_allowed_ones_fit_the_stack() {
    let (_folder, index, _log) = mixed();
    let chain = |length: usize| format!("select count(*) from events where {}", vec!["index=1"; length].join(" or "));
    assert_eq!(ask(&index, &chain(SQL_TOKENS_MAX / 4 - 10)).await, [[json!(1)]]);
    assert_eq!(refused(&index, &chain(SQL_TOKENS_MAX)).await.kind(), ErrorKind::Invalid);
    let sum = |length: usize| format!("select {}", vec!["1"; length].join("+"));
    assert_eq!(ask(&index, &sum(SQL_TOKENS_MAX / 2 - 10)).await, [[json!(SQL_TOKENS_MAX / 2 - 10)]]);
    for deep in ["(", "not ", "- ", "case when ", "select ("] {
        let text = format!("select {}1", deep.repeat(400));
        assert_eq!(refused(&index, &text).await.kind(), ErrorKind::Invalid, "{deep}");
    }
    let fault = refused(&index, &format!("select '{}'", "x".repeat(SQL_BYTES_MAX))).await;
    assert_eq!(
        fault.to_string(),
        format!("the statement is {} bytes long, and {SQL_BYTES_MAX} are allowed", SQL_BYTES_MAX + 9)
    );
}

#[tokio::test]
async fn time_and_memory_are_bounded() {
    let (_folder, index, log) = mixed();
    log.grow_from(20_000, DAY, 1_000);
    index.refresh(&log).unwrap();
    index.flush().unwrap();
    let cross =
        "select count(*) from events a, events b, events c where a.actor_id || b.actor_id || c.actor_id like '%x'";
    let fault = index.sql(SqlRequest { time: Duration::from_millis(300), ..SqlRequest::new(cross) }).await.unwrap_err();
    assert!(matches!(fault, FindError::TookTooLong { .. }), "{fault:?}");
    let pairs =
        "select count(*) from events a, events b, events c, events d where a.index + b.index + c.index + d.index < 0";
    let fault = index.sql(SqlRequest { time: Duration::from_millis(300), ..SqlRequest::new(pairs) }).await.unwrap_err();
    assert!(matches!(fault, FindError::TookTooLong { .. }), "{fault:?}");
    let heavy = "select id, request, trace_id, count(*) from events group by 1, 2, 3 order by 4 limit 1";
    let fault = index.sql(SqlRequest { memory: 1 << 20, ..SqlRequest::new(heavy) }).await.unwrap_err();
    assert_eq!(
        fault.to_string(),
        "the statement needs more memory than the 1 MiB it may use; narrow it, or select fewer columns"
    );
    assert_eq!(ask(&index, heavy).await[0][3], json!(1));
}

#[tokio::test]
async fn an_error_is_in_words_for_the_writer() {
    let (_folder, index, _log) = mixed();
    let says = async |query: &str| refused(&index, query).await.to_string();
    assert!(
        says("select acto_id from events").await.starts_with("No field named acto_id"),
        "{}",
        says("select acto_id from events").await
    );
    assert_eq!(says("select * from event").await, "there is no table but `events`");
    assert!(
        says("delete from events").await.contains("only `select` is allowed"),
        "{}",
        says("delete from events").await
    );
}

#[tokio::test]
async fn an_index_without_files_answers_from_the_tail_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = crate::Settings { access: crate::Access::ReadOnly, ..crate::Settings::default() };
    let index = Arc::new(Index::open(&folder.path().join("none"), "main", settings).unwrap());
    assert_eq!(ask(&index, "select count(*) from events").await, [[json!(0)]]);
    let log = MemoryLog::default();
    log.grow(5);
    index.refresh(&log).unwrap();
    assert_eq!(ask(&index, "select count(*), max(index) from events").await, [[json!(5), json!(4)]]);
}

#[tokio::test]
async fn statements_that_unfold_into_more_than_they_say_are_refused() {
    let (_folder, index, _log) = mixed();
    // Each part names the one before twice: 2^30 reads in a few lines.
    let part = |n: usize| format!(", c{n} as (select a.* from c{0} a join c{0} b on a.index = b.index)", n - 1);
    let parts: String = (1..30).map(part).collect();
    let doubled = format!("with c0 as (select index from events){parts} select count(*) from c29");
    assert!(refused(&index, &doubled).await.to_string().starts_with("the statement reads tables more than 64 times"));
    assert!(refused(&index, &format!("explain {doubled}")).await.to_string().starts_with("the statement reads tables"));
    let crossed = format!("select 1 from {}", vec!["events"; 65].join(", "));
    assert_eq!(refused(&index, &crossed).await.kind(), ErrorKind::Invalid);
    let named = "with recent as (select * from events where index > 100), mine as (select * from recent where actor_id = 'user-7') \
                 select (select count(*) from recent) > (select count(*) from mine) as ok";
    assert_eq!(ask(&index, named).await, [[json!(true)]]);
    // Each level doubles a text: a thousand bytes become a thousand million.
    let grown = (0..18)
        .fold("select attributes || attributes || attributes as a from events".to_owned(), |inner, _| {
            format!("select a || a as a from ({inner}) t")
        });
    let asked = SqlRequest { memory: 16 << 20, ..SqlRequest::new(&format!("select max(length(a)) from ({grown}) t")) };
    let fault = index.sql(asked).await;
    assert!(matches!(fault, Err(FindError::SqlMemory { megabytes: 16 })), "{fault:?}");
}
