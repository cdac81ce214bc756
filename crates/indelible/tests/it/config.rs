//! The configuration and the command line, when they are wrong and when they are right.

use std::path::Path;

use crate::harness::{Place, end};

#[test]
fn a_wrong_key_is_named_with_its_line_and_the_nearest_known_one() {
    let place = Place::new();
    place.write("indelible.toml", "[server]\nlisten = \"127.0.0.1:0\"\ndatta = \"x\"\n");
    for arguments in
        [&["config", "check"][..], &["config", "show"], &["serve"], &["config", "check", "--config", "indelible.toml"]]
    {
        let wrong = place.run(arguments).with(78);
        assert!(
            wrong.err.contains("indelible.toml:3") && wrong.err.contains("did you mean `server.data`"),
            "{}",
            wrong.err
        );
    }
    assert!(!place.path("indelible-data").exists(), "nothing was begun");
    let wrong = end(place.binary().args(["config", "check", "--config", "none.toml"])).with(78);
    assert!(wrong.err.contains("none.toml"), "{}", wrong.err);
}

#[test]
fn the_example_can_be_used_and_secrets_are_not_shown() {
    let place = Place::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../indelible.example.toml");
    place.run(&["config", "check", "--config", example.to_str().unwrap()]).ok();
    let secret = "ind_a_a-secret-that-nobody-should-see-0001";
    let mut show = place.binary();
    show.args(["config", "show"]).env("INDELIBLE_ADMIN_TOKEN", secret).env("INDELIBLE_SERVER_LISTEN", "127.0.0.1:7");
    let shown = end(&mut show).ok();
    assert!(shown.contains("127.0.0.1:7") && shown.contains("INDELIBLE_SERVER_LISTEN"), "{shown}");
    assert!(!shown.contains(secret), "{shown}");
    let mut wrong = place.binary();
    let wrong = end(wrong.args(["config", "check"]).env("INDELIBLE_SERVER_LISTEM", "x")).with(78);
    assert!(wrong.err.contains("INDELIBLE_SERVER_LISTEM"), "{}", wrong.err);
}

#[test]
fn a_wrong_command_line_has_its_own_exit_code() {
    let place = Place::new();
    place.run(&[]).with(64);
    place.run(&["serch", "x"]).with(64);
    place.run(&["search", "--format", "xml"]).with(64);
    place.run(&["record", "--batch", "0"]).with(64);
    assert!(place.run(&["--version"]).ok().starts_with("indelible 0."));
}

#[test]
fn the_example_policies_hold_together_and_decide_as_their_cases_say() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let (folder, cases) = (folder.to_str().unwrap(), folder.join("cases.toml"));
    assert!(place.run(&["policy", "check", folder]).ok().contains("hold together"));
    let cases = cases.to_str().unwrap();
    assert!(place.run(&["policy", "test", cases, "--folder", folder]).ok().ends_with(" 0 wrong\n"));
    std::fs::create_dir(place.path("policies")).unwrap();
    place.write("policies/a.cedar", "permit(principal, action == Action::\"infers\", resource);");
    let wrong = place.run(&["policy", "check", "policies"]).with(1);
    assert!(wrong.out.contains("policies/a.cedar") && wrong.out.contains("infers"), "{}", wrong.out);
    place.write("policies/a.cedar", "@id(\"all\") permit(principal, action, resource);");
    let wrong = place.run(&["policy", "test", cases, "--folder", "policies"]).with(1);
    assert!(wrong.out.contains("WRONG too many tokens: permit by all, expected forbid"), "{}", wrong.out);
}
