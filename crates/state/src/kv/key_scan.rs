//! A scan over the keys of a bucket, without their values.

use std::sync::Arc;
use std::time::Duration;

use super::key::decode;
use super::{ChangeStream, ConsumerOptions, Operation};
use crate::buckets::{BackingStream, BucketError};
use crate::desired::Revision;

/// The time after which a server drops an abandoned scan: the shortest that servers accept, because
/// components decide how many scans there are.
const SCAN_INACTIVE_MAX: Duration = Duration::from_secs(5);

/// The keys of a bucket, in no order. A key that changes during the scan may appear twice, and a
/// key that is deleted appears again as [`Operation::Delete`].
pub struct KeyScan {
    changes: Option<ChangeStream>,
    prefix: String,
    /// The newest entry at the start of the scan. The scan is complete once this entry or a newer
    /// one was delivered.
    until: Revision,
}

impl KeyScan {
    /// `until` is `None` for a bucket without entries.
    pub(super) async fn open(
        stream: &Arc<BackingStream>,
        prefix: String,
        filter: String,
        until: Option<Revision>,
    ) -> Result<Self, BucketError> {
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

    /// Reads the last name of the next key with the operation of its newest entry; `None` at the
    /// end.
    ///
    /// # Errors
    /// A [`BucketError`]; the scan ends incomplete.
    pub async fn next(&mut self) -> Result<Option<(String, Operation)>, BucketError> {
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
                None => tracing::debug!(
                    subject = change.subject,
                    "ignored an entry with a foreign key"
                ),
            }
        }
        Ok(None)
    }
}
