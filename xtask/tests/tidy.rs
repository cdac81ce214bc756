//! The house rules, one test each. A failure lists every place and the way out.

use xtask::tree::{root, rust_files, text_files};
use xtask::{docs, edges, manifests, sizes, sources};

#[track_caller]
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n{} problem(s)", problems.join("\n"), problems.len());
}

fn architecture() -> String {
    std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap_or_default()
}

#[test]
fn crates_know_only_whom_the_table_allows() {
    none(&edges::problems(&edges::metadata().unwrap(), edges::ROOMS));
}

#[test]
fn every_source_says_what_it_is() {
    none(&sources::without_head(&rust_files()));
}

#[test]
fn no_source_file_is_too_long() {
    none(&sizes::problems(&rust_files(), include_str!("../golden/long-files.txt")));
}

#[test]
fn every_crate_inherits_lints_and_versions() {
    none(&manifests::inheritance_problems(&text_files()));
    assert!(manifests::fuzz_is_outside_the_workspace(), "fuzz/Cargo.toml needs a `[workspace]` of its own");
}

#[test]
fn every_library_is_used() {
    none(&manifests::unused_dependencies(&text_files()));
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let files = rust_files();
    let architecture = architecture();
    assert!(architecture.contains("**Invariant:**"), "ARCHITECTURE.md states no invariant");
    none(&docs::unguarded_invariants(&architecture, &docs::test_names(&files)));
}

#[test]
fn the_architecture_mentions_every_crate() {
    none(&docs::unmentioned_crates(&architecture(), &text_files()));
}

#[test]
fn links_and_paths_in_documents_lead_somewhere() {
    none(&docs::dead_links(&text_files()));
}

#[test]
fn the_index_of_design_notes_is_complete() {
    none(&docs::design_notes(&text_files()));
}

#[test]
fn the_formats_chapter_knows_every_column_and_magic_number() {
    none(&docs::undescribed_formats(&text_files()));
}

#[test]
fn nothing_is_left_for_later() {
    none(&sources::unfinished(&text_files()));
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let files = text_files();
    none(&[sources::machine_paths(&files), sources::registry_hosts(&files)].concat());
}
