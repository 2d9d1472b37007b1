//! Paths of the workspace, and builds with cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::command::{output, run};

/// Variables that cargo sets for a program it runs. Build scripts may read them (that of `ring`
/// does), so they would make a cargo inside a task rebuild crates.
const CARGO_VARIABLES: [&str; 14] = [
    "CARGO_BIN_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
    "CARGO_PRIMARY_PACKAGE",
];

/// The profile of measured and shipped programs, and its folder below the target directory.
pub(crate) const DIST: &str = "dist";

/// The profile of the demo, and its folder below the target directory.
const DEMO: &str = "demo";

/// A build of the `weft` binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// The debug build, together with all tests: one set of features for all.
    Dev,
    /// The debug build without the tests, with the same features.
    DevOnly,
    /// Optimized a little, for people who try it: quick to build.
    Demo,
    /// Optimized as a whole, to be measured and shipped.
    Dist,
}

/// The folder of the workspace.
pub(crate) fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask has no parent folder")
}

/// The target directory of cargo, relative to [`root`] if it is below it.
pub(crate) fn target_directory() -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let Metadata { target_directory } =
        serde_json::from_str(&metadata).context("unexpected output of `cargo metadata`")?;
    let relative = target_directory.strip_prefix(root()?).map(Path::to_owned);
    Ok(relative.unwrap_or(target_directory))
}

/// A cargo command for the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    for name in CARGO_VARIABLES {
        command.env_remove(name);
    }
    command
}

/// Builds the `weft` binary and returns its path.
pub(crate) fn build_weft(build: Build) -> Result<PathBuf> {
    let mut command = cargo();
    let folder = match build {
        Build::Dev => {
            run(command.args(["build", "--workspace", "--all-targets"]))?;
            "debug"
        }
        Build::DevOnly => {
            run(command.args(["build", "--workspace", "--bin", "weft"]))?;
            "debug"
        }
        Build::Demo => {
            run(command.args(["build", "--profile", DEMO, "-p", "weft-cli"]))?;
            DEMO
        }
        Build::Dist => {
            run(command.args(["build", "--profile", DIST, "-p", "weft-cli"]))?;
            DIST
        }
    };
    Ok(target_directory()?.join(folder).join("weft"))
}
