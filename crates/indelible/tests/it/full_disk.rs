//! A disk that is really full: a small file system in memory, filled up. Needs the right to mount one; elsewhere the test says
//! that it did nothing (the simulated disk of `indelible-testkit` covers the same cases everywhere).

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Place, Server, event, until};

/// Room for two segments of the journal (64 MiB each), what the log keeps free, and the tiles of what fits into one segment.
const SIZE: &str = "size=450m,mode=0700";
/// Long events fill a segment with few requests.
const REASON_BYTES: usize = 60_000;
/// Events in one request.
const BATCH: usize = 40;

/// A file system of its own, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this may not be mounted.
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self(at))
    }

    /// Takes all the room there is.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        let block = vec![0; 1 << 16];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // lazily: a server that a failed test left running still has files open
        let _unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A client that takes any status as an answer.
fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

/// Sends long events of these actors and gives the status; what was acknowledged is added to `acknowledged`.
fn record(place: &Place, acknowledged: &mut Vec<(u64, String)>, actors: Vec<String>) -> u16 {
    let reason = format!(r#""reason":"{}","result""#, "x".repeat(REASON_BYTES));
    let lines: Vec<String> = actors.iter().map(|actor| event(actor).replace(r#""result""#, &reason)).collect();
    let bearer = format!("Bearer {}", place.token);
    let request = agent().post(format!("{}/v1/events", place.url)).header("authorization", bearer);
    let mut answer = request.content_type("application/x-ndjson").send(lines.join("\n")).unwrap();
    if answer.status() == 200 {
        let body: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        acknowledged.extend((body["first_index"].as_u64().unwrap()..).zip(actors));
    }
    answer.status().as_u16()
}

fn actors(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{what}-{n}")).collect()
}

fn ready(place: &Place) -> u16 {
    agent().get(format!("{}/readyz", place.url)).call().unwrap().status().as_u16()
}

fn all_stand(place: &Place, acknowledged: &[(u64, String)], entries: &[Value]) {
    assert!(!acknowledged.is_empty());
    for (index, actor) in acknowledged {
        let entry = &entries[usize::try_from(*index).unwrap()];
        assert_eq!(entry["actor"]["id"], actor.as_str(), "entry {index} in {}", place.path("data").display());
    }
}

fn entries(place: &Place, more: &[&str]) -> Vec<Value> {
    let arguments = [&["search", "", "--order", "asc", "--limit", "1000000", "--format", "ndjson"], more].concat();
    place.run(&arguments).ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_full_disk_refuses_events_and_loses_none_and_recovers_by_itself() {
    let mut place = Place::new();
    let Some(disk) = SmallDisk::mount(place.path("data")) else {
        println!("skipped: no file system can be mounted here (this needs root); nothing was tested");
        return;
    };
    let server = Server::start(&mut place);
    let mut acknowledged = Vec::new();
    assert_eq!(record(&place, &mut acknowledged, actors("before", 3)), 200);
    let filler = disk.fill();
    let mut batches = 0;
    let refused = loop {
        batches += 1;
        match record(&place, &mut acknowledged, actors(&format!("filling-{batches}"), BATCH)) {
            200 => {}
            refused => break refused,
        }
    };
    assert_eq!(refused, 507);
    assert_eq!(ready(&place), 503);
    // reads go on, and are on record: in the reserve while there is no other room
    for _ in 0..3 {
        all_stand(&place, &acknowledged, &entries(&place, &[]));
    }
    assert_eq!(record(&place, &mut acknowledged, actors("refused", BATCH)), 507);

    std::fs::remove_file(filler).unwrap();
    until("events are taken again", || record(&place, &mut acknowledged, actors("after", BATCH)) == 200);
    until("it is ready again", || ready(&place) == 200);
    server.stop();
    all_stand(&place, &acknowledged, &entries(&place, &["--data", "data"]));
    let report = place.run(&["verify", "data/logs/main", "--format", "json"]).json();
    own_events_are_complete(&report);
    let server = Server::start(&mut place);
    all_stand(&place, &acknowledged, &entries(&place, &[]));
    server.stop();
}

/// The server's own numbers have no gap and no repeat, though some of its events went through the reserve.
fn own_events_are_complete(report: &Value) {
    let sources = report["completeness"]["sources"].as_array().unwrap();
    let own: Vec<&Value> =
        sources.iter().filter(|source| source["id"].as_str().unwrap().starts_with("indelible-server/")).collect();
    assert!(!own.is_empty(), "{report}");
    for source in own {
        let counts = ["missing", "repeats", "restarts", "unnumbered"].map(|name| source[name].as_u64().unwrap());
        assert_eq!((counts, source["events"].as_u64()), ([0; 4], source["last_seq"].as_u64()), "{source}");
    }
}
