//! From a manifest to what can be instantiated.
//!
//! 1. [`resolve`]: every import of every component finds what serves it, by the manifest's links;
//!    all that does not fit is reported together. Pure.
//! 2. [`modes`]: which links are fused, and which join two stores, and why. Pure.
//! 3. [`crossing`]: for links that join two stores, stubs and skeletons. Pure.
//! 4. [`mod@group`]: for each component as an *entry*, the components that are fused with it. Pure.
//! 5. [`prepare`]: fuse, compile, link to the host's interfaces ([`imports`]), pre-instantiate.

mod component_binary;
mod fusion_group;
mod imports;
mod link_errors;
mod link_exports;
mod modes;
mod prepare;
mod report;
mod resolve;
mod store_crossing;

use std::sync::Arc;

use weft_lattice_config::{App, InterfaceName};
use weft_link::LinkMode as Mode;
pub(crate) use weft_link::{LinkReport, Share};
use weft_state::artifacts::Artifacts;

pub(crate) use self::component_binary::{Binaries, BinaryError};
pub(crate) use self::fusion_group::FusionGroup;
pub(crate) use self::link_errors::{LinkError, LinkErrors};
pub(crate) use self::link_exports::LinkExports;
pub(crate) use self::modes::choose_modes;
pub(crate) use self::prepare::{
    EndpointPre, LoadedCode, PrepareError, PreparedEndpoint, Preparer, Recipe,
};
pub(crate) use self::report::link_reports;
pub(crate) use self::resolve::{ResolvedLinks, Resolver};
pub(crate) use self::store_crossing::StoreCrossings;

/// An app and the bytes of its components.
#[derive(Debug)]
pub(crate) struct AppInput {
    pub(crate) app: Arc<App>,
    pub(crate) binaries: Binaries,
}

impl AppInput {
    /// Reads the bytes of every component of `app`. Blocks.
    ///
    /// # Errors
    /// The first component whose bytes cannot be had, or are none of a component.
    pub(crate) fn read(app: Arc<App>, artifacts: &Artifacts) -> Result<Self, BinaryError> {
        let binaries = component_binary::read(&app, artifacts)?;
        Ok(Self { app, binaries })
    }

    /// The name of the component with the index.
    fn name(&self, component: usize) -> &str {
        self.app.spec.components[component].name.as_str()
    }

    /// Whether two components have the same links for an interface: to the same providers, with the
    /// same names and settings, and the same environment.
    fn same_bindings(&self, left: usize, right: usize, interface: &str) -> bool {
        let Ok(interface) = interface.parse::<InterfaceName>() else {
            return false;
        };
        let bindings = |component: usize| {
            let name = &self.app.spec.components[component].name;
            let links = self
                .app
                .spec
                .links
                .iter()
                .filter(move |link| link.from == *name);
            links
                .filter(|link| link.interface.matches(&interface))
                .map(|link| (&link.to, &link.name, &link.config))
                .collect::<Vec<_>>()
        };
        let env = |component: usize| &self.app.spec.components[component].env;
        bindings(left) == bindings(right) && env(left) == env(right)
    }
}
