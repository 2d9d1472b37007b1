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
    weft_harness::golden::compare(file, actual, env!("CARGO_PKG_NAME"))
}
