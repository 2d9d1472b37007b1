//! The entries of an app that were made together, and are replaced together.
//!
//! What runs holds the generation that it began with: after a new deploy, a request that was running
//! still reaches the entries it was linked to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Core, Entry};

/// An entry for each component of an app that this host runs, by its index in the manifest.
pub(crate) struct Generation(BTreeMap<usize, Arc<Core>>);

impl Generation {
    pub(crate) fn new(entries: BTreeMap<usize, Core>) -> Arc<Self> {
        let entries = entries.into_iter();
        let entries = entries.map(|(component, core)| (component, Arc::new(core)));
        Arc::new(Self(entries.collect()))
    }

    /// The entry of the component with the index.
    pub(crate) fn entry(self: &Arc<Self>, component: usize) -> Option<Entry> {
        let core = self.0.get(&component)?.clone();
        let generation = self.clone();
        Some(Entry { core, generation })
    }

    /// All entries.
    pub(crate) fn entries(self: &Arc<Self>) -> impl Iterator<Item = Entry> {
        let components = self.0.keys();
        components.filter_map(|component| self.entry(*component))
    }
}
