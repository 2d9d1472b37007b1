//! All records of a JetStream bucket, followed by every change, from a consumer of the bucket's
//! stream.
//!
//! A feed that lost a message is not repaired but opened again, from the beginning: a loss is rare,
//! and a new feed also shows a stream that was replaced in the meantime.
//!
//! A server sends nothing when an operator purges the stream, or removes single messages from it.
//! So a feed compares the number of messages now and then with the records that it has sent, and
//! opens again if some are lost.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::super::{Key, Revision, WatchEvent};
use super::record;
use crate::buckets::{BucketError, StreamState};
use crate::kv::{Change, ChangeStream, ConsumerOptions, KvBucket, Operation};

/// The time after which a server drops the consumer of a feed without a reader.
const FEED_INACTIVE_MAX: Duration = Duration::from_secs(30);

/// The pause before an unavailable bucket is tried again, and so the longest delay of a change
/// after its return.
const UNAVAILABLE_PAUSE: Duration = Duration::from_secs(1);

/// The mean time between two audits of a feed: a small request each, of every host. Other hosts
/// join the lattice meanwhile, and a lost record is missing for them.
const AUDIT_EVERY: Duration = Duration::from_secs(30);

/// The reason why a feed has ended.
enum End {
    Failed(BucketError),
    /// The stream lost records that the feed has sent.
    RecordsLost,
    /// The watcher was dropped.
    Dropped,
}

/// Sends all records and changes to a watcher until it is dropped.
pub(super) async fn run(kv: &KvBucket, sender: &mpsc::Sender<WatchEvent>) {
    let mut is_unavailable = false;
    loop {
        let end = match kv.ensure().await {
            Ok(()) => forward(kv, sender, &mut is_unavailable).await,
            Err(error) => End::Failed(error),
        };
        let error = match end {
            End::Failed(error) => error,
            End::RecordsLost => {
                tracing::warn!(
                    bucket = kv.stream().bucket(),
                    "a watched bucket has lost records, as by a purge; it is read again"
                );
                continue;
            }
            End::Dropped => return,
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
) -> End {
    let mut feed = match Feed::open(kv).await {
        Ok(feed) => feed,
        Err(error) => return End::Failed(error),
    };
    let mut audit = pin!(next_audit(kv));
    loop {
        tokio::select! {
            biased;
            watched = feed.next() => match watched {
                Ok(watched) => {
                    *is_unavailable = false;
                    if sender.send(watched).await.is_err() {
                        return End::Dropped;
                    }
                }
                Err(error) => return End::Failed(error),
            },
            state = &mut audit => {
                if state.is_some_and(|state| feed.has_lost_records(state)) {
                    return End::RecordsLost;
                }
                audit.set(next_audit(kv));
            }
        }
    }
}

/// Waits until the next audit, and requests the size of the stream; `None` if that fails.
async fn next_audit(kv: &KvBucket) -> Option<StreamState> {
    sleep(audit_pause()).await;
    let state = kv.stream().state().await;
    state.ok()
}

/// A pause between a half and one and a half of [`AUDIT_EVERY`], so that hosts do not send their
/// requests at once.
fn audit_pause() -> Duration {
    let mut random = [0];
    // Without randomness, all hosts send them at once.
    let _ = getrandom::fill(&mut random);
    AUDIT_EVERY / 2 + AUDIT_EVERY * u32::from(random[0]) / u32::from(u8::MAX)
}

/// A consumer of the bucket's stream; the server drops it some time after this is dropped.
pub(super) struct Feed<'a> {
    prefix: &'a str,
    changes: ChangeStream,
    stage: Stage,
    /// The subjects with a message in the stream, as far as it was read.
    subjects: HashSet<String>,
    /// The number of the last message.
    last: Revision,
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
            subjects: HashSet::new(),
            last: Revision::NONE,
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
            self.last = change.entry.revision;
            if !self.subjects.contains(&change.subject) {
                self.subjects.insert(change.subject.clone());
            }
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

    /// True if the stream has fewer messages than subjects. While a message is on its way, that is
    /// undecided.
    fn has_lost_records(&self, state: StreamState) -> bool {
        let is_read = matches!(self.stage, Stage::Live) && state.last_seq == self.last.0;
        is_read && state.messages < self.subjects.len() as u64
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
