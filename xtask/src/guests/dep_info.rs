//! The list of sources beside each component, in the format of make, as cargo writes it.
//!
//! The end-to-end tests compare it with the sources: its time is the start of the build, so any
//! later edit is newer. It is written anew also if the component is the same as before.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

/// Sources as make reads them: separated by spaces, with a backslash before a space in a name.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources(String);

impl Sources {
    /// Reads the list that cargo has written beside a component.
    pub(super) fn of_cargo(component: &Path) -> Result<Self> {
        let list = component.with_extension("d");
        let text =
            fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        let first = text.lines().next().unwrap_or_default();
        let (_, sources) = first
            .split_once(": ")
            .with_context(|| format!("{} does not list sources", list.display()))?;
        Ok(Self(sources.to_owned()))
    }

    pub(super) fn with<'a>(mut self, sources: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        for source in sources {
            self.0.push(' ');
            self.0 += &source.to_string_lossy().replace(' ', "\\ ");
        }
        self
    }

    /// Writes the list beside the component whose build started at `started`.
    pub(super) fn write(&self, component: &Path, started: SystemTime) -> Result<()> {
        let list = component.with_extension("d");
        let text = format!("{}: {}\n", component.display(), self.0.trim_start());
        let write = || {
            fs::write(&list, text)?;
            File::options()
                .append(true)
                .open(&list)?
                .set_modified(started)
        };
        write().with_context(|| format!("cannot write {}", list.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_that_of_cargo_with_further_sources_and_the_time_of_the_start() {
        let folder = std::env::temp_dir().join(format!("weft-dep-info-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let component = folder.join("a.wasm");
        fs::write(
            component.with_extension("d"),
            "a.wasm: /b.rs /c\\ d.wit\n\n/b.rs:\n",
        )
        .unwrap();
        let started = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
        let sources = Sources::of_cargo(&component).unwrap();
        sources
            .with(&["/e f".into()])
            .write(&component, started)
            .unwrap();
        let list = component.with_extension("d");
        let text = fs::read_to_string(&list).unwrap();
        let modified = fs::metadata(&list).unwrap().modified().unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(
            text,
            format!("{}: /b.rs /c\\ d.wit /e\\ f\n", component.display())
        );
        assert_eq!(modified, started);
    }
}
