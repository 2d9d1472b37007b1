//! The bill of materials of `weft`: the crates that are compiled into it, in the form of
//! [CycloneDX 1.6](https://cyclonedx.org/docs/1.6/json/).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::command::output;
use crate::workspace::cargo;

/// The package of the program.
const PROGRAM: &str = "weft-cli";

/// The part of `cargo metadata` that is used.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    /// Missing for the crates of the workspace.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// Missing for a dependency that is compiled in; `build` and `dev` for the others.
    kind: Option<String>,
}

/// The document for the program as it is built on this system.
///
/// # Errors
/// If cargo does not list the packages.
pub(super) fn of_weft() -> Result<String> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let metadata = output(
        cargo()
            .args(["metadata", "--format-version", "1", "--locked"])
            .args(["--filter-platform", &target]),
    )?;
    let metadata =
        serde_json::from_str(&metadata).context("unexpected output of `cargo metadata`")?;
    let document = document(&metadata)?;
    Ok(format!("{document:#}\n"))
}

fn document(metadata: &Metadata) -> Result<Value> {
    let packages = metadata.packages.iter();
    let packages: BTreeMap<_, _> = packages
        .map(|package| (package.id.as_str(), package))
        .collect();
    let program = metadata
        .packages
        .iter()
        .find(|package| package.name == PROGRAM);
    let program = program.with_context(|| format!("no package {PROGRAM}"))?;
    let edges = edges(metadata);
    let compiled = reachable(&program.id, &edges);
    let package = |id: &str| packages.get(id).with_context(|| format!("no package {id}"));
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for id in &compiled {
        let of = edges.get(id).into_iter().flatten();
        let of = of
            .map(|id| Ok(package(id)?.reference()))
            .collect::<Result<BTreeSet<_>>>()?;
        let package = package(id)?;
        dependencies.push(json!({ "ref": package.reference(), "dependsOn": of }));
        if package.id != program.id {
            components.push(package.component("library"));
        }
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": program.component("application") },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// The dependencies of each package that are compiled in.
fn edges(metadata: &Metadata) -> BTreeMap<&str, Vec<&str>> {
    let nodes = metadata.resolve.nodes.iter().map(|node| {
        let compiled = node
            .deps
            .iter()
            .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()));
        (
            node.id.as_str(),
            compiled.map(|it| it.pkg.as_str()).collect(),
        )
    });
    nodes.collect()
}

/// A package and all that it depends on.
fn reachable<'m>(program: &'m str, edges: &BTreeMap<&'m str, Vec<&'m str>>) -> BTreeSet<&'m str> {
    let mut found = BTreeSet::new();
    let mut open = vec![program];
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(edges.get(id).into_iter().flatten());
        }
    }
    found
}

impl Package {
    /// The package URL, as [the specification](https://github.com/package-url/purl-spec) has it.
    fn reference(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }

    fn component(&self, kind: &str) -> Value {
        let mut component = json!({
            "type": kind,
            "bom-ref": self.reference(),
            "name": self.name,
            "version": self.version,
            "purl": self.reference(),
        });
        if let Some(license) = &self.license {
            // Old crates write `/` for `OR`.
            let license = license.replace('/', " OR ");
            component["licenses"] = json!([{ "expression": license }]);
        }
        if let (Some(repository), Some(_)) = (&self.repository, &self.source) {
            component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
        }
        component
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        let package = |name: &str, license: Option<&str>| {
            json!({
                "id": name, "name": name, "version": "1.0.0", "license": license,
                "repository": "https://example.com", "source": "registry",
            })
        };
        let dependency = |name: &str, kind: Option<&str>| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("weft-cli", None),
                package("a", Some("MIT/Apache-2.0")),
                package("b", Some("ISC")),
                package("tests-only", None),
                package("stranger", None),
            ],
            "resolve": { "nodes": [
                { "id": "weft-cli", "deps": [
                    dependency("a", None), dependency("tests-only", Some("dev")),
                ] },
                { "id": "a", "deps": [dependency("b", None)] },
                { "id": "b", "deps": [] },
                { "id": "tests-only", "deps": [] },
                { "id": "stranger", "deps": [] },
            ] },
        });
        serde_json::from_value(metadata).unwrap()
    }

    #[test]
    fn only_what_is_compiled_into_the_program_is_listed() {
        let document = document(&metadata()).unwrap();
        let components = document["components"].as_array().unwrap();
        let names: Vec<_> = components
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(document["metadata"]["component"]["name"], "weft-cli");
        assert_eq!(
            document["dependencies"][0],
            json!({ "ref": "pkg:cargo/a@1.0.0", "dependsOn": ["pkg:cargo/b@1.0.0"] })
        );
    }

    #[test]
    fn licences_are_expressions_of_spdx() {
        let document = document(&metadata()).unwrap();
        let licenses = &document["components"][0]["licenses"];
        assert_eq!(licenses, &json!([{ "expression": "MIT OR Apache-2.0" }]));
    }
}
