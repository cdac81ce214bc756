//! Readers in rooms that take long to build: the query language and the configuration.

use indelible_search::query::{QUERY_BYTES_MAX, parse};
use indelible_server::config::{ConfigOverrides, load};

/// A query: read, or refused with a place inside it; what is printed reads as the same query.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(query) = parse(text) else { return };
    let printed = query.to_string();
    if printed.len() <= QUERY_BYTES_MAX {
        assert_eq!(parse(&printed).as_ref(), Ok(&query), "`{printed}` reads otherwise");
    }
}

/// A configuration file.
pub fn config(data: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::io::Write::write_all(&mut file, data).expect("a temporary file");
    let overrides = ConfigOverrides { file: Some(file.path().to_owned()), ..ConfigOverrides::default() };
    if let Err(error) = load(&overrides, []) {
        assert!(!error.to_string().is_empty());
    }
}
