//! Rule files: found in folders, read within limits, and seen to change.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::guard::FILE_BYTES_MAX;
use super::{RuleSource, Skipped, pack};

/// Most files under one folder.
pub const FILES_MAX: usize = 10_000;
/// Most rules in all.
pub const RULES_MAX: usize = 20_000;
/// How deep folders are followed.
const DEPTH_MAX: usize = 8;

/// A text with rules.
#[derive(Debug)]
pub(super) struct RuleFile {
    /// The number of its source: a rule replaces those with its id from sources before.
    pub(super) source: usize,
    /// What it is called.
    pub(super) name: String,
    /// The YAML.
    pub(super) yaml: String,
}

/// Size and time of each file, by which a change is seen.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    paths: Vec<PathBuf>,
    seen: BTreeMap<PathBuf, (u64, Option<SystemTime>)>,
}

impl Stamps {
    pub(super) fn take(sources: &[RuleSource], lists: Option<&Path>) -> Self {
        let paths = sources.iter().filter_map(|source| match source {
            RuleSource::Path(path) => Some(path.clone()),
            RuleSource::BuiltIn | RuleSource::Text { .. } => None,
        });
        let paths: Vec<PathBuf> = paths.chain(lists.map(Path::to_owned)).collect();
        Self { seen: stamps(&paths), paths }
    }

    pub(super) fn changed(&self) -> bool {
        stamps(&self.paths) != self.seen
    }
}

fn stamps(paths: &[PathBuf]) -> BTreeMap<PathBuf, (u64, Option<SystemTime>)> {
    let stamp = |meta: &Metadata| (meta.len(), meta.modified().ok());
    let files = paths.iter().flat_map(|path| find(path, is_rule, &mut Vec::new()));
    files.filter_map(|file| fs::metadata(&file).ok().map(|meta| (file, stamp(&meta)))).collect()
}

/// Whether a file of this name holds rules.
pub(super) fn is_rule(name: &str) -> bool {
    (name.ends_with(".yml") || name.ends_with(".yaml")) && !is_cases(name)
}

/// Whether a file of this name holds cases for the rules beside it.
pub(super) fn is_cases(name: &str) -> bool {
    name.ends_with(".test.yml")
}

/// Reads all sources.
pub(super) fn read(sources: &[RuleSource], skipped: &mut Vec<Skipped>) -> Vec<RuleFile> {
    let mut files = Vec::new();
    for (source, from) in sources.iter().enumerate() {
        let mut push = |name: &str, yaml: &str| {
            files.push(RuleFile { source, name: name.to_owned(), yaml: yaml.to_owned() });
        };
        match from {
            RuleSource::BuiltIn => pack::FILES.iter().for_each(|(name, yaml)| push(name, yaml)),
            RuleSource::Text { name, yaml } => push(name, yaml),
            RuleSource::Path(path) => {
                for file in find(path, is_rule, skipped) {
                    match read_bounded(&file, FILE_BYTES_MAX) {
                        Ok(yaml) => push(&file.display().to_string(), &yaml),
                        Err(reason) => skipped.push(skip(&file, reason)),
                    }
                }
            }
        }
    }
    files
}

/// Reads a file of at most so many bytes.
pub(super) fn read_bounded(path: &Path, most: u64) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut text = String::new();
    file.take(most.saturating_add(1)).read_to_string(&mut text).map_err(|error| format!("cannot be read: {error}"))?;
    if text.len() as u64 > most {
        return Err(format!("the file is larger than {most} bytes; split it"));
    }
    Ok(text)
}

/// The files at or under `path` whose names are `wanted`, in order.
pub(super) fn find(path: &Path, wanted: fn(&str) -> bool, skipped: &mut Vec<Skipped>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if path.is_file() {
        files.push(path.to_owned());
        return files;
    }
    descend(path, wanted, DEPTH_MAX, &mut files, skipped);
    files.sort();
    files
}

fn descend(folder: &Path, wanted: fn(&str) -> bool, deep: usize, files: &mut Vec<PathBuf>, skipped: &mut Vec<Skipped>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return skipped.push(skip(folder, format!("cannot be read: {error}"))),
    };
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // names with a dot in front: what editors leave, and the real folders behind the links of a mounted ConfigMap
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if deep == 0 {
                skipped.push(skip(&path, format!("folders are followed {DEPTH_MAX} deep, not deeper")));
            } else {
                descend(&path, wanted, deep - 1, files, skipped);
            }
        } else if wanted(name) && path.is_file() {
            if files.len() >= FILES_MAX {
                return skipped
                    .push(skip(folder, format!("there are more than {FILES_MAX} files; the rest is not read")));
            }
            files.push(path);
        }
    }
}

fn skip(path: &Path, reason: String) -> Skipped {
    Skipped { file: path.display().to_string(), line: None, rule: None, reason }
}
