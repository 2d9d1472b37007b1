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
use crate::kv::{Change, Changes, KeyedBucket, Operation, Reading};

/// How long a server keeps a feed that nobody listens to.
const FEED_UNUSED_MAX: Duration = Duration::from_secs(30);

/// The pause before a store that is away is tried again; also how long a change may go unseen after it
/// is back.
const AWAY_PAUSE: Duration = Duration::from_secs(1);

/// Sends all records and changes to a watcher, for ever.
pub(super) async fn watch(keyed: &KeyedBucket, sender: &mpsc::Sender<Watched>) {
    let mut is_away = false;
    loop {
        let error = match keyed.ensure().await {
            Ok(()) => forward(keyed, sender, &mut is_away).await,
            Err(error) => error,
        };
        if !is_away {
            tracing::info!(bucket = keyed.stream().bucket(), %error, "a watched bucket is away");
            is_away = true;
            if sender.send(Watched::Away).await.is_err() {
                return;
            }
        }
        sleep(AWAY_PAUSE).await;
    }
}

/// Forwards one feed until it breaks, and says why it did.
async fn forward(
    keyed: &KeyedBucket,
    sender: &mpsc::Sender<Watched>,
    is_away: &mut bool,
) -> StoreError {
    let mut feed = match Feed::open(keyed).await {
        Ok(feed) => feed,
        Err(error) => return error,
    };
    loop {
        match feed.next().await {
            Ok(watched) => {
                *is_away = false;
                if sender.send(watched).await.is_err() {
                    return keyed.stream().away();
                }
            }
            Err(error) => return error,
        }
    }
}

/// All records of a bucket and what comes after, by a consumer of the stream's that ends with this.
pub(super) struct Feed<'a> {
    prefix: &'a str,
    changes: Changes,
    stage: Stage,
}

enum Stage {
    Beginning,
    Reading,
    Read,
    Following,
}

impl<'a> Feed<'a> {
    pub(super) async fn open(keyed: &'a KeyedBucket) -> Result<Self, StoreError> {
        let reading = Reading {
            filter: format!("{}>", keyed.prefix()),
            keys_only: false,
            unused_max: FEED_UNUSED_MAX,
        };
        Ok(Self {
            prefix: keyed.prefix(),
            changes: Changes::open(keyed.stream(), reading).await?,
            stage: Stage::Beginning,
        })
    }

    pub(super) async fn next(&mut self) -> Result<Watched, StoreError> {
        match self.stage {
            Stage::Beginning => {
                self.stage = if self.changes.pending() == 0 {
                    Stage::Read
                } else {
                    Stage::Reading
                };
                Ok(Watched::Begins)
            }
            Stage::Read => {
                self.stage = Stage::Following;
                Ok(Watched::Complete)
            }
            Stage::Reading | Stage::Following => self.change().await,
        }
    }

    async fn change(&mut self) -> Result<Watched, StoreError> {
        loop {
            let change = self.changes.next().await?;
            if matches!(self.stage, Stage::Reading) && change.pending == 0 {
                self.stage = Stage::Read;
            }
            match self.watched(change) {
                Some(watched) => return Ok(watched),
                // The last record is none of ours: it is passed over, and then all have been said.
                None if matches!(self.stage, Stage::Read) => {
                    self.stage = Stage::Following;
                    return Ok(Watched::Complete);
                }
                None => {}
            }
        }
    }

    fn watched(&self, change: Change) -> Option<Watched> {
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
