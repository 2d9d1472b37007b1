//! `cargo xtask guests-check`: whether guests built one way can be described and run by this host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::command::{output, say};
use crate::guests::{self, Way};
use crate::host::Host;
use crate::shop;
use crate::signals::Signals;
use crate::workspace::{Build, build_weft, target_directory};

/// Where the manifest of the shop looks for its components.
const COMPONENTS_IN_MANIFEST: &str = "../../components/target/wasm/";

/// Which guests to check.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// How to build them.
    #[arg(long, value_enum, default_value_t)]
    way: Way,
}

/// Builds guests, looks into each, and runs the shop with them.
///
/// # Errors
/// If a guest does not build or cannot be described, or the shop answers wrongly.
pub(crate) fn run(options: &Options) -> Result<()> {
    let guests = guests::build(&guests::Options {
        way: options.way,
        ..guests::Options::default()
    })?;
    check(&guests, &build_weft(Build::Dev)?)
}

/// Checks the components in a folder with a `weft` binary.
pub(crate) fn check(guests: &Path, weft: &Path) -> Result<()> {
    let described = describe_all(guests, weft)?;
    let folder = target_directory()?.join("guests-check");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let manifest = manifest(guests, &folder)?;
    let signals = Signals::listen()?;
    let host = Host::start(weft, &folder.join("data"), &signals)?;
    host.weft(&["deploy", &manifest.display().to_string()])?;
    shop::visit(host.http)?;
    host.stop(&signals)?;
    let guests = guests.display();
    say(&format!(
        "{described} components of {guests} can be described, and the shop of them answers rightly"
    ));
    Ok(())
}

fn describe_all(guests: &Path, weft: &Path) -> Result<usize> {
    let files =
        fs::read_dir(guests).with_context(|| format!("cannot read {}", guests.display()))?;
    let mut described = 0;
    for file in files {
        let file = file?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            describe(&file, weft).with_context(|| format!("cannot check {}", file.display()))?;
            described += 1;
        }
    }
    ensure!(
        described > 0,
        "there is no component in {}",
        guests.display()
    );
    Ok(described)
}

fn describe(file: &Path, weft: &Path) -> Result<()> {
    let text = output(
        Command::new(weft)
            .arg("inspect")
            .arg(file)
            .args(["-o", "json"]),
    )?;
    let description: Value = serde_json::from_str(&text).context("the description is not JSON")?;
    let exports = description["exports"].as_array().map_or(0, Vec::len);
    ensure!(exports > 0, "it exports nothing");
    Ok(())
}

/// Writes the shop's manifest with these components in place of the usual ones.
fn manifest(guests: &Path, folder: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(shop::MANIFEST)
        .with_context(|| format!("cannot read {}", shop::MANIFEST))?;
    ensure!(
        text.contains(COMPONENTS_IN_MANIFEST),
        "{} does not look for its components in `{COMPONENTS_IN_MANIFEST}`",
        shop::MANIFEST
    );
    let text = text.replace(COMPONENTS_IN_MANIFEST, &format!("{}/", guests.display()));
    let path = folder.join("shop.yaml");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
