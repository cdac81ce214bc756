//! Test only: `indelible.example.toml` at the root of the repository documents every key with its default.

#[cfg(test)]
mod tests {
    use super::super::{
        BUDGET_KEYS, Config, ConfigOverrides, KEYS, LLM_KEYS, LOG_KEYS, MCP_KEYS, PRICE_KEYS, RECEIVER_KEYS,
        SIGN_IN_ROLE_KEYS, SOURCE_KEYS, load,
    };

    const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../indelible.example.toml");

    fn parse(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("example.toml");
        std::fs::write(&file, text).unwrap();
        load(&ConfigOverrides { file: Some(file), ..ConfigOverrides::default() }, []).unwrap().config
    }

    #[test]
    fn the_example_file_holds_the_defaults() {
        assert_eq!(parse(&std::fs::read_to_string(EXAMPLE).unwrap()), Config::default());
    }

    #[test]
    fn the_example_file_documents_every_key_and_its_optional_ones_parse() {
        let text = std::fs::read_to_string(EXAMPLE).unwrap();
        let names =
            KEYS.iter().filter_map(|key| key.path.rsplit('.').next()).chain(LOG_KEYS.iter().map(|key| key.name));
        for name in names {
            let shown = |line: &str| line.strip_prefix("# ").unwrap_or(line).starts_with(&format!("{name} = "));
            let place = text.lines().position(shown).unwrap_or_else(|| panic!("`{name}` is not in the example"));
            let before = text.lines().nth(place - 1).unwrap();
            assert!(before.starts_with("# "), "`{name}` has no comment above it");
        }
        // Settings without a default stand as comments; they must be right too.
        let uncommented: String = text
            .lines()
            // Only one of the two may be set.
            .filter(|line| !line.contains("master_key_command") && !line.starts_with("# client_secret_variable"))
            .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line))
            .flat_map(|line| [line, "\n"])
            .collect();
        let role = "\n[[sign_in.oidc.role]]\ngroup = \"auditors\"\nrole = \"read\"\n";
        let config = parse(&(uncommented + role));
        assert_eq!(config.sign_in.oidc.roles.len(), 1);
        assert!(config.tls() && config.server.public_url.is_some() && config.logs.0[0].origin.is_some());
    }

    #[test]
    fn the_example_gateways_parse_and_show_every_key() {
        let text = std::fs::read_to_string(EXAMPLE).unwrap();
        let begin = text.find("#[[gateway.llm]]").unwrap();
        let (_, examples) = text.split_at(begin);
        let gateways: Vec<&str> = examples
            .lines()
            .filter_map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')))
            // Only one of them may be set.
            .filter(|line| !["credential_variable", "url_file", "url_variable"].iter().any(|key| line.starts_with(key)))
            .collect();
        let config = parse(&gateways.join("\n"));
        assert_eq!((config.gateway.llm.len(), config.gateway.mcp.len(), config.gateway.prices.len()), (1, 1, 1));
        assert_eq!(config.sources.settings().expected[0].heartbeat_seconds, 60);
        assert_eq!((config.gateway.prices[0].input, config.budgets.len()), (2_500_000, 1));
        let names = LLM_KEYS.iter().map(|key| key.name).chain(MCP_KEYS.iter().map(|key| key.name));
        let names = names.chain(BUDGET_KEYS.iter().map(|key| key.name));
        let names = names.chain(RECEIVER_KEYS.iter().map(|key| key.name));
        assert_eq!(config.receivers.len(), 1);
        let names = names.chain(SIGN_IN_ROLE_KEYS.iter().map(|key| key.name));
        let names = names.chain(SOURCE_KEYS.iter().map(|key| key.name));
        for name in names.chain(PRICE_KEYS.iter().map(|key| key.name)) {
            assert!(text.contains(&format!("\n#{name} = ")), "`{name}` is not in the example");
        }
    }
}
