//! Records in a JetStream key-value bucket, in the layout of other clients: `nats kv` reads it.
//!
//! The bucket's stream is made here, and not by `async-nats`, whose way of making one asks a server older
//! than 2.11 for what it does not have.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, LastRawMessageErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::feed::{Feed, Operation, operation, watch};
use super::{Key, PutError, Record, Revision, Watched};
use crate::buckets::{BackingStream, BucketOptions, STORE_WAIT_MAX, StoreError, server_name};
use crate::bus::nats::Connections;

mod feed;

/// How many changes wait for a watcher before the feed waits too.
const WATCHED_QUEUED_MAX: usize = 256;

/// How often a put is made again for another reason than a conflict of its own: once after the bucket was
/// made, once after a deletion by a foreign hand was found.
const PUT_ATTEMPTS_MAX: usize = 3;

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

fn jetstream_error<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a jetstream::Error> {
    error.source()?.downcast_ref()
}
