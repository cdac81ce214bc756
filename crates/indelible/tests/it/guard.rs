//! The guard of integrity from the command line: found while running, said at the start, lifted by a person, on record.

use crate::harness::{Place, Server, event, events, until};

#[test]
fn what_was_altered_on_disk_stops_signing_until_a_person_resumes_it() {
    let mut place = Place::new();
    place.write("indelible.toml", "[guard]\nsweep = \"1s\"\n");
    let server = Server::start(&mut place);
    place.run_with_input(&["record"], &events(0..600)).ok();
    until("published", || {
        place.run(&["log", "list", "--format", "json"]).json()["logs"][0]["published_size"].as_u64() > Some(600)
    });
    let tile = place.path("data/logs/main/tile/0/001");
    let whole = std::fs::read(&tile).unwrap();
    let mut altered = whole.clone();
    altered[5] ^= 1;
    std::fs::write(&tile, &altered).unwrap();
    server.until_it_says("integrity/tile");
    // events are taken all the same
    place.run_with_input(&["record"], &event("later")).ok();
    assert_eq!(place.run(&["log", "list", "--format", "json"]).json()["logs"][0]["signing"], "stopped");
    let resume = ["log", "resume", "--data", "data", "--reason", "tile/0/001 put back"];
    assert!(place.run(&resume).with(2).err.contains("cannot be resumed"));
    server.stop();

    let server = Server::start(&mut place);
    server.until_it_says("indelible log resume");
    assert_eq!(place.run(&["log", "list", "--format", "json"]).json()["logs"][0]["signing"], "stopped");
    server.stop();
    std::fs::write(&tile, &whole).unwrap();
    assert!(place.run(&resume).ok().contains("tile/0/001"));
    place.run(&resume).with(2);

    let server = Server::start(&mut place);
    until("signed again", || {
        let log = place.run(&["log", "list", "--format", "json"]).json()["logs"][0].clone();
        log["signing"] == "running" && log["published_size"].as_u64() > Some(604)
    });
    assert_eq!(place.count("operation:log.signing.stop"), 1);
    assert_eq!(place.count("operation:log.signing.resume attributes.reason:*"), 1);
    drop(server.stop());
    place.run(&["verify", "data/logs/main"]).ok();
}
