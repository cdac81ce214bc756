//! `serve --demo`: sample traffic by the public API, marked, ended in order, and at home in a log that it has used before.

use crate::harness::{Place, Server, until};

const LIVE: &str = "select count(*) as n from events where operation = 'tokens.create'";

#[test]
fn demo_traffic_is_marked_and_goes_on_where_it_stopped() {
    let mut place = Place::new();
    let demo = |place: &Place| place.count("source:demo-*");
    let server = Server::start_with(&mut place, "127.0.0.1:0", &["--demo"]);
    until("traffic", || demo(&place) > 3);
    let event = place.run(&["search", "source:demo-*", "--limit", "1", "--format", "json"]).json();
    assert_eq!(event[0]["event"]["attributes"]["demo"], true);
    until("calls through gateways", || place.count("source:gateway/demo-* phase:outcome") > 2);
    let call =
        place.run(&["search", "source:gateway/demo-models phase:outcome", "--limit", "1", "--format", "json"]).json();
    assert_eq!(call[0]["event"]["attributes"]["indelible.application"], "demo");
    // killed, it cannot give its token back
    server.kill();
    let before = Server::start(&mut place);
    let recorded = demo(&place);
    before.kill();
    let server = Server::start_with(&mut place, "127.0.0.1:0", &["--demo"]);
    until("more traffic", || demo(&place) > recorded + 3);
    server.stop();
    let server = Server::start(&mut place);
    let tokens = place.run(&["token", "list", "--format", "json"]).json();
    let tokens = tokens["tokens"].as_array().unwrap();
    assert!(tokens.iter().filter(|token| token["name"] == "indelible-demo").all(|token| !token["revoked"].is_null()));
    assert_eq!(place.run(&["sql", LIVE, "--format", "csv"]).ok(), "n\r\n3\r\n");
    server.stop();
    let report = place.run(&["verify", "data", "--format", "json"]).json();
    for source in report["completeness"]["sources"].as_array().unwrap() {
        assert_eq!(
            (&source["missing"], &source["restarts"], &source["repeats"]),
            (&0.into(), &0.into(), &0.into()),
            "{source}"
        );
    }
}
