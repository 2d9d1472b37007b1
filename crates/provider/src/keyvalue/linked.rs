//! The buckets of a link: the same for every backend, but for how a bucket of a name is made.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Bucket, BucketNames, Checked, KeyValue, KeyValueError};
use crate::{Capability, ConfigProblem, LinkContext, Settings};

struct Linked<F> {
    names: BucketNames,
    bucket: F,
}

/// What a link serves whose buckets `bucket` makes, by the name that each has in the backend. They are handed
/// out as [`Checked`].
///
/// # Errors
/// If the link's configuration is not one of [`BucketNames`].
pub fn linked<B: Bucket>(
    link: &LinkContext<'_>,
    settings: &Settings,
    bucket: impl Fn(&str) -> B + Send + Sync + 'static,
) -> Result<Capability, ConfigProblem> {
    let names = BucketNames::of_link(link, settings)?;
    Ok(Capability::KeyValue(Arc::new(Linked { names, bucket })))
}

#[async_trait]
impl<B: Bucket, F: Fn(&str) -> B + Send + Sync + 'static> KeyValue for Linked<F> {
    async fn open(&self, identifier: &str) -> Result<Arc<dyn Bucket>, KeyValueError> {
        let name = self.names.resolve(identifier)?;
        Ok(Arc::new(Checked((self.bucket)(name))))
    }
}
