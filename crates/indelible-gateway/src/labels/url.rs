//! Connection strings with a password: `scheme://user:password@host`, and `Server=…;Password=…;`.

use super::Kind;
use super::pass::View;

/// The longest user and password looked at.
const CREDENTIALS_MOST: usize = 300;
/// How far back a connection string must name its server.
const NAMES_BACK: usize = 120;

/// What people write where a password would stand.
const PLACEHOLDERS: &[&str] = &[
    "password",
    "pass",
    "passwd",
    "pwd",
    "secret",
    "user",
    "token",
    "yourpassword",
    "your_password",
    "your-password",
    "changeme",
];

/// `user:password@` after `://`; `at` is the colon.
pub(super) fn with_password(view: &View<'_>, at: usize) -> Option<Kind> {
    let scheme = view.stretch_back(at, 24, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let start = at + 3;
    let authority =
        |byte: u8| byte > b' ' && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'|');
    let end = view.stretch(start, CREDENTIALS_MOST, authority);
    if scheme == at || view.unsettled(at, end) {
        return None;
    }
    let written = view.slice(start, end);
    let host = written.iter().rposition(|byte| *byte == b'@')?;
    let user_end = written.iter().position(|byte| *byte == b':').filter(|colon| *colon < host)?;
    let password = written.get(user_end + 1..host)?;
    let host_follows = written.get(host + 1).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'[');
    (host_follows && is_password(password)).then_some(Kind::CONNECTION)
}

/// `Password=…` in a list of pairs that also names a server; `at` is within the name.
pub(super) fn pair(view: &View<'_>, at: usize) -> Option<Kind> {
    let name_end = view.stretch(at, 12, |byte| byte != b'=') + 1;
    let end = view.stretch(name_end, 128, |byte| byte > b' ' && !matches!(byte, b';' | b'"' | b'\'' | b'&'));
    if view.unsettled(at, end) || !is_password(view.slice(name_end, end)) {
        return None;
    }
    let mut around = view.slice(at.saturating_sub(NAMES_BACK), end + NAMES_BACK).to_ascii_lowercase();
    around.retain(|byte| *byte != b' ');
    let names = ["server=", "datasource=", "host=", "accountendpoint=", "jdbc:", "dsn="];
    let named = names.iter().any(|name| memchr::memmem::find(&around, name.as_bytes()).is_some());
    named.then_some(Kind::CONNECTION)
}

/// Whether this is a password, not a place for one.
fn is_password(text: &[u8]) -> bool {
    if text.len() < 3 || is_template(text) {
        return false;
    }
    if text.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.')) {
        return false;
    }
    !PLACEHOLDERS.iter().any(|placeholder| text.eq_ignore_ascii_case(placeholder.as_bytes()))
}

/// `<password>`, `${PASSWORD}`, `{{ password }}`, `%PASSWORD%`, `$PASSWORD`.
fn is_template(text: &[u8]) -> bool {
    let wrapped = matches!(
        (text.first(), text.last()),
        (Some(b'<'), Some(b'>')) | (Some(b'{'), Some(b'}')) | (Some(b'$'), Some(b'}')) | (Some(b'%'), Some(b'%'))
    );
    let variable =
        text.first() == Some(&b'$') && text.iter().skip(1).all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    // A template with a space in it was cut at the space.
    wrapped || variable || text.first() == Some(&b'<') || text.starts_with(b"{{")
}
