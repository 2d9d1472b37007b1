//! Components that are not written in Rust: the same interface from Python and from JavaScript.
//!
//! Their toolchains are installed into folders under `components/target/`, never into the system. Each
//! step is skipped while the inputs it was last made from are the same; a language whose tools are not
//! installed is skipped with the reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::Folders;
use super::dep_info::Sources;
use crate::command::{output, run, say};

/// The components that [`build`] knows.
pub(super) const NAMES: &[&str] = &["text-python", "text-javascript"];

/// The oldest node that `componentize-js` runs on.
const NODE_MAJOR_MIN: u32 = 20;

pub(super) fn build(folders: &Folders, wanted: impl Fn(&str) -> bool) -> Result<()> {
    if wanted("text-python") {
        python(folders).context("cannot build `text-python`")?;
    }
    if wanted("text-javascript") {
        javascript(folders).context("cannot build `text-javascript`")?;
    }
    Ok(())
}

fn python(folders: &Folders) -> Result<()> {
    if output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_err() {
        say("skipped text-python: there is no python3 with venv");
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
    make_component(
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
        say(&format!("skipped text-javascript: {reason:#}"));
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
    // A script finds its modules in the folder it lies in, and those are not to lie beside the sources.
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
    make_component(
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
    let found = major.with_context(|| format!("node says `{version}` for its version"))?;
    anyhow::ensure!(
        NODE_MAJOR_MIN <= found,
        "node {version} is older than {NODE_MAJOR_MIN}"
    );
    output(Command::new("npm").arg("--version")).map(drop)
}

/// Makes a component, and lists its sources beside it.
fn make_component(
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

/// Does the work unless its product was made from the same inputs before. The inputs are kept beside the
/// product, as they were: what is compared is their content, not their times.
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
