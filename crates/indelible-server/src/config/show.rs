//! `config show`: every value that is in force and where it came from. Never: a secret; there is none among the settings,
//! and of the admin token it only says whether one is set.

use std::collections::HashMap;

use super::{
    BUDGET_KEYS, Config, ItemKey, KEYS, Kind, LLM_KEYS, LOG_KEYS, Loaded, MCP_KEYS, PRICE_KEYS, RECEIVER_KEYS,
    SIGN_IN_ROLE_KEYS, SOURCE_KEYS,
};

/// The settings as TOML, each line with its origin as a comment. `admin_token_is_set` tells whether `INDELIBLE_ADMIN_TOKEN`
/// is in the environment.
#[must_use]
pub fn show(loaded: &Loaded, admin_token_is_set: bool) -> String {
    let mut text = written(&loaded.config, &|path, _| loaded.origin(path).to_string());
    let admin = if admin_token_is_set { "set (hidden)" } else { "not set" };
    text.push_str(&format!("\n# INDELIBLE_ADMIN_TOKEN: {admin}\n"));
    text
}

/// The settings of a running server as TOML; a comment tells which are not the default.
#[must_use]
pub fn in_force(config: &Config) -> String {
    let default = Config::default();
    let set: HashMap<&str, String> = KEYS.iter().map(|key| (key.path, (key.get)(&default))).collect();
    written(config, &|path, value| {
        if set.get(path).is_some_and(|default| default == value) { "default".to_owned() } else { "set".to_owned() }
    })
}

/// `origin` says of a path and its value where it came from.
fn written(config: &Config, origin: &dyn Fn(&str, &str) -> String) -> String {
    let mut text = String::new();
    let mut section = "";
    for key in KEYS {
        let (of, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if of != section {
            text.push_str(&format!("{}[{of}]\n", if section.is_empty() { "" } else { "\n" }));
            section = of;
        }
        let value = (key.get)(config);
        line(&mut text, name, key.kind, &value, &origin(key.path, &value));
    }
    let gateway = &config.gateway;
    list(&mut text, origin, "log", &config.logs.0, LOG_KEYS, |log| &log.name);
    list(&mut text, origin, "gateway.llm", &gateway.llm, LLM_KEYS, |llm| &llm.name);
    list(&mut text, origin, "gateway.mcp", &gateway.mcp, MCP_KEYS, |mcp| &mcp.name);
    list(&mut text, origin, "gateway.price", &gateway.prices, PRICE_KEYS, |_| "");
    list(&mut text, origin, "receiver", &config.receivers, RECEIVER_KEYS, |receiver| &receiver.name);
    list(&mut text, origin, "budget", &config.budgets, BUDGET_KEYS, |budget| &budget.name);
    list(&mut text, origin, "sign_in.oidc.role", &config.sign_in.oidc.roles, SIGN_IN_ROLE_KEYS, |rule| &rule.group);
    list(&mut text, origin, "source", &config.sources.expected, SOURCE_KEYS, |source| &source.id);
    text
}

/// Each table of a list.
fn list<T>(
    text: &mut String,
    origin: &dyn Fn(&str, &str) -> String,
    path: &str,
    items: &[T],
    keys: &[ItemKey<T>],
    name: impl Fn(&T) -> &str,
) {
    for item in items {
        text.push_str(&format!("\n[[{path}]]\n"));
        for key in keys {
            let value = (key.get)(item);
            let from = origin(&format!("{path}.{}.{}", name(item), key.name), &value);
            line(text, key.name, key.kind, &value, &from);
        }
    }
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
