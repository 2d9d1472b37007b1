//! Key-value buckets of JetStream, in the layout of other clients, so that `nats kv` reads them.
//! Each key is a subject of the bucket's stream, and the last message on it is its entry; a
//! deletion is an entry too.
//!
//! The desired state is stored in one ([`desired`](crate::desired)), and so are the entries of
//! key-value providers. The stream is created here and not by `async-nats`, which requests options
//! that servers before 2.11 do not have.
//!
//! Reads go to the leader of the stream. Other replicas may be nearer, but may lag behind and miss
//! the reader's own last write.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{Config, DiscardPolicy, LastRawMessageErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use tokio::time::timeout;

use crate::buckets::{BackingStream, BucketError, BucketOptions, STORE_WAIT_MAX, server_name};
use crate::desired::Revision;
use weft_bus::Status;
use weft_bus::nats::JetStreamConnection;

mod key;
mod key_scan;
mod mark;
mod watch;

pub use key::{EntryKey, KEY_BYTES_MAX, KeyError};
pub use key_scan::KeyScan;
pub(crate) use watch::{Change, ChangeStream, ConsumerOptions};

/// The longest name of a bucket on a server: with the prefix of clients, it is the name of a
/// directory.
pub const BUCKET_NAME_BYTES_MAX: usize = 200;

/// The number of attempts of a request: again after the bucket was created, and after a reply that
/// leaves open whether it exists.
const ATTEMPTS_MAX: usize = 3;

/// The header with which key-value clients mark a deletion.
const OPERATION_HEADER: &str = "KV-Operation";

/// The value of [`OPERATION_HEADER`] in a deletion.
const DELETE_OPERATION: &str = "DEL";

/// A bucket. A cheap handle: nothing is sent before first use.
#[derive(Clone)]
pub struct KvBucket {
    stream: Arc<BackingStream>,
    /// `$KV.<bucket>.`
    prefix: String,
    missing: Missing,
    /// The start of the connection during which the bucket was found, for writes over leaf nodes.
    found_in: Arc<Mutex<Option<Instant>>>,
}

/// The reaction of operations to a missing bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is created, empty.
    Create,
    /// The operation fails.
    Fail,
}

/// The newest entry of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The version of the entry.
    pub revision: Revision,
    /// The operation on the key.
    pub operation: Operation,
    /// The value; empty for a deletion.
    pub value: Bytes,
}

/// The operation of an entry on its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Sets the value.
    Put,
    /// Deletes the value.
    Delete,
}

/// The reasons why an entry was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The revision of the key is not the expected one.
    #[error("key was changed by another writer: its revision is not the expected one")]
    Conflict,
    /// The value is larger than the servers accept in one message.
    #[error("value too large: expected at most {max} bytes, found {found}")]
    TooLarge {
        /// The size of the value.
        found: usize,
        /// The most bytes of a message.
        max: usize,
    },
    /// The bucket failed. If it became unavailable during the write, the entry may have been
    /// written.
    #[error(transparent)]
    Store(#[from] BucketError),
}

impl KvBucket {
    /// Opens the bucket with the name `bucket` on the servers. With [`Missing::Fail`] it is created
    /// by [`make_marked`](Self::make_marked) alone.
    ///
    /// # Errors
    /// [`BucketError::InvalidServerName`] if the name is not 1 to [`BUCKET_NAME_BYTES_MAX`]
    /// letters, digits, `_` and `-`.
    pub fn open(
        store: &JetStreamConnection,
        bucket: &str,
        options: &BucketOptions,
        missing: Missing,
    ) -> Result<Self, BucketError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !(1..=BUCKET_NAME_BYTES_MAX).contains(&bucket.len()) || !bucket.bytes().all(is_allowed) {
            let name = bucket.to_owned();
            return Err(BucketError::InvalidServerName { name });
        }
        let bucket = bucket.to_owned();
        Ok(Self::new(store, bucket, options, missing))
    }

    /// A bucket of the lattice itself.
    pub(crate) fn for_lattice(
        store: &JetStreamConnection,
        name: &str,
        options: &BucketOptions,
    ) -> Self {
        let bucket = server_name(store.scope(), name);
        Self::new(store, bucket, options, Missing::Create)
    }

    fn new(
        store: &JetStreamConnection,
        bucket: String,
        options: &BucketOptions,
        missing: Missing,
    ) -> Self {
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
        let stream = BackingStream::new(store, bucket, config, options);
        Self {
            stream: Arc::new(stream),
            prefix,
            missing,
            found_in: Arc::default(),
        }
    }

    pub(crate) fn stream(&self) -> &Arc<BackingStream> {
        &self.stream
    }

    /// The prefix of the subjects of all keys.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Creates the bucket if it does not exist.
    ///
    /// Dropping the future leaves open whether the bucket was created.
    ///
    /// # Errors
    /// A [`BucketError`].
    pub async fn ensure(&self) -> Result<(), BucketError> {
        self.stream.ensure().await
    }

    /// Waits a moment for the connection to the servers, and returns its start.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// [`BucketError::Unavailable`] while the connection is down.
    pub async fn session(&self) -> Result<Instant, BucketError> {
        self.stream.check_connected().await?;
        match *self.stream.connection().status().borrow() {
            Status::Connected { since } => Ok(since.into_std()),
            Status::Disconnected { .. } => Err(self.stream.unavailable()),
        }
    }

    /// Reads the newest entry of a key; `None` for a key that never had one.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`BucketError`].
    pub async fn newest(&self, key: &EntryKey) -> Result<Option<Entry>, BucketError> {
        let message = self.last_message(&self.subject(key)).await?;
        Ok(message.map(|message| Entry {
            revision: Revision(message.sequence),
            operation: operation(Some(&message.headers)),
            value: message.payload,
        }))
    }

    /// Sets the value of a key, if its newest entry has the revision `expected`, or unconditionally
    /// for `None`. The entry is then stored on a majority of the replicas.
    ///
    /// Dropping the future leaves open whether the entry was written.
    ///
    /// # Errors
    /// A [`WriteError`].
    pub async fn put(
        &self,
        key: &EntryKey,
        value: Bytes,
        expected: Option<Revision>,
    ) -> Result<Revision, WriteError> {
        let found = value.len();
        let message = || PublishMessage::build().payload(value.clone());
        self.write(key, message, expected, found).await
    }

    /// Deletes the value of a key unconditionally, by an entry that marks the deletion.
    ///
    /// Dropping the future leaves open whether the entry was written.
    ///
    /// # Errors
    /// A [`WriteError`], but never a conflict.
    pub async fn delete(&self, key: &EntryKey) -> Result<Revision, WriteError> {
        let message = || PublishMessage::build().header(OPERATION_HEADER, DELETE_OPERATION);
        self.write(key, message, None, 0).await
    }

    /// Scans the keys that consist of these names and one more. Every entry written before the call
    /// is part of the scan.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`BucketError`].
    pub async fn scan_keys(&self, names: &EntryKey) -> Result<KeyScan, BucketError> {
        let prefix = format!("{}.", self.subject(names));
        let filter = format!("{prefix}*");
        let until = self.last_message(&filter).await?.map(|last| last.sequence);
        KeyScan::open(&self.stream, prefix, filter, until.map(Revision)).await
    }

    /// Finds out why a request had no reply. Creates a missing bucket, if the handle does.
    async fn resolve_missing(&self) -> Result<(), BucketError> {
        match self.missing {
            Missing::Create => self.stream.ensure().await,
            Missing::Fail => match self.stream.origin().await? {
                Some(_) => Ok(()),
                None => Err(self.stream.missing()),
            },
        }
    }

    fn subject(&self, key: &EntryKey) -> String {
        format!("{}{}", self.prefix, key.as_str())
    }

    /// Reads the last message whose subject equals or matches this one, from the leader of the
    /// stream.
    async fn last_message(&self, subject: &str) -> Result<Option<StreamMessage>, BucketError> {
        for _ in 0..ATTEMPTS_MAX {
            self.stream.check_connected().await?;
            match self.request_last_message(subject).await {
                Ok(found) => return Ok(found),
                Err(LastMessageError::Store(error)) => return Err(error),
                Err(LastMessageError::NoReply) => self.resolve_missing().await?,
            }
        }
        Err(self.stream.unavailable())
    }

    async fn request_last_message(
        &self,
        subject: &str,
    ) -> Result<Option<StreamMessage>, LastMessageError> {
        let name = self.stream.stream_name();
        let stream = self.stream.context().get_stream_no_info(name).await;
        let stream =
            stream.map_err(|error| LastMessageError::Store(self.stream.rejected(error)))?;
        let reply = stream.get_last_raw_message_by_subject(subject);
        let Ok(reply) = timeout(STORE_WAIT_MAX, reply).await else {
            return Err(LastMessageError::Store(self.stream.unavailable()));
        };
        let error = match reply {
            Ok(message) => return Ok(Some(message)),
            Err(error) => error,
        };
        match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => Ok(None),
            LastRawMessageErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Err(LastMessageError::NoReply)
            }
            LastRawMessageErrorKind::JetStream(error) => {
                Err(LastMessageError::Store(self.stream.classify(error)))
            }
            LastRawMessageErrorKind::InvalidSubject | LastRawMessageErrorKind::Other => {
                Err(LastMessageError::NoReply)
            }
        }
    }

    async fn write(
        &self,
        key: &EntryKey,
        message: impl Fn() -> PublishMessage,
        expected: Option<Revision>,
        found: usize,
    ) -> Result<Revision, WriteError> {
        for _ in 0..ATTEMPTS_MAX {
            self.stream.check_connected().await?;
            self.find_over_leaf_node().await?;
            let message = match expected {
                Some(revision) => message().expected_last_subject_sequence(revision.0),
                None => message(),
            };
            match self.publish(key, message).await {
                Ok(revision) => return Ok(revision),
                Err(PublishFailure::NoStream) => self.resolve_missing().await?,
                Err(PublishFailure::Conflict) => return Err(WriteError::Conflict),
                Err(PublishFailure::TooLarge) => {
                    let max = self.stream.connection().max_payload();
                    return Err(WriteError::TooLarge { found, max });
                }
                Err(PublishFailure::Store(error)) => {
                    *self.found_in() = None;
                    return Err(WriteError::Store(error));
                }
            }
        }
        Err(WriteError::Store(self.stream.unavailable()))
    }

    /// Finds or creates the bucket before the first write of a connection to a leaf node.
    ///
    /// There, a write to a missing bucket has no reply at all, not even that nothing listens: the
    /// leaf node passes every subject of the domain on, and its hub, where the subject becomes that
    /// of the bucket, sends no such report back. Nothing was written before, so no write is applied
    /// twice.
    async fn find_over_leaf_node(&self) -> Result<(), BucketError> {
        if self.stream.store().domain().is_none() {
            return Ok(());
        }
        let session = self.session().await?;
        if *self.found_in() != Some(session) {
            self.resolve_missing().await?;
            *self.found_in() = Some(session);
        }
        Ok(())
    }

    fn found_in(&self) -> MutexGuard<'_, Option<Instant>> {
        self.found_in.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn publish(
        &self,
        key: &EntryKey,
        message: PublishMessage,
    ) -> Result<Revision, PublishFailure> {
        let subject = self.stream.publish_subject(self.subject(key));
        let published = self.stream.context().send_publish(subject, message);
        // The connection may not accept the message, and the acknowledgement has a limit of its
        // own.
        let confirmed = async { published.await?.await };
        let confirmed = timeout(2 * STORE_WAIT_MAX, confirmed).await;
        let error = match confirmed {
            Ok(Ok(confirmed)) => return Ok(Revision(confirmed.sequence)),
            Ok(Err(error)) => error,
            Err(_) => return Err(PublishFailure::Store(self.stream.unavailable())),
        };
        Err(match error.kind() {
            PublishErrorKind::WrongLastSequence => PublishFailure::Conflict,
            // No server takes the subject: the bucket is missing, or its servers are unavailable.
            PublishErrorKind::StreamNotFound => PublishFailure::NoStream,
            PublishErrorKind::MaxPayloadExceeded => PublishFailure::TooLarge,
            PublishErrorKind::TimedOut
            | PublishErrorKind::BrokenPipe
            | PublishErrorKind::MaxAckPending => PublishFailure::Store(self.stream.unavailable()),
            PublishErrorKind::WrongLastMessageId | PublishErrorKind::Other => {
                match jetstream_error(&error) {
                    Some(code) if code.error_code() == WRONG_LAST_SEQUENCE_2_12 => {
                        PublishFailure::Conflict
                    }
                    Some(code) => PublishFailure::Store(self.stream.classify(code.clone())),
                    None => PublishFailure::Store(self.stream.rejected(error)),
                }
            }
        })
    }
}

impl fmt::Debug for KvBucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KvBucket({})", self.stream.bucket())
    }
}

/// The code of a conflict that servers of 2.12 send beside the older one.
const WRONG_LAST_SEQUENCE_2_12: ErrorCode = ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT;

enum PublishFailure {
    Conflict,
    NoStream,
    TooLarge,
    Store(BucketError),
}

enum LastMessageError {
    /// The stream is missing, or no reply came.
    NoReply,
    Store(BucketError),
}

/// A message without the header is a value.
fn operation(headers: Option<&HeaderMap>) -> Operation {
    let value = headers.and_then(|headers| headers.get(OPERATION_HEADER));
    match value.map(|value| value.as_str()) {
        None | Some("PUT") => Operation::Put,
        Some(_) => Operation::Delete,
    }
}

fn jetstream_error<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a jetstream::Error> {
    error.source()?.downcast_ref()
}
