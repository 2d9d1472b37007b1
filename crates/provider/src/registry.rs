//! The kinds of providers in this build of the host.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::provider::Factory;

/// The factories of all provider kinds; built once, in `main`.
#[derive(Clone, Default)]
pub struct Registry {
    factories: BTreeMap<&'static str, Arc<dyn Factory>>,
}

/// A manifest has a type of provider that this host does not support.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown provider type `{kind}`, expected one of {}", quoted(known))]
pub struct UnknownKind {
    /// The kind in the manifest.
    pub kind: String,
    /// The kinds of this host.
    pub known: Vec<&'static str>,
}

// === impl Registry ===

impl Registry {
    /// Returns the registry with one more kind.
    ///
    /// # Panics
    ///
    /// If the kind is already registered: two backends of one name are a mistake in `main`.
    #[must_use]
    pub fn with(mut self, factory: impl Factory) -> Self {
        let kind = factory.kind();
        let replaced = self.factories.insert(kind, Arc::new(factory));
        assert!(
            replaced.is_none(),
            "provider kind `{kind}` is registered twice"
        );
        self
    }

    /// Returns the factory of `kind`.
    ///
    /// # Errors
    ///
    /// If the kind is unknown; the error lists the known ones.
    pub fn get(&self, kind: &str) -> Result<&Arc<dyn Factory>, UnknownKind> {
        self.factories.get(kind).ok_or_else(|| UnknownKind {
            kind: kind.to_owned(),
            known: self.kinds().collect(),
        })
    }

    /// Returns all kinds, in alphabetical order.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.factories.keys().copied()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.factories.keys()).finish()
    }
}

fn quoted(kinds: &[&str]) -> String {
    let quoted: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
    quoted.join(", ")
}
