//! The interfaces a host serves, by name: which exist, which belong to one component ("private"),
//! and how each is put into a linker.
//!
//! - [`shared`]: interfaces without an identity (clocks, streams, `wasi:http/types` …).
//! - [`private`]: WASI interfaces that differ from component to component (environment, output,
//!   outgoing HTTP).
//! - [`keyvalue`], [`config`], [`logging`]: interfaces over the traits of `weft-provider`.

mod config;
mod generated;
mod keyvalue;
mod logging;
mod private;
mod shared;

pub(crate) use self::private::MAX_PARTS;
use wasmtime::component::LinkerInstance;
use weft_lattice_config::InterfaceName;

use crate::guest::GuestState;

/// The newest WASI 0.2 and 0.3 that are served.
const V0_2: &str = "0.2.12";
const V0_3: &str = "0.3.0";

/// Puts an interface into a linker's instance, for the part with the index.
pub(crate) type Bind = fn(&mut LinkerInstance<'_, GuestState>, usize) -> wasmtime::Result<()>;

/// An interface that the host serves.
#[derive(Clone, Copy)]
pub(crate) struct Hosted {
    /// `namespace:package/interface`.
    pub(crate) path: &'static str,
    /// The version that is served. An import matches if semantic versioning says so.
    pub(crate) version: &'static str,
    pub(crate) access: Access,
    pub(crate) bind: Bind,
}

/// Who may import an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone, and all see the same.
    Baseline,
    /// Everyone, and each component sees its own.
    BaselinePrivate,
    /// A component whose manifest links it to a provider.
    Linked,
}

/// The interface that serves an import, if the host has one. A newer patch of the same interface is
/// taken too: what it imports is compared with what is there when it is linked.
pub(crate) fn find(import: &InterfaceName) -> Option<&'static Hosted> {
    let path = format!(
        "{}:{}/{}",
        import.namespace, import.package, import.interface
    );
    tables().find(|hosted| hosted.path == path && same_track(import, hosted.version))
}

/// Whether an import carries a component's identity, so that each part of a fused component needs
/// one of its own.
pub(crate) fn is_private(import: &str) -> bool {
    let Ok(name) = import.parse::<InterfaceName>() else {
        return false;
    };
    find(&name).is_some_and(|hosted| hosted.access != Access::Baseline)
}

fn tables() -> impl Iterator<Item = &'static Hosted> {
    let ours = [keyvalue::HOSTED, config::HOSTED, logging::HOSTED];
    shared::HOSTED
        .iter()
        .chain(private::HOSTED)
        .chain(ours.into_iter().flatten())
}

/// Whether an import is of the compatibility track of `served`: 0.2.x is one, 0.3.x another, and a
/// pre-release stands alone.
fn same_track(import: &InterfaceName, served: &str) -> bool {
    let (Some(wanted), Ok(served)) = (&import.version, semver::Version::parse(served)) else {
        return false;
    };
    if !wanted.pre.is_empty() || !served.pre.is_empty() {
        return *wanted == served;
    }
    wanted.major == served.major && (served.major > 0 || wanted.minor == served.minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosted(import: &str) -> Option<&'static str> {
        find(&import.parse().unwrap()).map(|hosted| hosted.version)
    }

    #[test]
    fn imports_are_matched_by_compatibility_track() {
        assert!(
            hosted("wasi:cli/environment@0.2.0")
                .unwrap()
                .starts_with("0.2")
        );
        assert!(
            hosted("wasi:cli/environment@0.2.99")
                .unwrap()
                .starts_with("0.2")
        );
        assert!(
            hosted("wasi:cli/environment@0.3.0")
                .unwrap()
                .starts_with("0.3")
        );
        assert_eq!(hosted("wasi:cli/environment@0.4.0"), None);
        assert_eq!(
            hosted("wasi:keyvalue/store@0.2.0-draft"),
            Some("0.2.0-draft")
        );
        assert_eq!(hosted("wasi:keyvalue/store@0.2.0-draft2"), None);
        assert_eq!(hosted("shop:catalog/pricing@0.1.0"), None);
    }

    #[test]
    fn what_tells_components_apart_is_private_and_the_rest_is_shared() {
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
