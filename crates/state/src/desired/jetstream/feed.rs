//! All records of a JetStream bucket, and what comes after: by a consumer of the bucket's stream.
//!
//! A feed that missed anything is not mended but made again, from the beginning: it is rare, and what a
//! stream was replaced by in the meantime is then seen too.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::super::{Key, Watched};
use super::record;
use crate::buckets::StoreError;
use crate::kv::{Change, ChangeStream, ConsumerOptions, KvBucket, Operation};

/// How long a server keeps a feed that nobody listens to.
const FEED_INACTIVE_MAX: Duration = Duration::from_secs(30);

/// The pause before a store that is away is tried again; also how long a change may go unseen after it
/// is back.
const UNAVAILABLE_PAUSE: Duration = Duration::from_secs(1);

/// Sends all records and changes to a watcher, for ever.
pub(super) async fn run(kv: &KvBucket, sender: &mpsc::Sender<Watched>) {
    let mut is_unavailable = false;
    loop {
        let error = match kv.ensure().await {
            Ok(()) => forward(kv, sender, &mut is_unavailable).await,
            Err(error) => error,
        };
        if !is_unavailable {
            tracing::info!(bucket = kv.stream().bucket(), %error, "a watched bucket is away");
            is_unavailable = true;
            if sender.send(Watched::Away).await.is_err() {
                return;
            }
        }
        sleep(UNAVAILABLE_PAUSE).await;
    }
}

/// Forwards one feed until it breaks, and says why it did.
async fn forward(
    kv: &KvBucket,
    sender: &mpsc::Sender<Watched>,
    is_unavailable: &mut bool,
) -> StoreError {
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

/// All records of a bucket and what comes after, by a consumer of the stream's that ends with this.
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
    pub(super) async fn open(kv: &'a KvBucket) -> Result<Self, StoreError> {
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

    pub(super) async fn next(&mut self) -> Result<Watched, StoreError> {
        match self.stage {
            Stage::Start => {
                self.stage = if self.changes.pending() == 0 {
                    Stage::Replayed
                } else {
                    Stage::Replaying
                };
                Ok(Watched::Begins)
            }
            Stage::Replayed => {
                self.stage = Stage::Live;
                Ok(Watched::Complete)
            }
            Stage::Replaying | Stage::Live => self.change().await,
        }
    }

    async fn change(&mut self) -> Result<Watched, StoreError> {
        loop {
            let change = self.changes.next().await?;
            if matches!(self.stage, Stage::Replaying) && change.pending == 0 {
                self.stage = Stage::Replayed;
            }
            match self.event_of(change) {
                Some(watched) => return Ok(watched),
                // The last record is none of ours: it is passed over, and then all have been said.
                None if matches!(self.stage, Stage::Replayed) => {
                    self.stage = Stage::Live;
                    return Ok(Watched::Complete);
                }
                None => {}
            }
        }
    }

    fn event_of(&self, change: Change) -> Option<Watched> {
        let key = change
            .subject
            .strip_prefix(self.prefix)
            .and_then(Key::parse);
        let Some(key) = key else {
            tracing::warn!(subject = change.subject, "a record that no host wrote");
            return None;
        };
        Some(match change.entry.operation {
            Operation::Put => Watched::Record {
                key,
                record: record(change.entry),
            },
            Operation::Delete => Watched::Erased { key },
        })
    }
}
