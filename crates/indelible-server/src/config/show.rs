//! `config show`: every value that is in force and where it came from. Never: a secret; there is none among the settings,
//! and of the admin token it only says whether one is set.

use super::{
    BUDGET_KEYS, ItemKey, KEYS, Kind, LLM_KEYS, LOG_KEYS, Loaded, MCP_KEYS, PRICE_KEYS, RECEIVER_KEYS, SOURCE_KEYS,
};

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
    let gateway = &loaded.config.gateway;
    list(&mut text, loaded, "log", &loaded.config.logs.0, LOG_KEYS, |log| &log.name);
    list(&mut text, loaded, "gateway.llm", &gateway.llm, LLM_KEYS, |llm| &llm.name);
    list(&mut text, loaded, "gateway.mcp", &gateway.mcp, MCP_KEYS, |mcp| &mcp.name);
    list(&mut text, loaded, "gateway.price", &gateway.prices, PRICE_KEYS, |_| "");
    list(&mut text, loaded, "receiver", &loaded.config.receivers, RECEIVER_KEYS, |receiver| &receiver.name);
    list(&mut text, loaded, "budget", &loaded.config.budgets, BUDGET_KEYS, |budget| &budget.name);
    list(&mut text, loaded, "source", &loaded.config.sources.expected, SOURCE_KEYS, |source| &source.id);
    let admin = if admin_token_is_set { "set (hidden)" } else { "not set" };
    text.push_str(&format!("\n# INDELIBLE_ADMIN_TOKEN: {admin}\n"));
    text
}

/// Each table of a list.
fn list<T>(
    text: &mut String,
    loaded: &Loaded,
    path: &str,
    items: &[T],
    keys: &[ItemKey<T>],
    name: impl Fn(&T) -> &str,
) {
    for item in items {
        text.push_str(&format!("\n[[{path}]]\n"));
        for key in keys {
            let origin = loaded.origin(&format!("{path}.{}.{}", name(item), key.name)).to_string();
            line(text, key.name, key.kind, &(key.get)(item), &origin);
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
