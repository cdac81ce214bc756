//! `indelible record`: every event once, whatever happens in between, and clear words about those that are wrong.

use crate::harness::{Place, Server, event, events};

#[test]
fn a_file_that_grew_is_recorded_from_where_it_stopped() {
    let mut place = Place::new();
    let _server = Server::start(&mut place);
    let text = events(0..250);
    place.write("events", text.trim_end());
    assert_eq!(place.run(&["record", "events", "--batch", "100"]).ok(), "Recorded 250 events in 3 requests.\n");
    let state = std::fs::read(place.path("events.indelible-state")).unwrap();
    place.write("events", events(0..400));
    assert_eq!(place.run(&["record", "events", "--batch", "100"]).ok(), "Recorded 150 events in 2 requests.\n");
    assert_eq!(place.run(&["record", "events"]).ok(), "Recorded 0 events in 0 requests.\n");

    // the acknowledgement of the second run was lost, or the state file was
    place.write("events.indelible-state", state);
    let again = place.run(&["record", "events", "--format", "json"]).json();
    assert_eq!((&again["recorded"], &again["known_before"]), (&0.into(), &150.into()), "{again}");
    std::fs::remove_file(place.path("events.indelible-state")).unwrap();
    let again = place.run(&["record", "events", "--format", "json"]).json();
    assert_eq!((&again["recorded"], &again["known_before"]), (&0.into(), &400.into()), "{again}");
    assert_eq!(place.count("actor:user-*"), 400);

    place.write("events", events(1..500));
    let refused = place.run(&["record", "events"]).with(2);
    assert!(refused.err.contains("changed before the place"), "{}", refused.err);
    let refused = place.run(&["record", "events", "--log", "other"]).with(2);
    assert!(refused.err.contains("--state"), "{}", refused.err);
}

#[test]
fn like_events_of_two_inputs_are_two_events() {
    let mut place = Place::new();
    let _server = Server::start(&mut place);
    for name in ["one", "two"] {
        place.write(name, event("twin"));
        place.run(&["record", name]).ok();
        place.run_with_input(&["record", "-"], &event("twin")).ok();
    }
    assert_eq!(place.count("actor:twin"), 4);
    for _ in 0..2 {
        place.run_with_input(&["record", "--state", "stdin.state"], &events(0..3)).ok();
    }
    assert_eq!(place.count("actor:user-*"), 3);
}

#[test]
fn wrong_lines_are_named_as_they_stand_in_the_file() {
    let mut place = Place::new();
    let _server = Server::start(&mut place);
    let wrong = r#"{"time":"2026-11-23T10:15:30Z","actor":{"id":"x","type":"human"},"acton":"read","outcome":{"result":"allowed"}}"#;
    place.write("events", format!("{}\n\n{}{wrong}\n{{not json\n{}", event("first"), events(0..2), event("last")));
    let refused = place.run(&["record", "events", "--batch", "2"]).with(1);
    assert!(refused.err.contains("lines 4 to 5 were not recorded"), "{}", refused.err);
    assert!(refused.err.contains("line 5: acton: ") && refused.err.contains("action"), "{}", refused.err);
    assert_eq!(place.count("source:admin"), 2, "what came before the wrong batch is recorded, nothing of it");

    // going on with the good ones: a batch without any good event is no reason to stop
    let partly = place.run(&["record", "events", "--batch", "1", "--partial"]).with(1);
    assert!(partly.err.contains("refused: line 5: acton: "), "{}", partly.err);
    assert!(partly.err.contains("refused: line 6: "), "{}", partly.err);
    assert!(partly.out.contains("Recorded 2 events in 4 requests; 2 were refused."), "{}", partly.out);
    assert_eq!(place.count("actor:last"), 1);
}

#[test]
fn what_could_not_be_done_is_told_from_what_was_refused() {
    let mut place = Place::new();
    let _server = Server::start(&mut place);
    place.write("events", event("ana"));
    place.token = "ind_a_not-a-token-of-this-server".to_owned();
    let refused = place.run(&["record", "events"]).with(2);
    assert!(refused.err.contains("INDELIBLE_TOKEN") && !refused.err.contains(&place.token), "{}", refused.err);
    assert!(!place.path("events.indelible-state").exists());
    // port 9 (discard) is open nowhere
    let away = place.run(&["search", "--url", "http://127.0.0.1:9"]).with(2);
    assert!(away.err.contains("indelible serve"), "{}", away.err);
    place.run(&["record", "no-such-file"]).with(2);
}
