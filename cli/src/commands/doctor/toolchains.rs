//! Checks of the toolchains that components are built with.

use std::collections::BTreeSet;
use std::process::Command;

use weft_build::{Cancel, Error, Output, Shell, javascript, python, rust};
use weft_lattice_config::Language;

use super::{Finding, Weight};

/// Checks the tools of each language. A tool that no component needs is a note.
pub(super) fn check(needed: &BTreeSet<Language>) -> Vec<Finding> {
    let cancel = Cancel::default();
    // Nothing is installed here, so the cache is not used.
    let shell = Shell::new(std::env::temp_dir(), Output::Events, cancel, |_| ());
    let base = |program: &str| Command::new(program);
    let settings = rust::Settings {
        toolchain: rust::Toolchain::Auto,
        linker: None,
        base: &base,
    };
    let weight = |language| match needed.contains(&language) {
        true => Weight::Fault,
        false => Weight::Note,
    };
    let rust = weight(Language::Rust);
    let cargo = rust::check(&shell, &settings);
    let mut findings = vec![finding("Rust", rust, &cargo)];
    if cargo.is_ok() {
        let target = rust::check_target(&shell, &settings);
        findings.push(finding("Rust for wasm32-wasip2", rust, &target));
    }
    findings.push(finding(
        "Python",
        weight(Language::Python),
        &python::check(&shell),
    ));
    let node = javascript::check(&shell);
    findings.push(finding("JavaScript", weight(Language::JavaScript), &node));
    findings
}

fn finding(subject: &str, weight: Weight, found: &Result<(), Error>) -> Finding {
    match found {
        Ok(()) => Finding::good(subject, "installed"),
        Err(error) => {
            let fix = error.help().unwrap_or("install it").to_owned();
            Finding::bad(weight, subject, error.to_string(), fix)
        }
    }
}
