//! Documents that cannot drift unseen: links lead somewhere, invariants name tests that exist, formats name what the code has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::tree::{TextFile, root};

/// Most lines of a design note.
pub const DESIGN_NOTE_LINES_MAX: usize = 40;
/// Folders whose paths are checked wherever a text names them.
const FOLDERS: [&str; 7] = ["crates/", "docs/", "xtask/", "bench/", "fuzz/", "tests/", "examples/"];

/// Links in Markdown that lead nowhere, and repository paths named in any text that do not exist.
#[must_use]
pub fn dead_links(files: &[TextFile]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        for (number, line) in file.lines() {
            let mut named: Vec<(PathBuf, String)> = Vec::new();
            if file.is("md") {
                let folder = root().join(Path::new(&file.path).parent().unwrap_or(Path::new("")));
                named.extend(links(line).into_iter().map(|link| (folder.join(&link), link)));
                named.extend(
                    quoted(line)
                        .into_iter()
                        .filter(|path| is_path(path))
                        .map(|path| (root().join(path), path.to_owned())),
                );
            } else if file.is("rs") || file.is("toml") {
                named.extend(documents(line).into_iter().map(|path| (root().join(path), path.to_owned())));
            }
            let dead = named.into_iter().filter(|(path, _)| !path.exists());
            problems.extend(dead.map(|(_, name)| format!("{}:{number}: `{name}` is not there", file.path)));
        }
    }
    problems
}

/// Relative targets of Markdown links.
fn links(line: &str) -> Vec<String> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|link| link.split('#').next().unwrap_or_default().to_owned())
        .filter(|link| {
            !link.is_empty() && !link.contains("://") && !link.starts_with("mailto:") && !link.starts_with('<')
        })
        .collect()
}

/// What stands between backticks.
fn quoted(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// A path below one of the known folders, without placeholders.
fn is_path(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    plain && FOLDERS.iter().any(|folder| text.starts_with(folder))
}

/// Documents that a source or a setting refers to.
fn documents(line: &str) -> Vec<&str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c)))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| word.starts_with("docs/") && word.ends_with(".md"))
        .collect()
}

/// Names of test functions in the tree.
#[must_use]
pub fn test_names(files: &[TextFile]) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for file in files.iter().filter(|file| file.is("rs")) {
        let mut marked = false;
        for (_, line) in file.lines() {
            let line = line.trim();
            marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            if let (true, Some(function)) = (marked, function) {
                names.extend(function.split(['(', '<']).next());
                marked = false;
            }
        }
    }
    names
}

/// Lines of `ARCHITECTURE.md` that state an invariant without naming a test that exists.
#[must_use]
pub fn unguarded_invariants(architecture: &str, tests: &BTreeSet<&str>) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in architecture.lines().enumerate().filter(|(_, line)| line.contains("**Invariant:**")) {
        let last = |name: &'_ str| name.rsplit("::").next().unwrap_or_default().to_owned();
        let named: Vec<String> = quoted(line).into_iter().map(last).filter(|name| is_test_name(name)).collect();
        if named.is_empty() {
            problems.push(format!("ARCHITECTURE.md:{}: the invariant names no test (in backticks)", number + 1));
        }
        for name in named.iter().filter(|name| !tests.contains(name.as_str())) {
            problems.push(format!("ARCHITECTURE.md:{}: there is no test `{name}`", number + 1));
        }
    }
    problems
}

/// Test names here are sentences: at least three words.
fn is_test_name(text: &str) -> bool {
    let snake = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    snake && text.matches('_').count() >= 2
}

/// Crates that `ARCHITECTURE.md` does not mention.
#[must_use]
pub fn unmentioned_crates(architecture: &str, files: &[TextFile]) -> Vec<String> {
    files
        .iter()
        .filter_map(|file| file.path.strip_suffix("/Cargo.toml"))
        .filter_map(|folder| folder.rsplit('/').next())
        .filter(|name| !architecture.contains(&format!("`{name}`")))
        .map(|name| format!("ARCHITECTURE.md does not mention `{name}`"))
        .collect()
}

/// Design notes that the index does not list, that are too long, or that lack a part.
#[must_use]
pub fn design_notes(files: &[TextFile]) -> Vec<String> {
    let folder = "docs/design/";
    let index = files.iter().find(|file| file.path == "docs/design/README.md").map_or("", |file| file.text.as_str());
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with(folder) && file.is("md")) {
        let name = file.path.trim_start_matches(folder);
        if name == "README.md" {
            continue;
        }
        if !index.contains(&format!("({name})")) {
            problems.push(format!("docs/design/README.md does not list {name}"));
        }
        let lines = file.text.lines().count();
        if lines > DESIGN_NOTE_LINES_MAX {
            problems.push(format!("{}: {lines} lines; a note has at most {DESIGN_NOTE_LINES_MAX}", file.path));
        }
        if !file.text.contains("\nStatus: ") {
            problems.push(format!("{}: say `Status: ` below the title", file.path));
        }
    }
    problems
}

/// Columns of the index and magic bytes of files that `docs/formats.md` does not describe.
#[must_use]
pub fn undescribed_formats(files: &[TextFile]) -> Vec<String> {
    let formats = files.iter().find(|file| file.path == "docs/formats.md").map_or("", |file| file.text.as_str());
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.is("rs") && file.path.starts_with("crates/")) {
        for (number, line) in file.lines() {
            let column = line.contains("spec(C::").then(|| line.split('"').nth(1)).flatten();
            let magic = line.contains("MAGIC").then(|| line.split("b\"").nth(1)?.split('"').next()).flatten();
            for name in column.into_iter().chain(magic).filter(|name| !formats.contains(&format!("`{name}`"))) {
                problems.push(format!("{}:{number}: docs/formats.md does not describe `{name}`", file.path));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_paths_and_documents_are_told_from_other_words() {
        assert_eq!(links("see [a](x/y.md#z), [b](https://e.example) and [c](#here)"), ["x/y.md"]);
        assert!(is_path("docs/formats.md") && !is_path("docs/<name>.md") && !is_path("src/x.rs"));
        assert_eq!(
            documents("//! (docs/formats.md), see `docs/design/README.md`."),
            ["docs/formats.md", "docs/design/README.md"]
        );
    }

    #[test]
    fn an_invariant_names_a_test_that_exists() {
        let file = TextFile {
            path: "a.rs".to_owned(),
            text: "#[test]\nfn it_holds_always() {\n#[tokio::test]\nasync fn it_ends_well() {".to_owned(),
        };
        let files = [file];
        let tests = test_names(&files);
        let text = "**Invariant:** `x` — `a::it_holds_always`.\n**Invariant:** y — `it_never_was`.\n**Invariant:** z.\n`it_never_was`";
        assert_eq!(unguarded_invariants(text, &tests).len(), 2);
        assert!(tests.contains("it_ends_well"));
    }
}
