//! What every committed text keeps: sources say what they are, nothing is left for later, nothing names the machine or the
//! registry that somebody happened to use.

use crate::tree::TextFile;

/// Rust files that do not begin with `//!`.
#[must_use]
pub fn without_head(files: &[TextFile]) -> Vec<String> {
    let headless = |file: &&TextFile| file.is("rs") && !file.text.starts_with("//!");
    files
        .iter()
        .filter(headless)
        .map(|file| format!("{}: begin with `//!`: what it is, what it promises, what it never does", file.path))
        .collect()
}

/// Words that say that something is unfinished.
#[must_use]
pub fn unfinished(files: &[TextFile]) -> Vec<String> {
    let words = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("X", "XX"), concat!("HA", "CK")];
    find(files, &words, "finish it, or file an issue")
}

/// Paths that exist on one machine only.
#[must_use]
pub fn machine_paths(files: &[TextFile]) -> Vec<String> {
    let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
    find(files, &paths, "a path of one machine does not belong into the repository")
}

/// Hosts of package registries, and settings that point at one.
#[must_use]
pub fn registry_hosts(files: &[TextFile]) -> Vec<String> {
    let hosts = [
        concat!("py", "pi.org"),
        concat!("pythonhosted", ".org"),
        concat!("static.crates", ".io"),
        concat!("index.crates", ".io"),
        concat!("registry.npm", "js.org"),
        concat!("deb.debian", ".org"),
        concat!("proxy.go", "lang.org"),
        concat!("arti", "factory"),
        concat!("index", "-url"),
        concat!("replace", "-with"),
        concat!("extra-", "index"),
        concat!("find", "-links"),
    ];
    find(files, &hosts, "a registry is the machine's setting, not the project's")
}

/// Each line with one of the words, unless a letter, digit or hyphen touches the word.
fn find(files: &[TextFile], words: &[&str], way_out: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| !file.path.ends_with(".lock")) {
        for (number, line) in file.lines() {
            for word in words.iter().filter(|word| stands_alone(line, word)) {
                problems.push(format!("{}:{number}: `{word}`: {way_out}", file.path));
            }
        }
    }
    problems
}

fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|after| after.chars().next());
        let joined = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_');
        !joined(before) && (word.ends_with('/') || !joined(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_alone_and_not_inside_others() {
        let path = concat!("/ho", "me/");
        assert!(stands_alone(&format!("see {path}ana"), path));
        assert!(!stands_alone(&format!("see docs{path}ana"), path));
        let word = concat!("TO", "DO");
        assert!(stands_alone(&format!("// {word}: later"), word));
        assert!(!stands_alone(&format!("{word}S_MAX"), word));
    }
}
