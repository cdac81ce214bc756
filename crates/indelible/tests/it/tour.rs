//! What a newcomer does in the first five minutes.

use crate::harness::{Place, Server, end, event, until};

#[test]
fn the_printed_commands_record_an_event_and_find_it_at_once() {
    let mut place = Place::new();
    let server = Server::start(&mut place);
    let banner = server.said();
    let (record, find) = banner.split_once("Record an event:").unwrap().1.split_once("Find it again:").unwrap();
    let find = find.split_once("--data-urlencode 'q=actor:ana@example.com'").unwrap().0;
    let find = format!("{find} --data-urlencode 'q=actor:ana@example.com'");
    if end(place.command("sh").args(["-c", "command -v curl"])).code == Some(0) {
        let recorded = end(place.command("sh").args(["-c", record])).json();
        assert_eq!(recorded["count"], 1);
        let found = end(place.command("sh").args(["-c", &find])).json();
        assert_eq!(found["events"][0]["index"], recorded["first_index"]);
        assert_eq!(found["events"].as_array().unwrap().len(), 1);
    } else {
        eprintln!("skipped the printed commands: curl is missing");
        place.run_with_input(&["record"], &event("ana@example.com")).ok();
    }
    let table = place.run(&["search", "actor:ana@example.com action:read"]).ok();
    assert!(table.contains("dataset:customers") || table.contains("table:customers"), "{table}");
    server.until_it_says("Recorded and verified: entry ");
    let said = server.stop();
    assert_eq!(said.matches(&place.token).count(), 3, "shown once, and in the two commands: {said}");
    place.run(&["verify", "data/logs/main"]).ok();
}

#[test]
fn the_data_folder_and_its_keys_are_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let mut place = Place::new();
    let server = Server::start(&mut place);
    let mode = |name: &str| std::fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("data"), 0o700);
    assert_eq!(mode("data/keys/main.key"), 0o600);
    let key = std::fs::read_to_string(place.path("data/keys/main.key")).unwrap();
    assert!(!server.stop().contains(key.trim()));
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let mut place = Place::new();
    let _server = Server::start(&mut place);
    let made = place.run(&["token", "create", "auditor", "--role", "read", "--format", "json"]).json();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    place.write("auditor.token", token);
    place.run(&["search", "--token-file", "auditor.token"]).ok();
    let refused = place.run_with_input(&["record", "--token-file", "auditor.token"], &event("ana")).with(2);
    assert!(!refused.err.contains(token), "{}", refused.err);
    let listed = place.run(&["token", "list"]).ok();
    assert!(listed.contains("auditor") && !listed.contains(token), "{listed}");
    place.run(&["token", "revoke", id]).ok();
    let refused = place.run(&["search", "--token-file", "auditor.token"]).with(2);
    assert!(refused.err.contains("INDELIBLE_TOKEN") && !refused.err.contains(token), "{}", refused.err);
    until("the refusal on record", || place.count("outcome:denied") >= 2);
}
