//! Objects in an object store of JetStream, each named by its digest.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::object_store::{
    GetErrorKind, InfoErrorKind, Object, ObjectInfo, ObjectMetadata, ObjectStore,
};
use async_nats::jetstream::stream::{
    Config, DeleteMessageErrorKind, DiscardPolicy, InfoError, LastRawMessageErrorKind, Stream,
};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use weft_lattice_config::Digest;

use super::{ObjectError, StoredObject, Version, digest_of};
use crate::artifacts::ARTIFACT_BYTES_MAX;
use crate::buckets::{BackingStream, BucketError, BucketOptions, STORE_WAIT_MAX, server_name};
use crate::collection::Entry;
use weft_bus::nats::JetStreamConnection;

/// The longest pause between two bytes of a read: longer than the election of a leader.
const READ_IDLE_MAX: Duration = Duration::from_secs(10);

/// The longest time of a whole write: the largest object at 1 MiB per second, a slow line between
/// clouds.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(64);

/// The bytes of an object per message, up to the server's limit: the default of other clients.
const CHUNK_BYTES: usize = 128 << 10;

/// The buffer allocated before the first byte arrives; the size in the object's metadata is not
/// trusted.
const READ_BUFFER_BYTES: usize = 128 << 10;

/// The longest time to list the subjects of the stream: a request for each 100,000 of them.
const LIST_WAIT_MAX: Duration = Duration::from_secs(10);

/// The stream of the messages of all objects.
type Messages = Stream<()>;

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    stream: Arc<BackingStream>,
}

impl Bucket {
    pub(super) fn new(store: &JetStreamConnection, name: &str, options: &BucketOptions) -> Self {
        let bucket = server_name(store.scope(), name);
        let config = Config {
            name: format!("OBJ_{bucket}"),
            subjects: vec![format!("$O.{bucket}.C.>"), format!("$O.{bucket}.M.>")],
            discard: DiscardPolicy::New,
            allow_rollup: true,
            allow_direct: true,
            ..Config::default()
        };
        let stream = BackingStream::new(store, bucket, config, options);
        Self {
            stream: Arc::new(stream),
        }
    }

    pub(super) async fn write(&self, digest: &Digest, bytes: &[u8]) -> Result<(), BucketError> {
        let store = self.store().await?;
        let mut reader = bytes;
        let max_payload = self.stream.connection().max_payload();
        let object = ObjectMetadata {
            name: digest.hex().to_owned(),
            chunk_size: Some(CHUNK_BYTES.min(max_payload)),
            ..ObjectMetadata::default()
        };
        let written = store.put(object, &mut reader);
        match timeout(WRITE_WAIT_MAX, written).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => match self.stream.check_connected().await {
                Ok(()) => Err(self.stream.rejected(error)),
                Err(unavailable) => Err(unavailable),
            },
            Err(_) => Err(self.stream.unavailable()),
        }
    }

    pub(super) async fn read(&self, digest: &Digest) -> Result<Bytes, ObjectError> {
        let store = self.store().await.map_err(ObjectError::Store)?;
        let found = timeout(STORE_WAIT_MAX, store.get(digest.hex())).await;
        let object = match found {
            Ok(Ok(object)) => object,
            Ok(Err(error)) => {
                return Err(match error.kind() {
                    GetErrorKind::NotFound => ObjectError::Missing {
                        digest: digest.clone(),
                    },
                    GetErrorKind::TimedOut => ObjectError::Store(self.stream.unavailable()),
                    _ => ObjectError::Store(self.stream.rejected(error)),
                });
            }
            Err(_) => return Err(ObjectError::Store(self.stream.unavailable())),
        };
        self.read_all(object).await
    }

    /// The time since the last write of an object.
    pub(super) async fn age(&self, digest: &Digest) -> Result<Option<Duration>, BucketError> {
        let store = self.store().await?;
        match timeout(STORE_WAIT_MAX, store.info(digest.hex())).await {
            Ok(Ok(info)) if info.deleted => Ok(None),
            // Other clients may leave the time out.
            Ok(Ok(info)) => Ok(Some(info.modified.map_or(Duration::MAX, age))),
            Ok(Err(error)) => match error.kind() {
                InfoErrorKind::NotFound => Ok(None),
                InfoErrorKind::TimedOut => Err(self.stream.unavailable()),
                InfoErrorKind::InvalidName | InfoErrorKind::Other => {
                    Err(self.stream.rejected(error))
                }
            },
            Err(_) => Err(self.stream.unavailable()),
        }
    }

    pub(super) async fn list(&self) -> Result<Vec<StoredObject>, BucketError> {
        let stream = self.messages().await?;
        let mut objects = Vec::new();
        for subject in self.subjects(&stream, "M").await? {
            objects.extend(self.listed(&stream, &subject).await?);
        }
        Ok(objects)
    }

    /// Deletes the message with the metadata of an object, and then its bytes. A message with the
    /// number is written once, and another write of the object has other subjects for its bytes.
    pub(super) async fn delete(
        &self,
        sequence: u64,
        chunks: Option<&str>,
    ) -> Result<bool, BucketError> {
        let stream = self.messages().await?;
        let deleted = stream.delete_message(sequence).await;
        let is_deleted = match deleted {
            Ok(is_deleted) => is_deleted,
            Err(error) => match error.kind() {
                DeleteMessageErrorKind::TimedOut => return Err(self.stream.unavailable()),
                // Another host has deleted or replaced it.
                DeleteMessageErrorKind::JetStream(code) if is_missing(code.error_code()) => false,
                _ => return Err(self.stream.rejected(error)),
            },
        };
        if is_deleted && let Some(chunks) = chunks {
            self.purge(&stream, chunks).await?;
        }
        Ok(is_deleted)
    }

    /// Deletes the bytes without an object that interrupted writes and deletions left at least
    /// `age_min` ago. Returns their number.
    pub(super) async fn sweep(&self, age_min: Duration) -> Result<usize, BucketError> {
        let stream = self.messages().await?;
        // First, because the metadata of an object is written after its bytes.
        let chunks = self.subjects(&stream, "C").await?;
        let mut known = BTreeSet::new();
        for subject in self.subjects(&stream, "M").await? {
            let message = self.last_message(&stream, &subject).await?;
            let info = message.and_then(|message| decode(&message));
            known.extend(info.map(|info| info.nuid));
        }
        let mut swept = 0;
        for subject in chunks {
            let Some((_, name)) = subject.rsplit_once('.') else {
                continue;
            };
            if known.contains(name) {
                continue;
            }
            let message = self.last_message(&stream, &subject).await?;
            if message.is_some_and(|message| age(message.time) >= age_min) {
                self.purge(&stream, name).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// The object of a subject; `None` for a foreign one.
    async fn listed(
        &self,
        stream: &Messages,
        subject: &str,
    ) -> Result<Option<StoredObject>, BucketError> {
        let message = self.last_message(stream, subject).await?;
        let listed = message.and_then(|message| {
            let info = decode(&message)?;
            let entry = Entry {
                digest: digest_of(&info.name)?,
                bytes: info.size as u64,
                age: age(message.time),
            };
            let version = Version::JetStream {
                sequence: message.sequence,
                chunks: (!info.deleted).then_some(info.nuid),
            };
            Some(StoredObject { entry, version })
        });
        Ok(listed)
    }

    /// The last message of a subject; `None` if it was deleted meanwhile.
    async fn last_message(
        &self,
        stream: &Messages,
        subject: &str,
    ) -> Result<Option<StreamMessage>, BucketError> {
        match stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some(message)),
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                _ => Err(self.failed(error).await),
            },
        }
    }

    /// The subjects of the stream with messages of one kind: `M` for metadata, `C` for bytes.
    async fn subjects(&self, stream: &Messages, kind: &str) -> Result<Vec<String>, BucketError> {
        let filter = format!("$O.{}.{kind}.>", self.stream.bucket());
        let listed = async {
            let subjects = stream.info_with_subjects(filter).await?;
            let names = subjects.map_ok(|(subject, _)| subject);
            names.try_collect().await
        };
        match timeout(LIST_WAIT_MAX, listed).await {
            Ok(Ok(subjects)) => Ok(subjects),
            Ok(Err(error)) => {
                let error: InfoError = error;
                Err(self.failed(error).await)
            }
            Err(_) => Err(self.stream.unavailable()),
        }
    }

    /// Deletes the bytes of one write of an object.
    async fn purge(&self, stream: &Messages, chunks: &str) -> Result<(), BucketError> {
        let subject = format!("$O.{}.C.{chunks}", self.stream.bucket());
        match stream.purge().filter(subject).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// The error of a request that has failed.
    async fn failed(&self, error: impl Error + Send + Sync + 'static) -> BucketError {
        match self.stream.check_connected().await {
            Ok(()) => self.stream.rejected(error),
            Err(unavailable) => unavailable,
        }
    }

    /// Reads to the end or the size limit. Bytes that do not match the store's own digest are
    /// returned as far as they came; the caller's digest check finds the damage.
    async fn read_all(&self, mut object: Object) -> Result<Bytes, ObjectError> {
        let mut bytes = BytesMut::with_capacity(READ_BUFFER_BYTES);
        loop {
            match timeout(READ_IDLE_MAX, object.read_buf(&mut bytes)).await {
                Ok(Ok(0)) => return Ok(bytes.freeze()),
                Ok(Ok(_)) if bytes.len() > ARTIFACT_BYTES_MAX => {
                    let found = bytes.len();
                    return Err(ObjectError::TooLarge { found });
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                    return Ok(bytes.freeze());
                }
                Ok(Err(error)) => {
                    let source = match self.stream.check_connected().await {
                        Ok(()) => self.stream.rejected(error),
                        Err(unavailable) => unavailable,
                    };
                    return Err(ObjectError::Store(source));
                }
                Err(_) => return Err(ObjectError::Store(self.stream.unavailable())),
            }
        }
    }

    async fn messages(&self) -> Result<Messages, BucketError> {
        self.stream.ensure().await?;
        let context = self.stream.context();
        let found = context.get_stream_no_info(self.stream.stream_name()).await;
        found.map_err(|error| self.stream.rejected(error))
    }

    async fn store(&self) -> Result<ObjectStore, BucketError> {
        self.stream.ensure().await?;
        let found = self.stream.context().get_object_store(self.stream.bucket());
        match timeout(STORE_WAIT_MAX, found).await {
            Ok(found) => found.map_err(|error| self.stream.rejected(error)),
            Err(_) => Err(self.stream.unavailable()),
        }
    }
}

/// The time since a time of the server.
fn age(time: impl Into<SystemTime>) -> Duration {
    // An object from the future is new: the clocks differ.
    time.into().elapsed().unwrap_or_default()
}

fn decode(message: &StreamMessage) -> Option<ObjectInfo> {
    serde_json::from_slice(&message.payload).ok()
}

/// True for the errors of a message that is deleted.
fn is_missing(code: ErrorCode) -> bool {
    [
        ErrorCode::NO_MESSAGE_FOUND,
        ErrorCode::SEQUENCE_NOT_FOUND,
        ErrorCode::STREAM_MESSAGE_DELETE_FAILED,
    ]
    .contains(&code)
}
