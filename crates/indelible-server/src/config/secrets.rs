//! What settings keep elsewhere: files and variables with secrets, authorities and templates. Read to a bound, when they are used.
//!
//! Never: shows what was read.

use std::path::{Path, PathBuf};

/// What the settings point to cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A variable is not set.
    #[error("the variable {name} is not set")]
    Variable {
        /// Its name.
        name: String,
    },
}

impl SecretError {
    /// That a file cannot be read.
    pub(super) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }
}

/// A file of at most `most` bytes.
pub(super) fn file(path: &Path, most: u64) -> Result<Vec<u8>, SecretError> {
    let read = || {
        if std::fs::metadata(path)?.len() > most {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        std::fs::read(path)
    };
    read().map_err(|source| SecretError::read(path, source))
}

/// A variable of the server's environment that holds something.
pub(super) fn variable(name: &str) -> Result<String, SecretError> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => Ok(text),
        _ => Err(SecretError::Variable { name: name.to_owned() }),
    }
}
