//! The components of an app that a host runs.

use std::collections::BTreeSet;

/// The components of an app that this host runs, by their indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalComponents {
    /// All components, and no other host runs one: a host without a lattice.
    Whole,
    /// These components. Other hosts run the others, and may run these too.
    Part(BTreeSet<usize>),
}

impl LocalComponents {
    /// True if this host runs the component.
    #[must_use]
    pub fn has(&self, component: usize) -> bool {
        match self {
            Self::Whole => true,
            Self::Part(components) => components.contains(&component),
        }
    }

    /// True if other hosts may call these components.
    #[must_use]
    pub fn is_called_from_elsewhere(&self) -> bool {
        matches!(self, Self::Part(_))
    }
}
