//! How long a source file may be: 400 lines of code call for a second look and a line in the golden list, 600 for a split.
//!
//! Counted are lines of code before the inline tests: no blank lines, no comments. Files of tests are not counted.

use crate::tree::TextFile;

/// Above this a file stands in `golden/long-files.txt`, which may only shrink.
pub const LINES_LISTED: usize = 400;
/// Above this a file is split.
pub const LINES_MAX: usize = 600;

/// Lines of code before the inline tests.
#[must_use]
pub fn code_lines(text: &str) -> usize {
    let before_tests = text.find("\n#[cfg(test)]\nmod ").map_or(text, |at| text.get(..at).unwrap_or(text));
    before_tests.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// Whether a file holds tests only.
#[must_use]
pub fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.starts_with("fuzz/")
}

/// Files that are too long, or longer than the list says; and lines of the list that are no longer needed.
#[must_use]
pub fn problems(files: &[TextFile], list: &str) -> Vec<String> {
    let listed: Vec<(&str, usize)> = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(path, lines)| Some((path, lines.trim().parse().ok()?)))
        .collect();
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| !is_test_file(&file.path)) {
        let (path, lines) = (file.path.as_str(), code_lines(&file.text));
        let allowed = listed.iter().find(|(listed, _)| *listed == path).map(|(_, lines)| *lines);
        match allowed {
            _ if lines > LINES_MAX => {
                problems.push(format!("{path}: {lines} lines of code; split it, {LINES_MAX} is the most"));
            }
            None if lines > LINES_LISTED => {
                problems.push(format!(
                    "{path}: {lines} lines of code; split it by what its parts promise ({LINES_LISTED} is enough)"
                ));
            }
            Some(allowed) if lines > allowed => {
                problems
                    .push(format!("{path}: {lines} lines of code, {allowed} when it was listed; it may only shrink"));
            }
            _ => {}
        }
    }
    for (path, _) in listed {
        let still_long = files.iter().any(|file| file.path == path && code_lines(&file.text) > LINES_LISTED);
        if !still_long {
            problems.push(format!("{path} is short enough or gone: take it out of xtask/golden/long-files.txt"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, code: usize) -> TextFile {
        TextFile {
            path: path.to_owned(),
            text: format!("//! x\n\n{}\n#[cfg(test)]\nmod tests {{\n}}\n", "x();\n".repeat(code)),
        }
    }

    #[test]
    fn comments_blanks_and_inline_tests_do_not_count() {
        assert_eq!(code_lines(&file("a.rs", 7).text), 7);
    }

    #[test]
    fn the_list_only_shrinks() {
        let files =
            [file("a.rs", 401), file("b.rs", 450), file("c.rs", 601), file("d.rs", 10), file("x/tests/e.rs", 900)];
        let found = problems(&files, "# list\nb.rs 449\nd.rs 500\nc.rs 700\n");
        let starts: Vec<&str> =
            found.iter().map(|problem| problem.split([':', ' ']).next().unwrap_or_default()).collect();
        assert_eq!(starts, ["a.rs", "b.rs", "c.rs", "d.rs"], "{found:?}");
        assert_eq!(problems(&files[..2], "a.rs 401\nb.rs 450\n"), Vec::<String>::new());
    }
}
