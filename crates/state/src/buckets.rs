//! The JetStream streams behind all buckets of a lattice: their names, their options, and their
//! creation.

use std::error::Error;
use std::time::Duration;

use async_nats::jetstream::context::{Context, ContextBuilder, RequestError, RequestErrorKind};
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{self, StorageType};
use async_nats::jetstream::{self, ErrorCode};

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use weft_bus::nats::{Connection, JetStreamConnection};
use weft_bus::{Outage, Scope, Status};

/// The longest wait for a request to JetStream: longer than the election of a leader, which takes
/// some four seconds at worst. Callers that wait longer have a deadline of their own.
pub(crate) const STORE_WAIT_MAX: Duration = Duration::from_secs(5);

/// The longest wait for the connection of a request: several round trips, also between continents.
const CONNECT_WAIT_MAX: Duration = Duration::from_millis(500);

/// The longest name of a bucket; together with the lattice's name it has to fit into a file name.
const NAME_LENGTH_MAX: usize = 32;

/// The options of a bucket that has to be created. An existing bucket keeps its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketOptions {
    /// The number of servers of a cluster that store the bucket: 1, 3 or 5.
    pub replicas: usize,
    /// The storage on each of them.
    pub storage: Storage,
}

/// The storage of a bucket on a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// In files. Servers since 2.10 write each change to disk before they confirm it only with
    /// `sync_interval: always` in their configuration.
    #[default]
    File,
    /// In memory: lost when all servers with the bucket stop.
    Memory,
}

impl Default for BucketOptions {
    /// One replica in files: every server supports that.
    fn default() -> Self {
        Self {
            replicas: 1,
            storage: Storage::File,
        }
    }
}

/// The reasons why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The bucket is not reachable, or has no leader at the moment. Hosts continue with their
    /// replicas.
    #[error(
        "bucket `{bucket}` is unavailable: its servers are not reachable or have no leader; try again"
    )]
    Unavailable {
        /// The name of the bucket on the servers.
        bucket: String,
        /// The reason why the connection is down, if it is.
        #[source]
        source: Option<Outage>,
    },
    /// The bucket does not exist, and this handle does not create it.
    #[error("bucket `{bucket}` does not exist")]
    Missing {
        /// The name of the bucket on the servers.
        bucket: String,
    },
    /// No reachable server has JetStream enabled.
    #[error(
        "no NATS server within reach offers JetStream, which bucket `{bucket}` needs; start one with \
         `nats-server -js`, or with a `jetstream {{}}` block in its configuration; on a leaf node, \
         name the domain of its hub with `--nats-domain`"
    )]
    NoJetStream {
        /// The name of the bucket on the servers.
        bucket: String,
    },
    /// JetStream rejected the request.
    #[error("JetStream rejected the request for bucket `{bucket}`")]
    Rejected {
        /// The name of the bucket on the servers.
        bucket: String,
        /// The error of JetStream.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The name is not valid.
    #[error(
        "invalid bucket name: expected 1 to {NAME_LENGTH_MAX} lower-case letters and digits, found \
         `{name}`"
    )]
    InvalidName {
        /// The given name.
        name: String,
    },
    /// The name on the servers is not valid.
    #[error(
        "invalid bucket name: expected 1 to {} letters, digits, `_` and `-`, found `{name}`",
        crate::kv::BUCKET_NAME_BYTES_MAX
    )]
    InvalidServerName {
        /// The given name.
        name: String,
    },
}

pub(crate) fn check_name(name: &str) -> Result<(), BucketError> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if (1..=NAME_LENGTH_MAX).contains(&name.len()) && name.bytes().all(is_allowed) {
        return Ok(());
    }
    let name = name.to_owned();
    Err(BucketError::InvalidName { name })
}

/// The name of a lattice's bucket on a server. The bucket's own name has no `-`, so the first `-`
/// after it ends it, and two lattices never share a bucket.
pub(crate) fn server_name(scope: &Scope, name: &str) -> String {
    format!("weft-{name}-{}", server_name_part(scope.lattice()))
}

/// Encodes any text as a part of the name of a bucket on a server: letters, digits and `-` stay,
/// every other byte becomes `_` and two hexadecimal digits. So `__` can separate parts, and
/// different texts have different encodings.
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

/// A stream of JetStream that is created on first use.
#[derive(Clone, Debug)]
pub(crate) struct BackingStream {
    store: JetStreamConnection,
    context: Context,
    config: stream::Config,
    bucket: String,
}

#[derive(Deserialize)]
struct StreamInfo {
    state: StreamState,
}

/// The parts of a stream's description that distinguish it from another one.
#[derive(Debug, Deserialize)]
pub(crate) struct StreamOrigin {
    /// The time at which the stream was created, as text.
    pub(crate) created: String,
    pub(crate) config: StreamRetention,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StreamRetention {
    /// The age, in nanoseconds, at which messages are deleted; 0 for never.
    #[serde(default)]
    pub(crate) max_age: u64,
}

/// The size of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct StreamState {
    /// Number of messages.
    pub(crate) messages: u64,
    /// The number of the last message, also of one that is lost.
    pub(crate) last_seq: u64,
}

impl BackingStream {
    /// `config` without replicas and storage, which `options` set.
    pub(crate) fn new(
        store: &JetStreamConnection,
        bucket: String,
        config: stream::Config,
        options: &BucketOptions,
    ) -> Self {
        let client = store.connection().client().clone();
        let builder = ContextBuilder::new().timeout(STORE_WAIT_MAX);
        let context = match store.domain() {
            Some(domain) => builder.domain(domain).build(client),
            None => builder.build(client),
        };
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

    pub(crate) fn store(&self) -> &JetStreamConnection {
        &self.store
    }

    /// The subject on which to publish to a subject of the stream. Leaf nodes with a domain of
    /// their own do not pass `$KV.…` on, so the domain of the stream is part of it.
    pub(crate) fn publish_subject(&self, subject: String) -> String {
        match self.store.domain() {
            Some(domain) => format!("$JS.{domain}.API.{subject}"),
            None => subject,
        }
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) fn stream_name(&self) -> &str {
        &self.config.name
    }

    /// Requests when the stream was created, and for how long it stores messages; `None` if it does
    /// not exist.
    pub(crate) async fn origin(&self) -> Result<Option<StreamOrigin>, BucketError> {
        self.check_connected().await?;
        let subject = format!("STREAM.INFO.{}", self.config.name);
        match self.request::<_, StreamOrigin>(subject, &()).await? {
            Ok(origin) => Ok(Some(origin)),
            Err(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            Err(error) => Err(self.classify(error)),
        }
    }

    /// Creates the stream if it does not exist.
    pub(crate) async fn ensure(&self) -> Result<(), BucketError> {
        if self.origin().await?.is_some() {
            return Ok(());
        }
        let name = &self.config.name;
        match self
            .request::<_, IgnoredAny>(format!("STREAM.CREATE.{name}"), &self.config)
            .await?
        {
            Ok(_) => {
                tracing::info!(bucket = %self.bucket, "created a missing bucket");
                Ok(())
            }
            // Another host has created the stream in the meantime.
            Err(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST => Ok(()),
            Err(error) => Err(self.classify(error)),
        }
    }

    /// Requests the number of messages of the stream, and the number of the last one.
    pub(crate) async fn state(&self) -> Result<StreamState, BucketError> {
        self.check_connected().await?;
        let subject = format!("STREAM.INFO.{}", self.config.name);
        let info = self.request::<_, StreamInfo>(subject, &()).await?;
        let info = info.map_err(|error| self.classify(error))?;
        Ok(info.state)
    }

    /// Fails while the connection is down, because a request would wait in its queue and be sent
    /// late. A connection that is being opened is waited for: the connections of one bus come up
    /// one after the other.
    pub(crate) async fn check_connected(&self) -> Result<(), BucketError> {
        let mut status = self.connection().status();
        let connected = status.wait_for(Status::is_connected);
        match timeout(CONNECT_WAIT_MAX, connected).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(self.unavailable()),
        }
    }

    pub(crate) fn missing(&self) -> BucketError {
        let bucket = self.bucket.clone();
        BucketError::Missing { bucket }
    }

    pub(crate) fn unavailable(&self) -> BucketError {
        BucketError::Unavailable {
            bucket: self.bucket.clone(),
            source: self.connection().status().borrow().outage().cloned(),
        }
    }

    pub(crate) fn rejected(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> BucketError {
        BucketError::Rejected {
            bucket: self.bucket.clone(),
            source: source.into(),
        }
    }

    /// Maps an error code of JetStream to a [`BucketError`].
    pub(crate) fn classify(&self, error: jetstream::Error) -> BucketError {
        match error.error_code() {
            ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
                let bucket = self.bucket.clone();
                BucketError::NoJetStream { bucket }
            }
            // No leader, too few running servers in the cluster, or a stream that was lost at this
            // moment.
            ErrorCode::CLUSTER_NOT_AVAILABLE
            | ErrorCode::CLUSTER_NO_PEERS
            | ErrorCode::STREAM_NOT_FOUND => self.unavailable(),
            _ => self.rejected(error),
        }
    }

    /// `R` has only what is used of the response, which differs between server versions.
    async fn request<T: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        subject: String,
        payload: &T,
    ) -> Result<Result<R, jetstream::Error>, BucketError> {
        let response: Result<Response<R>, RequestError> =
            self.context.request(subject, payload).await;
        match response {
            Ok(Response::Ok(content)) => Ok(Ok(content)),
            Ok(Response::Err { error }) => Ok(Err(error)),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders => {
                    let bucket = self.bucket.clone();
                    BucketError::NoJetStream { bucket }
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
                Err(BucketError::InvalidName { .. })
            ));
        }
        assert!(check_name("desired2").is_ok());
    }
}
