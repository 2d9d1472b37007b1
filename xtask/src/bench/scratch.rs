//! A folder for one group's files, deleted when the group is done.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Dropped, the folder is deleted.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder in the system's folder for such things.
    pub(super) fn new(name: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("weft-bench-{}-{name}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and answers where.
    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let file = self.0.join(name);
        fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is in the system's folder for what may be left.
        let _ = fs::remove_dir_all(&self.0);
    }
}
