//! Components in C: bindings by `wit-bindgen`, compiled by clang with `wasi-libc`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::rust::{self, Settings};
use crate::shell::Shell;
use crate::{Sources, cache};

/// The release of `wit-bindgen`, whose command line makes the bindings.
pub const WIT_BINDGEN: &str = "0.61.1";

/// The folders of `wasi-libc`, as Debian's package has them.
const HEADERS: &str = "/usr/include/wasm32-wasi";
const LIBRARIES: &str = "/usr/lib/wasm32-wasi";

/// The releases of clang and `wasm-ld` that are looked for, newest first; without a number last.
const RELEASES: [&str; 5] = ["-22", "-21", "-20", "-19", ""];

/// The folder of generated bindings, below the folder of the component.
const BINDINGS: &str = "bindings";

/// The programs that compile C.
struct Compiler {
    clang: String,
    wasm_ld: PathBuf,
}

/// Checks that clang, `wasi-libc` and `wasm-ld` are on this machine.
///
/// # Errors
/// One is missing.
pub fn check(shell: &Shell) -> Result<(), Error> {
    compiler(shell).map(drop)
}

fn compiler(shell: &Shell) -> Result<Compiler, Error> {
    let help = "install clang for wasm32 with `wasi-libc`, on Debian with `sudo apt-get install \
                clang-22 lld-22 libclang-rt-22-dev-wasm32 wasi-libc`";
    let missing = |tool: &str| Error::missing(tool, help);
    if !Path::new(LIBRARIES).is_dir() || !Path::new(HEADERS).is_dir() {
        return Err(missing("`wasi-libc`"));
    }
    let compiles = |clang: &String| {
        let targets = shell.output(Command::new(clang).arg("--print-targets"));
        targets.is_ok_and(|targets| targets.contains("wasm32"))
    };
    let mut names = RELEASES.iter().map(|release| format!("clang{release}"));
    let clang = names
        .find(compiles)
        .ok_or_else(|| missing("`clang` with the target wasm32"))?;
    let mut linkers = RELEASES
        .iter()
        .map(|release| PathBuf::from(format!("/usr/bin/wasm-ld{release}")));
    let wasm_ld = linkers
        .find(|linker| linker.exists())
        .ok_or_else(|| missing("`wasm-ld`"))?;
    Ok(Compiler { clang, wasm_ld })
}

/// Makes a component of `ENTRY.c` and the bindings of its world, which it includes as `WORLD.h`.
///
/// # Errors
/// A tool is missing or fails.
pub fn build(shell: &Shell, sources: &Sources, settings: &Settings<'_>) -> Result<(), Error> {
    let compiler = compiler(shell)?;
    let wit_bindgen = ensure_wit_bindgen(shell, settings)?;
    let linker = rust::ensure_linker(shell, settings)?;
    let bindings = sources.output.with_file_name(BINDINGS);
    fs::create_dir_all(&bindings).map_err(Error::of("create", &bindings))?;
    shell.run(
        Command::new(wit_bindgen)
            .current_dir(&sources.dir)
            .args(["c", "--world", &sources.world, "--out-dir"])
            .arg(&bindings)
            .arg(&sources.wit),
    )?;
    let name = sources.world.replace('-', "_");
    shell.run(
        Command::new(compiler.clang)
            .current_dir(&sources.dir)
            .args([
                "--target=wasm32-wasi",
                "-Wno-deprecated",
                "-mexec-model=reactor",
                "-O2",
                "-Wall",
            ])
            .args(["-isystem", HEADERS, "-L", LIBRARIES, "-I"])
            .arg(&bindings)
            .arg(format!("{}.c", sources.entry))
            .arg(bindings.join(format!("{name}.c")))
            .arg(bindings.join(format!("{name}_component_type.o")))
            .arg(format!("-fuse-ld={}", linker.display()))
            .arg(format!("-Wl,--wasm-ld-path={}", compiler.wasm_ld.display()))
            .arg("-o")
            .arg(&sources.output),
    )
}

fn ensure_wit_bindgen(shell: &Shell, settings: &Settings<'_>) -> Result<PathBuf, Error> {
    let folder = cache::ensure(shell, &format!("wit-bindgen-{WIT_BINDGEN}"), |folder| {
        rust::check(shell, settings)?;
        shell.note(format!(
            "building wit-bindgen {WIT_BINDGEN}, once for all components"
        ));
        let package = [
            "wit-bindgen-cli",
            "--version",
            WIT_BINDGEN,
            "--no-default-features",
            "--features",
            "c",
        ];
        rust::install(shell, settings, folder, &package)
    })?;
    Ok(folder.join("bin/wit-bindgen"))
}
