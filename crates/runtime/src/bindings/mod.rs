//! The interfaces that a host implements, by name, and their functions for the linker.
//!
//! - [`shared`]: interfaces that are the same for every component (clocks, streams,
//!   `wasi:http/types` …).
//! - [`http_types`]: `wasi:http/types`, with bounds on what a guest sets.
//! - [`private`]: WASI interfaces that differ from component to component (environment, output,
//!   outgoing HTTP).
//! - [`keyvalue`], [`config`], [`logging`]: interfaces over the traits of `weft-provider`.

mod config;
mod generated;
mod http_types;
mod keyvalue;
mod logging;
mod private;
mod shared;

use wasmtime::component::LinkerInstance;
use weft_lattice_config::InterfaceName;

pub(crate) use self::private::MAX_PARTS;
use crate::guest::GuestState;

/// The versions of WASI 0.2 and 0.3 that the host implements.
const V0_2: &str = "0.2.12";
const V0_3: &str = "0.3.0";

/// Adds the functions of an interface to a linker's instance, for the part with the index.
pub(crate) type Bind = fn(&mut LinkerInstance<'_, GuestState>, usize) -> wasmtime::Result<()>;

/// An interface that the host implements.
#[derive(Clone, Copy)]
pub(crate) struct HostInterface {
    /// `namespace:package/interface`.
    pub(crate) path: &'static str,
    /// Imports of compatible versions match, see [`find`].
    pub(crate) version: &'static str,
    pub(crate) access: Access,
    pub(crate) bind: Bind,
}

/// The components that may import an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// All, with the same behaviour.
    Baseline,
    /// All, each with values of its own.
    BaselinePrivate,
    /// Those that the manifest links to a provider.
    Linked,
}

/// The interface that satisfies an import; `None` if the host does not implement one. The import
/// may be of a newer patch version: linking compares the imported functions with the implemented
/// ones.
pub(crate) fn find(import: &InterfaceName) -> Option<&'static HostInterface> {
    let path = path(import);
    interfaces()
        .find(|interface| interface.path == path && is_compatible(import, interface.version))
}

/// The versions of an interface that every host implements, if none of them satisfies an import of
/// it: the import is of another version.
#[must_use]
pub fn other_versions(import: &InterfaceName) -> Vec<&'static str> {
    match find(import) {
        Some(_) => Vec::new(),
        None => versions(import),
    }
}

/// The versions of an interface that the host implements, whichever version the import has.
pub(crate) fn versions(import: &InterfaceName) -> Vec<&'static str> {
    let path = path(import);
    interfaces()
        .filter(|interface| interface.path == path)
        .map(|interface| interface.version)
        .collect()
}

fn path(import: &InterfaceName) -> String {
    format!(
        "{}:{}/{}",
        import.namespace, import.package, import.interface
    )
}

/// True if an import differs from component to component, so that each part of a fused component
/// needs its own.
pub(crate) fn is_private(import: &str) -> bool {
    let Ok(name) = import.parse::<InterfaceName>() else {
        return false;
    };
    find(&name).is_some_and(|interface| interface.access != Access::Baseline)
}

/// Restricts an instance of an interface, after [`HostInterface::bind`], to what the link with the
/// plain name of the import serves.
pub(crate) fn narrow(
    interface: &HostInterface,
    instance: &mut LinkerInstance<'_, GuestState>,
    part: usize,
    name: &str,
) -> wasmtime::Result<()> {
    match interface.path {
        keyvalue::STORE => keyvalue::narrow_store(instance, part, name),
        // The others have one provider for each component.
        _ => Ok(()),
    }
}

fn interfaces() -> impl Iterator<Item = &'static HostInterface> {
    let over_providers = [
        keyvalue::INTERFACES,
        config::INTERFACES,
        logging::INTERFACES,
    ];
    shared::INTERFACES
        .iter()
        .chain(private::INTERFACES)
        .chain(over_providers.into_iter().flatten())
}

/// True if an import is compatible with version `implemented`: 0.2.x with 0.2.y, but not with
/// 0.3.x, and a pre-release only with itself.
fn is_compatible(import: &InterfaceName, implemented: &str) -> bool {
    let (Some(requested), Ok(implemented)) = (&import.version, semver::Version::parse(implemented))
    else {
        return false;
    };
    if !requested.pre.is_empty() || !implemented.pre.is_empty() {
        return *requested == implemented;
    }
    requested.major == implemented.major
        && (implemented.major > 0 || requested.minor == implemented.minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(import: &str) -> Option<&'static str> {
        find(&import.parse().unwrap()).map(|interface| interface.version)
    }

    #[test]
    fn an_import_matches_compatible_versions() {
        assert!(
            interface("wasi:cli/environment@0.2.0")
                .unwrap()
                .starts_with("0.2")
        );
        assert!(
            interface("wasi:cli/environment@0.2.99")
                .unwrap()
                .starts_with("0.2")
        );
        assert!(
            interface("wasi:cli/environment@0.3.0")
                .unwrap()
                .starts_with("0.3")
        );
        assert_eq!(interface("wasi:cli/environment@0.4.0"), None);
        assert_eq!(
            interface("wasi:keyvalue/store@0.2.0-draft"),
            Some("0.2.0-draft")
        );
        assert_eq!(interface("wasi:keyvalue/store@0.2.0-draft2"), None);
        assert_eq!(interface("shop:catalog/pricing@0.1.0"), None);
    }

    #[test]
    fn interfaces_that_differ_between_components_are_private() {
        for import in [
            "wasi:cli/environment@0.2.3",
            "wasi:cli/stdout@0.3.0",
            "wasi:keyvalue/store@0.2.0-draft",
        ] {
            assert!(is_private(import), "{import}");
        }
        for import in [
            "wasi:io/streams@0.2.3",
            "wasi:http/types@0.2.3",
            "shop:catalog/pricing",
        ] {
            assert!(!is_private(import), "{import}");
        }
    }
}
