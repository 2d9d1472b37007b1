//! Components in Rust: cargo for `wasm32-wasip2`.
//!
//! Two toolchains can build them: that of rustup with its installed target, or that of Debian's
//! packages where rustup's server cannot be reached.

mod component_linker;
mod debian;
mod messages;
mod rustup;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::shell::Shell;

pub(crate) use component_linker::{ensure as ensure_linker, install};
use messages::Artifacts;

/// The target of components.
pub const TARGET: &str = "wasm32-wasip2";

/// The variable that names the linker of [`TARGET`] for cargo.
pub const LINKER_VARIABLE: &str = "CARGO_TARGET_WASM32_WASIP2_LINKER";

/// The toolchain for components.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Toolchain {
    /// rustup's target if it is installed or can be added, else Debian's packages.
    #[default]
    Auto,
    /// The target of the toolchain in use.
    Rustup,
    /// Debian's compiler, which builds the standard library itself.
    Debian,
}

/// The settings of a build in Rust.
pub struct Settings<'a> {
    /// The toolchain.
    pub toolchain: Toolchain,
    /// The linker, if the user has set [`LINKER_VARIABLE`].
    pub linker: Option<PathBuf>,
    /// A command that runs a program in the folder of the sources.
    pub base: &'a dyn Fn(&str) -> Command,
}

/// The form of diagnostics of the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagnostics {
    /// Text on standard error, in colour or not.
    Text {
        /// True for colour.
        colour: bool,
    },
    /// [`Event::CompilerMessage`](crate::Event::CompilerMessage)s.
    Messages,
}

/// A cargo that builds for [`TARGET`].
#[derive(Clone, Debug)]
pub struct Cargo {
    /// The toolchain, never [`Toolchain::Auto`].
    pub toolchain: Toolchain,
    program: &'static str,
    flags: Vec<&'static str>,
    /// The variables for any command that runs cargo.
    pub variables: Vec<(&'static str, OsString)>,
}

impl Toolchain {
    /// The name, for folders.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Toolchain::Auto => "auto",
            Toolchain::Rustup => "rustup",
            Toolchain::Debian => "debian",
        }
    }
}

impl Cargo {
    /// The command `cargo build` without a profile.
    #[must_use]
    pub fn build(&self, settings: &Settings<'_>) -> Command {
        let mut command = (settings.base)(self.program);
        command.arg("build").args(&self.flags);
        command.args(["--target", TARGET]);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Installs what is missing of a toolchain.
///
/// # Errors
/// Rust is missing, or the target or the linker cannot be installed.
pub fn prepare(shell: &Shell, settings: &Settings<'_>) -> Result<Cargo, Error> {
    match settings.toolchain {
        Toolchain::Rustup => rustup::prepare(shell, settings),
        Toolchain::Debian => debian::prepare(shell, settings),
        Toolchain::Auto => {
            if !debian::is_installed(shell) {
                check(shell, settings)?;
            }
            let reason = match rustup::ensure_target(shell, settings) {
                Ok(()) => return rustup::prepare(shell, settings),
                Err(Error::Failed { command, status }) => format!("`{command}` failed ({status})"),
                Err(Error::Start { program, .. }) => format!("`{program}` is missing"),
                Err(error) => return Err(error),
            };
            shell.note(format!("{reason}: building with Debian's packages instead"));
            debian::prepare(shell, settings)
        }
    }
}

/// Checks that Rust is on this machine.
///
/// # Errors
/// It is missing.
pub fn check(shell: &Shell, settings: &Settings<'_>) -> Result<(), Error> {
    let found = shell.output((settings.base)("cargo").arg("--version"));
    found
        .map(drop)
        .map_err(|_| Error::missing("`cargo`", "install Rust from https://rustup.rs"))
}

/// Checks that a toolchain has [`TARGET`], without installing it.
///
/// # Errors
/// Neither rustup's toolchain nor Debian's packages have it.
pub fn check_target(shell: &Shell, settings: &Settings<'_>) -> Result<(), Error> {
    match rustup::is_installed(shell, settings) || debian::is_installed(shell) {
        true => Ok(()),
        false => Err(Error::missing(
            format!("the target `{TARGET}` of Rust"),
            format!("`rustup target add {TARGET}`; `weft build` adds it too"),
        )),
    }
}

/// Builds the package in the folder `dir`, and returns the path of its component.
///
/// # Errors
/// The toolchain cannot be installed, the package does not compile, or it is not a component.
pub fn build(
    shell: &Shell,
    settings: &Settings<'_>,
    dir: &Path,
    diagnostics: Diagnostics,
) -> Result<PathBuf, Error> {
    let manifest = dir.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(Error::Sources {
            problem: format!("missing `{}`", manifest.display()),
            help: "set `build.dir` to the folder of the package, relative to the manifest"
                .to_owned(),
        });
    }
    let cargo = prepare(shell, settings)?;
    let mut command = cargo.build(settings);
    command.args(["--release", "--message-format"]);
    match diagnostics {
        Diagnostics::Text { colour } => {
            command.arg("json-render-diagnostics");
            command.args(colour.then_some("--color=always"));
        }
        Diagnostics::Messages => {
            command.arg("json");
        }
    }
    let mut artifacts = Artifacts::default();
    shell.run_reading(&mut command, |stream, line| {
        artifacts.read(shell, stream, line);
    })?;
    artifacts.component(&manifest)
}

/// Passes a line of a command on: cargo's diagnostics in JSON are compiler messages.
pub fn publish_line(shell: &Shell, stream: crate::Stream, line: &str) {
    messages::publish(shell, stream, line);
}
