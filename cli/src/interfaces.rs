//! Classification of imports by what satisfies them, and of exports by their use.

use serde::Serialize;
use weft_compose::{Extern, ExternKind};
use weft_host::other_versions;
use weft_lattice_config::{InterfaceName, InterfaceRef};
use weft_provider::Registry;

/// The packages whose interfaces every host provides to every component.
const BASELINE_PACKAGES: [&str; 6] = [
    "wasi:cli",
    "wasi:clocks",
    "wasi:filesystem",
    "wasi:io",
    "wasi:random",
    "wasi:sockets",
];

/// Interfaces of other packages that every host provides: types without a capability.
const BASELINE_INTERFACES: [&str; 1] = ["wasi:http/types"];

/// The interfaces that can be the target of a route.
const HTTP_HANDLERS: [&str; 2] = ["wasi:http/incoming-handler", "wasi:http/handler"];

/// An import of a component and what can serve it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Import {
    /// The name in the component.
    pub(crate) name: String,
    /// The interface, if the name is a plain name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) interface: Option<String>,
    pub(crate) need: Need,
    /// The versions that hosts provide, if none of them satisfies the import.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) versions: Vec<&'static str>,
    /// The types of provider that can serve the import.
    pub(crate) providers: Vec<String>,
    pub(crate) functions: Vec<Function>,
}

/// The requirement of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Need {
    /// A link in the manifest.
    Link,
    /// Nothing: every host provides the interface.
    Baseline,
    /// Nothing: the interface has types and no functions.
    Types,
    /// Another version: hosts provide the interface, and not in one that satisfies the import.
    OtherVersion,
    /// The import is not an interface, and links connect interfaces only.
    Unlinkable,
}

/// An export of a component and its use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Export {
    /// The name in the component.
    pub(crate) name: String,
    pub(crate) use_by: Use,
    pub(crate) functions: Vec<Function>,
}

/// The possible callers of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Use {
    /// A route: the export handles HTTP requests.
    Route,
    /// A link from another component, and `weft call`.
    Link,
    /// Nothing: the export handles HTTP requests in a version that no host has.
    OtherVersion,
    /// Only `weft call`: the export is a function outside any interface.
    Call,
    /// Nothing: the export has no functions.
    Types,
}

/// A function and its signature in WIT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) signature: String,
}

impl Import {
    /// Classifies an import for a host with these providers.
    pub(crate) fn new(import: &Extern, providers: &Registry) -> Import {
        let interface = interface_of(import);
        let versions = interface.as_ref().map(other_versions).unwrap_or_default();
        let need = match need(import, interface.as_ref()) {
            Need::Baseline | Need::Link if !versions.is_empty() => Need::OtherVersion,
            need => need,
        };
        let kinds = match (&interface, need) {
            (Some(interface), Need::Link) => kinds_for(interface, providers),
            _ => Vec::new(),
        };
        Import {
            name: import.name.clone(),
            interface: import.implements.clone(),
            need,
            versions,
            providers: kinds,
            functions: functions(import),
        }
    }

    /// The possible servers of the import, in words.
    pub(crate) fn served_by(&self) -> String {
        match (self.need, self.providers.as_slice()) {
            (Need::Baseline, _) => "every host".to_owned(),
            (Need::Types, _) => "nothing: types only".to_owned(),
            (Need::OtherVersion, _) => format!(
                "no host: build the component with version {}",
                self.versions.join(" or ")
            ),
            (Need::Unlinkable, _) => {
                "nothing: links connect interfaces only; move the import into an interface"
                    .to_owned()
            }
            (Need::Link, []) => "a component that exports it".to_owned(),
            (Need::Link, kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
                format!(
                    "a provider of type {}, or a component that exports it",
                    kinds.join(" or ")
                )
            }
        }
    }
}

impl Export {
    /// Classifies an export.
    pub(crate) fn new(export: &Extern) -> Export {
        let interface = interface_of(export);
        let handler = interface.filter(|name| HTTP_HANDLERS.contains(&unversioned(name).as_str()));
        let use_by = match export.kind {
            ExternKind::Instance if handler.as_ref().is_some_and(has_other_version) => {
                Use::OtherVersion
            }
            ExternKind::Instance if handler.is_some() => Use::Route,
            ExternKind::Instance if !export.functions.is_empty() => Use::Link,
            ExternKind::Func => Use::Call,
            ExternKind::Instance | ExternKind::Type | ExternKind::Other => Use::Types,
        };
        Export {
            name: export.name.clone(),
            use_by,
            functions: functions(export),
        }
    }

    /// The possible callers of the export, in words.
    pub(crate) fn used_by(&self) -> &'static str {
        match self.use_by {
            Use::Route => "HTTP requests, through a route",
            Use::OtherVersion => "nothing: no host routes requests to this version",
            Use::Link => "a link from another component, or `weft call`",
            Use::Call => "`weft call`",
            Use::Types => "nothing: no functions",
        }
    }
}

fn need(import: &Extern, interface: Option<&InterfaceName>) -> Need {
    match (import.kind, interface) {
        (ExternKind::Instance, Some(interface)) if is_baseline(interface) => Need::Baseline,
        (ExternKind::Instance, _) if import.functions.is_empty() && import.resources.is_empty() => {
            Need::Types
        }
        // Without a name of an interface too: the plain name identifies the import.
        (ExternKind::Instance, _) => Need::Link,
        (ExternKind::Type, _) => Need::Types,
        (ExternKind::Func | ExternKind::Other, _) => Need::Unlinkable,
    }
}

fn interface_of(item: &Extern) -> Option<InterfaceName> {
    item.implements
        .as_deref()
        .unwrap_or(&item.name)
        .parse()
        .ok()
}

fn unversioned(interface: &InterfaceName) -> String {
    InterfaceName {
        version: None,
        ..interface.clone()
    }
    .to_string()
}

/// True if no host has the types of this handler.
fn has_other_version(handler: &InterfaceName) -> bool {
    let types = InterfaceName {
        interface: "types".to_owned(),
        ..handler.clone()
    };
    !other_versions(&types).is_empty()
}

fn is_baseline(interface: &InterfaceName) -> bool {
    let package = format!("{}:{}", interface.namespace, interface.package);
    BASELINE_PACKAGES.contains(&package.as_str())
        || BASELINE_INTERFACES.contains(&unversioned(interface).as_str())
}

fn kinds_for(interface: &InterfaceName, providers: &Registry) -> Vec<String> {
    let serves = |served: &&str| {
        served
            .parse::<InterfaceRef>()
            .is_ok_and(|reference| reference.matches(interface))
    };
    let kinds = providers.kinds().filter(|kind| {
        providers
            .get(kind)
            .is_ok_and(|factory| factory.serves().iter().any(serves))
    });
    kinds.map(str::to_owned).collect()
}

fn functions(item: &Extern) -> Vec<Function> {
    let function = |function: &weft_compose::FunctionInfo| Function {
        name: function.name.clone(),
        signature: function.signature.clone(),
    };
    item.functions.iter().map(function).collect()
}

#[cfg(test)]
mod tests {
    use weft_compose::FunctionInfo;

    use super::*;
    use crate::providers;

    fn item(name: &str, kind: ExternKind, functions: &[&str]) -> Extern {
        let function = |name: &&str| FunctionInfo {
            name: (*name).to_owned(),
            signature: "func()".to_owned(),
        };
        Extern {
            name: name.to_owned(),
            implements: None,
            kind,
            functions: functions.iter().map(function).collect(),
            resources: Vec::new(),
        }
    }

    fn check_import(import: &Extern, need: Need, providers: &[&str]) {
        let found = Import::new(import, &providers::without_host());
        assert_eq!(found.need, need, "{}", import.name);
        assert_eq!(found.providers, providers, "{}", import.name);
    }

    #[test]
    fn an_import_is_served_by_the_host_a_provider_or_a_component() {
        let cases: [(&str, Need, &[&str]); 7] = [
            ("wasi:cli/environment@0.2.3", Need::Baseline, &[]),
            ("wasi:io/streams@0.2.12", Need::Baseline, &[]),
            ("wasi:http/types@0.2.12", Need::Baseline, &[]),
            (
                "wasi:http/outgoing-handler@0.2.12",
                Need::Link,
                &["http-client"],
            ),
            (
                "wasi:keyvalue/store@0.2.0-draft",
                Need::Link,
                &["keyvalue-memory", "keyvalue-nats", "keyvalue-redb"],
            ),
            (
                "wasi:logging/logging@0.1.0-draft",
                Need::Link,
                &["logging-tracing"],
            ),
            ("shop:pricing/quotes@0.1.0", Need::Link, &[]),
        ];
        for (name, need, providers) in cases {
            check_import(&item(name, ExternKind::Instance, &["f"]), need, providers);
        }
    }

    #[test]
    fn an_import_of_a_version_that_no_host_has_is_served_by_none() {
        for name in [
            "wasi:http/types@0.3.0-rc-2026-03-15",
            "wasi:cli/stdout@0.4.0",
            "wasi:keyvalue/store@0.2.0-draft2",
        ] {
            let import = item(name, ExternKind::Instance, &["f"]);
            check_import(&import, Need::OtherVersion, &[]);
        }
        let import = item("wasi:http/types@0.3.0-rc-1", ExternKind::Instance, &["f"]);
        let found = Import::new(&import, &providers::without_host());
        let served_by = found.served_by();
        assert!(
            served_by.ends_with("with version 0.3.0 or 0.2.12"),
            "{served_by}"
        );
    }

    #[test]
    fn a_plain_name_is_served_as_the_interface_behind_it() {
        let mut import = item("primary", ExternKind::Instance, &["get"]);
        import.implements = Some("wasi:keyvalue/store@0.2.0-draft".to_owned());
        check_import(
            &import,
            Need::Link,
            &["keyvalue-memory", "keyvalue-nats", "keyvalue-redb"],
        );
        // Its interface is written in the world.
        import.implements = None;
        check_import(&import, Need::Link, &[]);
    }

    #[test]
    fn types_need_no_link_and_a_function_of_the_world_cannot_be_linked() {
        check_import(
            &item("shop:catalogue/types", ExternKind::Instance, &[]),
            Need::Types,
            &[],
        );
        check_import(&item("side", ExternKind::Type, &[]), Need::Types, &[]);
        check_import(
            &item("now", ExternKind::Func, &["now"]),
            Need::Unlinkable,
            &[],
        );
    }

    #[test]
    fn an_export_is_reached_by_a_route_a_link_or_a_call() {
        let cases = [
            (
                "wasi:http/incoming-handler@0.2.12",
                ExternKind::Instance,
                Use::Route,
            ),
            ("wasi:http/handler@0.3.0", ExternKind::Instance, Use::Route),
            (
                "wasi:http/handler@0.3.0-rc-2026-03-15",
                ExternKind::Instance,
                Use::OtherVersion,
            ),
            ("shop:pricing/quotes@0.1.0", ExternKind::Instance, Use::Link),
            ("run", ExternKind::Func, Use::Call),
        ];
        for (name, kind, expected) in cases {
            assert_eq!(
                Export::new(&item(name, kind, &["f"])).use_by,
                expected,
                "{name}"
            );
        }
        assert_eq!(
            Export::new(&item("a:b/c", ExternKind::Instance, &[])).use_by,
            Use::Types
        );
    }
}
