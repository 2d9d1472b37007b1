//! Golden files, refreshed by `UPDATE_GOLDEN=1`.

use std::fs;
use std::path::{Path, PathBuf};

/// The path of a folder of this crate.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files with an extension in a folder, in the order of their names.
pub(crate) fn files(folder_name: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(folder_name)).expect("a readable folder");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|it| it == extension));
    files.sort();
    files
}

/// Compares with the file, or writes it if `UPDATE_GOLDEN` is set. `Err` is the message of the
/// test.
pub(crate) fn compare(file: &Path, actual: &str) -> Result<(), String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only environment variable of these tests"
    )]
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    if update {
        fs::create_dir_all(file.parent().expect("a folder")).expect("writable");
        fs::write(file, actual).expect("writable");
        return Ok(());
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    if expected == actual {
        return Ok(());
    }
    Err(format!(
        "{} differs (- expected, + found):\n{}\nto accept what was found, run \
         `UPDATE_GOLDEN=1 cargo nextest run -p weft-lattice-config`\n",
        file.display(),
        diff(&expected, actual)
    ))
}

/// The lines that differ, without the common lines at both ends.
fn diff(expected: &str, actual: &str) -> String {
    let (expected, actual): (Vec<_>, Vec<_>) =
        (expected.lines().collect(), actual.lines().collect());
    let start = expected
        .iter()
        .zip(&actual)
        .take_while(|(left, right)| left == right)
        .count();
    let (expected, actual) = (&expected[start..], &actual[start..]);
    let pairs_from_end = expected.iter().rev().zip(actual.iter().rev());
    let end = pairs_from_end
        .take_while(|(left, right)| left == right)
        .count();
    let removed = expected[..expected.len() - end]
        .iter()
        .map(|line| format!("- {line}"));
    let added = actual[..actual.len() - end]
        .iter()
        .map(|line| format!("+ {line}"));
    let lines: Vec<_> = removed.chain(added).collect();
    format!("from line {}:\n{}", start + 1, lines.join("\n"))
}
