//! Objects in an object store of JetStream, each named by its digest.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::object_store::{
    GetErrorKind, InfoErrorKind, Object, ObjectMetadata, ObjectStore,
};
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use weft_lattice_config::Digest;

use super::ObjectError;
use crate::artifacts::ARTIFACT_BYTES_MAX;
use crate::buckets::{BackingStream, BucketError, BucketOptions, STORE_WAIT_MAX, server_name};
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

    pub(super) async fn has(&self, digest: &Digest) -> Result<bool, BucketError> {
        let store = self.store().await?;
        match timeout(STORE_WAIT_MAX, store.info(digest.hex())).await {
            Ok(Ok(info)) => Ok(!info.deleted),
            Ok(Err(error)) => match error.kind() {
                InfoErrorKind::NotFound => Ok(false),
                InfoErrorKind::TimedOut => Err(self.stream.unavailable()),
                InfoErrorKind::InvalidName | InfoErrorKind::Other => {
                    Err(self.stream.rejected(error))
                }
            },
            Err(_) => Err(self.stream.unavailable()),
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

    async fn store(&self) -> Result<ObjectStore, BucketError> {
        self.stream.ensure().await?;
        let found = self.stream.context().get_object_store(self.stream.bucket());
        match timeout(STORE_WAIT_MAX, found).await {
            Ok(found) => found.map_err(|error| self.stream.rejected(error)),
            Err(_) => Err(self.stream.unavailable()),
        }
    }
}
