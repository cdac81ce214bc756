//! Who may know whom: the table of rooms, held against `cargo metadata`.
//!
//! A new line in a room's list is a design note first (`docs/design/`).

use std::process::Command;

use serde_json::Value;

use crate::tree::root;

/// A crate of the workspace, which crates of the workspace it may use, and which only its tests may.
type Room = (&'static str, &'static [&'static str], &'static [&'static str]);

/// The table. The crates it does not name may use nothing of ours.
pub const ROOMS: &[Room] = &[
    ("indelible-event", &[], &[]),
    ("indelible-tlog", &[], &[]),
    ("indelible-verify", &["indelible-event", "indelible-tlog"], &["indelible-testkit"]),
    ("indelible-store", &["indelible-event", "indelible-tlog"], &["indelible-testkit"]),
    ("indelible-search", &["indelible-event"], &["indelible-testkit"]),
    ("indelible-deliver", &["indelible-event", "indelible-tlog"], &["indelible-testkit"]),
    ("indelible-detect", &["indelible-event"], &[]),
    ("indelible-access", &["indelible-event"], &["indelible-testkit"]),
    ("indelible-gateway", &["indelible-event", "indelible-access"], &["indelible-testkit"]),
    (
        "indelible-server",
        &[
            "indelible-event",
            "indelible-tlog",
            "indelible-verify",
            "indelible-store",
            "indelible-search",
            "indelible-deliver",
            "indelible-access",
            "indelible-gateway",
            "indelible-detect",
        ],
        &["indelible-testkit"],
    ),
    (
        "indelible",
        &[
            "indelible-event",
            "indelible-tlog",
            "indelible-verify",
            "indelible-store",
            "indelible-search",
            "indelible-deliver",
            "indelible-access",
            "indelible-gateway",
            "indelible-detect",
            "indelible-server",
        ],
        &["indelible-testkit"],
    ),
    ("indelible-testkit", &["indelible-event", "indelible-tlog", "indelible-store"], &[]),
    ("indelible-bench", &["indelible-event", "indelible-tlog", "indelible-verify", "indelible-detect"], &[]),
    ("xtask", &[], &[]),
];

/// The workspace's crates as `cargo metadata` tells them.
///
/// # Errors
/// When cargo cannot be asked.
pub fn metadata() -> Result<Value, String> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cargo metadata could not be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata is not JSON: {error}"))
}

/// Every arrow between crates of the workspace that the table does not have, and every crate that it does not name.
#[must_use]
pub fn problems(metadata: &Value, rooms: &[Room]) -> Vec<String> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut problems = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, uses, tests_use)) = rooms.iter().find(|(room, ..)| *room == name) else {
            problems.push(format!("{name} is not in the table of rooms (xtask/src/edges.rs): say whom it may use"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            let test_only = dependency["kind"].as_str() == Some("dev");
            let allowed = uses.contains(&used) || (test_only && tests_use.contains(&used));
            if ours.contains(&used) && !allowed {
                let how = if test_only { "its tests may not use" } else { "may not use" };
                problems.push(format!(
                    "{name} {how} {used}: a new arrow is a design note and a line in xtask/src/edges.rs"
                ));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_forbidden_arrow_and_a_testkit_outside_tests_are_named() {
        let rooms: &[Room] = &[("a", &[], &["kit"]), ("b", &["a"], &[]), ("kit", &["a"], &[])];
        let metadata = json!({"packages": [
            {"name": "a", "dependencies": [{"name": "kit", "kind": "dev"}, {"name": "serde", "kind": null}]},
            {"name": "b", "dependencies": [{"name": "a", "kind": null}, {"name": "kit", "kind": null}]},
            {"name": "c", "dependencies": []},
            {"name": "kit", "dependencies": [{"name": "b", "kind": "dev"}]},
        ]});
        let found = problems(&metadata, rooms);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("b may not use kit"));
        assert!(found[1].starts_with("c is not in the table"));
        assert!(found[2].starts_with("kit its tests may not use b"));
    }
}
