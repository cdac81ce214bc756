//! `config show`: every value that is in force and where it came from. Never: a secret; there is none among the settings,
//! and of the admin token it only says whether one is set.

use super::{KEYS, Kind, LOG_KEYS, Loaded};

/// The settings as TOML, each line with its origin as a comment. `admin_token_is_set` tells whether `INDELIBLE_ADMIN_TOKEN`
/// is in the environment.
#[must_use]
pub fn show(loaded: &Loaded, admin_token_is_set: bool) -> String {
    let mut text = String::new();
    let mut section = "";
    for key in KEYS {
        let (of, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if of != section {
            text.push_str(&format!("{}[{of}]\n", if section.is_empty() { "" } else { "\n" }));
            section = of;
        }
        line(&mut text, name, key.kind, &(key.get)(&loaded.config), &loaded.origin(key.path).to_string());
    }
    for log in &loaded.config.logs.0 {
        text.push_str("\n[[log]]\n");
        for key in LOG_KEYS {
            let origin = loaded.origin(&format!("log.{}.{}", log.name, key.name)).to_string();
            line(&mut text, key.name, key.kind, &(key.get)(log), &origin);
        }
    }
    let admin = if admin_token_is_set { "set (hidden)" } else { "not set" };
    text.push_str(&format!("\n# INDELIBLE_ADMIN_TOKEN: {admin}\n"));
    text
}

fn line(text: &mut String, name: &str, kind: Kind, value: &str, origin: &str) {
    let (mark, value) = match kind {
        Kind::Text if value.is_empty() => ("# ", "\"\"".to_owned()),
        Kind::Text => ("", toml::Value::String(value.to_owned()).to_string()),
        Kind::Flag | Kind::Count => ("", value.to_owned()),
        Kind::Texts => {
            let items =
                value.split(',').filter(|item| !item.is_empty()).map(|item| toml::Value::String(item.to_owned()));
            ("", toml::Value::Array(items.collect()).to_string())
        }
    };
    let setting = format!("{mark}{name} = {value}");
    text.push_str(&format!("{setting:<44} # {origin}\n"));
}
