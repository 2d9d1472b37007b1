//! All records of a JetStream bucket, followed by every change, from a consumer of the bucket's
//! stream.
//!
//! A feed that lost a message is not repaired but opened again, from the beginning: a loss is rare,
//! and a new feed also shows a stream that was replaced in the meantime.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::super::{Key, WatchEvent};
use super::record;
use crate::buckets::BucketError;
use crate::kv::{Change, ChangeStream, ConsumerOptions, KvBucket, Operation};

/// The time after which a server drops the consumer of a feed without a reader.
const FEED_INACTIVE_MAX: Duration = Duration::from_secs(30);

/// The pause before an unavailable bucket is tried again, and so the longest delay of a change
/// after its return.
const UNAVAILABLE_PAUSE: Duration = Duration::from_secs(1);

/// Sends all records and changes to a watcher until it is dropped.
pub(super) async fn run(kv: &KvBucket, sender: &mpsc::Sender<WatchEvent>) {
    let mut is_unavailable = false;
    loop {
        let error = match kv.ensure().await {
            Ok(()) => forward(kv, sender, &mut is_unavailable).await,
            Err(error) => error,
        };
        if !is_unavailable {
            tracing::info!(bucket = kv.stream().bucket(), %error, "a watched bucket is unavailable");
            is_unavailable = true;
            if sender.send(WatchEvent::Away).await.is_err() {
                return;
            }
        }
        sleep(UNAVAILABLE_PAUSE).await;
    }
}

/// Forwards one feed until it breaks, and returns the reason.
async fn forward(
    kv: &KvBucket,
    sender: &mpsc::Sender<WatchEvent>,
    is_unavailable: &mut bool,
) -> BucketError {
    let mut feed = match Feed::open(kv).await {
        Ok(feed) => feed,
        Err(error) => return error,
    };
    loop {
        match feed.next().await {
            Ok(watched) => {
                *is_unavailable = false;
                if sender.send(watched).await.is_err() {
                    return kv.stream().unavailable();
                }
            }
            Err(error) => return error,
        }
    }
}

/// A consumer of the bucket's stream; the server drops it some time after this is dropped.
pub(super) struct Feed<'a> {
    prefix: &'a str,
    changes: ChangeStream,
    stage: Stage,
}

enum Stage {
    Start,
    Replaying,
    Replayed,
    Live,
}

impl<'a> Feed<'a> {
    pub(super) async fn open(kv: &'a KvBucket) -> Result<Self, BucketError> {
        let options = ConsumerOptions {
            filter: format!("{}>", kv.prefix()),
            keys_only: false,
            inactive_max: FEED_INACTIVE_MAX,
        };
        Ok(Self {
            prefix: kv.prefix(),
            changes: ChangeStream::open(kv.stream(), options).await?,
            stage: Stage::Start,
        })
    }

    pub(super) async fn next(&mut self) -> Result<WatchEvent, BucketError> {
        match self.stage {
            Stage::Start => {
                self.stage = if self.changes.pending() == 0 {
                    Stage::Replayed
                } else {
                    Stage::Replaying
                };
                Ok(WatchEvent::Begins)
            }
            Stage::Replayed => {
                self.stage = Stage::Live;
                Ok(WatchEvent::Complete)
            }
            Stage::Replaying | Stage::Live => self.change().await,
        }
    }

    async fn change(&mut self) -> Result<WatchEvent, BucketError> {
        loop {
            let change = self.changes.next().await?;
            if matches!(self.stage, Stage::Replaying) && change.pending == 0 {
                self.stage = Stage::Replayed;
            }
            match self.event_of(change) {
                Some(watched) => return Ok(watched),
                // The last record has a foreign key and is skipped, so the replay is complete.
                None if matches!(self.stage, Stage::Replayed) => {
                    self.stage = Stage::Live;
                    return Ok(WatchEvent::Complete);
                }
                None => {}
            }
        }
    }

    fn event_of(&self, change: Change) -> Option<WatchEvent> {
        let key = change
            .subject
            .strip_prefix(self.prefix)
            .and_then(Key::parse);
        let Some(key) = key else {
            tracing::warn!(
                subject = change.subject,
                "ignored a record with a foreign key"
            );
            return None;
        };
        Some(match change.entry.operation {
            Operation::Put => WatchEvent::Record {
                key,
                record: record(change.entry),
            },
            Operation::Delete => WatchEvent::Erased { key },
        })
    }
}
