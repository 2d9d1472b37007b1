//! What was generated before, by the digest of the interfaces it was generated for.
//!
//! A new version of a component mostly has the interfaces of the old one, and so its stubs and skeletons:
//! only what depends on the plan alone is made again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::generate::{self, GenerateError};
use crate::plan::{Plan, View};

/// The most components that are kept: some tens of kilobytes each, and more interfaces than one host's apps
/// link. Beyond it all are dropped, for any of them is made again in a millisecond.
const KEPT_MAX: usize = 256;

/// Generated components in memory. The empty one is as good as any other, and slower.
#[derive(Debug, Default)]
pub struct Cache {
    made: Mutex<HashMap<[u8; 32], Vec<u8>>>,
}

impl Cache {
    /// As [`generate::stub`].
    pub(crate) fn stub(&self, view: &View, plan: &Plan) -> Result<Vec<u8>, GenerateError> {
        let digest = generate::stub_digest(view, plan)?;
        self.get_or_make(digest, || generate::stub(view, plan))
    }

    /// As [`generate::skeleton`].
    pub(crate) fn skeleton(&self, view: &View, plan: &Plan) -> Result<Vec<u8>, GenerateError> {
        let digest = generate::skeleton_digest(view, plan)?;
        self.get_or_make(digest, || generate::skeleton(view, plan))
    }

    /// What `make` makes is kept. Two that ask for the same at the same time may both make it.
    fn get_or_make(
        &self,
        digest: [u8; 32],
        make: impl FnOnce() -> Result<Vec<u8>, GenerateError>,
    ) -> Result<Vec<u8>, GenerateError> {
        // Nothing panics while it is locked, and no state of the map is a wrong one.
        let made = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = made().get(&digest) {
            return Ok(bytes.clone());
        }
        let bytes = make()?;
        let mut made = made();
        if made.len() >= KEPT_MAX {
            made.clear();
        }
        made.insert(digest, bytes.clone());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_not_made_again_and_what_is_kept_is_bounded() {
        let cache = Cache::default();
        let never = || -> Result<Vec<u8>, GenerateError> { panic!("it was made before") };
        for number in 0..KEPT_MAX {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_le_bytes());
            let bytes = digest.to_vec();
            let made = cache.get_or_make(digest, || Ok(bytes.clone())).unwrap();
            assert_eq!(made, bytes);
            assert_eq!(cache.get_or_make(digest, never).unwrap(), bytes);
        }
        cache.get_or_make([1; 32], || Ok(Vec::new())).unwrap();
        assert_eq!(cache.made.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_made_is_not_kept() {
        let cache = Cache::default();
        let fails = || {
            Err(GenerateError::NoInterface {
                name: String::new(),
            })
        };
        assert!(cache.get_or_make([0; 32], fails).is_err());
        assert_eq!(cache.get_or_make([0; 32], || Ok(vec![1])).unwrap(), [1]);
    }
}
