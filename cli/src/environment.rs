//! Everything the command takes from the environment: this is the one module that reads it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};
use weft_bus::nats::{NatsOptions, TlsOptions};
use weft_control::check_host_name;
use weft_host::MeshConfig;
use weft_membership::message::MAX_HOST_NAME_BYTES;
use weft_state::buckets::BucketOptions;

use crate::failure::{Failure, Kind};

/// Which lines of the log are shown when `WEFT_LOG` is not set.
const LOG_FILTER_DEFAULT: &str = "info,weft=info";

/// The name of a host on a machine that does not say its own.
const HOST_NAME_DEFAULT: &str = "local";

/// What NATS servers call a command in their lists of connections.
const CLIENT_NAME: &str = "weft";

/// Where a host keeps its data.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataDirectory {
    /// The host's data directory [default: $XDG_DATA_HOME/weft or $HOME/.local/share/weft]
    #[arg(
        long,
        value_name = "DIR",
        env = "WEFT_DATA_DIR",
        hide_env_values = true
    )]
    data_dir: Option<PathBuf>,
}

/// Which lattice a host joins.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Lattice of many hosts")]
pub(crate) struct LatticeOptions {
    /// Join the hosts on these NATS servers, separated by commas, as in nats://127.0.0.1:4222; they
    /// need not be there yet
    #[arg(
        long,
        value_name = "URL",
        env = "WEFT_NATS",
        hide_env_values = true,
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new()
    )]
    nats: Vec<String>,
    /// The lattice to join; hosts of others on the same servers are not seen
    #[arg(
        long,
        value_name = "NAME",
        env = "WEFT_LATTICE",
        default_value = "default",
        requires = "nats"
    )]
    lattice: String,
    /// On how many servers of a cluster the desired state is kept: 1, 3 or 5
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

/// How a host or a command shows NATS servers who it is, and knows them.
#[derive(Debug, Clone, Args)]
pub(crate) struct NatsAccess {
    /// A credentials file for the servers, as `nsc` makes it
    #[arg(long, value_name = "FILE", requires = "nats")]
    nats_creds: Option<PathBuf>,
    /// A file with the certificates (PEM) that sign the servers'; turns on TLS
    #[arg(long, value_name = "FILE", requires = "nats")]
    nats_ca: Option<PathBuf>,
}

impl NatsAccess {
    /// The options for these servers, which are to call this `name`.
    fn options(&self, servers: &[String], name: &str) -> NatsOptions {
        let tls = self.nats_ca.clone().map(|ca| TlsOptions {
            ca: Some(ca),
            identity: None,
        });
        NatsOptions {
            servers: servers.to_vec(),
            creds: self.nats_creds.clone(),
            tls,
            name: name.to_owned(),
            ..NatsOptions::default()
        }
    }
}

impl LatticeOptions {
    /// The lattice that a host of this name is to join, if one is given.
    pub(crate) fn mesh(self, name: &str) -> Option<MeshConfig> {
        if self.nats.is_empty() {
            return None;
        }
        Some(MeshConfig {
            buckets: BucketOptions {
                // One of the three above.
                replicas: self.nats_replicas.parse().unwrap_or(1),
                ..BucketOptions::default()
            },
            lattice: self.lattice,
            host: name.to_owned(),
            nats: self.access.options(&self.nats, name),
        })
    }
}

/// A lattice in which any host will do for a command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Any host of a lattice")]
pub(crate) struct AnyHostOptions {
    /// Ask any host of the lattice on these NATS servers, separated by commas, in place of the one at
    /// `--admin`
    #[arg(
        long,
        value_name = "URL",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new()
    )]
    nats: Vec<String>,
    /// The lattice
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
    /// The lattice's name and its servers, if a host is to be found there.
    pub(crate) fn lattice(&self) -> Option<(&str, NatsOptions)> {
        if self.nats.is_empty() {
            return None;
        }
        Some((&self.lattice, self.access.options(&self.nats, CLIENT_NAME)))
    }
}

/// Which host a command speaks to.
#[derive(Debug, Clone, Args)]
pub(crate) struct HostOptions {
    /// The admin address of the host [default: where the host of the data directory listens]
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

/// The same, and whether the command line names a host: the environment alone may be meant for other commands.
#[derive(Debug, Clone)]
pub(crate) struct NamedHostOptions {
    pub(crate) options: HostOptions,
    /// The first option of them that is on the command line.
    pub(crate) named_by: Option<&'static str>,
}

/// Those that say which host, by their names for `clap` and for people.
const NAMING: [(&str, &str); 6] = [
    ("admin", "--admin"),
    ("data_dir", "--data-dir"),
    ("nats", "--nats"),
    ("lattice", "--lattice"),
    ("nats_creds", "--nats-creds"),
    ("nats_ca", "--nats-ca"),
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
    /// The directory given, or the user's default.
    ///
    /// # Errors
    /// None is given, and the environment names no home directory.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.data_dir {
            return Ok(path.clone());
        }
        default_path(variable("XDG_DATA_HOME"), variable("HOME")).ok_or_else(|| {
            Failure::new(
                Kind::Input,
                "there is no default data directory: `HOME` is not set",
            )
            .or_help("give one with `--data-dir DIR` or `WEFT_DATA_DIR`")
        })
    }
}

/// Which lines of the log are shown, in the syntax of `tracing-subscriber`.
pub(crate) fn log_filter() -> String {
    let given = variable("WEFT_LOG").and_then(|value| value.into_string().ok());
    given.unwrap_or_else(|| LOG_FILTER_DEFAULT.to_owned())
}

/// Whether the user asks for no colour (<https://no-color.org>).
pub(crate) fn no_colour() -> bool {
    variable("NO_COLOR").is_some()
}

/// The name of this machine, which names its host unless the user does.
pub(crate) fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    host_name(name.trim())
}

/// What a host is called on a machine of this name, which may be anything.
fn host_name(machine: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = machine.chars().map(|c| if allowed(c) { c } else { '-' });
    let name: String = name.take(MAX_HOST_NAME_BYTES).collect();
    match check_host_name(&name) {
        Ok(()) => name,
        Err(_) => HOST_NAME_DEFAULT.to_owned(),
    }
}

/// A variable that is set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the environment"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The XDG base directory specification: a path that is not absolute counts as not set.
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
    fn a_machine_of_any_name_has_a_host_with_one_that_commands_take() {
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
