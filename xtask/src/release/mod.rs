//! `cargo xtask release`: makes the archive that users install from, and tries it.

mod archive;
mod sbom;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::command::{output, print_line, run};
use crate::guests;
use crate::host::Host;
use crate::shop;
use crate::workspace::{Build, build_weft, target_directory};

/// The documents of an archive.
const DOCUMENTS: [&str; 3] = ["README.md", "CHANGELOG.md", "LICENSE"];

/// The scripts for shells, under the names that shells look for.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "completions/weft.bash"),
    ("zsh", "completions/_weft"),
    ("fish", "completions/weft.fish"),
];

/// The largest `weft` of an archive, in bytes.
const BINARY_BYTES_MAX: u64 = 60 * 1_000_000;

/// The build of the archive.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Pack the debug build of the tests: tries everything but the optimized binary and its size.
    #[arg(long)]
    dev: bool,
}

/// Builds `weft`, packs it, and tries the archive.
///
/// # Errors
/// If a build fails, a file cannot be written, or the unpacked program does not work.
pub(crate) fn release(options: &Options) -> Result<()> {
    let build = if options.dev {
        Build::DevOnly
    } else {
        Build::Dist
    };
    let weft = build_weft(build)?;
    let archives = target_directory()?.join("archives");
    empty(&archives)?;
    let name = archive_name(&weft)?;
    let folder = archives.join(&name);
    fill(&folder, &weft)?;
    let bytes = fs::metadata(folder.join("weft"))?.len();
    ensure!(
        options.dev || bytes <= BINARY_BYTES_MAX,
        "`weft` has {bytes} bytes, expected at most {BINARY_BYTES_MAX}; find what has grown with \
         `cargo bloat`"
    );
    let file = archive::pack(&archives, &name)?;
    try_archive(&archives, &file, &name)?;
    print_line(&format!(
        "{} has {} bytes, its `weft` {bytes}; checksum in {}",
        file.display(),
        fs::metadata(&file)?.len(),
        archives.join(archive::CHECKSUMS).display(),
    ));
    print_line(&needs(&folder.join("weft"))?);
    Ok(())
}

/// Makes an empty folder.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// The name of the archive: program, version, architecture and system.
fn archive_name(weft: &Path) -> Result<String> {
    let version = output(Command::new(weft).arg("--version"))?;
    let version = version.trim().replace(' ', "-");
    Ok(format!("{version}-{}-linux", std::env::consts::ARCH))
}

/// Copies and makes the files of the archive.
fn fill(folder: &Path, weft: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("completions"))?;
    let program = folder.join("weft");
    run(Command::new("strip")
        .arg("--strip-all")
        .arg("-o")
        .arg(&program)
        .arg(weft))?;
    for document in DOCUMENTS {
        fs::copy(document, folder.join(document))
            .with_context(|| format!("cannot copy {document}"))?;
    }
    for (shell, file) in COMPLETIONS {
        let script = output(Command::new(&program).args(["completions", shell]))?;
        fs::write(folder.join(file), script)?;
    }
    run(Command::new(&program)
        .arg("manual")
        .arg(folder.join("man/man1")))?;
    fs::write(folder.join("sbom.cdx.json"), sbom::of_weft()?)?;
    Ok(())
}

/// Unpacks an archive as its users do, and uses the program: a host serves the example shop.
fn try_archive(archives: &Path, file: &Path, name: &str) -> Result<()> {
    archive::verify(archives)?;
    let trial = archives.join("trial");
    empty(&trial)?;
    archive::unpack(file, &trial)?;
    let weft: PathBuf = fs::canonicalize(trial.join(name).join("weft"))?;
    guests::build(&guests::Options::default())?;
    let mut host = Host::start(&weft, &trial.join("data"), &[])?;
    host.weft(&["deploy", shop::MANIFEST])?;
    shop::use_api(host.http)?;
    host.process.check()?;
    host.end()?;
    fs::remove_dir_all(&trial).with_context(|| format!("cannot remove {}", trial.display()))
}

/// The libraries that the program needs, and the oldest C library that has all its symbols.
fn needs(weft: &Path) -> Result<String> {
    let dynamic = output(Command::new("objdump").arg("-p").arg(weft))?;
    let libraries = dynamic
        .lines()
        .filter_map(|line| line.trim().strip_prefix("NEEDED"));
    let libraries: Vec<_> = libraries.map(str::trim).collect();
    let oldest = glibc_version(&dynamic).map_or_else(String::new, |(major, minor)| {
        format!("; glibc {major}.{minor} or newer")
    });
    Ok(format!("it needs {}{oldest}", libraries.join(", ")))
}

/// The newest version of glibc that a program refers to.
fn glibc_version(dynamic: &str) -> Option<(u32, u32)> {
    let versions = dynamic.split_whitespace().filter_map(|word| {
        let version = word.strip_prefix("GLIBC_")?;
        let (major, rest) = version.split_once('.')?;
        let minor = rest.split('.').next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    versions.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_of_the_c_library_counts() {
        let dynamic = "  NEEDED               libc.so.6\n    0x0d696914 0x00 06 GLIBC_2.4\n    \
                       0x06969197 0x00 05 GLIBC_2.17.1\n 0x09691a75 0x00 02 GLIBC_2.34\n";
        assert_eq!(glibc_version(dynamic), Some((2, 34)));
        assert_eq!(glibc_version("NEEDED libfoo.so"), None);
    }
}
