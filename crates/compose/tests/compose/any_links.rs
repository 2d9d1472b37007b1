//! Random interfaces with random roles: the parts that tools build for a link can be fused.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use weft_compose::{
    Description, Edge, Extern, FuseError, FuseOptions, Linkable, Part, describe, fuse_exporting,
};

use crate::any_wit::{Interface, Seed, interfaces, seed};
use crate::support::{OPTIONS, chain, component_if_valid, edge};

const MAX_INTERFACES: usize = 6;

/// The role of an interface: its server for the entry, and whether the entry exports it.
#[derive(Debug, Clone, Copy)]
struct Role {
    server: Server,
    is_exported: bool,
}

/// The server of an import of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Server {
    OneStub,
    OtherStub,
    FusedPart,
    Host,
    Unserved,
}

const SERVERS: [Server; 5] = [
    Server::OneStub,
    Server::OtherStub,
    Server::FusedPart,
    Server::Host,
    Server::Unserved,
];

fn role() -> impl Strategy<Value = Role> {
    (prop::sample::select(&SERVERS[..]), any::<bool>()).prop_map(|(server, is_exported)| Role {
        server,
        is_exported,
    })
}

/// Gives an interface and the owners of its resources the same server.
fn propagate_servers(interfaces: &[Interface], roles: &mut [Role]) {
    // Each round settles at least one interface.
    for _ in interfaces {
        for (index, interface) in interfaces.iter().enumerate() {
            for owner in interface.owners.iter().copied() {
                let server = roles[index].server.min(roles[owner].server);
                roles[index].server = server;
                roles[owner].server = server;
                roles[owner].is_exported |= roles[index].is_exported;
            }
        }
    }
}

/// An entry with the parts around it.
struct Case {
    parts: Vec<(&'static str, Vec<u8>)>,
    edges: Vec<Edge>,
    exporters: Vec<usize>,
}

impl Case {
    /// Returns `None` if WIT has no such world: a component cannot export two interfaces without a
    /// third from which they share types.
    fn make(packages: &str, roles: &[Role]) -> Option<Self> {
        let items = |word: &str, predicate: &dyn Fn(&Role) -> bool| -> String {
            let roles = roles.iter().enumerate();
            let selected = roles.filter(|(_, role)| predicate(role));
            let items = selected.map(|(index, _)| format!("{word} {}; ", name(index)));
            items.collect()
        };
        let by = |server| items("export", &|role| role.server == server);
        let imported = items("import", &|role| role.server != Server::Unserved);
        let exported = items("export", &|role| role.is_exported);
        let served = items("import", &|role| role.is_exported);
        // The fused part and the entry share the imports that the host serves.
        let hosted = items("import", &|role| role.server == Server::Host);
        let make = |world: String| component_if_valid(packages, &world);

        let entry = make(format!("{imported} {exported}"))?;
        let mut case = Self {
            parts: vec![("entry", entry)],
            edges: Vec::new(),
            exporters: vec![0],
        };
        let call = "import weft:link/call;";
        for (name, world) in [
            ("one stub", format!("{call} {}", by(Server::OneStub))),
            ("other stub", format!("{call} {}", by(Server::OtherStub))),
            ("fused", format!("{hosted} {}", by(Server::FusedPart))),
        ] {
            let bytes = make(world)?;
            let linked = linked(&case.parts[0].1, &bytes);
            let to = case.parts.len();
            case.add(
                (name, bytes),
                linked.iter().map(|name| edge(0, name, to, name)),
            );
        }
        let skeleton = make(format!("export weft:link/serve; {served}"))?;
        let linked = linked(&skeleton, &case.parts[0].1);
        let from = case.parts.len();
        if case.add(
            ("skeleton", skeleton),
            linked.iter().map(|name| edge(from, name, 0, name)),
        ) {
            case.exporters.push(from);
        }
        Some(case)
    }

    /// Adds a part; returns whether it has edges. Tools omit empty parts, and a part without a link
    /// is refused.
    fn add(&mut self, part: (&'static str, Vec<u8>), edges: impl Iterator<Item = Edge>) -> bool {
        let count = self.edges.len();
        self.edges.extend(edges);
        let is_linked = self.edges.len() > count;
        if is_linked {
            self.parts.push(part);
        }
        is_linked
    }

    fn link(&self, is_private: &dyn Fn(&str) -> bool) -> Result<(), FuseError> {
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|(name, bytes)| Part { name, bytes })
            .collect();
        let linkable = parts.iter().map(Linkable::read);
        let linkable: Vec<_> = linkable.collect::<Result<_, _>>()?;
        for edge in &self.edges {
            linkable[edge.from].check_link(&edge.import, &linkable[edge.to], &edge.export)?;
        }
        let options = FuseOptions {
            is_private,
            ..OPTIONS
        };
        fuse_exporting(&parts, &self.edges, &self.exporters, &options).map(drop)
    }
}

fn name(index: usize) -> String {
    format!("a:b/i{index}@0.1.0")
}

/// The imports of `importer` that `exporter` exports.
fn linked(importer: &[u8], exporter: &[u8]) -> Vec<String> {
    let describe = |bytes| -> Description { describe(bytes).expect("the component is valid") };
    let names = |items: Vec<Extern>| items.into_iter().map(|item| item.name);
    let exports: BTreeSet<_> = names(describe(exporter).exports).collect();
    let imports = names(describe(importer).imports);
    imports.filter(|name| exports.contains(name)).collect()
}

fn check(seeds: &[Seed], roles: &[Role], is_bound_alone: bool) -> Result<(), TestCaseError> {
    let interfaces = interfaces(seeds);
    let mut roles = roles[..interfaces.len()].to_vec();
    propagate_servers(&interfaces, &mut roles);
    let texts = interfaces.iter().enumerate();
    let texts =
        texts.map(|(index, interface)| format!("interface i{index} {{ {} }}\n", interface.text));
    let packages = format!(
        "package a:b@0.1.0 {{ {} }} package weft:link {{
            interface call {{ call: func(); }} interface serve {{ invoke: func(); }} }}",
        texts.collect::<String>()
    );
    let Some(case) = Case::make(&packages, &roles) else {
        return Err(TestCaseError::reject("WIT has no such world"));
    };
    // The host binds a concurrent link for each part separately; it has no resources.
    let alone: BTreeSet<_> = (0..interfaces.len())
        .filter(|index| is_bound_alone && roles[*index].server == Server::Host)
        .filter(|index| interfaces[*index].owners.is_empty())
        .map(name)
        .collect();
    let is_private = |name: &str| name.starts_with("weft:link/") || alone.contains(name);
    case.link(&is_private)
        .map_err(|error| TestCaseError::fail(format!("{}\n{packages}\n{roles:?}", chain(&error))))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_entry_of_any_interfaces_is_fused_with_stubs_parts_and_a_skeleton(
        seeds in vec(seed(), 1..MAX_INTERFACES),
        roles in vec(role(), MAX_INTERFACES),
        is_bound_alone in any::<bool>(),
    ) {
        check(&seeds, &roles, is_bound_alone)?;
    }
}
