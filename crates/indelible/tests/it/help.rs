//! The help of every command, as people see it. After a change look at the difference, then run with `INSTA_UPDATE=always`.

use crate::harness::Place;

const COMMANDS: &[&[&str]] = &[
    &[],
    &["serve"],
    &["config"],
    &["config", "check"],
    &["config", "show"],
    &["record"],
    &["search"],
    &["tail"],
    &["stats"],
    &["sql"],
    &["export"],
    &["verify"],
    &["receipt", "verify"],
    &["checkpoint"],
    &["proof"],
    &["proof", "verify"],
    &["drill"],
    &["log", "list"],
    &["log", "resume"],
    &["token"],
    &["token", "create"],
    &["token", "list"],
    &["token", "revoke"],
    &["unseal"],
    &["forget"],
    &["index", "rebuild"],
    &["index", "check"],
    &["mcp", "wrap"],
];

#[test]
fn the_help_of_every_command() {
    let place = Place::new();
    let mut all = String::new();
    for command in COMMANDS {
        let mut help = place.binary();
        help.args(*command).arg("--help").env_remove("INDELIBLE_URL");
        let text = crate::harness::end(&mut help).ok();
        let works = !text.contains("Commands:");
        assert!(!works || text.contains("Example"), "no example: {command:?}");
        all.push_str(&format!("$ indelible {} --help\n{text}\n", command.join(" ")));
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("help", all);
    });
}
