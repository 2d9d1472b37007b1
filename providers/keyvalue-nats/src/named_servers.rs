//! The NATS servers that an operator defines for providers, by the names that manifests use. A
//! manifest has no addresses and no paths, so it can have a host connect to nothing else and read
//! no file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use weft_bus::nats::{Login, NatsError, NatsOptions, TlsIdentity, TlsOptions};

use crate::config::{LATTICE_SERVERS, StartError};

/// The largest file of definitions, in bytes.
pub const SERVERS_FILE_BYTES_MAX: usize = 256 << 10;

/// The longest name, in bytes: it is a part of a key of the desired state.
const NAME_BYTES_MAX: usize = 63;

/// Named NATS servers.
#[derive(Clone, Debug, Default)]
pub struct NamedServers(BTreeMap<String, Definition>);

/// The reasons why definitions are invalid.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    /// The file is too large.
    #[error("file too large: expected at most {SERVERS_FILE_BYTES_MAX} bytes, found {0}")]
    TooLarge(usize),
    /// The file is not JSON of the expected form.
    #[error(
        "invalid definitions, expected JSON as in `{{\"NAME\": {{\"servers\": [\"nats://host:4222\"]}}}}`"
    )]
    Json(#[source] serde_json::Error),
    /// A name is invalid.
    #[error(
        "invalid name `{0}`: expected 1 to {NAME_BYTES_MAX} lower-case letters, digits and `-`, and not \
         `{LATTICE_SERVERS}`"
    )]
    Name(String),
    /// A definition contradicts itself.
    #[error("servers `{name}`: expected {expected}")]
    Definition {
        /// The name of the servers.
        name: String,
        /// The accepted form.
        expected: &'static str,
    },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Definition {
    servers: Vec<String>,
    creds: Option<PathBuf>,
    nkey_file: Option<PathBuf>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    tls: Option<TlsFiles>,
    domain: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TlsFiles {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

// === impl NamedServers ===

impl NamedServers {
    /// Parses the definitions in a file.
    ///
    /// # Errors
    /// The first [`ServersError`].
    pub fn parse(json: &[u8]) -> Result<Self, ServersError> {
        if json.len() > SERVERS_FILE_BYTES_MAX {
            return Err(ServersError::TooLarge(json.len()));
        }
        let definitions = serde_json::from_slice::<BTreeMap<String, Definition>>(json);
        let definitions = definitions.map_err(ServersError::Json)?;
        for (name, definition) in &definitions {
            if !is_name(name) {
                return Err(ServersError::Name(name.escape_debug().to_string()));
            }
            if let Some(expected) = definition.contradiction() {
                let name = name.clone();
                return Err(ServersError::Definition { name, expected });
            }
        }
        Ok(Self(definitions))
    }

    /// The options to connect to the servers of this name, with this host's name.
    pub(crate) async fn options(&self, name: &str, host: &str) -> Result<NatsOptions, StartError> {
        let Some(definition) = self.0.get(name) else {
            let known: Vec<_> = self.0.keys().map(|name| format!("`{name}`")).collect();
            return Err(StartError::UnknownServer {
                name: name.escape_debug().to_string(),
                known: match known.is_empty() {
                    true => "none".to_owned(),
                    false => format!("one of {}", known.join(", ")),
                },
            });
        };
        Ok(definition.options(host).await?)
    }
}

// === impl Definition ===

impl Definition {
    /// The accepted form, if the definition has another one.
    fn contradiction(&self) -> Option<&'static str> {
        let logins = [
            self.creds.is_some(),
            self.nkey_file.is_some(),
            self.user.is_some() || self.password_file.is_some(),
            self.token_file.is_some(),
        ];
        let has_half_identity = |tls: &TlsFiles| tls.cert.is_some() != tls.key.is_some();
        if self.servers.is_empty() {
            Some("at least one address in `servers`")
        } else if logins.into_iter().filter(|given| *given).count() > 1 {
            Some("one of `creds`, `nkey-file`, `token-file`, and `user` with `password-file`")
        } else if self.user.is_some() != self.password_file.is_some() {
            Some("both `user` and `password-file`, or neither")
        } else if self.tls.as_ref().is_some_and(has_half_identity) {
            Some("both `cert` and `key` in `tls`, or neither")
        } else {
            None
        }
    }

    async fn options(&self, host: &str) -> Result<NatsOptions, NatsError> {
        let tls = self
            .tls
            .clone()
            .map(|TlsFiles { ca, cert, key }| TlsOptions {
                ca,
                identity: cert.zip(key).map(|(cert, key)| TlsIdentity { cert, key }),
            });
        Ok(NatsOptions {
            servers: self.servers.clone(),
            login: self.login().await?,
            tls,
            jetstream_domain: self.domain.clone(),
            name: host.to_owned(),
        })
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
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_plain)
        && name != LATTICE_SERVERS
}

/// Reads a file with a secret; a line break at its end does not count.
async fn read_secret(what: &'static str, path: &Path) -> Result<String, NatsError> {
    match tokio::fs::read_to_string(path).await {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(source) => Err(NatsError::File {
            what,
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_that_cannot_work_are_refused_with_what_would() {
        let cases = [
            ("[]", "invalid definitions"),
            (r#"{"a": {}}"#, "invalid definitions"),
            (
                r#"{"a": {"servers": ["x"], "cred": "f"}}"#,
                "invalid definitions",
            ),
            (r#"{"a": {"servers": []}}"#, "at least one address"),
            (
                r#"{"lattice": {"servers": ["x"]}}"#,
                "invalid name `lattice`",
            ),
            (r#"{"A b": {"servers": ["x"]}}"#, "lower-case letters"),
            (
                r#"{"a": {"servers": ["x"], "creds": "f", "token-file": "g"}}"#,
                "one of `creds`",
            ),
            (
                r#"{"a": {"servers": ["x"], "user": "u"}}"#,
                "`password-file`",
            ),
            (
                r#"{"a": {"servers": ["x"], "tls": {"cert": "f"}}}"#,
                "both `cert` and `key`",
            ),
        ];
        for (json, expected) in cases {
            let error = NamedServers::parse(json.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
        assert!(NamedServers::parse(&vec![b' '; SERVERS_FILE_BYTES_MAX + 1]).is_err());
    }
}
