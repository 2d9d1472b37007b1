//! The configuration of a provider in the manifest, and the name of its bucket.

use std::path::PathBuf;

use serde::Deserialize;
use weft_bus::SubjectError;
use weft_bus::nats::{NatsError, NatsOptions, TlsIdentity, TlsOptions};
use weft_provider::{ConfigProblem, Context};
use weft_state::buckets::{BucketError, BucketOptions, Storage, server_name_part};
use weft_state::kv::BUCKET_NAME_BYTES_MAX;

/// The prefix of Weft's own buckets. Manifests may not use it: the desired state and the data of
/// other apps are in such buckets.
const OWN_BUCKETS: &str = "weft-";

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct NatsConfig {
    pub(crate) servers: Vec<String>,
    creds: Option<PathBuf>,
    nkey_file: Option<PathBuf>,
    tls: Option<TlsConfig>,
    bucket: Option<String>,
    replicas: Replicas,
    storage: StorageConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TlsConfig {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
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
         `weft up --nats URL`, or set `servers: [\"nats://host:4222\"]` in the provider's `config`"
    )]
    NoLattice,
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
    /// Checks that the options are consistent.
    pub(crate) fn check(&self, context: &Context<'_>) -> Result<(), ConfigProblem> {
        let file = |path: &PathBuf| path.display().to_string();
        let needs_servers = [
            ("creds", self.creds.as_ref().map(file)),
            ("nkey-file", self.nkey_file.as_ref().map(file)),
            ("tls", self.tls.as_ref().map(|_| "…".to_owned())),
        ];
        for (key, given) in needs_servers {
            if let (true, Some(given)) = (self.servers.is_empty(), given) {
                let expected =
                    "`servers` as well: the lattice's servers are used with the host's credentials";
                return Err(ConfigProblem::invalid(context, key, &given, &expected));
            }
        }
        if let (Some(creds), Some(_)) = (&self.creds, &self.nkey_file) {
            let expected = "either `creds` or `nkey-file`";
            return Err(ConfigProblem::invalid(
                context,
                "creds",
                &file(creds),
                &expected,
            ));
        }
        if let Some(TlsConfig { cert, key, .. }) = &self.tls
            && cert.is_some() != key.is_some()
        {
            let given = if cert.is_some() { "cert" } else { "key" };
            let expected = "both `cert` and `key`, or neither";
            return Err(ConfigProblem::invalid(context, "tls", &given, &expected));
        }
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

    pub(crate) fn bucket_options(&self) -> BucketOptions {
        BucketOptions {
            replicas: self.replicas.0,
            storage: match self.storage {
                StorageConfig::File => Storage::File,
                StorageConfig::Memory => Storage::Memory,
            },
        }
    }

    /// Returns the options to connect to the configured servers, with this host's name.
    pub(crate) async fn nats_options(&self, host: &str) -> Result<NatsOptions, StartError> {
        Ok(NatsOptions {
            servers: self.servers.clone(),
            creds: self.creds.clone(),
            nkey: match &self.nkey_file {
                Some(path) => Some(read_seed(path).await?),
                None => None,
            },
            tls: self.tls.as_ref().map(|tls| TlsOptions {
                ca: tls.ca.clone(),
                identity: tls
                    .cert
                    .clone()
                    .zip(tls.key.clone())
                    .map(|(cert, key)| TlsIdentity { cert, key }),
            }),
            name: host.to_owned(),
        })
    }
}

async fn read_seed(path: &PathBuf) -> Result<String, NatsError> {
    match tokio::fs::read_to_string(path).await {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) => Err(NatsError::File {
            what: "the seed of an nkey",
            path: path.clone(),
            source,
        }),
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
