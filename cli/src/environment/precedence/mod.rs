//! The host or lattice of a command: the command line goes before the environment, the environment
//! before the context in use, and that before the host of the data directory.

use std::fmt;
use std::path::PathBuf;

use weft_bus::nats::{Login, NatsOptions, TlsIdentity, TlsOptions};

use crate::environment::settings::{Name, Settings};
use crate::failure::{Failure, Kind};

/// The name of a lattice without `--lattice`.
pub(crate) const LATTICE_DEFAULT: &str = "default";

/// The settings of one source, and the name of a context.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) context: Option<String>,
    pub(crate) settings: Settings,
}

/// A context: its name and settings.
pub(crate) type NamedContext = (String, Settings);

/// The source that selects the host or lattice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    CommandLine,
    /// The variable that selects it.
    Environment(&'static str),
    Context(String),
    Default,
}

/// The host or lattice of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The host with this admin address or data directory, each with a default.
    Host {
        admin: Option<String>,
        data_dir: Option<PathBuf>,
    },
    /// Any host of the lattice.
    Lattice(LatticeTarget),
}

/// A lattice on NATS servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LatticeTarget {
    pub(crate) name: String,
    pub(crate) nats: NatsOptions,
}

/// The host or lattice of a command, and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) target: Target,
    pub(crate) source: Source,
}

/// Selects the host or lattice of a command. `context` finds a context by name, or the one in use;
/// it is called only if neither the command line nor the environment selects a host or lattice.
///
/// # Errors
/// An option has no effect on the selected host, the settings contradict each other, or `context`
/// fails.
pub(crate) fn select(
    command_line: Given,
    environment: Given,
    context: impl FnOnce(Option<&str>) -> Result<Option<NamedContext>, Failure>,
) -> Result<Selection, Failure> {
    let (line, variables) = (command_line.settings, environment.settings);
    let (layers, source) = if line.target_name().is_some() {
        ([line, variables, Settings::default()], Source::CommandLine)
    } else if let Some(name) = command_line.context {
        // Named on the command line, it goes before the environment.
        let (source, settings) = of_context(context(Some(&name))?);
        ([line, settings, variables.without_target()], source)
    } else if let Some(Name { variable, .. }) = variables.target_name() {
        let source = Source::Environment(variable);
        ([line, variables, Settings::default()], source)
    } else {
        let (source, settings) = of_context(context(environment.context.as_deref())?);
        ([line, variables, settings], source)
    };
    let target = target(&layers)?;
    Ok(Selection { target, source })
}

/// The lattice that a host joins; `None` for a host alone. Contexts are for other commands.
///
/// # Errors
/// As [`select`].
pub(crate) fn select_to_join(
    command_line: Settings,
    environment: Settings,
) -> Result<Option<LatticeTarget>, Failure> {
    match target(&[command_line, environment.without_host()])? {
        Target::Host { .. } => Ok(None),
        Target::Lattice(lattice) => Ok(Some(lattice)),
    }
}

/// Rejects an option that requires NATS servers.
///
/// # Errors
/// Always.
pub(crate) fn without_servers(option: &str) -> Failure {
    let message = format!("`{option}` requires NATS servers, and none are given");
    Failure::new(Kind::Input, message)
        .or_help("give the servers with `--nats URL` or `WEFT_NATS`, or omit the option")
}

fn of_context(context: Option<NamedContext>) -> (Source, Settings) {
    match context {
        Some((name, settings)) => (Source::Context(name), settings),
        None => (Source::Default, Settings::default()),
    }
}

/// Merges the settings of all sources, the first of which is the command line. The first source
/// that names a host or servers decides between the two; each other setting is of the first source
/// that has it.
fn target(layers: &[Settings]) -> Result<Target, Failure> {
    let decisive = layers.iter().position(|it| it.target_name().is_some());
    let decisive = decisive.unwrap_or(0);
    let servers = &layers[decisive].nats;
    if servers.is_empty() {
        return host(layers);
    }
    let name = first(layers, |it| it.lattice.clone());
    let nats = NatsOptions {
        servers: servers.clone(),
        login: login(layers, decisive)?,
        tls: tls(layers)?,
        jetstream_domain: first(layers, |it| it.nats_domain.clone()),
        name: String::new(),
    };
    Ok(Target::Lattice(LatticeTarget {
        name: name.unwrap_or_else(|| LATTICE_DEFAULT.to_owned()),
        nats,
    }))
}

fn host(layers: &[Settings]) -> Result<Target, Failure> {
    // In the environment, the same variable may be meant for another command.
    let unused = layers.first().and_then(|line| line.lattice_names().next());
    if let Some(Name { option, .. }) = unused {
        return Err(without_servers(option));
    }
    Ok(Target::Host {
        admin: first(layers, |it| it.admin.clone()),
        data_dir: first(layers, |it| it.data_dir.clone()),
    })
}

/// The login: one in the addresses goes before those of later sources.
fn login(layers: &[Settings], servers: usize) -> Result<Option<Login>, Failure> {
    let is_in_address = layers[servers].has_login_in_address();
    let considered = if is_in_address {
        servers + 1
    } else {
        layers.len()
    };
    for layer in &layers[..considered] {
        let Some(login) = layer.login()? else {
            continue;
        };
        return Ok(Some(match login {
            Login::Password { user, .. } => Login::Password {
                user,
                password: first(layers, |it| it.nats_password.clone()).unwrap_or_default(),
            },
            login => login,
        }));
    }
    Ok(None)
}

fn tls(layers: &[Settings]) -> Result<Option<TlsOptions>, Failure> {
    let cert = first(layers, |it| it.nats_cert.clone());
    let key = first(layers, |it| it.nats_key.clone());
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some(TlsIdentity { cert, key }),
        (None, None) => None,
        (Some(_), None) => return Err(unpaired("--nats-cert", "--nats-key")),
        (None, Some(_)) => return Err(unpaired("--nats-key", "--nats-cert")),
    };
    let ca = first(layers, |it| it.nats_ca.clone());
    let tls = TlsOptions { ca, identity };
    Ok((tls != TlsOptions::default()).then_some(tls))
}

fn unpaired(given: &str, missing: &str) -> Failure {
    let message = format!("`{given}` is given without `{missing}`");
    Failure::new(Kind::Input, message).or_help(
        "give both, each as an option, in the environment (`WEFT_NATS_CERT`, `WEFT_NATS_KEY`) or \
         in the context",
    )
}

/// The value of the first source that has one.
fn first<T>(layers: &[Settings], value: impl Fn(&Settings) -> Option<T>) -> Option<T> {
    layers.iter().find_map(value)
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::CommandLine => formatter.write_str("selected on the command line"),
            Source::Environment(variable) => write!(formatter, "selected by `{variable}`"),
            Source::Context(name) => write!(formatter, "selected by context `{name}`"),
            Source::Default => formatter.write_str("selected by default"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Lattice(lattice) => write!(formatter, "any host of {lattice}"),
            Target::Host { admin, data_dir } => {
                formatter.write_str("the host")?;
                if let Some(admin) = admin {
                    write!(formatter, " at `{admin}`")?;
                }
                match data_dir {
                    Some(path) => write!(formatter, " with data directory `{}`", path.display()),
                    None => formatter.write_str(" with the default data directory"),
                }
            }
        }
    }
}

impl fmt::Display for LatticeTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self.nats.shown_servers();
        write!(
            formatter,
            "lattice `{}` on NATS servers `{servers}`",
            self.name
        )
    }
}

#[cfg(test)]
mod tests;
