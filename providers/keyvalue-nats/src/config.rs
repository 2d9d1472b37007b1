//! The configuration of a provider in the manifest, and the name of its bucket.

use std::path::PathBuf;

use serde::Deserialize;
use weft_bus::SubjectError;
use weft_bus::nats::{Login, NatsError, NatsOptions, TlsIdentity, TlsOptions};
use weft_provider::{ConfigProblem, Context, Settings, parse};
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
    user: Option<String>,
    password_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    tls: Option<TlsConfig>,
    domain: Option<String>,
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
    /// Reads the configuration of a provider.
    ///
    /// # Errors
    /// The first wrong or inconsistent option.
    pub(crate) fn read(context: &Context<'_>, settings: &Settings) -> Result<Self, ConfigProblem> {
        let config: Self = parse(context, settings)?;
        config.check(context)?;
        Ok(config)
    }

    /// Checks that the options are consistent.
    fn check(&self, context: &Context<'_>) -> Result<(), ConfigProblem> {
        let file = |path: &PathBuf| path.display().to_string();
        let needs_servers = [
            ("creds", self.creds.as_ref().map(file)),
            ("nkey-file", self.nkey_file.as_ref().map(file)),
            ("user", self.user.clone()),
            ("token-file", self.token_file.as_ref().map(file)),
            ("tls", self.tls.as_ref().map(|_| "…".to_owned())),
            ("domain", self.domain.clone()),
        ];
        for (key, given) in needs_servers {
            if let (true, Some(given)) = (self.servers.is_empty(), given) {
                let expected =
                    "`servers` as well: the lattice's servers are used with the host's credentials";
                return Err(ConfigProblem::invalid(context, key, &given, &expected));
            }
        }
        let logins = [
            ("creds", self.creds.as_ref().map(file)),
            ("nkey-file", self.nkey_file.as_ref().map(file)),
            ("user", self.user.clone()),
            ("token-file", self.token_file.as_ref().map(file)),
        ];
        let mut given = logins
            .into_iter()
            .filter_map(|(key, given)| Some((key, given?)));
        if let (Some((key, given)), Some((other, _))) = (given.next(), given.next()) {
            let expected = format!("either `{key}` or `{other}`");
            return Err(ConfigProblem::invalid(context, key, &given, &expected));
        }
        if self.user.is_some() != self.password_file.is_some() {
            let (key, given) = match (&self.user, &self.password_file) {
                (Some(user), _) => ("user", user.clone()),
                (None, path) => ("password-file", path.as_ref().map(file).unwrap_or_default()),
            };
            let expected = "both `user` and `password-file`, or neither";
            return Err(ConfigProblem::invalid(context, key, &given, &expected));
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

    /// The place of a bucket, as the desired state remembers it.
    pub(crate) fn place(&self, bucket: &str) -> String {
        let servers = match self.servers.is_empty() {
            true => "lattice",
            false => "servers",
        };
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

    async fn login(&self) -> Result<Option<Login>, NatsError> {
        if let Some(path) = &self.creds {
            return Ok(Some(Login::Credentials(path.clone())));
        }
        if let Some(path) = &self.nkey_file {
            return Ok(Some(Login::NkeyFile(path.clone())));
        }
        if let Some(path) = &self.token_file {
            return Ok(Some(Login::Token(read_secret("a token", path).await?)));
        }
        if let (Some(user), Some(path)) = (&self.user, &self.password_file) {
            let (user, password) = (user.clone(), read_secret("a password", path).await?);
            return Ok(Some(Login::Password { user, password }));
        }
        Ok(None)
    }

    /// Returns the options to connect to the configured servers, with this host's name.
    pub(crate) async fn nats_options(&self, host: &str) -> Result<NatsOptions, StartError> {
        Ok(NatsOptions {
            servers: self.servers.clone(),
            login: self.login().await?,
            tls: self.tls.as_ref().map(|tls| TlsOptions {
                ca: tls.ca.clone(),
                identity: tls
                    .cert
                    .clone()
                    .zip(tls.key.clone())
                    .map(|(cert, key)| TlsIdentity { cert, key }),
            }),
            jetstream_domain: self.domain.clone(),
            name: host.to_owned(),
        })
    }
}

/// Reads a file with a secret; a line break at its end does not count.
async fn read_secret(what: &'static str, path: &PathBuf) -> Result<String, NatsError> {
    match tokio::fs::read_to_string(path).await {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(source) => Err(NatsError::File {
            what,
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
