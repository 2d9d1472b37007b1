//! All records of a JetStream bucket, and what comes after: by a consumer of the bucket's stream.
//!
//! A feed that missed anything is not mended but made again, from the beginning: it is rare, and what a
//! stream was replaced by in the meantime is then seen too.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream;
use async_nats::jetstream::consumer::push;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::stream::ConsumerErrorKind;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::super::{Key, Record, Revision, Watched};
use crate::buckets::{BackingStream, STORE_WAIT_MAX, StoreError};

/// How often a server shows that a feed is alive. Without a sign for twice as long it is made again.
const FEED_HEARTBEAT: Duration = Duration::from_secs(2);

/// How long a server keeps a feed that nobody listens to.
const FEED_UNUSED_MAX: Duration = Duration::from_secs(30);

/// The pause before a store that is away is tried again; also how long a change may go unseen after it
/// is back.
const AWAY_PAUSE: Duration = Duration::from_secs(1);

/// The header by which key-value clients say that a message is a deletion.
const OPERATION: &str = "KV-Operation";

/// Sends all records and changes to a watcher, for ever.
pub(super) async fn watch(stream: &BackingStream, prefix: &str, sender: &mpsc::Sender<Watched>) {
    let mut is_away = false;
    loop {
        let error = match stream.ensure().await {
            Ok(()) => forward(stream, prefix, sender, &mut is_away).await,
            Err(error) => error,
        };
        if !is_away {
            tracing::info!(bucket = stream.bucket(), %error, "a watched bucket is away");
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
    stream: &BackingStream,
    prefix: &str,
    sender: &mpsc::Sender<Watched>,
    is_away: &mut bool,
) -> StoreError {
    let mut feed = match Feed::open(stream, prefix).await {
        Ok(feed) => feed,
        Err(error) => return error,
    };
    loop {
        match feed.next().await {
            Ok(watched) => {
                *is_away = false;
                if sender.send(watched).await.is_err() {
                    return stream.away();
                }
            }
            Err(error) => return error,
        }
    }
}

/// All records of a bucket and what comes after, by a consumer of the stream's that ends with this.
pub(super) struct Feed<'a> {
    stream: &'a BackingStream,
    prefix: &'a str,
    messages: push::Messages,
    /// The number that the consumer's next message has, if none was lost.
    next: u64,
    stage: Stage,
}

enum Stage {
    Beginning {
        /// How many records there are.
        pending: u64,
    },
    Reading,
    Read,
    Following,
}

impl<'a> Feed<'a> {
    pub(super) async fn open(
        stream: &'a BackingStream,
        prefix: &'a str,
    ) -> Result<Self, StoreError> {
        let config = push::Config {
            deliver_subject: stream.connection().client().new_inbox(),
            deliver_policy: DeliverPolicy::LastPerSubject,
            filter_subject: format!("{prefix}>"),
            ack_policy: AckPolicy::None,
            replay_policy: ReplayPolicy::Instant,
            max_deliver: 1,
            idle_heartbeat: FEED_HEARTBEAT,
            flow_control: true,
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: FEED_UNUSED_MAX,
            ..push::Config::default()
        };
        let opened = async {
            let name = stream.stream_name();
            let handle = stream.context().get_stream_no_info(name).await;
            let handle = handle.map_err(|error| stream.refused(error))?;
            let consumer = handle.create_consumer(config).await;
            let consumer = consumer.map_err(|error| match error.kind() {
                ConsumerErrorKind::JetStream(error) => stream.refusal(error),
                ConsumerErrorKind::TimedOut | ConsumerErrorKind::Request => stream.away(),
                _ => stream.refused(error),
            })?;
            let pending = consumer.cached_info().num_pending;
            let messages = consumer.messages().await;
            let messages = messages.map_err(|error| stream.refused(error))?;
            Ok((pending, messages))
        };
        let (pending, messages) = match timeout(2 * STORE_WAIT_MAX, opened).await {
            Ok(opened) => opened?,
            Err(_) => return Err(stream.away()),
        };
        Ok(Self {
            stream,
            prefix,
            messages,
            next: 1,
            stage: Stage::Beginning { pending },
        })
    }

    pub(super) async fn next(&mut self) -> Result<Watched, StoreError> {
        match self.stage {
            Stage::Beginning { pending } => {
                self.stage = if pending == 0 {
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
            Stage::Reading | Stage::Following => self.message().await,
        }
    }

    async fn message(&mut self) -> Result<Watched, StoreError> {
        loop {
            let Some(Ok(message)) = self.messages.next().await else {
                return Err(self.stream.away());
            };
            let info = message.info().map_err(|error| self.stream.refused(error))?;
            if info.consumer_sequence != self.next {
                return Err(self.stream.away());
            }
            self.next += 1;
            if matches!(self.stage, Stage::Reading) && info.pending == 0 {
                self.stage = Stage::Read;
            }
            let revision = Revision(info.stream_sequence);
            match self.watched(&message, revision) {
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

    fn watched(&self, message: &jetstream::Message, revision: Revision) -> Option<Watched> {
        let key = message
            .subject
            .strip_prefix(self.prefix)
            .and_then(Key::parse);
        let Some(key) = key else {
            tracing::warn!(subject = %message.subject, "a record that no host wrote");
            return None;
        };
        let operation = message.headers.as_ref().map_or(Operation::Put, operation);
        Some(match operation {
            Operation::Put => Watched::Record {
                key,
                record: Record {
                    revision,
                    value: message.payload.clone(),
                },
            },
            Operation::Delete => Watched::Erased { key },
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Operation {
    Put,
    Delete,
}

/// A message without a word about it is a record.
pub(super) fn operation(headers: &HeaderMap) -> Operation {
    match headers.get(OPERATION).map(|value| value.as_str()) {
        None | Some("PUT") => Operation::Put,
        Some(_) => Operation::Delete,
    }
}
