//! A killed server: nothing acknowledged is lost, nothing is repeated, and clients go on by themselves.

use std::process::Stdio;

use crate::harness::{Place, Server, events, until};

#[test]
fn what_was_acknowledged_survives_sigkill() {
    let mut place = Place::new();
    for run in 0..3 {
        let server = Server::start(&mut place);
        place.write("events", events(run * 200..(run + 1) * 200));
        place.run(&["record", "events", "--state", &format!("state-{run}"), "--batch", "50"]).ok();
        server.kill();
    }
    let server = Server::start(&mut place);
    assert_eq!(place.count("actor:user-*"), 600);
    let kept = place.run(&["checkpoint"]).ok();
    place.write("kept", kept);
    server.kill();
    let server = Server::start(&mut place);
    server.stop();
    let report = place.run(&["verify", "data/logs/main", "--from", "kept", "--key", "data/logs/main/log.vkey"]).ok();
    assert!(report.contains("INTEGRITY     intact"), "{report}");
    assert!(report.contains("kept checkpoint: its "), "{report}");
}

#[test]
fn a_client_outlives_a_killed_server_and_records_each_event_once() {
    const EVENTS: usize = 6_000;
    let mut place = Place::new();
    let server = Server::start(&mut place);
    place.write("events", events(0..EVENTS));
    let mut client = place.binary();
    client.args(["record", "events", "--batch", "20"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let client = client.spawn().unwrap();
    until("the first acknowledgement", || place.path("events.indelible-state").exists());
    let address = place.url.strip_prefix("http://").unwrap().to_owned();
    server.kill();
    let _server = Server::start_with(&mut place, &address, &[]);
    let ended = client.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(place.count("actor:user-*"), EVENTS);
}
