//! Private keys in their written forms. A public key, a certificate or the mere words "BEGIN PRIVATE KEY" are not one.

use super::Kind;
use super::pass::View;
use super::prefixed::{base64, varied};

/// How far into the block its first line of base64 must begin: after the headers of an encrypted key.
const HEADERS_MOST: usize = 400;
/// So much base64 in one piece makes it a key.
const LINE_LEAST: usize = 40;

/// `-----BEGIN … PRIVATE KEY-----` followed by base64.
pub(super) fn armored(view: &View<'_>, at: usize) -> Option<Kind> {
    let name = at + "-----BEGIN ".len();
    let name_end = view.stretch(name, 48, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ');
    let title = view.slice(name, name_end);
    if !title.ends_with(b"PRIVATE KEY") && !title.ends_with(b"PRIVATE KEY BLOCK") {
        return None;
    }
    line_follows(view, name_end)
}

/// PuTTY's own file.
pub(super) fn putty(view: &View<'_>, at: usize) -> Option<Kind> {
    line_follows(view, at + "PuTTY-User-Key-File-".len())
}

fn line_follows(view: &View<'_>, from: usize) -> Option<Kind> {
    let mut at = from;
    while at < from + HEADERS_MOST && at < view.text.len() {
        let end = view.stretch(at, LINE_LEAST, base64);
        if end - at == LINE_LEAST && varied(view.slice(at, end)) {
            return Some(Kind::PRIVATE_KEY);
        }
        at = end + 1;
    }
    None
}
