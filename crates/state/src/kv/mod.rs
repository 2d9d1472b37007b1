//! Key-value buckets of JetStream, in the layout of other clients: `nats kv` reads them. Each key is a
//! subject of the bucket's stream, whose last message is its entry; a deletion is an entry that says so.
//!
//! The desired state is kept in one ([`desired`](crate::desired)), and so is what providers store for
//! components. The stream is made here, and not by `async-nats`, whose way of making one asks a server older
//! than 2.11 for what it does not have.
//!
//! What is read is what the stream's leader has. Other replicas answer sooner where they are nearer, but may
//! be behind, and not say what the reader itself wrote a moment ago.

use std::fmt;
use std::sync::Arc;

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{Config, DiscardPolicy, LastRawMessageErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use tokio::time::timeout;

use crate::buckets::{BackingStream, BucketOptions, STORE_WAIT_MAX, StoreError, server_name};
use crate::desired::Revision;
use weft_bus::nats::StoreConnection;

mod key;
mod key_scan;
mod watch;

pub use key::{EntryKey, KEY_BYTES_MAX, KeyError};
pub use key_scan::KeyScan;
pub(crate) use watch::{Change, ChangeStream, ConsumerOptions};

/// The longest name of a bucket on a server: with what clients put before it, it is the name of a folder.
pub const BUCKET_NAME_BYTES_MAX: usize = 200;

/// How often something is asked: again after the bucket was made, and after an answer that did not say
/// whether there is one.
const ATTEMPTS_MAX: usize = 3;

/// The header by which key-value clients say that a message is a deletion.
const OPERATION_HEADER: &str = "KV-Operation";

/// What stands in [`OPERATION_HEADER`] of a deletion.
const DELETE_OPERATION: &str = "DEL";

/// A bucket. A cheap handle; nothing is sent before it is used, and a bucket that is not there is made then.
#[derive(Clone)]
pub struct KvBucket {
    stream: Arc<BackingStream>,
    /// `$KV.<bucket>.`
    prefix: String,
}

/// The newest entry of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its version.
    pub revision: Revision,
    /// What was done to the key.
    pub operation: Operation,
    /// Its value; of a deletion, nothing.
    pub value: Bytes,
}

/// What an entry does to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It gives it a value.
    Put,
    /// It takes it away.
    Delete,
}

/// Why an entry was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The key is not at the revision that was expected.
    #[error("the key is at another revision than the expected one")]
    Conflict,
    /// The value is more than the servers take in one message.
    #[error("expected a value of at most {max} bytes, found {found}")]
    TooLarge {
        /// Its size.
        found: usize,
        /// The most that is taken.
        max: usize,
    },
    /// The store said something else. If it is away, the entry may have been written all the same.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl KvBucket {
    /// The bucket that servers know as `bucket`.
    ///
    /// # Errors
    /// [`StoreError::InvalidServerName`] if it is not 1 to [`BUCKET_NAME_BYTES_MAX`] letters, digits, `_` and `-`.
    pub fn open(
        store: &StoreConnection,
        bucket: &str,
        options: &BucketOptions,
    ) -> Result<Self, StoreError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !(1..=BUCKET_NAME_BYTES_MAX).contains(&bucket.len()) || !bucket.bytes().all(is_allowed) {
            let name = bucket.to_owned();
            return Err(StoreError::InvalidServerName { name });
        }
        Ok(Self::new(store, bucket.to_owned(), options))
    }

    /// A bucket of the lattice's own.
    pub(crate) fn for_lattice(
        store: &StoreConnection,
        name: &str,
        options: &BucketOptions,
    ) -> Self {
        Self::new(store, server_name(store.scope(), name), options)
    }

    fn new(store: &StoreConnection, bucket: String, options: &BucketOptions) -> Self {
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
        }
    }

    pub(crate) fn stream(&self) -> &Arc<BackingStream> {
        &self.stream
    }

    /// What the subjects of all keys begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Sees to it that the bucket is there.
    ///
    /// Dropping the future leaves open whether it was made.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub async fn ensure(&self) -> Result<(), StoreError> {
        self.stream.ensure().await
    }

    /// The newest entry of a key; `None` if it never had one.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub async fn newest(&self, key: &EntryKey) -> Result<Option<Entry>, StoreError> {
        let message = self.last_message(&self.subject(key)).await?;
        Ok(message.map(|message| Entry {
            revision: Revision(message.sequence),
            operation: operation(Some(&message.headers)),
            value: message.payload,
        }))
    }

    /// Gives a key a value, if its newest entry is of revision `expected`, or whatever it is. When this
    /// returns, the entry is stored on as many replicas as make a majority.
    ///
    /// Dropping the future leaves open whether it was written.
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

    /// Takes a key's value away, whatever it is. What is left is an entry that says so.
    ///
    /// Dropping the future leaves open whether it was written.
    ///
    /// # Errors
    /// A [`WriteError`], but no conflict.
    pub async fn delete(&self, key: &EntryKey) -> Result<Revision, WriteError> {
        let message = || PublishMessage::build().header(OPERATION_HEADER, DELETE_OPERATION);
        self.write(key, message, None, 0).await
    }

    /// All keys whose first names are these and that have one name more. As the key of an entry is: what
    /// was written before this was called is in it.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub async fn scan_keys(&self, names: &EntryKey) -> Result<KeyScan, StoreError> {
        let prefix = format!("{}.", self.subject(names));
        let filter = format!("{prefix}*");
        let until = self.last_message(&filter).await?.map(|last| last.sequence);
        KeyScan::open(&self.stream, prefix, filter, until.map(Revision)).await
    }

    fn subject(&self, key: &EntryKey) -> String {
        format!("{}{}", self.prefix, key.as_str())
    }

    /// The last message whose subject is this or matches it, as the stream's leader has it.
    async fn last_message(&self, subject: &str) -> Result<Option<StreamMessage>, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            self.stream.check_connected().await?;
            match self.request_last_message(subject).await {
                Ok(found) => return Ok(found),
                Err(LastMessageError::Store(error)) => return Err(error),
                // Says why there was no answer, or makes the bucket; then the question has one.
                Err(LastMessageError::NoReply) => self.stream.ensure().await?,
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
            let message = match expected {
                Some(revision) => message().expected_last_subject_sequence(revision.0),
                None => message(),
            };
            match self.publish(key, message).await {
                Ok(revision) => return Ok(revision),
                Err(PublishFailure::NoStream) => self.stream.ensure().await?,
                Err(PublishFailure::Conflict) => return Err(WriteError::Conflict),
                Err(PublishFailure::TooLarge) => {
                    let max = self.stream.connection().max_payload();
                    return Err(WriteError::TooLarge { found, max });
                }
                Err(PublishFailure::Store(error)) => return Err(WriteError::Store(error)),
            }
        }
        Err(WriteError::Store(self.stream.unavailable()))
    }

    async fn publish(
        &self,
        key: &EntryKey,
        message: PublishMessage,
    ) -> Result<Revision, PublishFailure> {
        let published = self
            .stream
            .context()
            .send_publish(self.subject(key), message);
        // The connection may take nothing, and the acknowledgement has a bound of its own.
        let confirmed = async { published.await?.await };
        let confirmed = timeout(2 * STORE_WAIT_MAX, confirmed).await;
        let error = match confirmed {
            Ok(Ok(confirmed)) => return Ok(Revision(confirmed.sequence)),
            Ok(Err(error)) => error,
            Err(_) => return Err(PublishFailure::Store(self.stream.unavailable())),
        };
        Err(match error.kind() {
            PublishErrorKind::WrongLastSequence => PublishFailure::Conflict,
            // Nobody takes the subject: there is no bucket, or its servers are away.
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

/// The code that servers of 2.12 have for a conflict beside the older one.
const WRONG_LAST_SEQUENCE_2_12: ErrorCode = ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT;

enum PublishFailure {
    Conflict,
    NoStream,
    TooLarge,
    Store(StoreError),
}

enum LastMessageError {
    /// There is no stream, or nobody said anything: `ensure` finds out.
    NoReply,
    Store(StoreError),
}

/// A message without a word about it is a value.
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
