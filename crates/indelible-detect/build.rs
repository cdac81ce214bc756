//! Lists the rules of the repository so that they become part of the program. Never: judges one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let rules = here.join("../../rules");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", rules.display());
    let mut files = Vec::new();
    if rules.is_dir() {
        collect(&rules, &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let path = file.canonicalize()?;
        let name = file.strip_prefix(&rules).unwrap_or(&file).display().to_string();
        writeln!(list, "    ({:?}, include_str!({:?})),", format!("rules/{name}"), path).map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("rules.rs"), list)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, files)?;
        } else if name.ends_with(".yml") && !name.ends_with(".test.yml") {
            files.push(path);
        }
    }
    Ok(())
}
