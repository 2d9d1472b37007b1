//! Compares a built file with its sources, so that a stale one cannot make a test pass.
//!
//! The sources are those that cargo lists in a file of dependencies beside its product, in the
//! format of make: `PRODUCT: SOURCE SOURCE…`, with a backslash before a space in a name.
//!
//! An edit between the start and the end of a build of `weft` is not noticed here: its file is
//! newer than the edit. Guests have the time at which their build started.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A reason not to trust a built file.
#[derive(Debug)]
pub(crate) enum Stale {
    /// A file cannot be read: the product, or the list of its sources.
    Unreadable(PathBuf, io::Error),
    /// The sources do not include one that they must.
    Foreign(PathBuf),
    /// A source was removed or renamed.
    Missing(PathBuf),
    /// A source was changed after the build.
    Changed(PathBuf),
}

impl fmt::Display for Stale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(file, error) => {
                write!(formatter, "cannot read {}: {error}", file.display())
            }
            Self::Foreign(source) => write!(formatter, "not built from {}", source.display()),
            Self::Missing(source) => write!(
                formatter,
                "{} was removed after the build",
                source.display()
            ),
            Self::Changed(source) => write!(
                formatter,
                "{} was changed after the build",
                source.display()
            ),
        }
    }
}

/// Checks that no source in the list `dep_info` has changed since `built` was written. One source
/// has to be `own`: builds of other folders may share a target directory.
pub(crate) fn check(built: &Path, dep_info: &Path, own: &Path) -> Result<(), Stale> {
    let unreadable = |file: &Path| {
        let file = file.to_owned();
        move |error| Stale::Unreadable(file, error)
    };
    let built_at = modified(built).map_err(unreadable(built))?;
    let text = fs::read_to_string(dep_info).map_err(unreadable(dep_info))?;
    let own = fs::canonicalize(own).map_err(unreadable(own))?;
    let mut has_own = false;
    for source in sources(&text) {
        match modified(&source) {
            Ok(changed_at) if changed_at > built_at => return Err(Stale::Changed(source)),
            Ok(_) => has_own |= is_same(&source, &own),
            Err(_) => return Err(Stale::Missing(source)),
        }
    }
    if has_own {
        Ok(())
    } else {
        Err(Stale::Foreign(own))
    }
}

/// True if a listed source is this file; few have its name, so few links are followed.
fn is_same(source: &Path, own: &Path) -> bool {
    source.file_name() == own.file_name()
        && fs::canonicalize(source).is_ok_and(|source| source == own)
}

fn modified(file: &Path) -> io::Result<SystemTime> {
    fs::metadata(file)?.modified()
}

/// The sources of the first product in the list.
fn sources(dep_info: &str) -> Vec<PathBuf> {
    let line = dep_info.lines().next().unwrap_or_default();
    let (_, list) = line.split_once(": ").unwrap_or_default();
    // No path has a zero byte, so it can stand for a space within one.
    let list = list.replace("\\ ", "\0");
    let paths = list.split_whitespace();
    paths.map(|path| path.replace('\0', " ").into()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;
    use crate::Files;

    /// A product and two sources, and the list of them.
    struct Build {
        files: Files,
        product: PathBuf,
        dep_info: PathBuf,
        main: PathBuf,
        wit: PathBuf,
    }

    fn build() -> Build {
        let files = Files::new();
        let main = files.write("main.rs", "");
        let wit = files.write("a b.wit", "");
        let product = files.write("weft", "");
        let list = format!(
            "{}: {} {}\n",
            product.display(),
            main.display(),
            wit.to_string_lossy().replace(' ', "\\ ")
        );
        let dep_info = files.write("weft.d", list);
        Build {
            files,
            product,
            dep_info,
            main,
            wit,
        }
    }

    impl Build {
        fn check(&self) -> Result<(), Stale> {
            check(&self.product, &self.dep_info, &self.main)
        }
    }

    #[test]
    fn a_product_that_is_newer_than_its_sources_is_trusted() {
        let build = build();
        build.check().expect("it is not stale");
    }

    #[test]
    fn a_source_that_changed_after_the_build_makes_it_stale() {
        let build = build();
        let later = SystemTime::now() + Duration::from_secs(1);
        let source = File::options().append(true).open(&build.wit).unwrap();
        source.set_modified(later).unwrap();
        let stale = build.check().expect_err("a source is newer");
        assert!(
            matches!(&stale, Stale::Changed(source) if *source == build.wit),
            "{stale}"
        );
    }

    #[test]
    fn a_source_that_was_removed_makes_it_stale() {
        let build = build();
        fs::remove_file(&build.wit).unwrap();
        let stale = build.check().expect_err("a source is missing");
        assert!(
            matches!(&stale, Stale::Missing(source) if *source == build.wit),
            "{stale}"
        );
    }

    #[test]
    fn a_product_of_another_folder_is_stale() {
        let build = build();
        let other = build.files.write("other.rs", "");
        let stale = check(&build.product, &build.dep_info, &other).expect_err("another folder");
        assert!(
            matches!(&stale, Stale::Foreign(source) if *source == other),
            "{stale}"
        );
    }

    #[test]
    fn a_product_without_a_list_of_sources_is_stale() {
        let build = build();
        fs::remove_file(&build.dep_info).unwrap();
        let stale = build.check().expect_err("the list is missing");
        assert!(
            matches!(&stale, Stale::Unreadable(file, _) if *file == build.dep_info),
            "{stale}"
        );
    }
}
