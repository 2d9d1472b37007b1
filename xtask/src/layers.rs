//! Tests of the layers of the workspace: dependencies only point down the list, and a layer does
//! not reach its forbidden crates, not even through others. `deny.toml` has a part of these rules
//! too; these tests also run where cargo-deny is not installed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::command::output;
use crate::workspace::{cargo, root};

/// The folders of the workspace, lowest first. A crate may depend on crates of folders above its
/// own in this table, never on one beside it.
const LAYERS: [Layer; 13] = [
    layer(
        "lattice-config",
        &["tokio", "async-nats", "wasmtime*", "clap"],
    ),
    layer(
        "crates/compose",
        &["tokio", "async-nats", "wasmtime*", "weft-lattice-config"],
    ),
    layer("crates/wire", &["async-nats", "wasmtime*"]),
    layer("crates/stub", &["tokio", "async-nats"]),
    layer("crates/identity", &["async-nats", "wasmtime*"]),
    layer("crates/lattice", &["wasmtime*", "clap"]),
    // It simulates hosts; no shipped crate depends on it.
    layer("crates/simulation", &["wasmtime*", "weft-host"]),
    layer("crates/provider", &["wasmtime*", "weft-lattice"]),
    layer("host", &["kube*", "clap"]),
    layer("providers/*", &["wasmtime*", "weft-host"]),
    layer("cli", &["kube*"]),
    layer("operator", &["wasmtime*"]),
    // They see processes and files from outside, as users do.
    layer("tests", &["wasmtime*", "weft-host"]),
];

/// Automation: no crate depends on it, and it depends on none of the layers.
const AUTOMATION: [&str; 2] = ["xtask", "bench"];

/// The only folders that may name a crate as a dependency.
const OWNERS: [(&str, &[&str]); 3] = [
    ("wasmtime*", &["host"]),
    ("async-nats", &["crates/lattice", "providers/*"]),
    ("kube*", &["operator"]),
];

struct Layer {
    folder: &'static str,
    must_not_know: &'static [&'static str],
}

const fn layer(folder: &'static str, must_not_know: &'static [&'static str]) -> Layer {
    Layer {
        folder,
        must_not_know,
    }
}

#[test]
fn every_crate_has_its_place() {
    let workspace = Workspace::read();
    for (name, folder) in &workspace.folders {
        let known = AUTOMATION.contains(&folder.as_str()) || rank(folder).is_some();
        assert!(known, "`{name}` in `{folder}/` has no place in LAYERS");
    }
}

#[test]
fn dependencies_point_down_only() {
    let workspace = Workspace::read();
    for (name, folder) in &workspace.folders {
        for dependency in &workspace.depends_on[name] {
            let Some(of_dependency) = workspace.folders.get(dependency) else {
                continue;
            };
            let points_down = match (rank(folder), rank(of_dependency)) {
                (Some(own), Some(other)) => other < own,
                _ => false,
            };
            assert!(points_down, "`{name}` must not depend on `{dependency}`");
        }
    }
}

#[test]
fn no_layer_reaches_what_it_must_not_know() {
    let workspace = Workspace::read();
    for (name, folder) in &workspace.folders {
        let Some(rank) = rank(folder) else { continue };
        let reached = workspace.reached_from(name);
        for pattern in LAYERS[rank].must_not_know {
            let known = reached.iter().find(|reached| matches(pattern, reached));
            assert_eq!(known, None, "`{name}` must not know `{pattern}`");
        }
    }
}

#[test]
fn only_its_owner_depends_on_an_owned_crate() {
    let workspace = Workspace::read();
    for (name, folder) in &workspace.folders {
        for dependency in &workspace.depends_on[name] {
            for (pattern, owners) in OWNERS {
                let allowed = owners.iter().any(|owner| matches(owner, folder));
                assert!(
                    allowed || !matches(pattern, dependency),
                    "`{name}` depends on `{dependency}`, which only {owners:?} may"
                );
            }
        }
    }
}

fn rank(folder: &str) -> Option<usize> {
    LAYERS
        .iter()
        .position(|layer| matches(layer.folder, folder))
}

/// True if the pattern matches; `*` at its end stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// The output of `cargo metadata`, for the current machine. Dependencies of tests and benchmarks
/// are left out, since they are not shipped.
struct Workspace {
    /// The folder of each crate of the workspace.
    folders: BTreeMap<String, String>,
    /// The names of the dependencies of each package in the graph.
    depends_on: BTreeMap<String, BTreeSet<String>>,
}

impl Workspace {
    fn read() -> Self {
        let compiler = output(std::process::Command::new("rustc").arg("-vV")).unwrap();
        let host = compiler
            .lines()
            .find_map(|line| line.strip_prefix("host: "));
        let text = output(
            cargo()
                .current_dir(root().unwrap())
                .args(["metadata", "--format-version", "1", "--filter-platform"])
                .arg(host.unwrap()),
        );
        let metadata: Metadata = serde_json::from_str(&text.unwrap()).unwrap();
        let names: BTreeMap<&str, &str> = metadata
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package.name.as_str()))
            .collect();
        let mut depends_on: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in &metadata.resolve.nodes {
            // Two versions of a crate are one entry with the dependencies of both.
            let all = depends_on
                .entry(names[node.id.as_str()].to_owned())
                .or_default();
            let shipped = node
                .deps
                .iter()
                .filter(|dependency| dependency.is_shipped());
            all.extend(shipped.map(|dependency| names[dependency.pkg.as_str()].to_owned()));
        }
        let members = metadata
            .packages
            .iter()
            .filter(|package| metadata.workspace_members.contains(&package.id));
        let folders = members
            .map(|package| {
                (
                    package.name.clone(),
                    package.folder(&metadata.workspace_root),
                )
            })
            .collect();
        Self {
            folders,
            depends_on,
        }
    }

    fn reached_from(&self, name: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![name];
        while let Some(name) = waiting.pop() {
            for dependency in self.depends_on.get(name).into_iter().flatten() {
                if reached.insert(dependency.as_str()) {
                    waiting.push(dependency);
                }
            }
        }
        reached
    }
}

// === `cargo metadata` ===

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    workspace_root: String,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    id: String,
    manifest_path: String,
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
    kind: Option<String>,
}

impl Package {
    fn folder(&self, root: &str) -> String {
        let path = self.manifest_path.strip_prefix(root).unwrap();
        let folder = path.strip_suffix("/Cargo.toml").unwrap();
        folder.trim_start_matches('/').to_owned()
    }
}

impl Dependency {
    fn is_shipped(&self) -> bool {
        let of_tests = |kind: &DependencyKind| kind.kind.as_deref() == Some("dev");
        !self.dep_kinds.iter().all(of_tests)
    }
}
