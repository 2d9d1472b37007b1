//! Objects in the memory of a local network.

use bytes::Bytes;
use weft_lattice_config::Digest;

use super::ObjectError;
use crate::buckets::{BucketError, server_name};
use weft_bus::local::Endpoint;

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
            objects.insert(digest.hex().to_owned(), bytes);
        });
        written.ok_or_else(|| self.unavailable())
    }

    pub(super) fn read(&self, digest: &Digest) -> Result<Bytes, ObjectError> {
        match self.find(digest) {
            Err(error) => Err(ObjectError::Store(error)),
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(ObjectError::Missing {
                digest: digest.clone(),
            }),
        }
    }

    pub(super) fn has(&self, digest: &Digest) -> Result<bool, BucketError> {
        Ok(self.find(digest)?.is_some())
    }

    fn find(&self, digest: &Digest) -> Result<Option<Bytes>, BucketError> {
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
