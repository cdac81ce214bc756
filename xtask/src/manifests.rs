//! What every crate's manifest has: the workspace's lints, versions from the workspace, and no library that is not used.

use std::fs;

use crate::tree::{self, TextFile};

/// Manifests of workspace members that do not inherit the lints, or name a version of their own.
#[must_use]
pub fn inheritance_problems(files: &[TextFile]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in members(files) {
        if !file.text.contains("[lints]\nworkspace = true") {
            problems.push(format!("{}: add `[lints]` with `workspace = true`", file.path));
        }
        if !file.text.contains("rust-version.workspace = true") {
            problems.push(format!("{}: add `rust-version.workspace = true`", file.path));
        }
        for (line, name) in dependencies(file) {
            let own = !file.text.lines().nth(line - 1).is_some_and(|text| text.contains("workspace = true"));
            if own {
                problems.push(format!(
                    "{}:{line}: `{name}` takes its version from the root manifest (`workspace = true`)",
                    file.path
                ));
            }
        }
    }
    problems
}

/// Dependencies that no source of the crate names.
#[must_use]
pub fn unused_dependencies(files: &[TextFile]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in members(files) {
        let folder = file.path.trim_end_matches("Cargo.toml");
        let sources: Vec<&TextFile> =
            files.iter().filter(|other| other.is("rs") && other.path.starts_with(folder)).collect();
        for (line, name) in dependencies(file) {
            let ident = name.replace('-', "_");
            if !sources.iter().any(|source| names_crate(&source.text, &ident)) {
                problems.push(format!("{}:{line}: `{name}` is used by no source of the crate; take it out", file.path));
            }
        }
    }
    problems
}

/// Whether the fuzz crate asks for the same versions as the workspace (it has a lock file of its own).
#[must_use]
pub fn fuzz_is_outside_the_workspace() -> bool {
    fs::read_to_string(tree::root().join("fuzz/Cargo.toml")).is_ok_and(|text| text.contains("\n[workspace]\n"))
}

fn members(files: &[TextFile]) -> impl Iterator<Item = &TextFile> {
    files.iter().filter(|file| file.path.ends_with("/Cargo.toml") && !file.path.starts_with("fuzz/"))
}

/// Names in the dependency tables with their lines.
fn dependencies(manifest: &TextFile) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (number, line) in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim_end().ends_with("dependencies]");
        } else if inside && !line.starts_with('#') {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if !name.is_empty() {
                found.push((number, name));
            }
        }
    }
    found
}

/// The identifier as a word, outside comments.
fn names_crate(text: &str, ident: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        line.match_indices(ident).any(|(at, _)| {
            let before = line.get(..at).and_then(|before| before.chars().next_back());
            let after = line.get(at + ident.len()..).and_then(|after| after.chars().next());
            !before.is_some_and(word) && !after.is_some_and(word)
        })
    })
}
