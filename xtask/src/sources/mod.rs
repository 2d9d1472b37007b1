//! The Rust sources of the workspace that git tracks, without those of tests.

mod scan;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::output;

pub(crate) use scan::{Kind, scan};

/// The folder of the guests' workspace.
pub(crate) const GUESTS: &str = "components";

/// A source file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The folder of its crate; [`GUESTS`] for all guests together.
    pub(crate) folder: String,
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Reads all sources that are not tests: files in a crate's folder `tests/`, files named `tests.rs`
/// and modules declared with `#[cfg(test)]` are left out. [`mod@scan`] finds the test modules in
/// files.
pub(crate) fn read() -> Result<Vec<Source>> {
    let listed = output(Command::new("git").args(["ls-files", "*.rs", "*Cargo.toml"]))?;
    // A file that was removed and not committed yet is still listed.
    let listed: Vec<&str> = listed
        .lines()
        .filter(|path| Path::new(path).exists())
        .collect();
    let folders: BTreeSet<&str> = listed
        .iter()
        .filter_map(|path| path.strip_suffix("/Cargo.toml"))
        .collect();
    let mut sources = Vec::new();
    for path in listed.into_iter().filter(|path| path.ends_with(".rs")) {
        let Some(folder) = folder_of(path, &folders) else {
            continue;
        };
        if is_test_file(path, folder) {
            continue;
        }
        sources.push(Source {
            folder: match path.starts_with("components/") {
                true => GUESTS.to_owned(),
                false => folder.to_owned(),
            },
            path: path.to_owned(),
            text: fs::read_to_string(path).with_context(|| format!("cannot read `{path}`"))?,
        });
    }
    Ok(without_test_modules(sources))
}

/// The nearest folder above the file that has a manifest.
fn folder_of<'a>(path: &str, folders: &BTreeSet<&'a str>) -> Option<&'a str> {
    Path::new(path)
        .ancestors()
        .find_map(|folder| folders.get(folder.to_str()?).copied())
}

/// True if the file's name or a folder below its crate's marks it as a test.
fn is_test_file(path: &str, folder: &str) -> bool {
    let below = path.strip_prefix(folder).unwrap_or(path);
    below
        .split('/')
        .any(|part| matches!(part, "tests" | "tests.rs"))
}

/// Drops the files of modules that another file declares with `#[cfg(test)]`.
fn without_test_modules(mut sources: Vec<Source>) -> Vec<Source> {
    let modules: Vec<PathBuf> = sources
        .iter()
        .flat_map(|source| {
            let children = children_of(&source.path);
            let names = scan(&source.text).test_files;
            names.into_iter().map(move |name| children.join(name))
        })
        .collect();
    sources.retain(|source| {
        let module = Path::new(&source.path).with_extension("");
        !modules.iter().any(|test| module.starts_with(test))
    });
    sources
}

/// The folder of the modules that a file declares.
fn children_of(path: &str) -> PathBuf {
    let path = Path::new(path);
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    match stem {
        Some("lib" | "main" | "mod") => path.with_file_name(""),
        _ => path.with_extension(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_nearest_manifest() {
        let folders = BTreeSet::from(["cli", "tests", "crates/wire", "crates"]);
        for (path, folder) in [
            ("cli/src/main.rs", Some("cli")),
            ("crates/wire/src/a/b.rs", Some("crates/wire")),
            ("build.rs", None),
        ] {
            assert_eq!(folder_of(path, &folders), folder, "{path}");
        }
    }

    #[test]
    fn tests_are_known_by_their_path_within_the_crate() {
        for (path, folder, is_test) in [
            ("tests/src/lib.rs", "tests", false),
            ("tests/tests/main.rs", "tests", true),
            ("host/src/codec/tests.rs", "host", true),
            ("host/src/codec/tests/a.rs", "host", true),
            ("host/src/codec/contests.rs", "host", false),
        ] {
            assert_eq!(is_test_file(path, folder), is_test, "{path}");
        }
    }

    #[test]
    fn files_of_test_modules_are_left_out() {
        let source = |path: &str, text: &str| Source {
            folder: "a".to_owned(),
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let sources = without_test_modules(vec![
            source("a/src/main.rs", "#[cfg(test)]\nmod rig;\nmod rigging;\n"),
            source("a/src/rig.rs", ""),
            source("a/src/rigging.rs", "#[cfg(test)]\nmod fixture;\n"),
            source("a/src/rigging/fixture/mod.rs", ""),
            source("a/src/rigging/fixture/b.rs", ""),
        ]);
        let paths: Vec<_> = sources.iter().map(|source| &*source.path).collect();
        assert_eq!(paths, ["a/src/main.rs", "a/src/rigging.rs"]);
    }
}
