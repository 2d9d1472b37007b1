//! Which components of an app this host runs.

use std::collections::BTreeSet;

/// What of an app runs here, by the indices of its components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Share {
    /// All of it, and nobody else has any: a host that is its own lattice.
    Whole,
    /// These; the others, and more instances of these, run on other hosts.
    Part(BTreeSet<usize>),
}

impl Share {
    /// Whether the component runs here.
    pub fn has(&self, component: usize) -> bool {
        match self {
            Self::Whole => true,
            Self::Part(components) => components.contains(&component),
        }
    }

    /// Whether other hosts may call what runs here.
    pub fn is_called_from_elsewhere(&self) -> bool {
        matches!(self, Self::Part(_))
    }
}
