//! Records in a JetStream key-value bucket, in the layout of other clients: `nats kv` reads it.
//!
//! The bucket's stream is made here, and not by `async-nats`, whose way of making one asks a server older
//! than 2.11 for what it does not have.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::push;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{
    Config, ConsumerErrorKind, DiscardPolicy, LastRawMessageErrorKind,
};
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::{Key, PutError, Record, Revision, Watched};
use crate::buckets::{BackingStream, BucketOptions, STORE_WAIT_MAX, StoreError, server_name};
use crate::bus::nats::Connections;

/// How often a server shows that a feed is alive. Without a sign for twice as long it is made again.
const FEED_HEARTBEAT: Duration = Duration::from_secs(2);

/// How long a server keeps a feed that nobody listens to.
const FEED_UNUSED_MAX: Duration = Duration::from_secs(30);

/// The pause before a store that is away is tried again; also how long a change may go unseen after it
/// is back.
const AWAY_PAUSE: Duration = Duration::from_secs(1);

/// How many changes wait for a watcher before the feed waits too.
const WATCHED_QUEUED_MAX: usize = 256;

/// How often a put is made again for another reason than a conflict of its own: once after the bucket was
/// made, once after a deletion by a foreign hand was found.
const PUT_ATTEMPTS_MAX: usize = 3;

/// The header by which key-value clients say that a message is a deletion.
const OPERATION: &str = "KV-Operation";

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    stream: Arc<BackingStream>,
    /// `$KV.<bucket>.`
    prefix: String,
}

impl Bucket {
    pub(super) fn new(connections: &Connections, name: &str, options: &BucketOptions) -> Self {
        let bucket = server_name(connections.scope(), name);
        let prefix = format!("$KV.{bucket}.");
        let config = Config {
            name: format!("KV_{bucket}"),
            subjects: vec![format!("{prefix}>")],
            max_messages_per_subject: 1,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            deny_delete: true,
            allow_direct: true,
            ..Config::default()
        };
        let stream = BackingStream::new(connections, bucket, config, options);
        Self {
            stream: Arc::new(stream),
            prefix,
        }
    }

    pub(super) async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        match self.newest(key).await {
            Err(Missing::Stream) => {
                self.stream.ensure().await?;
                Ok(None)
            }
            Err(Missing::Store(error)) => Err(error),
            Ok(None) => Ok(None),
            Ok(Some((record, Operation::Put))) => Ok(Some(record)),
            Ok(Some((_, Operation::Delete))) => Ok(None),
        }
    }

    pub(super) async fn put(
        &self,
        key: &Key,
        value: Bytes,
        expected: Revision,
    ) -> Result<Revision, PutError> {
        let failed = |source| PutError::Store {
            key: key.clone(),
            source,
        };
        let mut at = expected;
        for _ in 0..PUT_ATTEMPTS_MAX {
            self.stream.check_connected().await.map_err(failed)?;
            match self.publish(key, value.clone(), at).await {
                Ok(revision) => return Ok(revision),
                Err(Refusal::NoStream) => self.stream.ensure().await.map_err(failed)?,
                Err(Refusal::TooLarge) => {
                    let (found, max) = (value.len(), self.stream.connection().max_payload());
                    return Err(PutError::TooLarge { found, max });
                }
                Err(Refusal::Store(source)) => return Err(failed(source)),
                Err(Refusal::Conflict) => match self.after_conflict(key, expected).await {
                    Ok(ControlFlow::Continue(revision)) => at = revision,
                    Ok(ControlFlow::Break(current)) => {
                        let key = key.clone();
                        return Err(PutError::Conflict {
                            key,
                            expected,
                            current,
                        });
                    }
                    Err(source) => return Err(failed(source)),
                },
            }
        }
        Err(failed(self.stream.away()))
    }

    pub(super) async fn list(&self) -> Result<Vec<(Key, Record)>, StoreError> {
        let mut records = BTreeMap::new();
        let mut feed = self.feed().await?;
        loop {
            match feed.next().await? {
                Watched::Begins => {}
                Watched::Record { key, record } => {
                    records.insert(key, record);
                }
                Watched::Erased { key } => {
                    records.remove(&key);
                }
                Watched::Complete => break,
                Watched::Away => return Err(self.stream.away()),
            }
        }
        Ok(records.into_iter().collect())
    }

    pub(super) fn watch(&self) -> mpsc::Receiver<Watched> {
        let (sender, receiver) = mpsc::channel(WATCHED_QUEUED_MAX);
        let (stream, prefix) = (self.stream.clone(), self.prefix.clone());
        let stopping = self.stream.connections().stopping().clone();
        self.stream.connections().tasks().spawn(async move {
            tokio::select! {
                () = watch(&stream, &prefix, &sender) => {}
                () = sender.closed() => {}
                () = stopping.cancelled() => {}
            }
        });
        receiver
    }

    async fn feed(&self) -> Result<Feed<'_>, StoreError> {
        self.stream.ensure().await?;
        Feed::open(&self.stream, &self.prefix).await
    }

    async fn publish(&self, key: &Key, value: Bytes, at: Revision) -> Result<Revision, Refusal> {
        let subject = format!("{}{}", self.prefix, key.as_str());
        let message = PublishMessage::build()
            .payload(value)
            .expected_last_subject_sequence(at.0);
        let published = self.stream.context().send_publish(subject, message);
        // The connection may take nothing, and the acknowledgement has a bound of its own.
        let confirmed = async { published.await?.await };
        let confirmed = timeout(2 * STORE_WAIT_MAX, confirmed).await;
        let error = match confirmed {
            Ok(Ok(confirmed)) => return Ok(Revision(confirmed.sequence)),
            Ok(Err(error)) => error,
            Err(_) => return Err(Refusal::Store(self.stream.away())),
        };
        Err(match error.kind() {
            PublishErrorKind::WrongLastSequence => Refusal::Conflict,
            // Nobody takes the subject: there is no bucket, or its servers are away.
            PublishErrorKind::StreamNotFound => Refusal::NoStream,
            PublishErrorKind::MaxPayloadExceeded => Refusal::TooLarge,
            PublishErrorKind::TimedOut
            | PublishErrorKind::BrokenPipe
            | PublishErrorKind::MaxAckPending => Refusal::Store(self.stream.away()),
            PublishErrorKind::WrongLastMessageId | PublishErrorKind::Other => {
                match jetstream_error(&error) {
                    Some(code) if code.error_code() == WRONG_LAST_SEQUENCE_LATER => {
                        Refusal::Conflict
                    }
                    Some(code) => Refusal::Store(self.stream.refusal(code.clone())),
                    None => Refusal::Store(self.stream.refused(error)),
                }
            }
        })
    }

    /// What is there in place of what was expected. If that is only a deletion by a foreign hand, and
    /// nothing was expected, the record may be written in its place.
    async fn after_conflict(
        &self,
        key: &Key,
        expected: Revision,
    ) -> Result<ControlFlow<Revision, Revision>, StoreError> {
        let found = match self.newest(key).await {
            Ok(found) => found,
            Err(Missing::Stream) => None,
            Err(Missing::Store(error)) => return Err(error),
        };
        Ok(match found {
            Some((record, Operation::Put)) => ControlFlow::Break(record.revision),
            Some((marker, Operation::Delete)) if expected == Revision::NONE => {
                ControlFlow::Continue(marker.revision)
            }
            Some((_, Operation::Delete)) | None => ControlFlow::Break(Revision::NONE),
        })
    }

    /// The last message of a key, as the leader of the stream has it.
    async fn newest(&self, key: &Key) -> Result<Option<(Record, Operation)>, Missing> {
        self.stream
            .check_connected()
            .await
            .map_err(Missing::Store)?;
        let name = self.stream.stream_name();
        let stream = self.stream.context().get_stream_no_info(name).await;
        let stream = stream.map_err(|error| Missing::Store(self.stream.refused(error)))?;
        let subject = format!("{}{}", self.prefix, key.as_str());
        let asked = stream.get_last_raw_message_by_subject(&subject);
        let Ok(answer) = timeout(STORE_WAIT_MAX, asked).await else {
            return Err(Missing::Store(self.stream.away()));
        };
        let message = match answer {
            Ok(message) => message,
            Err(error) => {
                return match error.kind() {
                    LastRawMessageErrorKind::NoMessageFound => Ok(None),
                    LastRawMessageErrorKind::JetStream(error)
                        if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                    {
                        Err(Missing::Stream)
                    }
                    LastRawMessageErrorKind::JetStream(error) => {
                        Err(Missing::Store(self.stream.refusal(error)))
                    }
                    // No answer: `ensure` finds out whether there is JetStream at all.
                    LastRawMessageErrorKind::InvalidSubject | LastRawMessageErrorKind::Other => {
                        Err(Missing::Stream)
                    }
                };
            }
        };
        let record = Record {
            revision: Revision(message.sequence),
            value: message.payload,
        };
        Ok(Some((record, operation(&message.headers))))
    }
}

/// The code that servers of 2.12 have for a conflict beside the older one.
const WRONG_LAST_SEQUENCE_LATER: ErrorCode = ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT;

enum Refusal {
    Conflict,
    NoStream,
    TooLarge,
    Store(StoreError),
}

enum Missing {
    Stream,
    Store(StoreError),
}

#[derive(Clone, Copy, PartialEq)]
enum Operation {
    Put,
    Delete,
}

/// A message without a word about it is a record.
fn operation(headers: &HeaderMap) -> Operation {
    match headers.get(OPERATION).map(|value| value.as_str()) {
        None | Some("PUT") => Operation::Put,
        Some(_) => Operation::Delete,
    }
}

fn jetstream_error<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a jetstream::Error> {
    error.source()?.downcast_ref()
}

/// Sends all records and changes to a watcher, for ever.
async fn watch(stream: &BackingStream, prefix: &str, sender: &mpsc::Sender<Watched>) {
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
struct Feed<'a> {
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
    async fn open(stream: &'a BackingStream, prefix: &'a str) -> Result<Self, StoreError> {
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

    async fn next(&mut self) -> Result<Watched, StoreError> {
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
