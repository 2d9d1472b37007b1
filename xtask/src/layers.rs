//! Tests of the layers of the workspace: dependencies only point down the list, and a layer does
//! not reach its forbidden crates, not even through others. `deny.toml` has a part of these rules
//! too; these tests also run where cargo-deny is not installed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use weft_harness::golden;

use crate::command::output;
use crate::workspace::{cargo, root};

/// The folders of the workspace, lowest first. A crate may depend on crates of folders above its
/// own in this table, never on one beside it. The table of `ARCHITECTURE.md` is made of it.
const LAYERS: [Layer; 27] = [
    Layer {
        folder: "crates/harness",
        owns: "processes on this machine and requests to them, for tests, `xtask` and drills: \
               child processes, the NATS server, an HTTP client, the bounded wait, golden files",
        must_not_reach: &["tokio", "async-nats", "wasmtime*", "clap"],
    },
    Layer {
        folder: "crates/build",
        owns: "the tools that build components from source: installed, run, and cancelled",
        must_not_reach: &["tokio", "async-nats", "wasmtime*", "clap"],
    },
    Layer {
        folder: "lattice-config",
        owns: "names, the manifest model, validation with positions, differences, placement; \
               `schemas/` (generated) and `examples/` (loaded by its tests)",
        must_not_reach: &["tokio", "async-nats", "wasmtime*", "clap"],
    },
    Layer {
        folder: "crates/compose",
        owns: "components as bytes: describing them, and fusing linked ones into one",
        must_not_reach: &["tokio", "async-nats", "wasmtime*", "weft-lattice-config"],
    },
    Layer {
        folder: "crates/wire",
        owns: "bytes of links: values, frames, failures, and the framed codec of all protocols; \
               specified by `docs/wire.md`",
        must_not_reach: &["async-nats", "wasmtime*"],
    },
    Layer {
        folder: "crates/stub",
        owns: "from the WIT of a link to its stub and skeleton components",
        must_not_reach: &["tokio", "async-nats"],
    },
    Layer {
        folder: "crates/json",
        owns: "JSON and CBOR of WIT values, from and to the value bytes of the wire; described by \
               `docs/json.md`",
        must_not_reach: &["tokio", "async-nats", "wasmtime*"],
    },
    Layer {
        folder: "crates/membership",
        owns: "membership of hosts and routing of calls: state machines without clocks, sockets or \
               tasks; specified by `docs/lattice.md`",
        must_not_reach: &["tokio", "async-nats", "wasmtime*"],
    },
    Layer {
        folder: "crates/bus",
        owns: "messages between hosts: over NATS, and within one process",
        must_not_reach: &["wasmtime*", "weft-membership"],
    },
    Layer {
        folder: "crates/state",
        owns: "desired state, key-value buckets, artifacts, and what hosts send each other of these",
        must_not_reach: &["wasmtime*", "clap"],
    },
    Layer {
        folder: "crates/control",
        owns: "the control protocol of hosts, and its client",
        must_not_reach: &["wasmtime*", "clap"],
    },
    Layer {
        folder: "crates/telemetry",
        owns: "log lines of guests, events of a host",
        must_not_reach: &["wasmtime*", "clap"],
    },
    Layer {
        folder: "crates/provider",
        owns: "what a provider is written against: a plain trait for each capability",
        must_not_reach: &["wasmtime*", "weft-state", "weft-bus"],
    },
    Layer {
        folder: "crates/link",
        owns: "calls over links without a runtime: transport, streaming calls and their flow control",
        must_not_reach: &["wasmtime*", "weft-bus"],
    },
    Layer {
        folder: "crates/api",
        owns: "an HTTP API of a WIT interface: from requests to arguments and from results to \
               responses, without connections; its OpenAPI document",
        must_not_reach: &["tokio", "async-nats", "wasmtime*"],
    },
    Layer {
        folder: "crates/ingress",
        owns: "HTTP server, routes, forwarding to other hosts, responses of the host itself",
        must_not_reach: &["wasmtime*"],
    },
    Layer {
        folder: "crates/node",
        owns: "a host as a member of a lattice: membership task, reconciler, controller, calls \
               between hosts, admin API; the trait that a runtime implements",
        must_not_reach: &["wasmtime*", "weft-runtime", "clap"],
    },
    Layer {
        folder: "crates/simulation",
        owns: "lattices of up to 100 hosts under faults, from a seed",
        must_not_reach: &["wasmtime*", "weft-runtime", "weft-host"],
    },
    Layer {
        folder: "crates/runtime",
        owns: "everything that names wasmtime: engines, compile cache, linking, instances, hosted \
               interfaces, calls between stores",
        must_not_reach: &["clap", "kube*"],
    },
    Layer {
        folder: "host",
        owns: "the parts of a host put together, from start to drain",
        must_not_reach: &["clap", "kube*"],
    },
    Layer {
        folder: "providers/*",
        owns: "one backend of a capability each",
        must_not_reach: &["wasmtime*", "weft-host", "weft-node"],
    },
    Layer {
        folder: "cli",
        owns: "the `weft` binary: commands, output, the list of providers; embeds the host",
        must_not_reach: &["kube*"],
    },
    Layer {
        folder: "crates/testkit",
        owns: "the bus, the NATS server and state machines of tests of several crates",
        must_not_reach: &["wasmtime*", "weft-host"],
    },
    Layer {
        folder: "tests",
        owns: "end-to-end tests: real processes, real sockets",
        must_not_reach: &["wasmtime*", "weft-host", "weft-node"],
    },
    Layer {
        folder: "crates/identity",
        owns: "(to come) ed25519 keys and signatures",
        must_not_reach: &["async-nats", "wasmtime*"],
    },
    Layer {
        folder: "operator",
        owns: "(to come) Kubernetes resources and their reconcilers",
        must_not_reach: &["wasmtime*"],
    },
    Layer {
        folder: "deploy",
        owns: "(to come) images, kustomize, NATS configurations",
        must_not_reach: &[],
    },
];

/// Automation: no crate depends on it, and it depends on the two lowest layers alone.
const AUTOMATION: [&str; 2] = ["xtask", "bench"];

/// Crates that only some folders may depend on. The bans of `deny.toml` are made of it.
const OWNED: [Owned; 3] = [
    Owned {
        crates: &[
            "wasmtime",
            "wasmtime-wasi",
            "wasmtime-wasi-http",
            "wasmtime-wasi-io",
        ],
        owners: &["crates/runtime"],
        reason: "only the runtime runs components",
    },
    Owned {
        crates: &["async-nats"],
        owners: &["crates/bus", "crates/state"],
        reason: "NATS belongs to the bus and the state; a NATS-backed provider is added here",
    },
    Owned {
        crates: &["kube"],
        owners: &["operator"],
        reason: "only the operator knows Kubernetes",
    },
];

struct Layer {
    folder: &'static str,
    owns: &'static str,
    must_not_reach: &'static [&'static str],
}

struct Owned {
    /// They may depend on each other.
    crates: &'static [&'static str],
    owners: &'static [&'static str],
    reason: &'static str,
}

#[test]
fn the_table_of_the_architecture_and_the_bans_of_dependencies_are_those_of_the_layers() {
    check_block(
        "ARCHITECTURE.md",
        "<!-- layers -->\n",
        "<!-- end -->",
        &table(),
    );
    check_block("deny.toml", "# layers\n", "    # end", &bans());
}

/// Checks the text between two markers of a file; `UPDATE_GOLDEN=1` writes it.
fn check_block(file: &str, start: &str, end: &str, expected: &str) {
    let path = root().unwrap().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(start).expect("the start marker");
    let (_, after) = rest.split_once(end).expect("the end marker");
    let expected = format!("{before}{start}{expected}{end}{after}");
    golden::compare(&path, &expected, "xtask layers").unwrap();
}

fn table() -> String {
    let mut text = "\n| folder | owns | must not reach |\n| --- | --- | --- |\n".to_owned();
    for layer in &LAYERS {
        let names = layer.must_not_reach.iter().map(|name| format!("`{name}`"));
        let names = names.collect::<Vec<_>>().join(", ");
        text += &format!("| `{}` | {} | {names} |\n", layer.folder, layer.owns);
    }
    text + "\n"
}

fn bans() -> String {
    let mut text = String::new();
    for owned in &OWNED {
        for name in owned.crates {
            let owners = owned.owners.iter().map(|folder| package_of(folder));
            let others = owned.crates.iter().filter(|other| *other != name);
            let wrappers = owners.chain(others.map(|other| (*other).to_owned()));
            let wrappers: Vec<_> = wrappers.map(|wrapper| format!("\"{wrapper}\"")).collect();
            let (wrappers, reason) = (wrappers.join(", "), owned.reason);
            text += &format!(
                "    {{ crate = \"{name}\", wrappers = [{wrappers}], reason = \"{reason}\" }},\n"
            );
        }
    }
    text
}

fn package_of(folder: &str) -> String {
    let name = folder.rsplit('/').next().unwrap_or(folder);
    format!("weft-{name}")
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
                (None, Some(other)) => other <= 1,
                (_, None) => false,
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
        for pattern in LAYERS[rank].must_not_reach {
            let found = reached.iter().find(|reached| matches(pattern, reached));
            assert_eq!(found, None, "`{name}` must not reach `{pattern}`");
        }
    }
}

#[test]
fn only_its_owner_depends_on_an_owned_crate() {
    let workspace = Workspace::read();
    for (name, folder) in &workspace.folders {
        for dependency in &workspace.depends_on[name] {
            for owned in &OWNED {
                let allowed = owned.owners.contains(&folder.as_str());
                assert!(
                    allowed || !owned.crates.contains(&dependency.as_str()),
                    "`{name}` depends on `{dependency}`, which only {:?} may",
                    owned.owners
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
