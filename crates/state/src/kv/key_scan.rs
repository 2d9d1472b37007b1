//! A walk over the keys of a bucket, without their values.

use std::sync::Arc;
use std::time::Duration;

use super::key::decode;
use super::{ChangeStream, ConsumerOptions, Operation};
use crate::buckets::{BackingStream, StoreError};
use crate::desired::Revision;

/// How long a server keeps a walk that was given up: as short as servers take it, since components decide
/// how many there are.
const SCAN_INACTIVE_MAX: Duration = Duration::from_secs(5);

/// The keys of a bucket, in no order. A key that is changed meanwhile may come twice, and one that is deleted
/// comes again as [`Operation::Delete`].
pub struct KeyScan {
    changes: Option<ChangeStream>,
    prefix: String,
    /// The newest entry when the walk began: whoever delivers is behind until it, or a newer one, came.
    until: Revision,
}

impl KeyScan {
    /// `until` is `None` if there is no entry at all.
    pub(super) async fn open(
        stream: &Arc<BackingStream>,
        prefix: String,
        filter: String,
        until: Option<Revision>,
    ) -> Result<Self, StoreError> {
        let options = ConsumerOptions {
            filter,
            keys_only: true,
            inactive_max: SCAN_INACTIVE_MAX,
        };
        let (changes, until) = match until {
            Some(until) => (Some(ChangeStream::open(stream, options).await?), until),
            None => (None, Revision::NONE),
        };
        Ok(Self {
            changes,
            prefix,
            until,
        })
    }

    /// The last name of the next key, and what its newest entry did; `None` at the end.
    ///
    /// # Errors
    /// A [`StoreError`]: the walk is over without having come to its end.
    pub async fn next(&mut self) -> Result<Option<(String, Operation)>, StoreError> {
        while let Some(changes) = &mut self.changes {
            let change = changes.next().await?;
            if change.entry.revision >= self.until
                && let Some(changes) = self.changes.take()
            {
                changes.close().await;
            }
            let name = change.subject.strip_prefix(&self.prefix).and_then(decode);
            match name {
                Some(name) => return Ok(Some((name, change.entry.operation))),
                None => tracing::debug!(subject = change.subject, "an entry that no host wrote"),
            }
        }
        Ok(None)
    }
}
