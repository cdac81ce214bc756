//! Searching, counting, following and exporting, with a server and without one.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::harness::{Place, Server, event, events, until};

fn with_events() -> (Place, Server) {
    let mut place = Place::new();
    let server = Server::start(&mut place);
    place.run_with_input(&["record"], &events(0..30)).ok();
    place.run_with_input(&["record"], &event("=cmd()")).ok();
    (place, server)
}

#[test]
fn one_answer_in_four_forms() {
    let (place, _server) = with_events();
    let search = |format| place.run(&["search", "actor:user-7", "--format", format]).ok();
    assert!(search("table").lines().nth(1).unwrap().contains("user-7"), "{}", search("table"));
    let json: serde_json::Value = serde_json::from_str(&search("json")).unwrap();
    let line: serde_json::Value = serde_json::from_str(search("ndjson").trim_end()).unwrap();
    assert_eq!(json[0]["event"], line);
    assert_eq!(search("csv").lines().count(), 2);
    assert!(!search("table").contains('\u{1b}'), "colour belongs on a terminal only");
    let oldest = place.run(&["search", "actor:user-*", "--order", "asc", "--limit", "3", "--format", "csv"]).ok();
    assert!(oldest.lines().nth(1).unwrap().contains("user-0"), "{oldest}");
    let wrong = place.run(&["search", "actor:user-1 ("]).with(2);
    assert!(wrong.err.contains("column"), "{}", wrong.err);
}

#[test]
fn counts_and_sql_agree_with_the_search() {
    let (place, server) = with_events();
    let stats = place.run(&["stats", "actor:user-*", "--by", "action", "--format", "json"]).json();
    assert_eq!(stats["rows"][0]["count"], 30, "{stats}");
    let sql = "select count(*) as n from events where actor_id like 'user-%'";
    assert_eq!(place.run(&["sql", sql, "--format", "csv"]).ok(), "n\r\n30\r\n");
    let refused = place.run(&["sql", "create table t as select 1"]);
    assert_eq!(refused.code, Some(2), "{}", refused.out);
    let online = place.run(&["search", "actor:user-*", "--format", "ndjson"]).ok();
    let exports = ["csv", "ndjson", "ocsf"];
    let export = |format: &str, more: &[&str]| {
        place.run(&[&["export", "actor:user-*", "--format", format, "-o", "-"], more].concat()).ok()
    };
    let exported = exports.map(|format| export(format, &[]));
    let by_day = &["stats", "actor:user-*", "--by", "action,outcome", "--interval", "1d", "--format", "json"];
    let counted = place.run(by_day).json();
    server.stop();
    assert_eq!(exports.map(|format| export(format, &["--data", "data"])), exported);
    place.run(&["export", "--format", "parquet", "-o", "out.parquet", "--data", "data"]).ok();
    assert!(std::fs::read(place.path("out.parquet")).unwrap().ends_with(b"PAR1"));
    let offline = place.run(&[&by_day[..], &["--data", "data"]].concat()).json();
    assert_eq!((&offline["rows"], &offline["matched"]), (&counted["rows"], &counted["matched"]));
    let offline = place.run(&["search", "actor:user-*", "--format", "ndjson", "--data", "data"]).ok();
    assert_eq!(online, offline);
    assert_eq!(place.run(&["sql", sql, "--format", "csv", "--data", "data"]).ok(), "n\r\n30\r\n");
    place.run(&["index", "check", "--data", "data"]).ok();
    std::fs::remove_dir_all(place.path("data/index/main")).unwrap();
    place.run(&["index", "rebuild", "--data", "data"]).ok();
    place.run(&["index", "check", "--data", "data"]).ok();
    assert_eq!(place.run(&["search", "actor:user-*", "--format", "ndjson", "--data", "data"]).ok(), offline);
}

#[test]
fn an_export_is_whole_or_not_there_and_safe_in_a_spreadsheet() {
    let (place, _server) = with_events();
    place.run(&["export", "source:admin", "--format", "csv", "-o", "out.csv"]).ok();
    let csv = std::fs::read_to_string(place.path("out.csv")).unwrap();
    assert_eq!(csv.lines().count(), 32, "{csv}");
    assert!(csv.contains(",'=cmd(),"), "{csv}");
    for format in ["ndjson", "ocsf"] {
        let lines = place.run(&["export", "actor:user-*", "--format", format, "-o", "-"]).ok();
        assert_eq!(lines.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count(), 30);
    }
    place.run(&["export", "--format", "parquet", "-o", "out.parquet"]).ok();
    let parquet = std::fs::read(place.path("out.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    place.run(&["export", "actor:(", "-o", "wrong.ndjson"]).with(2);
    assert!(!place.path("wrong.ndjson").exists() && !place.path("wrong.ndjson.part").exists());
}

#[test]
fn a_tail_shows_the_last_events_and_then_each_new_one_once() {
    let (place, _server) = with_events();
    let last = place.run(&["tail", "actor:user-*", "-n", "2", "--format", "ndjson"]).ok();
    assert!(last.lines().count() == 2 && last.lines().nth(1).unwrap().contains("user-29"), "{last}");
    let mut tail = place.binary();
    tail.args(["tail", "-f", "actor:user-*", "-n", "1", "--format", "csv"]).stdout(Stdio::piped());
    let mut tail = tail.spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.contains("user-29")).unwrap();
    place.run_with_input(&["record"], &events(30..32)).ok();
    assert!(lines.next().unwrap().contains("user-30"));
    assert!(lines.next().unwrap().contains("user-31"));
    tail.kill().unwrap();
    tail.wait().unwrap();
}

#[test]
fn what_is_printed_for_people_is_there_for_programs_too() {
    let (place, _server) = with_events();
    let json = |arguments: &[&str]| place.run(&[arguments, &["--format", "json"]].concat()).json();
    let made = json(&["token", "create", "auditor", "--role", "read"]);
    let id = made["id"].as_str().unwrap();
    assert_eq!(json(&["token", "revoke", id])["revoked"], id);
    until("a checkpoint", || json(&["log", "list"])["logs"][0]["published_size"].as_u64() > Some(2));
    let checkpoint = json(&["checkpoint"]);
    assert!(checkpoint["checkpoint"].as_str().unwrap().contains("\n\n\u{2014} "), "{checkpoint}");
    let proof = json(&["proof", "1"]);
    assert_eq!((&proof["index"], &proof["log"]), (&1.into(), &"main".into()));
    assert!(json(&["log", "list"])["logs"][0]["checkpoint_confirmed"].is_string());
    assert!(json(&["log", "list"])["logs"][0]["origin"].as_str().is_some_and(|origin| !origin.contains(":0/")));
}

#[test]
fn a_closed_pipe_is_no_fault_and_a_full_disk_is_one() {
    let (place, _server) = with_events();
    let piped = place
        .command("bash")
        .args(["-c", "\"$0\" search --format ndjson | true; exit ${PIPESTATUS[0]}", env!("CARGO_BIN_EXE_indelible")])
        .output()
        .unwrap();
    assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
    for arguments in [&["search"][..], &["stats", "--by", "action"], &["log", "list"], &["export", "-o", "-"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = place.binary().args(arguments).stdout(full).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
    }
    until("the list", || place.run(&["log", "list"]).ok().contains("main"));
}
