//! Builds the guest components under `components/` from source.
//!
//! Rust guests are the packages of the workspace `components/Cargo.toml`; those in other languages
//! are listed in [`foreign`]. Two toolchains build the Rust guests: that of rustup with its
//! installed target, or that of Debian's packages where rustup's server cannot be reached.

mod dep_info;
mod foreign;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use weft_build::Shell;
use weft_build::rust::{self, Settings};

use crate::command::{output, print_line};
use crate::packages;
use dep_info::Sources;

/// The guests to build, and their toolchain.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// The toolchain to build the Rust guests with.
    #[arg(long = "way", value_enum, default_value_t)]
    pub(crate) toolchain: Toolchain,
    /// Build only the guests with these names.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) only: Vec<String>,
    /// Build the components in Python and JavaScript too.
    #[arg(long)]
    pub(crate) foreign: bool,
}

/// The toolchain for Rust guests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Toolchain {
    /// rustup's target if it is installed or can be added, else Debian's packages.
    #[default]
    Auto,
    /// The target `wasm32-wasip2` of the toolchain in use.
    Rustup,
    /// Debian's compiler, which builds the standard library itself. Its components go to a folder
    /// of their own.
    Debian,
}

/// Builds guests and returns the folder of their `<name>.wasm` files.
///
/// # Errors
///
/// If a name is unknown, a tool is missing, or a guest does not compile.
pub(crate) fn build(options: &Options) -> Result<PathBuf> {
    let folders = Folders::new(options.toolchain)?;
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
        let built = build_rust(options.toolchain, &folders, &selected)?;
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
    print_line(&format!("guests are in {}", folders.wasm.display()));
    Ok(folders.wasm)
}

impl Options {
    fn selects(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// The folders of a build.
struct Folders {
    /// The guests' workspace.
    components: PathBuf,
    /// Everything that a build can make again.
    target: PathBuf,
    /// The folder of the finished components.
    wasm: PathBuf,
}

impl Folders {
    fn new(toolchain: Toolchain) -> Result<Self> {
        let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
        let components = xtask
            .parent()
            .context("xtask has no parent folder")?
            .join("components");
        let target = components.join("target");
        let wasm = target.join(match toolchain {
            Toolchain::Auto | Toolchain::Rustup => "wasm",
            Toolchain::Debian => "wasm-debian",
        });
        fs::create_dir_all(&wasm).with_context(|| format!("cannot create {}", wasm.display()))?;
        Ok(Self {
            components,
            target,
            wasm,
        })
    }

    /// The manifests of the workspace and of all packages, and the lock file.
    fn manifests(&self, packages: &[Package]) -> Vec<PathBuf> {
        let of_workspace = ["Cargo.toml", "Cargo.lock"].map(|name| self.components.join(name));
        let of_packages = packages.iter().map(|package| package.manifest_path.clone());
        of_workspace.into_iter().chain(of_packages).collect()
    }

    /// Runs the tools of languages, which are installed below the target directory.
    fn shell(&self) -> Shell {
        // The name that `weft build` adds to the cache folder, which its tests set to `target`.
        packages::shell(self.target.join("weft"))
    }

    /// A cargo command without the variables of the cargo that runs this task: flags for the host's
    /// build must not reach the guests.
    fn cargo(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.components);
        for name in [
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_BUILD_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_TARGET_WASM32_WASIP2_LINKER",
            // Libraries of the outer toolchain, which another compiler must not load.
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

/// Builds with a toolchain and returns the folder of cargo's components.
fn build_rust(toolchain: Toolchain, folders: &Folders, names: &[&str]) -> Result<PathBuf> {
    let settings = Settings {
        toolchain: match toolchain {
            Toolchain::Auto => rust::Toolchain::Auto,
            Toolchain::Rustup => rust::Toolchain::Rustup,
            Toolchain::Debian => rust::Toolchain::Debian,
        },
        linker: None,
        base: &|program| folders.cargo(program),
    };
    let shell = folders.shell();
    let cargo = rust::prepare(&shell, &settings)?;
    let target_dir = folders.target.join(cargo.toolchain.as_str());
    let mut command = cargo.build(&settings);
    command.args(["--release", "--target-dir"]).arg(&target_dir);
    for name in names {
        command.args(["--package", name]);
    }
    shell.run(&mut command)?;
    Ok(target_dir.join(rust::TARGET).join("release"))
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
        serde_json::from_str(&metadata).context("unexpected output of `cargo metadata`")?;
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
            bail!(
                "unknown guest `{name}`; the guests are {}",
                known.join(", ")
            );
        }
    }
    Ok(())
}

/// Copies cargo's components to one folder, under their own names. An unchanged file keeps its
/// time, so that watchers of the folder see only changes.
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

/// The component that cargo builds from a package.
fn built_file(built: &Path, name: &str) -> PathBuf {
    built.join(name.replace('-', "_")).with_extension("wasm")
}
