//! The options that select a host or a lattice, as `clap` parses them. They have no `env`: a
//! variable would take part in `requires` and `conflicts_with`, and stop commands that it is not
//! meant for. [`precedence`](super::precedence) joins both.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use weft_bus::nats::NatsOptions;
use weft_host::MeshConfig;
use weft_state::buckets::BucketOptions;

use crate::contexts::Contexts;
use crate::environment::precedence::{
    Given, LatticeTarget, Selection, Target, select, select_to_join, without_servers,
};
use crate::environment::settings::Settings;
use crate::environment::{data_directory, variable};
use crate::failure::Failure;

/// The name of a command in the connection lists of NATS servers.
const CLIENT_NAME: &str = "weft";

/// The variable that names a context.
const CONTEXT_VARIABLE: &str = "WEFT_CONTEXT";

/// The option for the data directory of a host.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataDirectory {
    /// Use this data directory of the host [default: $XDG_DATA_HOME/weft or
    /// $HOME/.local/share/weft] [env: WEFT_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// The options for the lattice that a host joins.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Join a lattice")]
pub(crate) struct LatticeOptions {
    /// Join the lattice on these NATS servers (comma-separated), as in nats://127.0.0.1:4222; the
    /// servers may start later [env: WEFT_NATS]
    #[arg(
        long,
        value_name = "URL",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new()
    )]
    nats: Vec<String>,
    /// Join the lattice of this name; other lattices on the same servers are ignored [default:
    /// default] [env: WEFT_LATTICE]
    #[arg(long, value_name = "NAME")]
    lattice: Option<String>,
    /// Store the desired state on this many servers of the NATS cluster [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = ["1", "3", "5"])]
    nats_replicas: Option<String>,
    #[command(flatten)]
    access: NatsAccess,
}

/// The options to authenticate to NATS servers and to verify them.
#[derive(Debug, Clone, Args)]
pub(crate) struct NatsAccess {
    /// Log in to NATS as this user, with the password of `--nats-password` [env: WEFT_NATS_USER]
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["nats_token", "nats_nkey", "nats_creds"]
    )]
    nats_user: Option<String>,
    /// Log in to NATS with this password; other users of the machine cannot see the variable [env:
    /// WEFT_NATS_PASSWORD]
    #[arg(long, value_name = "PASSWORD")]
    nats_password: Option<String>,
    /// Log in to NATS with this token; other users of the machine cannot see the variable [env:
    /// WEFT_NATS_TOKEN]
    #[arg(
        long,
        value_name = "TOKEN",
        conflicts_with_all = ["nats_nkey", "nats_creds"]
    )]
    nats_token: Option<String>,
    /// Log in to NATS with the nkey whose seed is in this file [env: WEFT_NATS_NKEY]
    #[arg(long, value_name = "FILE", conflicts_with = "nats_creds")]
    nats_nkey: Option<PathBuf>,
    /// Log in to NATS with this credentials file, as written by `nsc` [env: WEFT_NATS_CREDS]
    #[arg(long, value_name = "FILE")]
    nats_creds: Option<PathBuf>,
    /// Verify NATS servers with the CA certificates (PEM) in this file; enables TLS [env:
    /// WEFT_NATS_CA]
    #[arg(long, value_name = "FILE")]
    nats_ca: Option<PathBuf>,
    /// Present the client certificate (PEM) in this file to NATS servers; enables TLS [env:
    /// WEFT_NATS_CERT]
    #[arg(long, value_name = "FILE")]
    nats_cert: Option<PathBuf>,
    /// Use the private key (PEM) in this file for `--nats-cert` [env: WEFT_NATS_KEY]
    #[arg(long, value_name = "FILE")]
    nats_key: Option<PathBuf>,
    /// Store data on the servers of this JetStream domain, for a leaf node without JetStream [env:
    /// WEFT_NATS_DOMAIN]
    #[arg(long, value_name = "DOMAIN")]
    nats_domain: Option<String>,
}

/// The options to send a command to any host of a lattice.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connect over NATS")]
pub(crate) struct AnyHostOptions {
    /// Connect to any host of the lattice on these NATS servers (comma-separated), instead of the
    /// host at `--admin` [env: WEFT_NATS]
    #[arg(
        long,
        value_name = "URL",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new()
    )]
    nats: Vec<String>,
    /// Connect to the lattice of this name [default: default] [env: WEFT_LATTICE]
    #[arg(long, value_name = "NAME")]
    lattice: Option<String>,
    #[command(flatten)]
    access: NatsAccess,
}

/// The options that select a host or a lattice, and that a context can replace.
#[derive(Debug, Clone, Args)]
pub(crate) struct TargetOptions {
    /// Connect to this admin address [default: the address recorded in the data directory] [env:
    /// WEFT_ADMIN]
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_parser = NonEmptyStringValueParser::new()
    )]
    admin: Option<String>,
    #[command(flatten)]
    data_directory: DataDirectory,
    #[command(flatten)]
    any: AnyHostOptions,
}

/// The options that select the host of a command.
#[derive(Debug, Clone, Args)]
pub(crate) struct HostOptions {
    /// Connect to the host or lattice of this context [default: the one of `weft context use`]
    /// [env: WEFT_CONTEXT]
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["admin", "data_dir", "nats"],
        value_parser = NonEmptyStringValueParser::new()
    )]
    context: Option<String>,
    #[command(flatten)]
    target: TargetOptions,
}

impl DataDirectory {
    /// The given directory, or the user's default.
    ///
    /// # Errors
    /// The option is missing, and `HOME` is not set.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        let given = self.data_dir.clone();
        data_directory(given.or(of_environment().settings.data_dir))
    }
}

impl LatticeOptions {
    /// The lattice that a host of this name joins; `None` without NATS servers.
    ///
    /// # Errors
    /// An option requires NATS servers, or the settings contradict each other.
    pub(crate) fn mesh(self, host: &str) -> Result<Option<MeshConfig>, Failure> {
        let mut settings = Settings {
            nats: self.nats,
            lattice: self.lattice,
            ..Settings::default()
        };
        self.access.add_to(&mut settings);
        let lattice = select_to_join(settings, of_environment().settings)?;
        let Some(LatticeTarget { name, nats }) = lattice else {
            return match self.nats_replicas {
                None => Ok(None),
                Some(_) => Err(without_servers("--nats-replicas")),
            };
        };
        // `value_parser` has checked the value.
        let replicas = self.nats_replicas.and_then(|count| count.parse().ok());
        Ok(Some(MeshConfig {
            buckets: BucketOptions {
                replicas: replicas.unwrap_or(1),
                ..BucketOptions::default()
            },
            lattice: name,
            host: host.to_owned(),
            nats: named(nats, host),
        }))
    }
}

impl NatsAccess {
    fn add_to(self, settings: &mut Settings) {
        let Self {
            nats_user,
            nats_password,
            nats_token,
            nats_nkey,
            nats_creds,
            nats_ca,
            nats_cert,
            nats_key,
            nats_domain,
        } = self;
        *settings = Settings {
            nats_user,
            nats_password,
            nats_token,
            nats_nkey,
            nats_creds,
            nats_ca,
            nats_cert,
            nats_key,
            nats_domain,
            ..std::mem::take(settings)
        };
    }
}

impl TargetOptions {
    /// The settings on the command line alone.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings {
            admin: self.admin.clone(),
            data_dir: self.data_directory.data_dir.clone(),
            nats: self.any.nats.clone(),
            lattice: self.any.lattice.clone(),
            ..Settings::default()
        };
        self.any.access.clone().add_to(&mut settings);
        settings
    }
}

impl HostOptions {
    /// Selects the host or lattice by these options, the environment and the contexts.
    ///
    /// # Errors
    /// The settings contradict each other, or the context is missing or cannot be read.
    pub(crate) fn select(&self) -> Result<Selection, Failure> {
        let command_line = Given {
            context: self.context.clone(),
            settings: self.target.settings(),
        };
        let selection = select(command_line, of_environment(), |name| {
            Contexts::load()?.into_selected(name)
        })?;
        Ok(match selection.target {
            Target::Lattice(LatticeTarget { name, nats }) => {
                let nats = named(nats, CLIENT_NAME);
                let target = Target::Lattice(LatticeTarget { name, nats });
                Selection {
                    target,
                    ..selection
                }
            }
            Target::Host { .. } => selection,
        })
    }

    /// True if the command line has the admin address.
    pub(crate) fn has_admin(&self) -> bool {
        self.target.admin.is_some()
    }

    /// The first of these options on the command line.
    pub(crate) fn named_by(&self) -> Option<&'static str> {
        let context = self.context.as_ref().map(|_| "--context");
        context.or_else(|| Some(self.target.settings().names().next()?.option))
    }
}

/// The settings in the environment.
pub(crate) fn of_environment() -> Given {
    let context = variable(CONTEXT_VARIABLE);
    Given {
        context: context.map(|name| name.to_string_lossy().into_owned()),
        settings: Settings::of_variables(variable),
    }
}

/// The same options for a connection of this name.
fn named(nats: NatsOptions, name: &str) -> NatsOptions {
    let name = name.to_owned();
    NatsOptions { name, ..nats }
}
