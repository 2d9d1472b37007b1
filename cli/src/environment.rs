//! Settings from the environment, and the options shared by commands. No other module reads the
//! environment.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};
use weft_bus::nats::{Login, NatsOptions, TlsIdentity, TlsOptions};
use weft_control::check_host_name;
use weft_host::MeshConfig;
use weft_membership::message::MAX_HOST_NAME_BYTES;
use weft_state::buckets::BucketOptions;

use crate::failure::{Failure, Kind};

/// The log filter if `WEFT_LOG` is not set. The NATS client logs each failed attempt of each
/// connection; hosts log each reason once themselves.
const LOG_FILTER_DEFAULT: &str = "info,weft=info,async_nats=off";

/// The host name if the name of the machine is missing or unusable.
const HOST_NAME_DEFAULT: &str = "local";

/// The name of a command in the connection lists of NATS servers.
const CLIENT_NAME: &str = "weft";

/// The option for the data directory of a host.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataDirectory {
    /// Use this data directory of the host [default: $XDG_DATA_HOME/weft or
    /// $HOME/.local/share/weft]
    #[arg(
        long,
        value_name = "DIR",
        env = "WEFT_DATA_DIR",
        hide_env_values = true
    )]
    data_dir: Option<PathBuf>,
}

/// The options for the lattice that a host joins.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Join a lattice")]
pub(crate) struct LatticeOptions {
    /// Join the lattice on these NATS servers (comma-separated), as in nats://127.0.0.1:4222; the
    /// servers may start later
    #[arg(
        long,
        value_name = "URL",
        env = "WEFT_NATS",
        hide_env_values = true,
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new()
    )]
    nats: Vec<String>,
    /// Join the lattice of this name; other lattices on the same servers are ignored
    #[arg(
        long,
        value_name = "NAME",
        env = "WEFT_LATTICE",
        default_value = "default",
        requires = "nats"
    )]
    lattice: String,
    /// Store the desired state on this many servers of the NATS cluster
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "1",
        value_parser = ["1", "3", "5"],
        requires = "nats"
    )]
    nats_replicas: String,
    #[command(flatten)]
    access: NatsAccess,
}

/// The options to authenticate to NATS servers and to verify them.
#[derive(Debug, Clone, Args)]
pub(crate) struct NatsAccess {
    /// Log in to NATS as this user, with the password of `--nats-password`
    #[arg(
        long,
        value_name = "NAME",
        env = "WEFT_NATS_USER",
        hide_env_values = true,
        conflicts_with_all = ["nats_token", "nats_nkey", "nats_creds"]
    )]
    nats_user: Option<String>,
    /// Log in to NATS with this password; other users of the machine cannot see the variable
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "WEFT_NATS_PASSWORD",
        hide_env_values = true
    )]
    nats_password: Option<String>,
    /// Log in to NATS with this token; other users of the machine cannot see the variable
    #[arg(
        long,
        value_name = "TOKEN",
        env = "WEFT_NATS_TOKEN",
        hide_env_values = true,
        conflicts_with_all = ["nats_nkey", "nats_creds"]
    )]
    nats_token: Option<String>,
    /// Log in to NATS with the nkey whose seed is in this file
    #[arg(
        long,
        value_name = "FILE",
        requires = "nats",
        conflicts_with = "nats_creds"
    )]
    nats_nkey: Option<PathBuf>,
    /// Log in to NATS with this credentials file, as written by `nsc`
    #[arg(long, value_name = "FILE", requires = "nats")]
    nats_creds: Option<PathBuf>,
    /// Verify NATS servers with the CA certificates (PEM) in this file; enables TLS
    #[arg(long, value_name = "FILE", requires = "nats")]
    nats_ca: Option<PathBuf>,
    /// Present the client certificate (PEM) in this file to NATS servers; enables TLS
    #[arg(long, value_name = "FILE", requires_all = ["nats", "nats_key"])]
    nats_cert: Option<PathBuf>,
    /// Use the private key (PEM) in this file for `--nats-cert`
    #[arg(long, value_name = "FILE", requires_all = ["nats", "nats_cert"])]
    nats_key: Option<PathBuf>,
    /// Store data on the servers of this JetStream domain, for a leaf node without JetStream
    #[arg(long, value_name = "DOMAIN", requires = "nats")]
    nats_domain: Option<String>,
}

impl NatsAccess {
    /// Builds the options for a connection of this name to these servers.
    fn options(&self, servers: &[String], name: &str) -> NatsOptions {
        NatsOptions {
            servers: servers.to_vec(),
            login: self.login(),
            tls: self.tls(),
            jetstream_domain: self.nats_domain.clone(),
            name: name.to_owned(),
        }
    }

    /// The login; the options for it exclude each other.
    fn login(&self) -> Option<Login> {
        let password = || self.nats_password.clone().unwrap_or_default();
        let user = self.nats_user.clone().map(|user| Login::Password {
            user,
            password: password(),
        });
        let token = || self.nats_token.clone().map(Login::Token);
        let nkey = || self.nats_nkey.clone().map(Login::NkeyFile);
        let creds = || self.nats_creds.clone().map(Login::Credentials);
        user.or_else(token).or_else(nkey).or_else(creds)
    }

    fn tls(&self) -> Option<TlsOptions> {
        let (cert, key) = (self.nats_cert.clone(), self.nats_key.clone());
        let tls = TlsOptions {
            ca: self.nats_ca.clone(),
            identity: cert.zip(key).map(|(cert, key)| TlsIdentity { cert, key }),
        };
        (tls != TlsOptions::default()).then_some(tls)
    }
}

impl LatticeOptions {
    /// The lattice that a host of this name joins; `None` without `--nats`.
    pub(crate) fn mesh(self, name: &str) -> Option<MeshConfig> {
        if self.nats.is_empty() {
            return None;
        }
        Some(MeshConfig {
            buckets: BucketOptions {
                // `value_parser` has checked the value.
                replicas: self.nats_replicas.parse().unwrap_or(1),
                ..BucketOptions::default()
            },
            lattice: self.lattice,
            host: name.to_owned(),
            nats: self.access.options(&self.nats, name),
        })
    }
}

/// The options to send a command to any host of a lattice.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connect over NATS")]
pub(crate) struct AnyHostOptions {
    /// Connect to any host of the lattice on these NATS servers (comma-separated), instead of the
    /// host at `--admin`
    #[arg(
        long,
        value_name = "URL",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new()
    )]
    nats: Vec<String>,
    /// Connect to the lattice of this name
    #[arg(
        long,
        value_name = "NAME",
        env = "WEFT_LATTICE",
        default_value = "default"
    )]
    lattice: String,
    #[command(flatten)]
    access: NatsAccess,
}

impl AnyHostOptions {
    /// The name of the lattice and its servers; `None` without `--nats`.
    pub(crate) fn lattice(&self) -> Option<(&str, NatsOptions)> {
        if self.nats.is_empty() {
            return None;
        }
        Some((&self.lattice, self.access.options(&self.nats, CLIENT_NAME)))
    }
}

/// The options that select the host of a command.
#[derive(Debug, Clone, Args)]
pub(crate) struct HostOptions {
    /// Connect to this admin address [default: the address recorded in the data directory]
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "WEFT_ADMIN",
        hide_env_values = true,
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub(crate) admin: Option<String>,
    #[command(flatten)]
    pub(crate) data_directory: DataDirectory,
    #[command(flatten)]
    pub(crate) any: AnyHostOptions,
}

/// The same options, and the first of them on the command line. The environment does not count:
/// its variables may be meant for other commands.
#[derive(Debug, Clone)]
pub(crate) struct NamedHostOptions {
    pub(crate) options: HostOptions,
    /// The first of these options on the command line.
    pub(crate) named_by: Option<&'static str>,
}

/// The options that select a host: their `clap` ids and their names on the command line.
const NAMING: [(&str, &str); 13] = [
    ("admin", "--admin"),
    ("data_dir", "--data-dir"),
    ("nats", "--nats"),
    ("lattice", "--lattice"),
    ("nats_user", "--nats-user"),
    ("nats_password", "--nats-password"),
    ("nats_token", "--nats-token"),
    ("nats_nkey", "--nats-nkey"),
    ("nats_creds", "--nats-creds"),
    ("nats_ca", "--nats-ca"),
    ("nats_cert", "--nats-cert"),
    ("nats_key", "--nats-key"),
    ("nats_domain", "--nats-domain"),
];

impl Args for NamedHostOptions {
    fn augment_args(command: Command) -> Command {
        HostOptions::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        HostOptions::augment_args_for_update(command)
    }
}

impl FromArgMatches for NamedHostOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut naming = NAMING.into_iter();
        let named_by =
            naming.find(|(id, _)| matches.value_source(id) == Some(ValueSource::CommandLine));
        Ok(Self {
            named_by: named_by.map(|(_, option)| option),
            options: HostOptions::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl DataDirectory {
    /// The given directory, or the user's default.
    ///
    /// # Errors
    /// The option is missing, and `HOME` is not set.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.data_dir {
            return Ok(path.clone());
        }
        default_path(variable("XDG_DATA_HOME"), variable("HOME")).ok_or_else(|| {
            Failure::new(Kind::Input, "no default data directory: `HOME` is not set")
                .or_help("set `--data-dir DIR` or `WEFT_DATA_DIR`")
        })
    }
}

/// The log filter, in the syntax of `tracing-subscriber`.
pub(crate) fn log_filter() -> String {
    let given = variable("WEFT_LOG").and_then(|value| value.into_string().ok());
    given.unwrap_or_else(|| LOG_FILTER_DEFAULT.to_owned())
}

/// True if the user disables colour (<https://no-color.org>).
pub(crate) fn no_colour() -> bool {
    variable("NO_COLOR").is_some()
}

/// The default host name: the name of this machine.
pub(crate) fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    host_name(name.trim())
}

/// Turns the name of a machine, which may be any text, into a valid host name.
fn host_name(machine: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = machine.chars().map(|c| if allowed(c) { c } else { '-' });
    let name: String = name.take(MAX_HOST_NAME_BYTES).collect();
    match check_host_name(&name) {
        Ok(()) => name,
        Err(_) => HOST_NAME_DEFAULT.to_owned(),
    }
}

/// The value of a variable; `None` if the variable is not set or empty.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the environment"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The default data directory. The XDG base directory specification ignores relative paths.
fn default_path(xdg_data_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let data_home = xdg_data_home
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let data_home = data_home.or_else(|| Some(PathBuf::from(home?).join(".local/share")))?;
    Some(data_home.join("weft"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_name_becomes_a_valid_host_name() {
        let cases = [
            ("north-1", "north-1"),
            ("north 1/a", "north-1-a"),
            ("", "local"),
            ("..", "local"),
        ];
        for (machine, expected) in cases {
            assert_eq!(host_name(machine), expected);
        }
        assert_eq!(host_name(&"x".repeat(300)).len(), MAX_HOST_NAME_BYTES);
    }

    #[test]
    fn the_data_directory_follows_the_base_directory_specification() {
        let check = |xdg: Option<&str>, home: Option<&str>, expected: Option<&str>| {
            let found = default_path(xdg.map(OsString::from), home.map(OsString::from));
            assert_eq!(found, expected.map(PathBuf::from), "{xdg:?} {home:?}");
        };
        check(Some("/data"), Some("/home/a"), Some("/data/weft"));
        check(
            Some("relative"),
            Some("/home/a"),
            Some("/home/a/.local/share/weft"),
        );
        check(None, Some("/home/a"), Some("/home/a/.local/share/weft"));
        check(None, None, None);
    }
}
