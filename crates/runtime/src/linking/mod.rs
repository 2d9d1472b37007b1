//! Links the components of a manifest into endpoints that can be instantiated.
//!
//! 1. [`resolve`]: finds the link or host interface for every import of every component, and
//!    reports all mistakes together. Pure.
//! 2. [`modes`]: selects the links that are fused and those that join two stores, with reasons.
//!    Pure.
//! 3. [`store_crossing`]: generates stubs and skeletons for links that join two stores. Pure.
//! 4. [`fusion_group`]: for each component as an *endpoint*, the components that are fused with it.
//!    Pure.
//! 5. [`prepare`]: fuses, compiles, links to the host's interfaces ([`imports`]), pre-instantiates.

mod component_binary;
mod fusion_group;
mod imports;
mod link_exports;
mod modes;
mod prepare;
mod report;
mod resolve;
mod store_crossing;

use std::sync::Arc;

use weft_lattice_config::{App, InterfaceName};
use weft_link::LinkMode as Mode;
pub(crate) use weft_link::{LinkReport, LocalComponents};
use weft_state::artifacts::Artifacts;

pub(crate) use self::component_binary::{Binaries, Binary, BinaryError, read_all};
pub(crate) use self::fusion_group::FusionGroup;
pub(crate) use self::link_exports::LinkExports;
pub(crate) use self::modes::choose_modes;
pub(crate) use self::prepare::{
    EndpointPre, LoadedCode, PrepareError, PreparedEndpoint, Preparer, Recipe,
};
pub(crate) use self::report::link_reports;
pub(crate) use self::resolve::{ResolvedLinks, Resolver, TypedRoute};
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
    /// The first component whose bytes are missing or not a component.
    pub(crate) fn read(app: Arc<App>, artifacts: &Artifacts) -> Result<Self, BinaryError> {
        let binaries = component_binary::read(&app, artifacts)?;
        Ok(Self { app, binaries })
    }

    /// The name of the component with the index.
    fn name(&self, component: usize) -> &str {
        self.app.spec.components[component].name.as_str()
    }

    /// True if two components have the same links for an interface (the same providers, names and
    /// settings) and the same environment.
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
