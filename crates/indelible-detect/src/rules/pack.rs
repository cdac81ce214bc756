//! The rules that are part of the program: every `rules/**/*.yml` of this repository at build time, see `build.rs`.

/// Name and YAML of each.
pub(super) static FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));
