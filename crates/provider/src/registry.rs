//! The kinds of providers that this build of the host has.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::provider::Factory;

/// Every kind of provider with its factory; built once, in `main`.
#[derive(Clone, Default)]
pub struct Registry {
    factories: BTreeMap<&'static str, Arc<dyn Factory>>,
}

/// A manifest asks for a kind of provider that this host does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no provider of kind `{kind}`; this host has {}",
    quoted(known)
)]
pub struct UnknownKind {
    /// What was asked for.
    pub kind: String,
    /// What there is.
    pub known: Vec<&'static str>,
}

// === impl Registry ===

impl Registry {
    /// The registry with one more kind.
    ///
    /// # Panics
    ///
    /// If the kind is there already: two backends of one name are a mistake in `main`.
    #[must_use]
    pub fn with(mut self, factory: impl Factory) -> Self {
        let kind = factory.kind();
        let replaced = self.factories.insert(kind, Arc::new(factory));
        assert!(replaced.is_none(), "two providers are of kind `{kind}`");
        self
    }

    /// The factory of `kind`.
    ///
    /// # Errors
    ///
    /// If there is none; the error lists what there is.
    pub fn get(&self, kind: &str) -> Result<&Arc<dyn Factory>, UnknownKind> {
        self.factories.get(kind).ok_or_else(|| UnknownKind {
            kind: kind.to_owned(),
            known: self.kinds().collect(),
        })
    }

    /// Every kind there is, in alphabetical order.
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
