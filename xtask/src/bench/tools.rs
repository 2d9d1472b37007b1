//! The programs and components to measure, built or installed beforehand.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{output, run};
use crate::debian;
use crate::guests;
use crate::workspace::{Build, DIST, build_weft, cargo, root, target_directory};

/// The version that the host is built with, so that the comparison is of hosts and not of versions.
const WASMTIME_VERSION: &str = "48.0.8";

/// The measured guests.
const GUESTS: [&str; 12] = [
    "callee",
    "caller",
    "cashier",
    "cashier-http",
    "conformance-concurrent-exporter",
    "conformance-concurrent-importer",
    "hello-http",
    "hello-http-p3",
    "http-probe",
    "orders",
    "pricing",
    "storefront",
];

/// Paths of all programs and components.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) weft: PathBuf,
    pub(super) bare_hyper: PathBuf,
    pub(super) compose: PathBuf,
    /// A link of dynamic values between two stores.
    pub(super) dynamic_link: PathBuf,
    /// Makes and compiles the stub and the skeleton of an interface.
    pub(super) link_code: PathBuf,
    /// Sends requests with the bare NATS client.
    pub(super) raw_requests: PathBuf,
    /// The manifest of the shop.
    pub(super) shop: PathBuf,
    guests: PathBuf,
}

impl Tools {
    /// Builds `weft` unless a path is given, the guests, and the programs of baselines if they are
    /// needed.
    pub(super) fn prepare(weft: Option<&Path>, with_baselines: bool) -> Result<Self> {
        let weft = match weft {
            Some(weft) => weft.to_owned(),
            None => build_weft(Build::Dist)?,
        };
        let weft = existing(&weft)?;
        if with_baselines {
            build_baselines()?;
        }
        let built = root()?.join(target_directory()?).join(DIST);
        let guests = guests::build(&guests::Options {
            only: GUESTS.map(str::to_owned).to_vec(),
            ..guests::Options::default()
        })?;
        Ok(Self {
            weft,
            bare_hyper: built.join("bench-bare-hyper"),
            compose: built.join("bench-compose"),
            dynamic_link: built.join("examples/dynamic_link"),
            link_code: built.join("examples/link_code"),
            raw_requests: built.join("examples/raw_requests"),
            shop: root()?.join("lattice-config/examples/shop.yaml"),
            guests,
        })
    }

    /// The same programs, with another build of `weft`.
    pub(super) fn with_weft(&self, weft: &Path) -> Result<Self> {
        Ok(Self {
            weft: existing(weft)?,
            ..self.clone()
        })
    }

    /// The file of a guest.
    pub(super) fn guest(&self, name: &str) -> PathBuf {
        self.guests.join(name).with_extension("wasm")
    }
}

/// Builds the programs of baselines with the profile of `weft`, so that none is faster by its
/// build.
fn build_baselines() -> Result<()> {
    let build = ["build", "--profile", DIST];
    run(cargo().args(build).args(["-p", "weft-bench"]))?;
    let examples = [
        "-p",
        "weft-runtime",
        "-p",
        "weft-bus",
        "-p",
        "weft-membership",
        "--examples",
    ];
    run(cargo().args(build).args(examples))
}

fn existing(file: &Path) -> Result<PathBuf> {
    file.canonicalize()
        .with_context(|| format!("missing {}", file.display()))
}

/// The path of `wasmtime`, which is installed if missing: that takes some minutes.
pub(super) fn ensure_wasmtime() -> Result<PathBuf> {
    let folder = cache_folder()?;
    let wasmtime = folder.join("bin/wasmtime");
    let is_right = output(Command::new(&wasmtime).arg("--version"))
        .is_ok_and(|version| version.split_whitespace().nth(1) == Some(WASMTIME_VERSION));
    if !is_right {
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        run(cargo()
            .args(["install", "wasmtime-cli", "--locked", "--force"])
            .args(["--version", WASMTIME_VERSION, "--root"])
            .arg(&folder))?;
    }
    Ok(wasmtime)
}

/// Installs `wrk` if it is missing.
pub(super) fn ensure_wrk() -> Result<()> {
    debian::ensure("wrk", "benchmarks need `wrk`")
}

/// The folder of installed baseline programs, which later runs use again.
fn cache_folder() -> Result<PathBuf> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let cache = match set("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => Path::new(&set("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
            .join(".cache"),
    };
    Ok(cache.join("weft-bench"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this task that reads the environment"
)]
fn environment(name: impl AsRef<OsStr>) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}
