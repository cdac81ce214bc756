//! The memory of tools as a small file: written beside, synced, and put in place by renaming, so that a crash leaves the old or the
//! new one.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{DefinitionHash, Known, Memory, TOOL_NAME_BYTES_MAX, TOOLS_MAX};
use crate::mcp::action::Hints;

/// Longest file: every tool with its longest name, each byte an escape of six, and 200 bytes beside.
const FILE_BYTES_MAX: u64 = (TOOLS_MAX * (TOOL_NAME_BYTES_MAX * 6 + 200)) as u64;

/// Why a memory of tools cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The file cannot be read or written.
    #[error("the memory of tools {} cannot be used: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is there and holds something else.
    #[error("the memory of tools {} is damaged: {reason}; remove it to have all tools seen as new once", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
}

pub(super) fn load(path: &Path) -> Result<Memory, MemoryError> {
    let failed = |source| MemoryError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Memory::default()),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    read(&bytes).map_err(|reason| MemoryError::Damaged { path: path.to_owned(), reason })
}

fn read(bytes: &[u8]) -> Result<Memory, &'static str> {
    let value: Value = serde_json::from_slice(bytes).map_err(|_| "it is no JSON")?;
    if value.get("version").and_then(Value::as_u64) != Some(1) {
        return Err("its version is not 1");
    }
    let complete = value.get("complete").and_then(Value::as_bool).ok_or("`complete` is missing")?;
    let tools = value.get("tools").and_then(Value::as_object).ok_or("`tools` is missing")?;
    if tools.len() > TOOLS_MAX {
        return Err("it holds more than 4,096 tools");
    }
    let mut memory = Memory { complete, ..Memory::default() };
    for (name, tool) in tools {
        let hash = tool.get("hash").and_then(Value::as_str).and_then(parse_hash).ok_or("a hash cannot be read")?;
        let truth = |name: &str| tool.get(name).and_then(Value::as_bool);
        let hints = Hints { read_only: truth("read_only"), destructive: truth("destructive") };
        memory.tools.insert(name.clone(), Known { hash, hints });
    }
    Ok(memory)
}

fn parse_hash(text: &str) -> Option<DefinitionHash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(DefinitionHash(hash))
}

pub(super) fn write(memory: &Memory) -> String {
    let tools: Map<String, Value> = memory
        .tools
        .iter()
        .map(|(name, known)| {
            let mut tool = json!({ "hash": known.hash.to_string() });
            for (key, hint) in [("read_only", known.hints.read_only), ("destructive", known.hints.destructive)] {
                if let (Some(hint), Some(object)) = (hint, tool.as_object_mut()) {
                    object.insert(key.to_owned(), Value::Bool(hint));
                }
            }
            (name.clone(), tool)
        })
        .collect();
    json!({ "version": 1, "complete": memory.complete, "tools": tools }).to_string()
}

pub(super) fn save(path: &Path, text: &str) -> Result<(), MemoryError> {
    let failed = |source| MemoryError::Io { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let beside = path.with_extension("new");
    let mut file = File::create(&beside).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)?;
    // Until the folder is synced a crash may bring the old file back: then the change is recorded once more.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
