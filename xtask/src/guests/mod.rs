//! Builds the guest components under `components/` from source, and says where they are.
//!
//! Which guests there are is what the workspace in `components/Cargo.toml` says; components in other
//! languages are listed in [`foreign`]. There are two ways to build the Rust ones: with the target that
//! rustup installs, or with Debian's packages where rustup's server is out of reach.

mod debian;
mod dep_info;
mod foreign;
mod rustup;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::command::{output, run, say};
use dep_info::Sources;

/// What guests are compiled for.
const TARGET: &str = "wasm32-wasip2";

/// What to build, and how.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// How to build the Rust guests.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) way: Way,
    /// Build only these, by name.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) only: Vec<String>,
    /// Build the components in Python and JavaScript too.
    #[arg(long)]
    pub(crate) foreign: bool,
}

/// Where the compiler for the Rust guests comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// rustup's target if it is there or can be added, else Debian's packages.
    #[default]
    Auto,
    /// The target `wasm32-wasip2` of the toolchain in use.
    Rustup,
    /// Debian's compiler, which builds the standard library itself. Its components go to a folder of
    /// their own, so that both can be compared.
    Debian,
}

/// Builds guests and answers with the folder that holds `<name>.wasm` for each.
///
/// # Errors
///
/// If a name is unknown, a tool is missing, or a guest does not compile.
pub(crate) fn build(options: &Options) -> Result<PathBuf> {
    let folders = Folders::new(options.way)?;
    let packages = rust_packages(&folders)?;
    let names: Vec<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    check_names(options, &names)?;
    let selected: Vec<&str> = names
        .into_iter()
        .filter(|name| options.selects(name))
        .collect();
    let started = SystemTime::now();
    if !selected.is_empty() {
        let built = build_rust(options.way, &folders, &selected)?;
        collect(&built, &folders.wasm, &selected)?;
        let manifests = folders.manifests(&packages);
        for name in selected {
            let sources = Sources::of_cargo(&built_file(&built, name))?;
            let component = folders.wasm.join(name).with_extension("wasm");
            sources.with(&manifests).write(&component, started)?;
        }
    }
    if options.foreign {
        foreign::build(&folders, |name| options.selects(name))?;
    }
    say(&format!("guests are in {}", folders.wasm.display()));
    Ok(folders.wasm)
}

impl Options {
    fn selects(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// The places that building has to do with.
struct Folders {
    /// The guests' workspace.
    components: PathBuf,
    /// Everything that can be deleted and made again.
    target: PathBuf,
    /// Where the finished components are put.
    wasm: PathBuf,
}

impl Folders {
    fn new(way: Way) -> Result<Self> {
        let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
        let components = xtask
            .parent()
            .context("xtask has no parent folder")?
            .join("components");
        let target = components.join("target");
        let wasm = target.join(match way {
            Way::Auto | Way::Rustup => "wasm",
            Way::Debian => "wasm-debian",
        });
        fs::create_dir_all(&wasm).with_context(|| format!("cannot create {}", wasm.display()))?;
        Ok(Self {
            components,
            target,
            wasm,
        })
    }

    /// The files that decide how packages are built, of all packages: the workspace's own manifest is
    /// first.
    fn manifests(&self, packages: &[Package]) -> Vec<PathBuf> {
        let of_workspace = ["Cargo.toml", "Cargo.lock"].map(|name| self.components.join(name));
        let of_packages = packages.iter().map(|package| package.manifest_path.clone());
        of_workspace.into_iter().chain(of_packages).collect()
    }

    /// A cargo that is not told anything by the cargo that runs this task: what was meant for the host's
    /// build, flags above all, must not reach the guests.
    fn cargo(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.components);
        for name in [
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_BUILD_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            // Names the outer toolchain's libraries, which another compiler must not load.
            "LD_LIBRARY_PATH",
            "RUSTC",
            "RUSTC_BOOTSTRAP",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTFLAGS",
        ] {
            command.env_remove(name);
        }
        command
    }
}

/// Builds by the chosen way and answers where cargo left the components.
fn build_rust(way: Way, folders: &Folders, names: &[&str]) -> Result<PathBuf> {
    match way {
        Way::Rustup => {
            rustup::ensure_target(folders)?;
            rustup::build(folders, names)
        }
        Way::Debian => debian::build(folders, names),
        Way::Auto => match rustup::ensure_target(folders) {
            Ok(()) => rustup::build(folders, names),
            Err(error) => {
                say(&format!(
                    "{error:#}; building with Debian's packages instead"
                ));
                debian::build(folders, names)
            }
        },
    }
}

/// Runs `cargo build` with what both ways have in common.
fn cargo_build(command: &mut Command, target_dir: &Path, names: &[&str]) -> Result<PathBuf> {
    command
        .args(["--release", "--target", TARGET, "--target-dir"])
        .arg(target_dir);
    for name in names {
        command.args(["--package", name]);
    }
    run(command)?;
    Ok(target_dir.join(TARGET).join("release"))
}

/// A package of the guests' workspace.
#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

fn rust_packages(folders: &Folders) -> Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut command = folders.cargo("cargo");
    let metadata = output(command.args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Metadata =
        serde_json::from_str(&metadata).context("`cargo metadata` does not read as expected")?;
    Ok(metadata.packages)
}

fn check_names(options: &Options, rust_guests: &[&str]) -> Result<()> {
    let foreign = if options.foreign { foreign::NAMES } else { &[] };
    let known: Vec<&str> = rust_guests.iter().chain(foreign).copied().collect();
    for name in &options.only {
        if foreign::NAMES.contains(&name.as_str()) && !options.foreign {
            bail!("`{name}` is not written in Rust; add --foreign");
        }
        if !known.contains(&name.as_str()) {
            bail!("there is no guest `{name}`; there are {}", known.join(", "));
        }
    }
    Ok(())
}

/// Copies what cargo built to one folder, under the components' own names. A file that is the same
/// already keeps its time, so whoever watches the folder sees only what changed.
fn collect(built: &Path, wasm: &Path, names: &[&str]) -> Result<()> {
    for name in names {
        let from = built_file(built, name);
        let to = wasm.join(name).with_extension("wasm");
        let bytes = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
        if fs::read(&to).is_ok_and(|present| present == bytes) {
            continue;
        }
        fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

/// The file that cargo makes of a package.
fn built_file(built: &Path, name: &str) -> PathBuf {
    built.join(name.replace('-', "_")).with_extension("wasm")
}
