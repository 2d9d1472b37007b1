//! The entries of an app that were made together, and are replaced together.
//!
//! What runs holds the generation that it began with: after a new deploy, a request that was running
//! still reaches the entries it was linked to.

use std::sync::Arc;

use super::{Core, Entry};

/// One entry for each component of an app, in the manifest's order.
pub(crate) struct Generation(Box<[Arc<Core>]>);

impl Generation {
    pub(crate) fn new(entries: Vec<Core>) -> Arc<Self> {
        Arc::new(Self(entries.into_iter().map(Arc::new).collect()))
    }

    /// The entry of the component with the index.
    pub(crate) fn entry(self: &Arc<Self>, component: usize) -> Option<Entry> {
        let core = self.0.get(component)?.clone();
        let generation = self.clone();
        Some(Entry { core, generation })
    }

    /// All entries.
    pub(crate) fn entries(self: &Arc<Self>) -> impl Iterator<Item = Entry> {
        (0..self.0.len()).filter_map(|component| self.entry(component))
    }
}
