//! What was made before, so that it is not made again.
//!
//! A component that is deployed another time is known by its own digest, and nothing of it is looked at. A new version of
//! one mostly has the interfaces of the old one, and so its stubs and skeletons: they are known by the digest of the
//! interfaces, and what is made again is what depends on the plan alone.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::generate::{self, GenerateError};
use crate::plan::{ComponentWorld, Plan, Signature};
use crate::{Generated, StubError, skeleton_with, stub_with};

/// The most that is kept of each kind: more than one host's apps link. Each has some tens of kilobytes, or as many
/// as its interfaces have. Beyond it all are dropped, for any of them is made again in milliseconds.
const MAX_ENTRIES: usize = 256;

/// A component, and what tells it from every other one.
#[derive(Debug, Clone, Copy)]
pub struct Component<'a> {
    /// The digest of the bytes, in a form that is always the same.
    pub digest: &'a str,
    /// The component.
    pub bytes: &'a [u8],
}

/// Stubs and skeletons in memory. An empty one is as good as any other, and slower.
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

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Importer,
    Exporter,
}

/// What is generated from nothing but interfaces and a plan, by the digest of both.
#[derive(Debug, Default)]
pub(crate) struct Interfaces(BoundedMap<[u8; 32], Arc<[u8]>>);

/// A bounded map.
#[derive(Debug)]
struct BoundedMap<K, V>(Mutex<HashMap<K, V>>);

impl Cache {
    /// An empty cache. `is_direct` says which signatures the host has a typed function for. It must be the same at
    /// both ends of a link.
    #[must_use]
    pub fn new(is_direct: fn(&Signature) -> bool) -> Self {
        Self {
            is_direct,
            ends: BoundedMap::default(),
            interfaces: Interfaces::default(),
        }
    }

    /// The stub for an importer: `names` are its imports of one target.
    ///
    /// # Errors
    ///
    /// If the component cannot be read, a link cannot carry what it imports, or nothing can be made of it.
    pub fn stub(
        &self,
        importer: Component<'_>,
        names: &[&str],
    ) -> Result<Arc<Generated>, StubError> {
        self.end(importer, Side::Importer, names)
    }

    /// The skeleton for an exporter: `names` are those of its exports that others reach.
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
    /// What `make` makes is kept. Two that ask for the same at the same time may both make it.
    fn get_or_make<E>(&self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        // Nothing panics while it is locked, and no state of the map is a wrong one.
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
    fn what_was_made_is_not_made_again_and_what_is_kept_is_bounded() {
        let map = BoundedMap::default();
        let never = || -> Made { panic!("it was made before") };
        for number in 0..MAX_ENTRIES {
            assert_eq!(map.get_or_make(number, || Made::Ok(number)), Ok(number));
            assert_eq!(map.get_or_make(number, never), Ok(number));
        }
        assert_eq!(map.get_or_make(MAX_ENTRIES, || Made::Ok(0)), Ok(0));
        assert_eq!(map.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_made_is_not_kept() {
        let map = BoundedMap::default();
        assert_eq!(map.get_or_make(0, || Made::Err(())), Err(()));
        assert_eq!(map.get_or_make(0, || Made::Ok(1)), Ok(1));
    }
}
