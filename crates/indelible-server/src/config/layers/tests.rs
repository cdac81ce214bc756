//! The promises of the layers: order, origins, and faults that name their place and the nearest key.

use super::*;
use crate::config::{KEYS, show};

fn read(text: &str, variables: &[(&str, &str)], overrides: ConfigOverrides) -> Result<Loaded, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("indelible.toml");
    std::fs::write(&file, text).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(&ConfigOverrides { file: Some(file), ..overrides }, variables)
}

/// The faults with the folder cut off, one a line.
fn faults(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    match read(text, variables, ConfigOverrides::default()) {
        Err(ConfigError::Wrong(faults)) => faults
            .iter()
            .map(ToString::to_string)
            .map(|fault| fault.split_once("indelible.toml:").map_or(fault.clone(), |(_, rest)| rest.to_owned()))
            .collect(),
        other => panic!("expected faults, got {other:?}"),
    }
}

#[test]
fn flags_stand_over_variables_over_the_file_over_defaults() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\ndata = \"from-file\"\n[limits]\nqueries = 3\n";
    let variables = [("INDELIBLE_SERVER_LISTEN", "127.0.0.1:2"), ("INDELIBLE_LIMITS_QUERIES", "4"), ("HOME", "/root")];
    let overrides = ConfigOverrides { listen: Some("127.0.0.1:3".to_owned()), ..ConfigOverrides::default() };
    let loaded = read(text, &variables, overrides).unwrap();
    assert_eq!(loaded.config.server.listen, "127.0.0.1:3");
    assert_eq!(loaded.config.limits.queries, 4);
    assert_eq!(loaded.config.server.data, PathBuf::from("from-file"));
    let origins = ["server.listen", "limits.queries", "server.data", "limits.followers"];
    assert_eq!(
        origins.map(|path| loaded.origin(path).to_string()),
        ["flag --listen", "variable INDELIBLE_LIMITS_QUERIES", "file, line 3", "default"]
    );
}

#[test]
fn unknown_keys_are_refused_with_their_place_and_the_nearest_known_one() {
    let text = "colour = 1\n[server]\n  lisen = \"x\"\n[limts]\nqueries = 1\n[[log]]\nname = \"main\"\npubilc = true\n";
    assert_eq!(
        faults(text, &[]),
        [
            "1:1: `colour`: no such key",
            "3:3: `server.lisen`: no such key; did you mean `server.listen`?",
            "4:2: `limts`: no such key; did you mean `limits`?",
            "8:1: `log.main.pubilc`: no such key; did you mean `public`?",
        ]
    );
}

#[test]
fn wrong_values_are_all_told_at_once() {
    let text = "[limits]\nrequest_bytes = \"16MB\"\nqueries = \"8\"\nfollowers = -1\n[[log]]\nname = \"Main\"\n\
                checkpoint_interval = \"2s\"\npersonal = [1]\n";
    assert_eq!(
        faults(text, &[]),
        [
            "2:1: `limits.request_bytes`: `16MB` is not a size: write a whole number and a unit (B, KiB, MiB, GiB, TiB), \
             such as `16MiB`",
            "3:1: `limits.queries`: must be a whole number, not a string",
            "4:1: `limits.followers`: `-1` is not a whole number from 0 to 10000",
            "6:1: `log.Main.name`: `Main` is not a log name: use lower-case letters, digits and hyphens, begin with a letter or \
             digit, at most 63 characters",
            "7:1: `log.Main.checkpoint_interval`: 2s is outside 10ms to 1s",
            "8:1: `log.Main.personal`: must be a list of strings, not a list",
        ]
    );
}

#[test]
fn broken_toml_is_told_with_its_place() {
    assert_eq!(faults("[server\nlisten = \n", &[]), ["1:8: unclosed table, expected `]`"]);
    assert_eq!(faults("[server]\nlisten = \"a:1\"\nlisten = \"b:2\"\n", &[]), ["3:1: duplicate key"]);
}

#[test]
fn relations_between_keys_are_checked() {
    let text = "[server.tls]\nkey = \"k.pem\"\n[limits]\nbody_memory = \"16MiB\"\n[[log]]\nname = \"a\"\n[[log]]\nname = \"a\"\n";
    assert_eq!(
        faults(text, &[]),
        [
            "default: `server.tls.certificate`: needs `server.tls.key` to be set as well, and the other way round",
            "file, line 4: `limits.body_memory`: must be at least twice `limits.request_bytes`, which makes 32MiB",
            "default: `log`: two logs are named `a`",
        ]
    );
}

#[test]
fn variables_reach_a_log_and_a_misspelt_one_is_refused() {
    let text = "[[log]]\nname = \"team-a\"\n";
    let loaded = read(text, &[("INDELIBLE_LOG_TEAM_A_PUBLIC", "true")], ConfigOverrides::default()).unwrap();
    assert!(loaded.config.logs.0[0].public);
    assert_eq!(
        faults("", &[("INDELIBLE_SERVER_LISTN", "x"), ("INDELIBLE_LIMITS_QUERIES", "many")]),
        [
            "variable INDELIBLE_LIMITS_QUERIES: `limits.queries`: `many` is not a whole number from 1 to 1000",
            "variable INDELIBLE_SERVER_LISTN: no setting has this name; did you mean `INDELIBLE_SERVER_LISTEN`?",
        ]
    );
}

#[test]
fn variables_that_kubernetes_sets_are_left_alone() {
    let names = [
        "INDELIBLE_SERVER_SERVICE_HOST",
        "INDELIBLE_SERVER_PORT",
        "INDELIBLE_SERVER_PORT_7411_TCP_ADDR",
        "INDELIBLE_SERVER_SERVICE_PORT_HTTP",
        "INDELIBLE_ADMIN_TOKEN",
    ];
    assert!(read("", &names.map(|name| (name, "x")), ConfigOverrides::default()).is_ok());
}

#[test]
fn a_personal_field_is_a_text_of_the_event() {
    let log = |list: &str| format!("[[log]]\nname = \"a\"\npersonal = [{list}]\n");
    let loaded = read(&log("\"actor.name\", \"attributes.mail\""), &[], ConfigOverrides::default()).unwrap();
    assert_eq!(loaded.config.logs.0[0].personal, ["actor.name", "attributes.mail"]);
    assert_eq!(
        faults(&log("\"actor.id\", \"actor.nmae\""), &[]),
        ["3:1: `log.a.personal`: `actor.nmae` is no text of an event that may stand as a commitment; did you mean \
          `actor.name`?"]
    );
}

#[test]
fn a_missing_file_is_an_error_only_when_it_was_named() {
    let named = ConfigOverrides { file: Some(PathBuf::from("/nowhere/indelible.toml")), ..ConfigOverrides::default() };
    assert!(matches!(load(&named, []), Err(ConfigError::Read { .. })));
}

#[test]
fn what_config_show_prints_is_read_back_as_the_same_settings() {
    let text = "[limits]\nqueries = 3\n[[log]]\nname = \"a\"\npersonal = [\"actor.name\"]\n[[log]]\nname = \"b\"\npublic = true\n";
    let loaded =
        read(text, &[("INDELIBLE_SERVER_PUBLIC_URL", "https://x.example")], ConfigOverrides::default()).unwrap();
    let shown = show(&loaded, true);
    assert!(shown.contains("queries = 3                                  # file, line 2\n"), "{shown}");
    assert!(shown.contains("# variable INDELIBLE_SERVER_PUBLIC_URL\n") && shown.contains("set (hidden)"), "{shown}");
    assert_eq!(read(&shown, &[], ConfigOverrides::default()).unwrap().config, loaded.config);
}

#[test]
fn each_key_can_be_set_by_file_and_by_variable() {
    for key in KEYS {
        let default = (key.get)(&Config::default());
        if default.is_empty() {
            continue;
        }
        let name = variable_name(key.path);
        let loaded = read("", &[(&name, &default)], ConfigOverrides::default()).unwrap();
        assert_eq!(loaded.origin(key.path), Origin::Variable { name });
        let (section, short) = key.path.rsplit_once('.').unwrap();
        let value = match key.kind {
            Kind::Text => format!("\"{default}\""),
            Kind::Texts => format!("[\"{}\"]", default.replace(',', "\", \"")),
            Kind::Flag | Kind::Count => default,
        };
        let loaded = read(&format!("[{section}]\n{short} = {value}\n"), &[], ConfigOverrides::default()).unwrap();
        assert_eq!(loaded.origin(key.path), Origin::File { line: 2 });
    }
}
