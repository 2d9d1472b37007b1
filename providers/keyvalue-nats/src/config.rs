//! The configuration of a provider in the manifest, and the name of its bucket.

use serde::Deserialize;
use weft_bus::SubjectError;
use weft_bus::nats::NatsError;
use weft_provider::{ConfigProblem, Context, Settings, parse};
use weft_state::buckets::{BucketError, BucketOptions, Storage, server_name_part};
use weft_state::kv::BUCKET_NAME_BYTES_MAX;

/// The servers of the lattice, in the [place](NatsConfig::place) of a bucket. No name that an
/// operator defines.
pub(crate) const LATTICE_SERVERS: &str = "lattice";

/// The keys of earlier releases, with which a manifest could have a host read any file and connect
/// to any server.
const REMOVED_KEYS: [&str; 8] = [
    "servers",
    "creds",
    "nkey-file",
    "user",
    "password-file",
    "token-file",
    "tls",
    "domain",
];

/// The prefix of Weft's own buckets. Manifests may not use it: the desired state and the data of
/// other apps are in such buckets.
const OWN_BUCKETS: &str = "weft-";

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct NatsConfig {
    /// The name of servers that an operator has defined; `None` for those of the lattice.
    pub(crate) server: Option<String>,
    bucket: Option<String>,
    replicas: Replicas,
    storage: StorageConfig,
}

/// An odd number: a majority is one more than half.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u64")]
struct Replicas(usize);

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StorageConfig {
    #[default]
    File,
    Memory,
}

/// The reason why a provider of this kind cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The servers are not configured, and the host has not joined a lattice.
    #[error(
        "NATS servers are missing: this host has not joined a lattice; start the host with \
         `weft up --nats URL`, or name servers that it knows (`weft up --nats-servers FILE`) in the \
         provider's `config`, as in `server: NAME`"
    )]
    NoLattice,
    /// The servers are not defined on this host.
    #[error(
        "NATS servers `{name}` are not defined on this host, expected {known}; an operator defines \
         them for each host with `weft up --nats-servers FILE`"
    )]
    UnknownServer {
        /// The name in the manifest.
        name: String,
        /// The names of this host.
        known: String,
    },
    /// The bucket is not configured, and the host has not joined a lattice.
    #[error(
        "the name of the bucket is missing: this host has not joined a lattice, so there is no \
         default; set a name in the provider's `config`, as in `bucket: shop-orders`"
    )]
    NoBucketName,
    /// The default name of the bucket is too long.
    #[error(
        "bucket name `{name}` of lattice, app and provider has {} bytes, at most \
         {BUCKET_NAME_BYTES_MAX} are allowed; set a name in the provider's `config`, as in \
         `bucket: shop-orders`",
        .name.len()
    )]
    LongBucketName {
        /// The default name.
        name: String,
    },
    /// The name of the lattice is invalid.
    #[error("invalid lattice name")]
    Lattice(#[source] SubjectError),
    /// The connection options are invalid.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// The bucket is unusable.
    #[error(transparent)]
    Store(#[from] BucketError),
}

impl NatsConfig {
    /// Reads the configuration of a provider.
    ///
    /// # Errors
    /// The first wrong or inconsistent option.
    pub(crate) fn read(context: &Context<'_>, settings: &Settings) -> Result<Self, ConfigProblem> {
        for key in REMOVED_KEYS {
            if settings.contains_key(key) {
                let expected = "`server: NAME` instead, a name that an operator has defined with \
                                `weft up --nats-servers FILE`";
                return Err(ConfigProblem::invalid(context, key, &"…", &expected));
            }
        }
        let config: Self = parse(context, settings)?;
        config.check(context)?;
        Ok(config)
    }

    fn check(&self, context: &Context<'_>) -> Result<(), ConfigProblem> {
        match &self.bucket {
            Some(name) if !is_bucket_name(name) => {
                let expected = format!(
                    "1 to {BUCKET_NAME_BYTES_MAX} letters, digits, `_` and `-`, that do not begin with \
                     `{OWN_BUCKETS}`"
                );
                Err(ConfigProblem::invalid(
                    context,
                    "bucket",
                    &name.escape_debug(),
                    &expected,
                ))
            }
            _ => Ok(()),
        }
    }

    /// Returns the name of the bucket on the servers: the configured one, or one of lattice, app
    /// and provider.
    pub(crate) fn bucket_name(
        &self,
        lattice: Option<&str>,
        context: &Context<'_>,
    ) -> Result<String, StartError> {
        if let Some(name) = &self.bucket {
            return Ok(name.clone());
        }
        let lattice = lattice.ok_or(StartError::NoBucketName)?;
        let parts = [lattice, context.app, context.provider].map(server_name_part);
        let name = format!("{OWN_BUCKETS}kv__{}", parts.join("__"));
        if name.len() > BUCKET_NAME_BYTES_MAX {
            return Err(StartError::LongBucketName { name });
        }
        Ok(name)
    }

    /// The place of a bucket, as the desired state remembers it.
    pub(crate) fn place(&self, bucket: &str) -> String {
        let servers = self.server.as_deref().unwrap_or(LATTICE_SERVERS);
        format!("{servers}/{bucket}")
    }

    pub(crate) fn bucket_options(&self) -> BucketOptions {
        BucketOptions {
            replicas: self.replicas.0,
            storage: match self.storage {
                StorageConfig::File => Storage::File,
                StorageConfig::Memory => Storage::Memory,
            },
        }
    }
}

fn is_bucket_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=BUCKET_NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with(OWN_BUCKETS)
}

impl Default for Replicas {
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<u64> for Replicas {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        match number {
            1 => Ok(Self(1)),
            3 => Ok(Self(3)),
            5 => Ok(Self(5)),
            _ => Err(format!("expected 1, 3 or 5 replicas, found {number}")),
        }
    }
}
