//! The endpoints of one revision of an app, which replace those of the previous revision together.
//!
//! A request holds the set that it started in, so after a deploy it still reaches the endpoints
//! that it was linked to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Endpoint, EndpointState};

/// The endpoints of an app on this host, by their component's index in the manifest.
pub(crate) struct RevisionSet(BTreeMap<usize, Arc<EndpointState>>);

impl RevisionSet {
    pub(crate) fn new(states: BTreeMap<usize, EndpointState>) -> Arc<Self> {
        let states = states.into_iter();
        let states = states.map(|(component, state)| (component, Arc::new(state)));
        Arc::new(Self(states.collect()))
    }

    /// The endpoint of the component with an index; `None` if this host does not run the component.
    pub(crate) fn endpoint(self: &Arc<Self>, component: usize) -> Option<Endpoint> {
        let state = self.0.get(&component)?.clone();
        let revision_set = self.clone();
        Some(Endpoint {
            state,
            revision_set,
        })
    }

    pub(crate) fn endpoints(self: &Arc<Self>) -> impl Iterator<Item = Endpoint> {
        let components = self.0.keys();
        components.filter_map(|component| self.endpoint(*component))
    }
}
