//! E-mail addresses: a local part, `@`, a name with a dot and a top-level domain that is not a file's ending.

use super::pass::View;

/// RFC 5321, 4.5.3.1: local part and domain.
const LOCAL_MOST: usize = 64;
const DOMAIN_MOST: usize = 255;

/// What `@` joins that is a file or a package, never a domain.
const ENDINGS: &[&str] = &[
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "webp",
    "avif",
    "ico",
    "css",
    "scss",
    "js",
    "jsx",
    "mjs",
    "cjs",
    "ts",
    "tsx",
    "json",
    "html",
    "htm",
    "xml",
    "yaml",
    "yml",
    "toml",
    "jar",
    "tgz",
    "gz",
    "txt",
    "pdf",
    "exe",
    "dll",
    "lock",
    "local",
    "localhost",
];

fn local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'' | b'&')
}

fn domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'.' | b'-')
}

/// Whether the `@` at a place is that of an address.
pub(super) fn find(view: &View<'_>, at: usize) -> bool {
    let start = view.stretch_back(at, LOCAL_MOST + 1, local);
    let end = view.stretch(at + 1, DOMAIN_MOST, domain);
    if at < view.from || view.unsettled(start, end) {
        return false;
    }
    let name = view.slice(start, at);
    let name = name.strip_prefix(b"'").unwrap_or(name);
    let fits = (1..=LOCAL_MOST).contains(&name.len())
        && name.first() != Some(&b'.')
        && name.last() != Some(&b'.')
        && name.iter().any(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    fits && !is_location(view, start, end) && is_domain(view.slice(at + 1, end))
}

/// `scheme://user@host`, `user:password@host`, `git@host:path`, `@user@host`: places, not people.
fn is_location(view: &View<'_>, start: usize, end: usize) -> bool {
    let before = view.slice(start.saturating_sub(LOCAL_MOST), start);
    match before.last() {
        Some(b'@') => return true,
        Some(b'/') if before.ends_with(b"//") => return true,
        Some(b':') => {
            let word = before.rsplit(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'')).next();
            if word.is_some_and(|word| memchr::memmem::find(word, b"//").is_some()) {
                return true;
            }
        }
        _ => {}
    }
    let path = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'~');
    view.at(end) == Some(b':') && view.at(end + 1).is_some_and(path)
}

fn is_domain(text: &[u8]) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    let mut labels = text.rsplit(|byte| *byte == b'.');
    let Some(top) = labels.next() else { return false };
    let letters = top.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80) || top.starts_with(b"xn--");
    if !letters || !(2..=63).contains(&top.len()) {
        return false;
    }
    if ENDINGS.iter().any(|ending| top.eq_ignore_ascii_case(ending.as_bytes())) {
        return false;
    }
    let mut names = 0;
    for label in labels {
        let fits = (1..=63).contains(&label.len()) && label.first() != Some(&b'-') && label.last() != Some(&b'-');
        if !fits {
            return false;
        }
        names += 1;
    }
    names > 0
}
