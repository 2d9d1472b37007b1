//! Objects in the memory of a local network.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use weft_lattice_config::Digest;

use super::{ObjectError, StoredObject, Version, digest_of};
use crate::buckets::{BucketError, server_name};
use crate::collection::Entry;
use weft_bus::local::{Endpoint, ObjectContent};

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    endpoint: Endpoint,
    name: String,
}

impl Bucket {
    pub(super) fn new(endpoint: &Endpoint, name: &str) -> Self {
        Self {
            endpoint: endpoint.clone(),
            name: server_name(endpoint.scope(), name),
        }
    }

    pub(super) fn write(&self, digest: &Digest, bytes: Bytes) -> Result<(), BucketError> {
        let written = self.endpoint.with_jetstream(|store| {
            let objects = store.objects.entry(self.name.clone()).or_default();
            let written = Instant::now();
            let content = ObjectContent { bytes, written };
            objects.insert(digest.hex().to_owned(), content);
        });
        written.ok_or_else(|| self.unavailable())
    }

    pub(super) fn read(&self, digest: &Digest) -> Result<Bytes, ObjectError> {
        match self.find(digest) {
            Err(error) => Err(ObjectError::Store(error)),
            Ok(Some(object)) => Ok(object.bytes),
            Ok(None) => Err(ObjectError::Missing {
                digest: digest.clone(),
            }),
        }
    }

    pub(super) fn age(&self, digest: &Digest) -> Result<Option<Duration>, BucketError> {
        let found = self.find(digest)?;
        Ok(found.map(|object| object.written.elapsed()))
    }

    pub(super) fn list(&self) -> Result<Vec<StoredObject>, BucketError> {
        let listed = self.endpoint.with_jetstream(|store| {
            let objects = store.objects.get(&self.name).into_iter().flatten();
            let objects = objects.filter_map(|(name, object)| {
                let entry = Entry {
                    digest: digest_of(name)?,
                    bytes: object.bytes.len() as u64,
                    age: object.written.elapsed(),
                };
                let version = Version::Local(object.written);
                Some(StoredObject { entry, version })
            });
            let mut objects: Vec<_> = objects.collect();
            objects.sort_by(|left, right| left.entry.digest.cmp(&right.entry.digest));
            objects
        });
        listed.ok_or_else(|| self.unavailable())
    }

    /// Deletes an object if it was not written since `written`.
    pub(super) fn delete(&self, digest: &Digest, written: Instant) -> Result<bool, BucketError> {
        let deleted = self.endpoint.with_jetstream(|store| {
            let Some(objects) = store.objects.get_mut(&self.name) else {
                return false;
            };
            let is_same = objects.get(digest.hex());
            let is_same = is_same.is_some_and(|object| object.written == written);
            is_same && objects.remove(digest.hex()).is_some()
        });
        deleted.ok_or_else(|| self.unavailable())
    }

    fn find(&self, digest: &Digest) -> Result<Option<ObjectContent>, BucketError> {
        let found = self.endpoint.with_jetstream(|store| {
            let objects = store.objects.get(&self.name)?;
            objects.get(digest.hex()).cloned()
        });
        found.ok_or_else(|| self.unavailable())
    }

    fn unavailable(&self) -> BucketError {
        let bucket = self.name.clone();
        BucketError::Unavailable {
            bucket,
            source: None,
        }
    }
}
