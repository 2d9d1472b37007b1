//! The login to NATS servers: given as an option, or in the address of a server.

use std::fmt;
use std::path::PathBuf;

use async_nats::{ConnectOptions, ServerAddr};

use super::{NatsError, NatsOptions};

/// The proof of a host's identity to NATS servers. A client certificate is another one, in
/// [`TlsOptions`](super::TlsOptions).
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A user and a password.
    Password {
        /// Name of the user.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Token(String),
    /// The seed of an nkey (`SU…`).
    Nkey(String),
    /// A file with the seed of an nkey.
    NkeyFile(PathBuf),
    /// A credentials file, as written by `nsc`.
    Credentials(PathBuf),
}

impl Login {
    /// The form of the login.
    #[must_use]
    pub fn form(&self) -> &'static str {
        match self {
            Self::Password { .. } => "a user",
            Self::Token(_) => "a token",
            Self::Nkey(_) | Self::NkeyFile(_) => "an nkey",
            Self::Credentials(_) => "a credentials file",
        }
    }

    /// The login in the part of an address before `@`: `user:password`, or a token alone.
    fn of_address(user_info: &str) -> Self {
        match user_info.split_once(':') {
            Some((user, password)) => Self::Password {
                user: percent_decoded(user),
                password: percent_decoded(password),
            },
            None => Self::Token(percent_decoded(user_info)),
        }
    }

    pub(super) async fn apply(&self, client: ConnectOptions) -> Result<ConnectOptions, NatsError> {
        match self {
            Self::Password { user, password } => {
                Ok(client.user_and_password(user.clone(), password.clone()))
            }
            Self::Token(token) => Ok(client.token(token.clone())),
            Self::Nkey(seed) => with_nkey(client, seed),
            Self::NkeyFile(path) => {
                let read = tokio::fs::read_to_string(path).await;
                let text = read.map_err(|source| NatsError::File {
                    what: "the seed of an nkey",
                    path: path.clone(),
                    source,
                })?;
                with_nkey(client, text.trim())
            }
            Self::Credentials(path) => {
                let read = client.credentials_file(path).await;
                read.map_err(|source| NatsError::File {
                    what: "credentials",
                    path: path.clone(),
                    source,
                })
            }
        }
    }
}

fn with_nkey(client: ConnectOptions, seed: &str) -> Result<ConnectOptions, NatsError> {
    // The client would try forever. The error is dropped, because it may contain a part of the
    // seed.
    nkeys::KeyPair::from_seed(seed).map_err(|_| NatsError::Nkey)?;
    Ok(client.nkey(seed.to_owned()))
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the secret.
        match self {
            Self::Credentials(path) | Self::NkeyFile(path) => path.fmt(formatter),
            login => formatter.write_str(login.form()),
        }
    }
}

/// The addresses of the servers, and the login of the options or of these addresses.
pub(super) fn addresses(
    options: &NatsOptions,
) -> Result<(Vec<ServerAddr>, Option<Login>), NatsError> {
    if options.servers.is_empty() {
        return Err(NatsError::NoServer);
    }
    let mut login = options.login.clone();
    let mut addresses = Vec::with_capacity(options.servers.len());
    for server in &options.servers {
        let (address, user_info) = split_user_info(server);
        let parsed = address.parse().map_err(|source| NatsError::Server {
            server: without_secret(server),
            source,
        })?;
        addresses.push(parsed);
        let Some(found) = user_info.map(Login::of_address) else {
            continue;
        };
        match &login {
            None => login = Some(found),
            Some(login) if *login == found => {}
            Some(login) => {
                let (one, other) = (login.form(), found.form());
                return Err(NatsError::TwoLogins { one, other });
            }
        }
    }
    Ok((addresses, login))
}

/// The address for use in a message: the part before `@` may contain a password.
pub(super) fn without_secret(server: &str) -> String {
    split_user_info(server).0
}

/// The address without the part before `@`, and that part.
fn split_user_info(server: &str) -> (String, Option<&str>) {
    let (scheme, rest) = match server.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, server),
    };
    // The last `@`, because a password may contain others.
    let (user_info, address) = match rest.rsplit_once('@') {
        Some((user_info, address)) => (Some(user_info), address),
        None => (None, rest),
    };
    let address = match scheme {
        Some(scheme) => format!("{scheme}://{address}"),
        None => address.to_owned(),
    };
    (address, user_info.filter(|user_info| !user_info.is_empty()))
}

/// Replaces each `%` with two hexadecimal digits by its byte; other text stays.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = after.get(..2).filter(|_| *first == b'%');
        let byte = escape.and_then(|digits| {
            let mut byte = [0];
            hex::decode_to_slice(digits, &mut byte).ok()?;
            Some(byte[0])
        });
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(servers: &[&str], login: Option<Login>) -> NatsOptions {
        NatsOptions {
            servers: servers.iter().map(|&server| server.to_owned()).collect(),
            login,
            ..NatsOptions::default()
        }
    }

    fn password(user: &str, password: &str) -> Login {
        Login::Password {
            user: user.to_owned(),
            password: password.to_owned(),
        }
    }

    #[test]
    fn a_login_in_an_address_is_used_and_removed_from_it() {
        for (server, address, expected) in [
            ("nats://a:4222", "nats://a:4222", None),
            (
                "nats://u:p@a:4222",
                "nats://a:4222",
                Some(password("u", "p")),
            ),
            ("u:p@a", "nats://a", Some(password("u", "p"))),
            (
                "tls://u:p%40%2F:x%zz@a",
                "tls://a",
                Some(password("u", "p@/:x%zz")),
            ),
            ("nats://u:p@/#@a", "nats://a", Some(password("u", "p@/#"))),
            (
                "nats://secret@a",
                "nats://a",
                Some(Login::Token("secret".to_owned())),
            ),
            ("nats://@a", "nats://a", None),
        ] {
            let (addresses, login) = addresses(&options(&[server], None)).unwrap();
            assert_eq!(addresses[0].as_url_str().trim_end_matches('/'), address);
            assert_eq!(login, expected, "{server}");
        }
    }

    #[test]
    fn one_login_is_for_all_servers() {
        let both = ["nats://u:p@a", "nats://u:p@b", "nats://c"];
        let (_, login) = addresses(&options(&both, None)).unwrap();
        assert_eq!(login, Some(password("u", "p")));
        let different = ["nats://u:p@a", "nats://u:secret@b"];
        let token = Some(Login::Token("secret".to_owned()));
        for options in [options(&different, None), options(&both, token)] {
            let error = addresses(&options).unwrap_err();
            assert!(matches!(error, NatsError::TwoLogins { .. }));
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn invalid_addresses_are_rejected_without_their_password() {
        for (server, shown) in [
            ("http://user:secret@host:1", "http://host:1"),
            ("nats://user:se@cret@host:x", "nats://host:x"),
        ] {
            let error = addresses(&options(&[server], None)).unwrap_err();
            assert!(matches!(&error, NatsError::Server { server, .. } if server == shown));
        }
        let none = addresses(&NatsOptions::default());
        assert!(matches!(none, Err(NatsError::NoServer)));
    }

    #[tokio::test]
    async fn a_malformed_seed_is_rejected_without_showing_it() {
        for seed in [
            "",
            "SUSECRET",
            "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4",
        ] {
            let login = Login::Nkey(seed.to_owned());
            let error = login.apply(ConnectOptions::new()).await.unwrap_err();
            assert!(matches!(error, NatsError::Nkey));
            assert!(seed.is_empty() || !format!("{error} {login:?}").contains(seed));
        }
    }
}
