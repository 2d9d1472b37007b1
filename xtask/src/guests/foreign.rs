//! Components in Python and JavaScript, with the same interface.
//!
//! Their toolchains are installed into folders under `components/target/`, not into the system. A
//! step is skipped while its inputs are unchanged. A language without its tools is skipped with the
//! reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::Folders;
use super::dep_info::Sources;
use crate::command::{output, print_line, run};

/// The components of [`build`].
pub(super) const NAMES: &[&str] = &["text-python", "text-javascript"];

/// The oldest node that `componentize-js` runs on.
const NODE_MAJOR_MIN: u32 = 20;

pub(super) fn build(folders: &Folders, is_selected: impl Fn(&str) -> bool) -> Result<()> {
    if is_selected("text-python") {
        python(folders).context("cannot build `text-python`")?;
    }
    if is_selected("text-javascript") {
        javascript(folders).context("cannot build `text-javascript`")?;
    }
    Ok(())
}

fn python(folders: &Folders) -> Result<()> {
    if output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_err() {
        print_line("skipped text-python: missing python3 with venv");
        return Ok(());
    }
    let sources = folders.components.join("fixtures/python");
    let requirements = sources.join("requirements.txt");
    let wit = wit(folders);
    let venv = folders.target.join("python");
    let componentize = venv.join("bin/componentize-py");
    make(&[&requirements], &componentize, || {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--requirement"])
            .arg(&requirements))
    })?;
    let component = folders.wasm.join("text-python.wasm");
    build_component(
        folders,
        &[
            &requirements,
            &sources.join("app.py"),
            &wit.join("text.wit"),
        ],
        &component,
        || {
            run(Command::new(&componentize)
                .arg("-d")
                .arg(&wit)
                .args(["-w", "shouter", "componentize", "app", "-p"])
                .arg(&sources)
                .arg("-o")
                .arg(&component))
        },
    )
}

fn javascript(folders: &Folders) -> Result<()> {
    if let Err(reason) = node_is_new_enough() {
        print_line(&format!("skipped text-javascript: {reason:#}"));
        return Ok(());
    }
    let sources = folders.components.join("fixtures/javascript");
    let packages = sources.join("package.json");
    let script = sources.join("build.mjs");
    let source = sources.join("shout.js");
    let wit = wit(folders);
    let work = folders.target.join("javascript");
    let modules = work.join("node_modules");
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    // A script loads modules from its own folder, and they must not be installed beside the
    // sources.
    for file in [&packages, &script] {
        let name = file.file_name().context("a script has a name")?;
        fs::copy(file, work.join(name))
            .with_context(|| format!("cannot copy {}", file.display()))?;
    }
    make(&[&packages], &modules, || {
        run(Command::new("npm")
            .args(["install", "--no-package-lock", "--no-audit", "--no-fund"])
            .current_dir(&work))
    })?;
    let component = folders.wasm.join("text-javascript.wasm");
    build_component(
        folders,
        &[&packages, &script, &source, &wit.join("text.wit")],
        &component,
        || {
            run(Command::new("node")
                .arg(work.join("build.mjs"))
                .args([&source, &wit, &component]))
        },
    )
}

fn wit(folders: &Folders) -> PathBuf {
    folders.components.join("fixtures/wit/text")
}

fn node_is_new_enough() -> Result<()> {
    let version = output(Command::new("node").arg("--version"))?;
    let version = version.trim();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    let found = major.with_context(|| format!("malformed version of node: `{version}`"))?;
    anyhow::ensure!(
        NODE_MAJOR_MIN <= found,
        "node {version} is older than {NODE_MAJOR_MIN}"
    );
    output(Command::new("npm").arg("--version")).map(drop)
}

/// Builds a component, and lists its sources beside it.
fn build_component(
    folders: &Folders,
    inputs: &[&Path],
    component: &Path,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let started = SystemTime::now();
    make(inputs, component, work)?;
    let inputs: Vec<PathBuf> = inputs.iter().map(|input| input.to_path_buf()).collect();
    Sources::default()
        .with(&[folders.components.join("Cargo.toml")])
        .with(&inputs)
        .write(component, started)
}

/// Does the work unless the product was made from the same inputs. A copy of the inputs is stored
/// beside the product, so contents are compared and not times.
fn make(inputs: &[&Path], product: &Path, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut content = Vec::new();
    for input in inputs {
        content
            .extend(fs::read(input).with_context(|| format!("cannot read {}", input.display()))?);
        content.push(0);
    }
    let mut stamp = product.as_os_str().to_owned();
    stamp.push(".made-from");
    if product.exists() && fs::read(&stamp).is_ok_and(|made_from| made_from == content) {
        return Ok(());
    }
    work()?;
    fs::write(&stamp, content).with_context(|| format!("cannot write {}", stamp.display()))
}
