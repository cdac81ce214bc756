//! Encrypted connections, and where the token goes.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use crate::harness::{Place, Server, event};

#[test]
fn commands_speak_tls_and_say_what_is_wrong_with_a_certificate() {
    let mut place = Place::new();
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    place.write("chain.pem", certified.cert.pem());
    place.write("key.pem", certified.signing_key.serialize_pem());
    place.write("indelible.toml", "[server.tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n");
    let server = Server::start_with(&mut place, "127.0.0.1:0", &["--demo"]);
    assert!(place.url.starts_with("https://"), "{}", place.url);
    place.run_with_input(&["record", "--ca", "chain.pem"], &event("ana")).ok();
    assert!(place.run(&["search", "actor:ana", "--ca", "chain.pem"]).ok().contains("ana"));
    server.until_it_says("Recorded and verified");
    let log = format!("{}/log/main", place.url);
    let report = place.run(&["verify", &log, "--ca", "chain.pem"]).ok();
    assert!(report.contains("INTEGRITY     intact"), "{report}");
    // the authorities of the system, or none at all: either way it is not trusted
    place.run(&["verify", &log]).with(2);
    let refused = place.run(&["search", "actor:ana"]).with(2);
    assert!(refused.err.contains("--ca"), "{}", refused.err);
    let refused = place.run_with_input(&["record"], &event("ana")).with(2);
    assert!(!refused.err.contains("waiting for"), "waiting mends no certificate: {}", refused.err);
    let said = server.stop();
    assert!(!said.contains("the demo traffic has ended"), "{said}");
}

#[test]
fn the_token_goes_to_no_other_server() {
    let mut place = Place::new();
    place.token = "ind_a_test-token-for-the-administrator-0001".to_owned();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let log = format!("http://{}/log/main", stranger.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (socket, _) = stranger.accept().unwrap();
        let lines = BufReader::new(socket).lines().map_while(Result::ok);
        lines.take_while(|line| !line.is_empty()).collect::<Vec<String>>()
    });
    let mut verify = place.binary();
    verify.args(["verify", &log]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut verify = verify.spawn().unwrap();
    let heard = heard.join().unwrap().join("\n");
    verify.kill().unwrap();
    verify.wait().unwrap();
    assert!(heard.starts_with("GET /log/main/") && !heard.contains("ind_a_"), "{heard}");
}
