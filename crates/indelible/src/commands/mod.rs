//! One file a command, each with `run`: from arguments to an exit code.

pub(crate) mod alerts;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod detect;
pub(crate) mod drill;
pub(crate) mod export;
pub(crate) mod folder;
pub(crate) mod forget;
pub(crate) mod guard;
pub(crate) mod index;
pub(crate) mod log;
pub(crate) mod mcp;
mod mcp_child;
mod mcp_folder;
mod mcp_recorder;
pub(crate) mod policy;
pub(crate) mod proven;
pub(crate) mod receipt;
pub(crate) mod record;
pub(crate) mod rules;
mod sealed_content;
pub(crate) mod search;
pub(crate) mod serve;
pub(crate) mod sources;
pub(crate) mod sql;
pub(crate) mod stats;
pub(crate) mod tail;
pub(crate) mod token;
pub(crate) mod unseal;
pub(crate) mod verify;

use std::path::{Path, PathBuf};

use crate::cli::QueryArguments;
use crate::exit::CliError;

/// A query as parameters of the HTTP API.
pub(crate) fn parameters(query: &QueryArguments) -> Vec<(&'static str, String)> {
    let given = [
        ("q", Some(query.query.clone()).filter(|q| !q.is_empty())),
        ("from", query.from.clone()),
        ("to", query.to.clone()),
        ("log", query.log.clone()),
    ];
    given.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// A verifier key given as text or as a file that holds it.
pub(crate) fn key_text(key: Option<&str>) -> Result<Option<String>, CliError> {
    let Some(key) = key else { return Ok(None) };
    let path = Path::new(key);
    if !key.contains('+') || path.is_file() {
        return Ok(Some(read_text(path)?.trim().to_owned()));
    }
    Ok(Some(key.to_owned()))
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| CliError::because(format!("cannot read {}", path.display()), &error))
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let beside = part_of(path);
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    });
    written.map_err(|error| CliError::because(format!("cannot write {}", path.display()), &error))
}

/// Where a file is written before it takes its name.
pub(crate) fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}
