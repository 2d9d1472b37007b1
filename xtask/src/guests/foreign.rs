//! Components in Python and JavaScript, with the same interface.
//!
//! Their toolchains are installed into folders under `components/target/`, not into the system. A
//! step is skipped while its inputs are unchanged. A language without its tools is skipped with the
//! reason.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use weft_build::{Sources as ComponentSources, javascript, python};

use super::Folders;
use super::dep_info::Sources;
use crate::command::print_line;
use crate::packages::make;

/// The components of [`build`].
pub(super) const NAMES: &[&str] = &["text-python", "text-javascript"];

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
    let shell = folders.shell();
    if let Err(reason) = python::check(&shell) {
        print_line(&format!("skipped text-python: {reason}"));
        return Ok(());
    }
    let dir = folders.components.join("fixtures/python");
    let component = folders.wasm.join("text-python.wasm");
    let wit = wit(folders);
    build_component(
        folders,
        &[&dir.join("app.py"), &wit.join("text.wit")],
        python::COMPONENTIZE_PY,
        &component,
        || {
            Ok(python::build(
                &shell,
                &sources(dir.clone(), "app", &wit, &component),
            )?)
        },
    )
}

fn javascript(folders: &Folders) -> Result<()> {
    let shell = folders.shell();
    if let Err(reason) = javascript::check(&shell) {
        print_line(&format!("skipped text-javascript: {reason}"));
        return Ok(());
    }
    let dir = folders.components.join("fixtures/javascript");
    let component = folders.wasm.join("text-javascript.wasm");
    let wit = wit(folders);
    build_component(
        folders,
        &[&dir.join("shout.js"), &wit.join("text.wit")],
        javascript::COMPONENTIZE_JS,
        &component,
        || {
            let sources = sources(dir.clone(), "shout", &wit, &component);
            Ok(javascript::build(
                &shell,
                &sources,
                javascript::Http::Unused,
            )?)
        },
    )
}

fn sources(dir: PathBuf, entry: &str, wit: &Path, component: &Path) -> ComponentSources {
    ComponentSources {
        dir,
        entry: entry.to_owned(),
        wit: wit.to_owned(),
        world: "shouter".to_owned(),
        output: component.to_owned(),
    }
}

fn wit(folders: &Folders) -> PathBuf {
    folders.components.join("fixtures/wit/text")
}

/// Builds a component, and lists its sources beside it.
fn build_component(
    folders: &Folders,
    inputs: &[&Path],
    release: &str,
    component: &Path,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let started = SystemTime::now();
    make(release, inputs, component, work)?;
    let inputs: Vec<PathBuf> = inputs.iter().map(|input| input.to_path_buf()).collect();
    Sources::default()
        .with(&[folders.components.join("Cargo.toml")])
        .with(&inputs)
        .write(component, started)
}
