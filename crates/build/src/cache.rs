//! Installed tools in the cache folder: a folder for each release, complete or absent.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::shell::Shell;

/// The file that marks a complete installation.
const COMPLETE: &str = ".complete";

/// The folder of a release of a tool, which `install` fills if it is missing or incomplete. Another
/// build that installs the same waits.
pub(crate) fn ensure(
    shell: &Shell,
    release: &str,
    install: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let folder = shell.cache().join(release);
    let marker = folder.join(COMPLETE);
    if marker.exists() {
        return Ok(folder);
    }
    let _lock = lock(shell, release)?;
    if marker.exists() {
        return Ok(folder);
    }
    fs::create_dir_all(&folder).map_err(Error::of("create", &folder))?;
    install(&folder).map_err(|error| match error {
        Error::Failed { .. } | Error::Start { .. } => Error::Install {
            tool: release.to_owned(),
            source: Box::new(error),
        },
        error => error,
    })?;
    fs::write(&marker, "").map_err(Error::of("write", &marker))?;
    Ok(folder)
}

/// The lock of a release, held until the file is closed.
fn lock(shell: &Shell, release: &str) -> Result<File, Error> {
    let cache = shell.cache();
    fs::create_dir_all(cache).map_err(Error::of("create", cache))?;
    let path = cache.join(format!("{release}.lock"));
    let file = File::create(&path).map_err(Error::of("write", &path))?;
    if file.try_lock().is_err() {
        shell.note(format!("waiting for another build that installs {release}"));
        file.lock().map_err(Error::of("lock", &path))?;
    }
    Ok(file)
}
