//! The buckets of a link, common to all backends.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Bucket, BucketNames, KeyValue, KeyValueError, LimitsLayer};
use crate::{Capability, ConfigProblem, LinkContext, Settings};

struct LinkBuckets<F> {
    names: BucketNames,
    bucket: F,
}

/// Creates the key-value capability of a link. `bucket` creates a bucket by its name in the
/// backend; it is wrapped in a [`LimitsLayer`].
///
/// # Errors
/// If the configuration of the link is not one of [`BucketNames`].
pub fn link_buckets<B: Bucket>(
    link: &LinkContext<'_>,
    settings: &Settings,
    bucket: impl Fn(&str) -> B + Send + Sync + 'static,
) -> Result<Capability, ConfigProblem> {
    let names = BucketNames::of_link(link, settings)?;
    Ok(Capability::KeyValue(Arc::new(LinkBuckets {
        names,
        bucket,
    })))
}

#[async_trait]
impl<B: Bucket, F: Fn(&str) -> B + Send + Sync + 'static> KeyValue for LinkBuckets<F> {
    async fn open(&self, identifier: &str) -> Result<Arc<dyn Bucket>, KeyValueError> {
        let name = self.names.resolve(identifier)?;
        Ok(Arc::new(LimitsLayer((self.bucket)(name))))
    }
}
