//! Checks of manifests, without a host.

use std::collections::BTreeSet;
use std::path::PathBuf;

use weft_lattice_config::Language;

use super::{Finding, Weight};
use crate::failure::Message;
use crate::manifest;

/// The manifest of a project, as `weft new` names it.
const MANIFEST_DEFAULT: &str = "weft.yaml";

/// The manifests of a diagnosis.
pub(super) struct Manifests {
    pub(super) findings: Vec<Finding>,
    /// The languages in which their components are built.
    pub(super) languages: BTreeSet<Language>,
}

/// Reads the given manifests, or that of the current folder if it has one.
pub(super) fn read(mut files: Vec<PathBuf>) -> Manifests {
    let default = PathBuf::from(MANIFEST_DEFAULT);
    if files.is_empty() && default.exists() {
        files.push(default);
    }
    let (manifests, mistakes) = manifest::read_each(&files);
    let mut languages = BTreeSet::new();
    let mut findings: Vec<_> = mistakes.iter().map(of_mistake).collect();
    for manifest in manifests {
        let components = &manifest.app.spec.components;
        languages.extend(manifest.builds.iter().filter_map(|build| build.language));
        let subject = format!("manifest {}", manifest.file);
        if manifest.unusable.is_empty() {
            let count = components.len();
            let noun = if count == 1 {
                "component"
            } else {
                "components"
            };
            findings.push(Finding::good(subject, format!("valid, {count} {noun}")));
            continue;
        }
        let missing = manifest
            .unusable
            .0
            .iter()
            .map(|mistake| mistake.message.as_str());
        let missing = missing.collect::<Vec<_>>().join("; ");
        let fix = match manifest.builds.is_empty() {
            false => format!("weft build -f {}", manifest.file),
            true => "build the components, or correct the paths of their `source`".to_owned(),
        };
        findings.push(Finding::bad(Weight::Fault, subject, missing, fix));
    }
    Manifests {
        findings,
        languages,
    }
}

fn of_mistake(mistake: &Message) -> Finding {
    match mistake {
        Message::Plain(plain) => {
            let fix = plain.help.clone();
            let fix = fix.unwrap_or_else(|| "give the path of a manifest with `-f`".to_owned());
            Finding::bad(Weight::Fault, "manifest", plain.in_one_line(), fix)
        }
        Message::Formatted(text) => {
            let fix = "correct the manifest; `weft check` shows it with its lines";
            let first = text.lines().next().unwrap_or_default();
            Finding::bad(Weight::Fault, "manifest", first, fix)
        }
    }
}
