//! What the buckets of a lattice have in common: their names, how they are kept, and how JetStream is
//! asked for them.

use std::error::Error;
use std::time::Duration;

use async_nats::jetstream::context::{Context, ContextBuilder, RequestError, RequestErrorKind};
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{self, StorageType};
use async_nats::jetstream::{self, ErrorCode};

use tokio::time::timeout;

use weft_bus::nats::{Connection, StoreConnection};
use weft_bus::{Scope, Status};

/// How long one question to JetStream may take: longer than the election of a leader, which takes some
/// four seconds at worst, would only help those who wait without a deadline of their own.
pub(crate) const STORE_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long a question waits for its connection: some round trips, also between continents.
const CONNECT_WAIT_MAX: Duration = Duration::from_millis(500);

/// The longest name of a bucket; with the lattice's it has to be the name of a file.
const NAME_LENGTH_MAX: usize = 32;

/// How a bucket is made, if it is not there. One that is there is used as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketOptions {
    /// On how many servers of a cluster it is kept: 1, 3 or 5.
    pub replicas: usize,
    /// Where each keeps it.
    pub storage: Storage,
}

/// Where a server keeps a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// In files. Servers of 2.10 and later write each change to disk before they confirm it only with
    /// `sync_interval: always` in their configuration.
    #[default]
    File,
    /// In memory: lost when all servers that have it stop.
    Memory,
}

impl Default for BucketOptions {
    /// One replica in files: what every server can do.
    fn default() -> Self {
        Self {
            replicas: 1,
            storage: Storage::File,
        }
    }
}

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, or has no leader at the moment. Hosts go on with their copies.
    #[error("the store of bucket `{bucket}` is away")]
    Unavailable {
        /// Which bucket.
        bucket: String,
    },
    /// No server that can be reached has JetStream.
    #[error(
        "no NATS server within reach offers JetStream, which bucket `{bucket}` needs; start one with \
         `nats-server -js`, or with a `jetstream {{}}` block in its configuration"
    )]
    NoJetStream {
        /// Which bucket.
        bucket: String,
    },
    /// The store refuses.
    #[error("the store refuses bucket `{bucket}`")]
    Rejected {
        /// Which bucket.
        bucket: String,
        /// What it said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The name is none.
    #[error(
        "expected the name of a bucket, of 1 to {NAME_LENGTH_MAX} lower-case letters and digits, \
         found `{name}`"
    )]
    InvalidName {
        /// What was given.
        name: String,
    },
    /// The name that servers are to know a bucket by is none.
    #[error(
        "expected the name of a bucket, of 1 to {} letters, digits, `_` and `-`, found `{name}`",
        crate::kv::BUCKET_NAME_BYTES_MAX
    )]
    InvalidServerName {
        /// What was given.
        name: String,
    },
}

pub(crate) fn check_name(name: &str) -> Result<(), StoreError> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if (1..=NAME_LENGTH_MAX).contains(&name.len()) && name.bytes().all(is_allowed) {
        return Ok(());
    }
    let name = name.to_owned();
    Err(StoreError::InvalidName { name })
}

/// The name of a lattice's bucket on a server. The bucket's own has no `-`, so the first one ends it, and
/// no two lattices share a bucket.
pub(crate) fn server_name(scope: &Scope, name: &str) -> String {
    format!("weft-{name}-{}", server_name_part(scope.lattice()))
}

/// Any text as a part of the name of a bucket on a server: letters, digits and `-` stay, every other byte is
/// `_` and two hexadecimal digits. So `__` ends a part, and no two texts are the same part.
#[must_use]
pub fn server_name_part(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            part.push(char::from(byte));
        } else {
            part.push('_');
            part.push_str(&hex::encode([byte]));
        }
    }
    part
}

/// One stream of JetStream, which may not be there.
#[derive(Clone, Debug)]
pub(crate) struct BackingStream {
    store: StoreConnection,
    context: Context,
    config: stream::Config,
    bucket: String,
}

impl BackingStream {
    /// `config` has no replicas and no storage yet.
    pub(crate) fn new(
        store: &StoreConnection,
        bucket: String,
        config: stream::Config,
        options: &BucketOptions,
    ) -> Self {
        let context = ContextBuilder::new()
            .timeout(STORE_WAIT_MAX)
            .build(store.connection().client().clone());
        let config = stream::Config {
            num_replicas: options.replicas,
            storage: match options.storage {
                Storage::File => StorageType::File,
                Storage::Memory => StorageType::Memory,
            },
            ..config
        };
        Self {
            store: store.clone(),
            context,
            config,
            bucket,
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn connection(&self) -> &Connection {
        self.store.connection()
    }

    pub(crate) fn store(&self) -> &StoreConnection {
        &self.store
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) fn stream_name(&self) -> &str {
        &self.config.name
    }

    /// Sees to it that the stream is there.
    pub(crate) async fn ensure(&self) -> Result<(), StoreError> {
        self.check_connected().await?;
        let name = &self.config.name;
        match self.request(format!("STREAM.INFO.{name}"), &()).await? {
            Ok(()) => return Ok(()),
            Err(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
            Err(error) => return Err(self.classify(error)),
        }
        match self
            .request(format!("STREAM.CREATE.{name}"), &self.config)
            .await?
        {
            Ok(()) => {
                tracing::info!(bucket = %self.bucket, "made a bucket that was not there");
                Ok(())
            }
            // Another host was faster.
            Err(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST => Ok(()),
            Err(error) => Err(self.classify(error)),
        }
    }

    /// Fails while the connection is down: a question would wait in its queue and be asked late. One that
    /// is being made is waited for, because those of one bus come up one after the other.
    pub(crate) async fn check_connected(&self) -> Result<(), StoreError> {
        let mut status = self.connection().status();
        let connected = status.wait_for(Status::is_connected);
        match timeout(CONNECT_WAIT_MAX, connected).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(self.unavailable()),
        }
    }

    pub(crate) fn unavailable(&self) -> StoreError {
        let bucket = self.bucket.clone();
        StoreError::Unavailable { bucket }
    }

    pub(crate) fn rejected(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::Rejected {
            bucket: self.bucket.clone(),
            source: source.into(),
        }
    }

    /// What an error of JetStream itself means.
    pub(crate) fn classify(&self, error: jetstream::Error) -> StoreError {
        match error.error_code() {
            ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
                let bucket = self.bucket.clone();
                StoreError::NoJetStream { bucket }
            }
            // No leader, too few servers of a cluster up, or the stream was lost in this moment.
            ErrorCode::CLUSTER_NOT_AVAILABLE
            | ErrorCode::CLUSTER_NO_PEERS
            | ErrorCode::STREAM_NOT_FOUND => self.unavailable(),
            _ => self.rejected(error),
        }
    }

    async fn request<T: serde::Serialize + ?Sized>(
        &self,
        subject: String,
        payload: &T,
    ) -> Result<Result<(), jetstream::Error>, StoreError> {
        // What is in the answer does not matter, and differs from server to server.
        let response: Result<Response<serde::de::IgnoredAny>, RequestError> =
            self.context.request(subject, payload).await;
        match response {
            Ok(Response::Ok(_)) => Ok(Ok(())),
            Ok(Response::Err { error }) => Ok(Err(error)),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders => {
                    let bucket = self.bucket.clone();
                    StoreError::NoJetStream { bucket }
                }
                RequestErrorKind::TimedOut => self.unavailable(),
                RequestErrorKind::InvalidSubject | RequestErrorKind::Other => self.rejected(error),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lattices_share_a_bucket() {
        let names = ["a", "a-b", "a_b", "a.b", "a_2eb", "A", "a b", "a/b"];
        let buckets = ["desired", "desireda"];
        let mut all: Vec<String> = names
            .iter()
            .flat_map(|lattice| {
                let scope = Scope::new(lattice).unwrap();
                buckets.map(|bucket| server_name(&scope, bucket))
            })
            .collect();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        assert!(all.iter().all(|name| name.bytes().all(plain)));
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn names_of_buckets_are_plain() {
        for name in ["", "a-b", "A", "a.b", "a b", "..", &"a".repeat(33)] {
            assert!(matches!(
                check_name(name),
                Err(StoreError::InvalidName { .. })
            ));
        }
        assert!(check_name("desired2").is_ok());
    }
}
