//! What a manifest says about a provider of this kind, and what the bucket is called by it.

use std::path::PathBuf;

use serde::Deserialize;
use weft_bus::SubjectError;
use weft_bus::nats::{NatsError, NatsOptions, TlsIdentity, TlsOptions};
use weft_provider::{ConfigProblem, Context};
use weft_state::buckets::{BucketOptions, Storage, StoreError, server_name_part};
use weft_state::kv::BUCKET_NAME_BYTES_MAX;

/// What the names of Weft's own buckets begin with. A manifest does not name one: the desired state is in such
/// a bucket, and so is what other apps store.
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

/// Odd numbers, of which a majority is one more than half.
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

/// Why a provider of this kind does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nothing says where NATS is.
    #[error(
        "it keeps its data on the NATS servers of the lattice, and this host has joined none; start the host \
         with `weft up --nats URL`, or say in the provider's `config` where they are: \
         `servers: [\"nats://host:4222\"]`"
    )]
    NoLattice,
    /// Nothing says what the bucket is called.
    #[error(
        "this host has joined no lattice, whose name would tell its buckets from those of others; name the \
         bucket in the provider's `config`, as in `bucket: shop-orders`"
    )]
    NoBucketName,
    /// The name would be too long.
    #[error(
        "the bucket's name `{name}`, of lattice, app and provider, has {} bytes, and at most \
         {BUCKET_NAME_BYTES_MAX} are allowed; name the bucket in the provider's `config`, as in \
         `bucket: shop-orders`",
        .name.len()
    )]
    LongBucketName {
        /// What it would be.
        name: String,
    },
    /// The lattice's name is none.
    #[error("the lattice cannot have this name")]
    Lattice(#[source] SubjectError),
    /// The options cannot be used.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// The bucket cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NatsConfig {
    /// Whether its parts go together.
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
                    "`servers` beside it: the lattice's are used as the host has joined them";
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
            let expected = "both `cert` and `key`, or none of them";
            return Err(ConfigProblem::invalid(context, "tls", &given, &expected));
        }
        match &self.bucket {
            Some(name) if !is_bucket_name(name) => {
                let expected = format!(
                    "1 to {BUCKET_NAME_BYTES_MAX} letters, digits, `_` and `-`, which do not begin with \
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

    /// What the servers call the bucket: as the manifest says, else by the names of lattice, app and provider.
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

    /// How the servers of the manifest are reached by a host of this name.
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
