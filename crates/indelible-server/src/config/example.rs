//! Test only: `indelible.example.toml` at the root of the repository documents every key with its default.

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigOverrides, KEYS, LOG_KEYS, load};

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
            .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line))
            .flat_map(|line| [line, "\n"])
            .collect();
        let config = parse(&uncommented);
        assert!(config.tls() && config.server.public_url.is_some() && config.logs.0[0].origin.is_some());
    }
}
