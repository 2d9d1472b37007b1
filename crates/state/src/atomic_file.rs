//! Atomic file writes: a crash leaves the old content or the new, never a part of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// The mode of the files: readable for the host's own user only.
pub const OWNER_MODE: u32 = 0o600;

/// Writes `bytes` to a temporary file beside `path`, flushes it, renames it over `path`, and
/// flushes the directory.
///
/// # Errors
/// The error of the operating system; the file is then unchanged.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let temporary = directory.join(temporary_name());
    let outcome = write_flushed(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = outcome {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(directory)?.sync_all()
}

/// Removes the temporary files of interrupted writes from `directory`.
pub(crate) fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(TEMPORARY_PREFIX)
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

const TEMPORARY_PREFIX: &str = ".partial-";

fn temporary_name() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{TEMPORARY_PREFIX}{}-{count}", std::process::id())
}

fn write_flushed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Creates a file that only its owner can read, in place of the remains of an interrupted write. A
/// link at `path` is removed and not followed.
///
/// # Errors
/// The error of the operating system.
pub fn create_new(path: &Path) -> io::Result<File> {
    // The mode is set at creation, so that other users can never open the file.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(OWNER_MODE);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn links_at_the_file_and_at_its_temporary_file_are_replaced_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, victim) = (
            directory.path().join("file"),
            directory.path().join("victim"),
        );
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, &path).unwrap();
        write(&path, b"content").unwrap();
        let found = fs::symlink_metadata(&path).unwrap();
        assert!(found.is_file());
        assert_eq!(found.permissions().mode() & 0o777, OWNER_MODE);
        let temporary = directory.path().join("temporary");
        symlink(&victim, &temporary).unwrap();
        create_new(&temporary).unwrap().write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&temporary).unwrap(), "new");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    }
}
