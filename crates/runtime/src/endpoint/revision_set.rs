//! The endpoints of an app that were made together, and are replaced together.
//!
//! What runs holds the revision set that it began with: after a new deploy, a request that was running
//! still reaches the endpoints it was linked to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Core, Endpoint};

/// An endpoint for each component of an app that this host runs, by its index in the manifest.
pub(crate) struct RevisionSet(BTreeMap<usize, Arc<Core>>);

impl RevisionSet {
    pub(crate) fn new(endpoints: BTreeMap<usize, Core>) -> Arc<Self> {
        let endpoints = endpoints.into_iter();
        let endpoints = endpoints.map(|(component, core)| (component, Arc::new(core)));
        Arc::new(Self(endpoints.collect()))
    }

    /// The endpoint of the component with the index.
    pub(crate) fn endpoint(self: &Arc<Self>, component: usize) -> Option<Endpoint> {
        let core = self.0.get(&component)?.clone();
        let revision_set = self.clone();
        Some(Endpoint { core, revision_set })
    }

    /// All endpoints.
    pub(crate) fn endpoints(self: &Arc<Self>) -> impl Iterator<Item = Endpoint> {
        let components = self.0.keys();
        components.filter_map(|component| self.endpoint(*component))
    }
}
