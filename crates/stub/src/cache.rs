//! A cache of generated stubs and skeletons.
//!
//! A component that is deployed again has the same digest, and is not decoded again. A new version
//! of a component mostly has the interfaces of the old one, and so the same generated code: that is
//! cached by the digest of the interfaces, and only the parts that depend on the plan are made
//! again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::generate::{self, GenerateError};
use crate::plan::{ComponentWorld, Plan, Signature};
use crate::{Generated, StubError, skeleton_with, stub_with};

/// The maximum number of entries of each kind: more than the apps of one host link. An entry has
/// some tens of kilobytes, and more for very large interfaces. A full map is cleared, as an entry
/// takes milliseconds to make again.
const MAX_ENTRIES: usize = 256;

/// A component and its identity.
#[derive(Debug, Clone, Copy)]
pub struct Component<'a> {
    /// The digest of the bytes, always in the same form.
    pub digest: &'a str,
    /// The bytes of the component.
    pub bytes: &'a [u8],
}

/// Stubs and skeletons in memory. The contents affect speed only.
#[derive(Debug)]
pub struct Cache {
    is_direct: fn(&Signature) -> bool,
    ends: BoundedMap<End, Arc<Generated>>,
    interfaces: Interfaces,
}

/// One end of a link.
#[derive(Debug, PartialEq, Eq, Hash)]
struct End {
    component: String,
    side: Side,
    names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Importer,
    Exporter,
}

/// Code that depends on interfaces and a plan only, by the digest of both.
#[derive(Debug, Default)]
pub(crate) struct Interfaces(BoundedMap<[u8; 32], Arc<[u8]>>);

/// A bounded map.
#[derive(Debug)]
struct BoundedMap<K, V>(Mutex<HashMap<K, V>>);

impl Cache {
    /// Creates an empty cache. `is_direct` returns whether the host has a typed function for a
    /// signature. Its results must be the same at both ends of a link.
    #[must_use]
    pub fn new(is_direct: fn(&Signature) -> bool) -> Self {
        Self {
            is_direct,
            ends: BoundedMap::default(),
            interfaces: Interfaces::default(),
        }
    }

    /// Returns the stub for an importer: `names` are its imports that one target serves.
    ///
    /// # Errors
    ///
    /// Fails if the component cannot be decoded, links between stores do not support its imports,
    /// or no component can be generated.
    pub fn stub(
        &self,
        importer: Component<'_>,
        names: &[&str],
    ) -> Result<Arc<Generated>, StubError> {
        self.end(importer, Side::Importer, names)
    }

    /// Returns the skeleton for an exporter: `names` are its exports that other components call.
    ///
    /// # Errors
    ///
    /// As [`Cache::stub`].
    pub fn skeleton(
        &self,
        exporter: Component<'_>,
        names: &[&str],
    ) -> Result<Arc<Generated>, StubError> {
        self.end(exporter, Side::Exporter, names)
    }

    fn end(
        &self,
        component: Component<'_>,
        side: Side,
        names: &[&str],
    ) -> Result<Arc<Generated>, StubError> {
        let end = End {
            component: component.digest.to_owned(),
            side,
            names: names.iter().map(|&name| name.to_owned()).collect(),
        };
        self.ends.get_or_make(end, || {
            let world = ComponentWorld::of(component.bytes)?;
            let (made, is_direct) = (&self.interfaces, &self.is_direct);
            let generated = match side {
                Side::Importer => stub_with(made, &world, names, is_direct)?,
                Side::Exporter => skeleton_with(made, &world, names, is_direct)?,
            };
            Ok(Arc::new(generated))
        })
    }
}

impl Interfaces {
    /// As [`generate::stub`].
    pub(crate) fn stub(
        &self,
        world: &ComponentWorld,
        plan: &Plan,
    ) -> Result<Arc<[u8]>, GenerateError> {
        let digest = generate::stub_digest(world, plan)?;
        let stub = || Ok(generate::stub(world, plan)?.into());
        self.0.get_or_make(digest, stub)
    }

    /// As [`generate::skeleton`].
    pub(crate) fn skeleton(
        &self,
        world: &ComponentWorld,
        plan: &Plan,
    ) -> Result<Arc<[u8]>, GenerateError> {
        let digest = generate::skeleton_digest(world, plan)?;
        let skeleton = || Ok(generate::skeleton(world, plan)?.into());
        self.0.get_or_make(digest, skeleton)
    }
}

impl<K: Eq + Hash, V: Clone> BoundedMap<K, V> {
    /// Returns the cached value, or caches the result of `make`. Concurrent callers with the same
    /// key may both run `make`.
    fn get_or_make<E>(&self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        // No code panics while the lock is held, and every state of the map is valid.
        let map = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = map().get(&key) {
            return Ok(value.clone());
        }
        let value = make()?;
        let mut map = map();
        if map.len() >= MAX_ENTRIES {
            map.clear();
        }
        map.insert(key, value.clone());
        Ok(value)
    }
}

impl<K, V> Default for BoundedMap<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Made = Result<usize, ()>;

    #[test]
    fn a_cached_value_is_not_made_again_and_the_map_is_bounded() {
        let map = BoundedMap::default();
        let never = || -> Made { panic!("the value is cached") };
        for number in 0..MAX_ENTRIES {
            assert_eq!(map.get_or_make(number, || Made::Ok(number)), Ok(number));
            assert_eq!(map.get_or_make(number, never), Ok(number));
        }
        assert_eq!(map.get_or_make(MAX_ENTRIES, || Made::Ok(0)), Ok(0));
        assert_eq!(map.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn an_error_is_not_cached() {
        let map = BoundedMap::default();
        assert_eq!(map.get_or_make(0, || Made::Err(())), Err(()));
        assert_eq!(map.get_or_make(0, || Made::Ok(1)), Ok(1));
    }
}
