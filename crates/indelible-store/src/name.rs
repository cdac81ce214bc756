//! A log's short name: part of paths, URLs and metrics, hence narrow. Never: a name that could leave its folder.

use std::fmt;

/// Longest log name in bytes.
pub const LOG_NAME_BYTES_MAX: usize = 63;

/// A log's name: lower-case letters, digits and hyphens, beginning with a letter or digit, at most 63 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogName(String);

/// The text is not a log name.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{name}` is not a log name: use lower-case letters, digits and hyphens, begin with a letter or digit, at most \
     {LOG_NAME_BYTES_MAX} characters"
)]
pub struct LogNameError {
    /// What was given.
    pub name: String,
}

impl LogName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`LogNameError`] says what a name may look like.
    pub fn new(name: &str) -> Result<Self, LogNameError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = !name.is_empty() && name.len() <= LOG_NAME_BYTES_MAX;
        if fits && !name.starts_with('-') && name.bytes().all(allowed) {
            return Ok(Self(name.to_owned()));
        }
        Err(LogNameError { name: name.chars().take(LOG_NAME_BYTES_MAX).collect() })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
