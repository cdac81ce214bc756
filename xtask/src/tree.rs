//! The files of the checkout: what git tracks or would track. Never: build products, or what git ignores.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file of the checkout.
#[derive(Clone, Debug)]
pub struct TextFile {
    /// Path below the root, with `/`.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl TextFile {
    /// Whether the name ends so.
    #[must_use]
    pub fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// The lines with their numbers from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(n, line)| (n + 1, line))
    }
}

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Every text file, sorted. Files that are no UTF-8 are left out.
#[must_use]
pub fn text_files() -> Vec<TextFile> {
    let root = root();
    let mut files: Vec<TextFile> = names(&root)
        .into_iter()
        .filter_map(|path| fs::read_to_string(root.join(&path)).ok().map(|text| TextFile { path, text }))
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// As [`text_files`], Rust sources only.
#[must_use]
pub fn rust_files() -> Vec<TextFile> {
    text_files().into_iter().filter(|file| file.is("rs")).collect()
}

fn names(root: &Path) -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output();
    match listed {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        _ => {
            let mut found = Vec::new();
            walk(root, root, &mut found);
            found
        }
    }
}

/// Without git (an unpacked archive): everything but hidden folders and what `.gitignore` names there.
fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(relative) = path.strip_prefix(root) else { continue };
        let name = relative.to_string_lossy().into_owned();
        if path.is_dir() {
            let skipped = ["target", "indelible-data", "fuzz/target", "fuzz/corpus", "fuzz/artifacts", ".git", ".venv"];
            if !skipped.contains(&name.as_str()) {
                walk(root, &path, found);
            }
        } else {
            found.push(name);
        }
    }
}
