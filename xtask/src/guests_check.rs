//! `cargo xtask guests-check`: inspects and runs the guests of one toolchain with the current host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::command::{output, print_line};
use crate::guests::{self, Toolchain};
use crate::host::Host;
use crate::shop;
use crate::signals::Signals;
use crate::workspace::{Build, build_weft, root, target_directory};

/// The folder of components in the manifest of the shop.
const COMPONENTS_IN_MANIFEST: &str = "../../components/target/wasm/";

/// The folder of WIT in the manifest of the shop.
const WIT_IN_MANIFEST: &str = "../../components/examples/wit";

/// The guests to check.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The toolchain to build them with.
    #[arg(long = "way", value_enum, default_value_t)]
    toolchain: Toolchain,
}

/// Builds guests, inspects each, and runs the shop with them.
///
/// # Errors
/// If a guest cannot be built or inspected, or a response of the shop is wrong.
pub(crate) fn run(options: &Options) -> Result<()> {
    let guests = guests::build(&guests::Options {
        toolchain: options.toolchain,
        ..guests::Options::default()
    })?;
    check(&guests, &build_weft(Build::Dev)?)
}

/// Inspects and runs the components of a folder with a `weft` binary.
pub(crate) fn check(guests: &Path, weft: &Path) -> Result<()> {
    let inspected = inspect_all(guests, weft)?;
    let folder = target_directory()?.join("guests-check");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let manifest = manifest(guests, &folder)?;
    let signals = Signals::listen()?;
    let host = Host::start_attached(weft, &folder.join("data"), &signals)?;
    host.weft(&["deploy", &manifest.display().to_string()])?;
    shop::place_order(host.http)?;
    host.end()?;
    let guests = guests.display();
    print_line(&format!(
        "{inspected} components in {guests} can be inspected, and the shop of them works"
    ));
    Ok(())
}

fn inspect_all(guests: &Path, weft: &Path) -> Result<usize> {
    let files =
        fs::read_dir(guests).with_context(|| format!("cannot read {}", guests.display()))?;
    let mut inspected = 0;
    for file in files {
        let file = file?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            inspect(&file, weft).with_context(|| format!("cannot check {}", file.display()))?;
            inspected += 1;
        }
    }
    ensure!(inspected > 0, "no component in {}", guests.display());
    Ok(inspected)
}

fn inspect(file: &Path, weft: &Path) -> Result<()> {
    let text = output(
        Command::new(weft)
            .arg("inspect")
            .arg(file)
            .args(["-o", "json"]),
    )?;
    let description: Value =
        serde_json::from_str(&text).context("output of `weft inspect` is not JSON")?;
    let exports = description["exports"].as_array().map_or(0, Vec::len);
    ensure!(exports > 0, "the component exports nothing");
    Ok(())
}

/// Writes the shop's manifest with the components in `guests`.
fn manifest(guests: &Path, folder: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(shop::MANIFEST)
        .with_context(|| format!("cannot read {}", shop::MANIFEST))?;
    ensure!(
        text.contains(COMPONENTS_IN_MANIFEST),
        "{} does not name components in `{COMPONENTS_IN_MANIFEST}`",
        shop::MANIFEST
    );
    let text = text.replace(COMPONENTS_IN_MANIFEST, &format!("{}/", guests.display()));
    let wit = root()?.join("components/examples/wit");
    let text = text.replace(WIT_IN_MANIFEST, &wit.display().to_string());
    let path = folder.join("shop.yaml");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
