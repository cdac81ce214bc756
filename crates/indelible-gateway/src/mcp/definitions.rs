//! What a server has said of its tools, remembered by hash: a tool that says something else today than when it was approved is a
//! known way to take an agent over, and must be on record.
//!
//! Promises: the same definition in another order of members is the same; a restart remembers; a memory that cannot be read is an
//! error and not an empty one. What is remembered is bounded.

mod file;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::action::Hints;
use super::json::Raw;

pub use file::MemoryError;

/// Most tools that are remembered of a server; the largest offer some hundred.
pub const TOOLS_MAX: usize = 4_096;
/// Longest name of a tool that is remembered.
pub const TOOL_NAME_BYTES_MAX: usize = 512;
/// What of a definition decides what a model believes of the tool, and what it is called with.
const HASHED: [&str; 6] = ["title", "description", "inputSchema", "outputSchema", "annotations", "execution"];

/// The hash of a tool's definition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DefinitionHash(pub [u8; 32]);

impl fmt::Display for DefinitionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DefinitionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is remembered of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its definition.
    pub hash: DefinitionHash,
    /// What the server says of it.
    pub hints: Hints,
}

/// A tool that is new, or defined in another way than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// What was remembered of it.
    pub before: Option<DefinitionHash>,
    /// What it is now.
    pub now: Known,
}

/// What a list of tools changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Tools that are new or differ.
    pub changes: Vec<Change>,
    /// Whether the server's tools are being seen for the first time, so that new ones are no surprise.
    pub first_seen: bool,
    /// Tools that are not remembered because there are too many or their names too long.
    pub beyond: u64,
    /// Whether the list ends here.
    complete: bool,
}

impl Changes {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

#[derive(Debug, Default)]
struct Memory {
    tools: BTreeMap<String, Known>,
    /// Whether a whole list was seen once.
    complete: bool,
}

/// What one server has said of its tools.
#[derive(Debug, Default)]
pub struct Definitions {
    memory: Mutex<Memory>,
    file: Option<PathBuf>,
}

impl Definitions {
    /// A memory that is kept in `file`, or only in this process.
    ///
    /// # Errors
    /// [`MemoryError`] when the file is there and cannot be read.
    pub fn open(file: Option<PathBuf>) -> Result<Self, MemoryError> {
        let memory = match &file {
            Some(path) => file::load(path)?,
            None => Memory::default(),
        };
        Ok(Self { memory: Mutex::new(memory), file })
    }

    /// What the server says of a tool.
    #[must_use]
    pub fn hints(&self, name: &str) -> Hints {
        self.lock().tools.get(name).map(|known| known.hints).unwrap_or_default()
    }

    /// What is remembered of a tool.
    #[must_use]
    pub fn hash(&self, name: &str) -> Option<DefinitionHash> {
        self.lock().tools.get(name).map(|known| known.hash)
    }

    /// What the result of `tools/list` changes. Nothing is remembered yet: that is [`Definitions::accept`]'s.
    #[must_use]
    pub fn compare(&self, result: Raw<'_>) -> Changes {
        let memory = self.lock();
        let complete = result.member("nextCursor").is_none_or(Raw::is_null);
        let mut found = Changes { first_seen: !memory.complete, complete, ..Changes::default() };
        let mut added = 0;
        for tool in result.member("tools").into_iter().flat_map(Raw::items) {
            let Some(name) = tool.member("name").and_then(Raw::text) else {
                found.beyond += 1;
                continue;
            };
            let before = memory.tools.get(name.as_ref());
            if name.len() > TOOL_NAME_BYTES_MAX || (before.is_none() && memory.tools.len() + added >= TOOLS_MAX) {
                found.beyond += 1;
                continue;
            }
            let now = Known { hash: hash(tool), hints: hints(tool) };
            if before.is_none_or(|before| before.hash != now.hash) {
                added += usize::from(before.is_none());
                found.changes.push(Change { name: name.into_owned(), before: before.map(|known| known.hash), now });
            }
        }
        found
    }

    /// Remembers changes that are on record. A crash before that only means that they are recorded once more.
    ///
    /// # Errors
    /// [`MemoryError`] when the file cannot be written; the changes are remembered in this process all the same.
    pub fn accept(&self, changes: &Changes) -> Result<(), MemoryError> {
        let text = {
            let mut memory = self.lock();
            if changes.is_empty() && (memory.complete || !changes.complete) {
                return Ok(());
            }
            for change in &changes.changes {
                memory.tools.insert(change.name.clone(), change.now);
            }
            memory.complete |= changes.complete;
            file::write(&memory)
        };
        self.file.as_ref().map_or(Ok(()), |path| file::save(path, &text))
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hints(tool: Raw<'_>) -> Hints {
    let Some(annotations) = tool.member("annotations") else { return Hints::default() };
    let truth = |name: &str| annotations.member(name).and_then(Raw::truth);
    Hints { read_only: truth("readOnlyHint"), destructive: truth("destructiveHint") }
}

/// The hash of what a definition says, whatever the order of its members.
fn hash(tool: Raw<'_>) -> DefinitionHash {
    let mut hasher = Sha256::new();
    for name in HASHED {
        let Some(member) = tool.member(name) else { continue };
        hasher.update(name.as_bytes());
        hasher.update([0]);
        let mut canonical = Vec::new();
        // A value that is JSON and yet no `Value` (a number beyond any float) is hashed as it was written.
        match serde_json::from_str::<Value>(member.as_str()) {
            Ok(value) => canonical_json(&value, &mut canonical),
            Err(_) => canonical.extend_from_slice(member.as_str().as_bytes()),
        }
        hasher.update((canonical.len() as u64).to_be_bytes());
        hasher.update(&canonical);
    }
    DefinitionHash(hasher.finalize().into())
}

/// JSON with the members of each object in order. The depth of a [`Raw`] is bounded, so this recursion is.
fn canonical_json(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<_> = members.iter().collect();
            keys.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push(b'{');
            for (key, value) in keys {
                out.extend_from_slice(Value::from(key.as_str()).to_string().as_bytes());
                out.push(b':');
                canonical_json(value, out);
                out.push(b',');
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                canonical_json(item, out);
                out.push(b',');
            }
            out.push(b']');
        }
        plain => out.extend_from_slice(plain.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests;
